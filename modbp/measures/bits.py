"""How much of the choice among classes a map still tells, in bits.

A conserving explanation without minus signs is a noisy channel from class to pixel: the
map of a class, scaled to sum one, is a distribution over pixels. What a reader of one
drop of relevance learns about the class is the mutual information of both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index

import numpy as np
import torch
from torch import nn

from modbp import theory
from modbp.backprop.chain import Chain
from modbp.backprop.inference import outside_inference_mode
from modbp.backprop.methods import Method
from modbp.errors import (
    InputError,
    MethodError,
    check_names,
    check_option,
    check_whole,
)
from modbp.measures.channels import channel_dims, side_by_side
from modbp.measures.interval import nested
from modbp.measures.precision import in_float64, network_in_float64

__all__ = ["Bits", "bits"]

# What may be done to relevance before it is a distribution.
OVER = ("places", "entries")
PARTS = ("all", "positive")
# Relevance below zero of this share is rounding: float64 sums of many terms.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Bits:
    """Bits about the class that are left at some layers, for every sample.

    Attributes
    ----------
    method, part : which method, and whether all relevance counts or its positive part
    classes : among how many classes the choice is
    left : for each layer, top first, ``[N]`` in bits, in [0, log2 of `classes`]

    Examples
    --------
    >>> two = modbp.models.dense([[3, 1], [1, 3]])
    >>> modbp.bits(two, torch.ones(1, 2), "lrp-a1b0").classes
    2
    """

    method: str
    part: str
    classes: int
    left: dict[str, np.ndarray]

    @property
    def whole(self) -> float:
        """The bits in a uniform choice among the classes."""
        return float(np.log2(self.classes))

    def median(self) -> dict[str, float]:
        """Return the median over samples, by layer.

        Returns
        -------
        dict of values in bits

        Examples
        --------
        >>> two = modbp.models.dense([[1, 0], [0, 1]])
        >>> modbp.bits(two, torch.ones(1, 2), "lrp-a1b0").median()
        {'input': 1.0}
        """
        return {layer: float(np.median(each)) for layer, each in self.left.items()}

    def interval(self) -> dict[str, tuple[float, float]]:
        """Return where that median would be with other samples, 95 %, by bootstrap.

        Returns
        -------
        dict of two numbers, in bits

        Examples
        --------
        >>> two = modbp.models.dense([[1, 0], [0, 1]])
        >>> modbp.bits(two, torch.ones(1, 2), "lrp-a1b0").interval()
        {'input': (1.0, 1.0)}
        """
        return {layer: nested(each) for layer, each in self.left.items()}

    def __str__(self):
        part = "" if self.part == "all" else f", {self.part} part"
        rows = [f"{self.method}{part}: of {self.whole:.2f} bits are left"]
        for layer, (low, high) in self.interval().items():
            row = f"{layer:<16}{self.median()[layer]:10.3g}"
            rows.append(f"{row}   {low:.3g} … {high:.3g}")
        return "\n".join(rows)


@outside_inference_mode
def bits(
    net: nn.Module, x: torch.Tensor, method: str | Method,
    classes: Sequence[int] | None = None, *, to: Sequence[str] = ("input",),
    over: str = "places", part: str = "all", batch: int = 16, fold: bool = True,
) -> Bits:  # fmt: skip
    r"""Measure how much of the choice among classes relevance still tells, in bits.

    .. math:: I = \frac{1}{C} \sum_c \sum_p P(p | c) \log_2 \frac{P(p | c)}{P(p)},
        \qquad P(p | c) = \frac{r_c[p]}{\sum_q r_c[q]}

    with :math:`r_c` the explanation of class `c` and :math:`P(p)` the mean over
    classes. It is computed in float64 whatever the network's type, in a copy.

    Parameters
    ----------
    net, x, fold : as for :func:`modbp.explain`
    method
        A method that explains without minus signs, such as "lrp-a1b0".
    classes : which ones the choice is among; all logits if left out
    to : layers where it is measured, the input alone if left out
    over
        "places": relevance is summed over the channels of each place, as in a map that
        is looked at. "entries": nothing is summed; no layer can then have more bits
        than one above it that all relevance passes.
    part
        "all" of the relevance, or its "positive" part. Where relevance has signs there
        is no channel; the bits of the positive part are those of another map.
    batch : classes that go back together, through one forward pass

    Returns
    -------
    Bits

    Raises
    ------
    MethodError : If relevance has both signs and all of it is asked for.
    InputError
        If input, classes, a layer or an option do not fit, or a class gets no
        relevance, or none of the part asked for.

    Examples
    --------
    >>> positive = modbp.models.dense([[3, 1], [1, 3]]).double()
    >>> ones = torch.ones(1, 2).double()
    >>> print(modbp.bits(positive, ones, "lrp-a1b0"))
    lrp-a1b0: of 1.00 bits are left
    input                0.189   0.189 … 0.189
    """
    check_option("over", over, OVER.__contains__, f"choose {' or '.join(OVER)}.")
    check_option("part", part, PARTS.__contains__, f"choose {' or '.join(PARTS)}.")
    check_whole("batch", batch, 1, 100_000)
    # What is neither network nor numbers is refused by name below.
    if isinstance(net, nn.Module):
        net = network_in_float64(net)
    if isinstance(x, torch.Tensor) and x.is_floating_point():
        x = in_float64(x)
    chain = Chain(net, x, method, fold=fold)
    classes = _classes(chain, classes)
    remedy = "give names of layers, as in ['input']."
    to = [to] if isinstance(to, str) else check_names("to", to, remedy)
    shapes = [chain.output(layer).shape for layer in chain.layers]
    dims = dict(zip(chain.layers, channel_dims(chain.calls, shapes), strict=True))
    left = {layer: np.empty(len(x)) for layer in to}
    # A sample at a time: all classes of one are as much as memory should hold.
    for sample in range(len(x)):
        alone = chain
        if len(x) > 1:
            alone = Chain(net, x[sample : sample + 1], method, fold=fold)
        maps = _maps(alone, classes, to, dims, over, batch)
        for layer, columns in maps.items():
            about = f"layer {layer!r}, sample {sample}"
            joint = _distributions(columns, classes, part, chain.method, about)
            left[layer][sample] = theory.bits([joint])
    return Bits(chain.method.name, part, len(classes), left)


def _classes(chain, classes):
    """Return the numbers of the classes the choice is among."""
    count = chain.logits.shape[1]
    if count < 2:
        raise InputError("the network has a single logit, so there is no choice.")
    if classes is None:
        return list(range(count))

    def fits(given):
        numbers = {*map(index, given)}
        return 1 < len(given) == len(numbers) and numbers <= {*range(count)}

    remedy = f"give two different ones at least of 0…{count - 1}."
    check_option("classes", classes, fits, remedy)
    return [*map(index, classes)]


def _maps(chain, classes, to, dims, over, batch):
    """Return for each layer the relevance of all classes, a column for each one."""
    unit = torch.eye(chain.logits.shape[1], device="cpu")[classes].to(chain.logits)
    found = {layer: [] for layer in to}
    for rows in unit.split(batch):
        r = rows.reshape(-1, *chain.output(chain.top).shape)
        for layer, each in chain.pull(r, chain.top, to).items():
            if over == "places":
                each = side_by_side(each, dims[layer])
                each = each.sum(2) if each[0, 0, 0].numel() > 1 else each
            found[layer].append(each.flatten(1).cpu().numpy())
    return {layer: np.concatenate(parts).T for layer, parts in found.items()}


def _distributions(columns, classes, part, method, about):
    """Return columns of sum one, or refuse what is no distribution."""
    if part == "positive":
        columns = columns.clip(min=0)
    total, size = columns.sum(0), np.abs(columns).sum(0)
    if (silent := np.flatnonzero(size == 0)).size:
        raise InputError(
            f"{about}: no relevance for {len(silent)} of the classes, whose maps are "
            f"no distributions: {[classes[each] for each in silent]}. Leave them out "
            "of `classes`."
        )
    # What sums to less than nothing may be below zero as a whole.
    columns = columns * np.sign(total)
    if (-columns.clip(max=0).sum(0) > _ROUNDING * size).any():
        raise MethodError(
            f"{about}: relevance by method {method.name!r} has both signs, and what is "
            "below zero is no probability. Choose a method without minus signs, as "
            "'lrp-a1b0' is among ReLUs, or, where layers without one are added up, "
            "modbp.methods.get('lrp-a1b0', bias='ignore', "
            "addition=modbp.rules.AlphaBetaSplit(1, 0)); or part='positive', the bits "
            "of another map."
        )
    columns = columns.clip(min=0)
    return columns / columns.sum(0)
