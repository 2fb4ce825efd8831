"""DeepLIFT in three variants, as tables; their options are said at the first."""

from modbp.backprop import deeplift, rules
from modbp.backprop.deeplift import SMALL
from modbp.backprop.methods.method import Method

# By name: `modbp.methods.get`.
__all__ = []


def _method(name, frame, maxpool, relu, **more):
    table = {
        "linear": deeplift.Weighted(),
        "relu": relu,
        "maxpool": deeplift.LargestChange(maxpool),
        "avgpool": deeplift.Along(rules.Average()),
        "add": deeplift.Along(rules.Copy()),
        "cat": deeplift.Along(rules.Piece()),
        "shape": deeplift.Along(rules.Undo()),
        "identity": deeplift.Along(rules.Pass()),
        **more,
    }
    return Method(name, table, start="one", frame=frame)


def deeplift_rescale(
    reference=None, maxpool="difference", small=SMALL, readout="contribution"
):
    """DeepLIFT, Rescale: finite differences in place of derivatives.

    Equation: ``m_in = m Δz/Δa`` at a ReLU, the derivative elsewhere; the contribution
    ``m Δa`` is read. Source: :cite:t:`shrikumar2017learning`. Channel reduction: sum.
    Contributions sum to ``f(x) − f(x0)``, apart from ``|Δa| < small``, where the
    derivative at the reference replaces the quotient. Without biases, with a zero
    reference, and with max pooling only behind ReLUs, it equals gradient × input.

    Parameters
    ----------
    reference : torch.Tensor, optional
        The input to compare with, for all samples or one for each; zeros if left out.
    maxpool : {"difference", "winner"}
        See :class:`modbp.deeplift.LargestChange`. The 2020 code takes "winner", with
        which contributions do not sum.
    small : float
        Smaller differences are no denominator at a ReLU; see the rule. The value is the
        2020 code's; networks whose activations are small need a smaller one.
    readout : {"contribution", "multiplier"}
        What is read below the layer where a multiplier enters. The 2020 code reads
        contributions.
    """
    frame = deeplift.Differences(reference, 1, readout)
    return _method("deeplift-rescale", frame, maxpool, deeplift.Rescale(small))


def deeplift_revealcancel(reference=None, maxpool="difference", small=SMALL):
    """DeepLIFT, RevealCancel: positive and negative differences, apart.

    Equation: at a ReLU the effect of each part is the mean of that with and that
    without the other, ``m⁺_in = m⁺ Δz⁺/Δa⁺``; the contribution ``m⁺Δa⁺ + m⁻Δa⁻`` is
    read. Source: :cite:t:`shrikumar2017learning`. Channel reduction: sum. Contributions
    sum to ``f(x) − f(x0)``. What goes in at a layer is the multiplier of both parts.
    Options: as for deeplift-rescale, without `readout`.
    """
    more = {
        "linear": deeplift.BySign(),
        "scale": deeplift.ScaleParts(),
        "add": deeplift.SumBySign(),
    }
    frame, relu = deeplift.Differences(reference, 2), deeplift.RevealCancel(small)
    return _method("deeplift-revealcancel", frame, maxpool, relu, **more)


def deeplift_ablation(
    reference=None, maxpool="difference", small=SMALL, readout="contribution"
):
    """DeepLIFT, ablation: Rescale without the cross terms, which makes it converge.

    Equation: ``m_in = W⁺ᵀm`` in convolutions and dense layers, ``Wᵀm`` where ``Δa = 0``
    exactly. Source: :cite:t:`sixt2020lie`. Channel reduction: sum.
    Contributions do not sum. A batch norm keeps the sign of its scale, as in the 2020
    code; without batch norm, multipliers stay non-negative wherever ``Δa ≠ 0``.
    Options: as for deeplift-rescale.
    """
    frame = deeplift.Differences(reference, 1, readout)
    relu = deeplift.Rescale(small)
    more = {"conv": deeplift.Ablated(), "dense": deeplift.Ablated()}
    return _method("deeplift-ablation", frame, maxpool, relu, **more)
