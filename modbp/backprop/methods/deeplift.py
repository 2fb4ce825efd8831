"""DeepLIFT in three variants, as tables."""

import torch

from modbp.backprop import deeplift, rules
from modbp.backprop.deeplift import SMALL
from modbp.backprop.methods.method import Method
from modbp.backprop.methods.named import named

__all__ = ["deeplift_ablation", "deeplift_rescale", "deeplift_revealcancel"]


def _method(name, frame, maxpool, relu, **more):
    table = {
        "linear": deeplift.Weighted(),
        "scale": deeplift.Weighted(),
        "relu": relu,
        "activation": relu,
        "layernorm": deeplift.Standardized(),
        "gate": deeplift.Product(),
        "maxpool": deeplift.LargestChange(maxpool),
        "avgpool": deeplift.Along(rules.AvgPool()),
        "add": deeplift.Along(rules.Copy()),
        "cat": deeplift.Along(rules.Concatenation()),
        "shape": deeplift.Along(rules.Reshape()),
        "identity": deeplift.Along(rules.Pass()),
        "detach": deeplift.Along(rules.Pass()),
        **more,
    }
    table = {kind: rule for kind, rule in table.items() if rule is not None}
    return Method(name, table, output="one", frame=frame)


@named
def deeplift_rescale(
    reference: torch.Tensor | None = None, maxpool: str = "difference",
    small: float = SMALL, readout: str = "contribution",
) -> Method:  # fmt: skip
    """DeepLIFT, Rescale: finite differences in place of derivatives.

    Equation: ``m_in = m Δz/Δa`` at a ReLU or another function of one entry, the other
    factor's mean over input and reference at a product, the derivative elsewhere; the
    contribution ``m Δa`` is read. Source: :cite:t:`shrikumar2017learning`.
    Contributions sum to ``f(x) − f(x0)``, whatever the size of activations: the
    derivative replaces the quotient only where `Δa` is small beside `a` or `a0`
    themselves. Without biases, with a zero reference, and with max pooling only behind
    ReLUs, it equals gradient × input. The 2020 code has ``maxpool="winner"``, with
    which contributions do not sum.

    >>> modbp.explain(net, x, "deeplift-rescale", 0)
    tensor([[-4., -4.]], dtype=torch.float64)
    """
    frame = deeplift.Differences(reference, 1, readout)
    return _method("deeplift-rescale", frame, maxpool, deeplift.Rescale(small))


@named
def deeplift_revealcancel(
    reference: torch.Tensor | None = None,
    maxpool: str = "difference",
    small: float = SMALL,
) -> Method:
    """DeepLIFT, RevealCancel: positive and negative differences, apart.

    Equation: at a ReLU the effect of each part is the mean of that with and that
    without the other, ``m⁺_in = m⁺ Δz⁺/Δa⁺``; the contribution ``m⁺Δa⁺ + m⁻Δa⁻`` is
    read. Source: :cite:t:`shrikumar2017learning`. Contributions sum to
    ``f(x) − f(x0)``. What goes in at a layer is the multiplier of both parts.

    >>> modbp.explain(net, x, "deeplift-revealcancel", 0)
    tensor([[-3.5000, -4.5000]], dtype=torch.float64)
    """
    more = {
        "linear": deeplift.BySign(),
        "norm": deeplift.ScaleParts(),
        "scale": deeplift.ScaleParts(),
        "add": deeplift.SumBySign(),
        **dict.fromkeys(("layernorm", "gate")),
    }
    frame, relu = deeplift.Differences(reference, 2), deeplift.RevealCancel(small)
    return _method("deeplift-revealcancel", frame, maxpool, relu, **more)


@named
def deeplift_ablation(
    reference: torch.Tensor | None = None, maxpool: str = "difference",
    small: float = SMALL, readout: str = "contribution",
) -> Method:  # fmt: skip
    """DeepLIFT, ablation: Rescale without the cross terms, which makes it converge.

    Equation: ``m_in = W⁺ᵀm`` in convolutions and dense layers, ``Wᵀm`` where ``Δa = 0``
    exactly. Source: :cite:t:`sixt2020lie`. Contributions do not sum. A batch norm keeps
    the sign of its scale, as in the 2020 code; without one, ``m ≥ 0`` where ``Δa ≠ 0``.

    >>> modbp.explain(net, x, "deeplift-ablation", 0)
    tensor([[0., 0.]], dtype=torch.float64)
    """
    frame = deeplift.Differences(reference, 1, readout)
    relu = deeplift.Rescale(small)
    more = {"conv": deeplift.Ablated(), "dense": deeplift.Ablated()}
    return _method("deeplift-ablation", frame, maxpool, relu, **more)
