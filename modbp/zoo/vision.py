"""torchvision and its classifiers, even where its compiled operators do not load.

The torchvision wheel that pip finds first on Linux is linked against CUDA. Beside a
CPU build of torch its import stops, because two operators of box suppression, which no
classifier calls, were never registered. Where the wheel fits, nothing is done here.
"""

from pathlib import Path

import torch

from modbp.errors import WeightsError

__all__ = ["classifier", "load_torchvision"]

_placeholders = None


def load_torchvision():
    """Return the torchvision module, whose detectors alone may not work."""
    # Kept in a global: dropping the library would withdraw the operators again.
    global _placeholders
    try:
        import torchvision
    except RuntimeError as error:
        # Only after a failure: where the real operators load, a second declaration
        # of the same names would be the error.
        if "torchvision::nms does not exist" not in str(error):
            raise
        _placeholders = torch.library.Library("torchvision", "FRAGMENT")
        arguments = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        for name in ("nms", "qnms"):
            _placeholders.define(name + arguments)
        import torchvision
    return torchvision


def classifier(name, weights=None, seed=0):
    """Return torchvision's network with these weights of its own, or random ones."""
    library = load_torchvision().models
    # These two want to be told whether to draw their weights, and warn otherwise.
    draws = weights is None and name in ("googlenet", "inception_v3")
    options = {"init_weights": True} if draws else {}
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(seed)
        try:
            return library.get_model(name, weights=weights, **options).eval()
        except (OSError, RuntimeError) as error:
            if weights is None:
                raise
            folder = Path(torch.hub.get_dir()) / "checkpoints"
            raise WeightsError(
                f"the ImageNet weights of {name} cannot be had ({error}). Put the file "
                f"from {weights.url} into {folder}, or ask for random ones, with "
                "weights=None (--weights none)."
            ) from None
