"""The practitioner's question in one call: which methods look at my network?"""

from collections.abc import Callable, Mapping, Sequence
from importlib import metadata

import torch
from torch import nn
from tqdm import tqdm

from modbp.audits.result import AuditResult, assembled
from modbp.audits.work import Work
from modbp.backprop.inference import outside_inference_mode
from modbp.backprop.methods import Averaged, Method
from modbp.errors import check_names

__all__ = ["audit", "duration", "forecast", "versions"]


@outside_inference_mode
def audit(
    net: nn.Module, x: torch.Tensor,
    methods: Sequence[str | Method | Averaged | Callable] | Mapping | None = None,
    target: int | Sequence[int] | None = None, seed: int = 0, *,
    classes: Sequence[str] = (),
) -> AuditResult:  # fmt: skip
    """Tell which explanation methods look at a network's decision, and which do not.

    For each method: do its maps change when another class is explained, and when
    weights are random ones from the top down to a layer? Each change is measured beside
    that of another picture's map, :math:`(1 - s)/(1 - s_{other})` with the likeness
    `s`, the cosine of all relevance or SSIM of the maps. Below a tenth it is none;
    ``modbp/audits/verdict.py`` has all rules. What it will take is printed first.

    Parameters
    ----------
    net : A classifier in evaluation mode with two outputs or more; it is only read.
    x : ``[N, C, H, W]`` pictures as the network takes them, six or more.
    methods
        Names, methods, and functions ``(net, x, target) -> map``, with `target`
        ``[N]`` and a map ``[N, H, W]`` or ``[N, C, H, W]``, whose channels are added
        up to be drawn, in a list, or by labels of your own in a dict; all named ones
        that the network supports if left out.
    target : The class to explain, one or ``[N]``; the largest logit if left out.
    seed : Of the other classes, the random weights and relevances, and of noise.
    classes : The names of the network's classes, for the report.

    Returns
    -------
    AuditResult

    Raises
    ------
    ModbpError
        If the network, the pictures, the target or a method does not fit; see
        `modbp.errors`.

    References
    ----------
    :cite:t:`sixt2020lie`; :cite:t:`adebayo2018sanity`.

    Examples
    --------
    >>> x = modbp.data.images(6, folder="photographs").x
    >>> found = modbp.audit(modbp.models.cifar10(), x, ["gradient"])
    audit: ...
    >>> found.advised
    'gradient'
    """
    remedy = "give the names of the classes in a list, class 0 first."
    classes = check_names("classes", classes, remedy)
    work = Work(net, x, methods, target, seed)
    todo = {label: work.units(label) for label in work.candidates}
    print(forecast(work, todo), flush=True)
    found = {}
    with tqdm(total=sum(map(len, todo.values())), desc="audit", disable=None) as bar:
        for label, units in todo.items():
            bar.set_postfix_str(label)
            arrays = {}
            for unit in units:
                arrays[unit] = work.compute(label, unit)
                bar.update()
            found[label] = work.summary(label, arrays)
    about = {
        "network": type(net).__name__,
        "images": f"{len(x)} pictures",
        **work.about(classes),
        "command": "",
        "versions": versions(),
    }
    return assembled(about, found, work.left_out)


def forecast(work: Work, todo: Mapping[str, Sequence[tuple]]) -> str:
    """Say what is to be done, and about how long it will take."""
    left = {label: units for label, units in todo.items() if units}
    names = f"{len(left)} method{'s' * (len(left) != 1)}"
    seconds = work.seconds(left)
    return (
        f"audit: {names} on {len(work.x)} pictures, from {work.start} down through "
        f"{len(work.stages)} stages: about {duration(seconds)}"
    )


def duration(seconds: float) -> str:
    """Return a time in words."""
    if seconds < 90:
        whole = f"{max(seconds, 1):.0f}"
        return f"{whole} second{'s' * (whole != '1')}"
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} h"


def versions() -> dict[str, str]:
    """Return the versions of what computes."""
    return {name: metadata.version(name) for name in ("numpy", "torch")}
