"""What a run will cost, before it is begun."""

import time

from torch.utils.flop_counter import FlopCounterMode

__all__ = ["forecast"]

# Units per method from which a forecast is worth what it costs, about two images each.
_LONG = 4


def forecast(experiment, missing, processes=1):
    """Return what is left to do, in lines.

    Parameters
    ----------
    experiment : object
        With ``trial``, where it can do with one image.
    missing : dict of str to list of int
        The units to compute, by part.
    processes : int
        How many compute, each as many as this one.

    Returns
    -------
    list of str
        None if there is little to do.
    """
    units = sum(map(len, missing.values()))
    trial = getattr(experiment, "trial", None)
    if trial is None or not units or units < _LONG * sum(map(bool, missing.values())):
        return []
    products = images = seconds = 0
    for part, left in missing.items():
        if not left:
            continue
        with FlopCounterMode(display=False) as counter:
            trial(part)
        begin = time.monotonic()
        trial(part)
        each = time.monotonic() - begin
        count = sum(len(experiment.places(unit)) for unit in left)
        images += count
        # The counter counts a multiplication and an addition as two.
        products += count * counter.get_total_flops() / 2
        seconds += count * each
    rate = products / max(seconds, 1e-9)
    share = f", in each of {processes} processes" if processes > 1 else ""
    return [
        f"{experiment.name}: {images} images by methods to do, in {units} units{share}",
        f"  {products:.2g} multiply-adds, {rate:.2g} per second measured on one image: "
        f"about {_words(seconds)}, or less in batches",
    ]


def _words(seconds):
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return (
        f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} h"
    )
