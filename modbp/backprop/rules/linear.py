"""Rules of layers with weights: convolution, dense, batch norm."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from math import inf

from modbp.backprop.checks import is_broken
from modbp.backprop.inference import normal
from modbp.backprop.rules.options import (
    BIAS,
    check_alpha_beta,
    check_options,
    described,
)
from modbp.backprop.rules.products import (
    dividing,
    negative,
    output,
    per_channel,
    positive,
    share,
    summed,
    transpose,
)
from modbp.errors import InputError, MethodError, check_flag, check_option

__all__ = ["EPSILON", "GAMMA", "AlphaBeta", "Epsilon", "Excitation", "Gamma"]
__all__ += ["Gradient", "Pattern"]

# The ε of the ε-rule, Zennit's default, and the γ of Zennit and Captum.
EPSILON, GAMMA = 1e-6, 0.25


@dataclass(frozen=True)
class Gradient:
    """Carry relevance back as the derivative does: ``r_in = Wᵀ r``.

    >>> modbp.chain(net, x, "gradient").matrix("fc1")
    tensor([[ 1.,  2.],
            [-1.,  1.]], dtype=torch.float64)
    """

    keeps_output = False

    def __call__(self, call, a):
        shape = a.shape[1:]
        return call.layer.forward(a), lambda r: (transpose(call, r, None, shape),)


@described
@dataclass(frozen=True)
class Epsilon:
    """Distribute relevance by signed contribution: the z-rule, for ε > 0 the ε-rule.

    Equation: ``r_in = a ⊙ Wᵀ(r / (z + ε sign z))`` with ``z = W a + b``. With
    ``bias="ignore"`` the denominator is ``W a``, and relevance is conserved; the other
    two conventions are the same here.
    Source: :cite:t:`bach2015pixel`, equations 58 and 60.

    >>> rule = modbp.rules.Epsilon(1.0)
    >>> modbp.chain(net, x, modbp.methods.get("lrp-z", first=rule)).matrix("fc1")
    tensor([[-0.5000, 0.4000],
            [ 1.0000, 0.4000]], dtype=torch.float64)
    """

    epsilon: float = 0.0
    bias: str = BIAS

    def __post_init__(self):
        check_options(self.bias, epsilon=self.epsilon)

    def __call__(self, call, a):
        return share(call, a, (a, None), bias=self.bias, stabilizer=self.epsilon)


@described
@dataclass(frozen=True)
class AlphaBeta:
    """Distribute relevance by positive and by negative contribution, apart.

    Equation: with ``P = W⁺a⁺ + W⁻a⁻`` and ``N = W⁻a⁺ + W⁺a⁻``,
    ``r_in = α (a⁺⊙W⁺ᵀ + a⁻⊙W⁻ᵀ)(r/P) − β (a⁺⊙W⁻ᵀ + a⁻⊙W⁺ᵀ)(r/N)``.
    For ``α = 1``, ``β = 0`` and non-negative inputs it is the z⁺-rule.

    The bias is added in full to both denominators (``"denominator"``, as the 2020 code
    does; then `P` can vanish or change sign at units that are off), is split into
    ``b⁺`` in `P` and ``b⁻`` in `N` (``"unit"``), or left out (``"ignore"``).
    Source: :cite:t:`bach2015pixel`, equation 60; :cite:t:`montavon2017dtd` for z⁺.

    >>> modbp.chain(net, x, "lrp-a1b0").matrix("fc1")
    tensor([[1.0000, 0.5000],
            [0.0000, 0.5000]], dtype=torch.float64)
    """

    alpha: float = 1.0
    beta: float = 0.0
    bias: str = BIAS
    stabilizer: float = 0.0

    def __post_init__(self):
        check_options(self.bias, stabilizer=self.stabilizer)
        check_alpha_beta(self.alpha, self.beta)

    def __call__(self, call, a):
        favour, against = [(a, positive)], [(a, negative)]
        if not call.nonnegative:
            up, down = a.clamp(min=0), a.clamp(max=0)
            favour = [(up, positive), (down, negative)]
            against = [(up, negative), (down, positive)]
        options = {"bias": self.bias, "stabilizer": self.stabilizer}
        if not self.beta:
            return share(call, a, *favour, **options)
        P, N = summed(call, favour), summed(call, against)
        # P and N together are the output: no third product.
        z = P + N
        if call.layer.bias is not None:
            z += per_channel(call, call.layer.bias, z)
        gain = dividing(call, favour, P, **options)
        loss = dividing(call, against, N, **options)
        alpha, beta = self.alpha, self.beta
        return z, lambda r: (gain(r).mul_(alpha).sub_(loss(r), alpha=beta),)


@described
@dataclass(frozen=True)
class Gamma:
    """Distribute relevance by contribution, the positive ones enlarged by ``1 + γ``.

    Equation: ``r_in = a ⊙ (W + γW⁺)ᵀ(r / (W a + b + γW⁺a))``. With `split` the sign of
    the contribution decides instead of that of the weight, and where ``z < 0`` the
    negative contributions are the enlarged ones: then the denominator is at least as
    large as `z`. For ``a ≥ 0`` and ``z ≥ 0`` both forms are the same.

    The bias enters as it is (``"denominator"``, as in Captum), enlarged like a weight
    (``"unit"``, as in Zennit), or not at all (``"ignore"``).
    Source: :cite:t:`montavon2019layer`, section 10.2.

    >>> rule = modbp.rules.Gamma(1.0, split=False)
    >>> modbp.chain(net, x, modbp.methods.get("lrp-z", first=rule)).matrix("fc2")
    tensor([[-0., 0.],
            [1., 1.]], dtype=torch.float64)
    """

    gamma: float = GAMMA
    bias: str = BIAS
    stabilizer: float = 0.0
    split: bool = True

    def __post_init__(self):
        check_options(self.bias, stabilizer=self.stabilizer)
        check_flag("split", self.split)
        remedy = "choose 0 or more. Its limit for γ → ∞ is AlphaBeta(1, 0)."
        check_option("gamma", self.gamma, lambda gamma: 0 <= gamma < inf, remedy)

    def __call__(self, call, a):
        options = {"bias": self.bias, "stabilizer": self.stabilizer}
        favour, against = map(self._enlarging, (positive, negative))
        if not self.split:
            return share(call, a, (a, favour), **options)

        def favouring(change, other):
            pairs = [(a, change)]
            if not call.nonnegative:
                pairs = [(a.clamp(min=0), change), (a.clamp(max=0), other)]
            return dividing(call, pairs, summed(call, pairs), **options)

        z, sign = output(call, a, self.bias)
        up, off = favouring(favour, against), sign < 0
        down = cache(lambda: favouring(against, favour))

        def back(r):
            # Behind a ReLU no relevance arrives at units that are off, and this half,
            # as dear as the other one, is not needed.
            if not (off & (r != 0)).any():
                return (up(r),)
            above, below = r.masked_fill(off, 0), r.masked_fill(~off, 0)
            return (up(above) + down()(below),)

        return z, back

    def _enlarging(self, part):
        return lambda weight: part(weight).mul_(self.gamma).add_(weight)


@dataclass(frozen=True)
class Excitation:
    """Distribute probability by excitatory connections: z⁺ without the bias.

    Equation: ``r_in = a ⊙ W⁺ᵀ(r / W⁺a)``, for ``a ≥ 0`` only.
    Source: :cite:t:`zhang2018excitation`, equation 5.

    >>> modbp.chain(net, x, "excitation-bp").matrix("fc1")
    tensor([[1.0000, 0.5000],
            [0.0000, 0.5000]], dtype=torch.float64)
    """

    def __call__(self, call, a):
        if not call.nonnegative and (a < 0).any():
            raise MethodError(
                f"{call} has negative inputs (down to {a.min().item():.3g}), and "
                "excitation-bp is only defined for non-negative ones. Use 'lrp-a1b0', "
                "which splits contributions by sign, or images in [0, 1]."
            )
        return share(call, a, (a, positive))


@described
@dataclass(frozen=True)
class Pattern:
    """Carry relevance back by fitted patterns of a layer, not by its weights.

    Equation: ``r_in = Aᵀ r``, or for attribution ``r_in = (A ⊙ W)ᵀ r``.
    Source: :cite:t:`kindermans2018learning`.

    >>> rule = modbp.rules.Pattern({"fc1": torch.eye(2)})
    >>> modbp.chain(net, x, modbp.methods.get("lrp-z", first=rule)).matrix("fc1")
    tensor([[1., 0.],
            [0., 1.]], dtype=torch.float64)
    """

    patterns: Mapping | None = field(repr=False, compare=False)
    attribution: bool = False
    keeps_output = False

    def __post_init__(self):
        remedy = "give a dict, as modbp.patterns.fit does."
        is_dict = self.patterns is None or isinstance(self.patterns, Mapping)
        check_option("patterns", self.patterns, lambda _: is_dict, remedy)
        for name, found in (self.patterns or {}).items():
            if is_broken(found):
                raise InputError(
                    f"the pattern of layer {name!r} holds NaN or infinite values. Fit "
                    "patterns to this network, modbp.patterns.fit(net, batches), in "
                    "float64 if need be: net.double()."
                )

    def __call__(self, call, a):
        weight, shape = self._of(call), a.shape[1:]
        if self.attribution:
            weight = weight * call.layer.weight
        other = replace(call, layer=replace(call.layer, weight=weight))
        return call.layer.forward(a), lambda r: (transpose(other, r, None, shape),)

    def _of(self, call):
        name = "patternattribution" if self.attribution else "patternnet"
        remedy = (
            "Fit patterns to this network, patterns = modbp.patterns.fit(net, batches),"
            f" and give them: modbp.methods.get({name!r}, patterns=patterns)."
        )
        if self.patterns is None or call.name not in self.patterns:
            raise MethodError(f"{call} has no pattern. {remedy}")
        found, weight = self.patterns[call.name], call.layer.weight
        if getattr(found, "shape", None) != weight.shape:
            raise MethodError(
                f"{call} has weights of shape {list(weight.shape)} and a pattern of "
                f"shape {list(getattr(found, 'shape', ()))}. {remedy}"
            )
        return normal(found.to(weight))
