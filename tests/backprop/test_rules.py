"""The rules: by hand on 2×2 weights, and by replication on explicit matrices."""

import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from nets import call, filled, normal, relative, uniform
from torch import nn

from modbp import rules
from modbp.errors import InputError, MethodError

# The layer of all hand calculations: z₁ = 2a₁ + a₂ + b₁ and z₂ = a₁ − a₂ + b₂.
W = torch.tensor([[2.0, 1.0], [1.0, -1.0]])
B = torch.tensor([-1.0, 3.0])
ONES = torch.ones(1, 1, 2)


def row(*values):
    return torch.tensor([values], dtype=torch.float32)


def linear(bias=None):
    layer = nn.Linear(2, 2, bias=bias is not None)
    layer.weight.data = W
    if bias is not None:
        layer.bias.data = bias
    return layer


@torch.no_grad()
def pulled(rule, a, bias=None, r=ONES):
    _, back = rule(call(linear(bias), a), a)
    (r_in,) = back(r)
    return r_in[0]


# The stabilizer -----------------------------------------------------------------------


def test_the_stabilizer_moves_away_from_zero_on_both_sides_and_zero_upwards():
    # 2 + ½, −2 − ½, and sign(0) = +: 0 + ½. A sum is −0 only by rounding up to it, or
    # if all its terms are zero.
    z = torch.tensor([2.0, -2.0, 0.0, -0.0])
    assert rules.stabilize(z, 0.5).tolist() == [2.5, -2.5, 0.5, -0.5]
    assert z.tolist() == [2, -2, 0, 0]


def test_without_epsilon_only_exact_zeros_are_replaced():
    # 1e-12 is small but a denominator of its own right.
    z = torch.tensor([1e-12, -1e-12, 0.0, -0.0, 3.0], dtype=torch.float64)
    assert rules.stabilize(z).tolist() == [1e-12, -1e-12, 1e-7, 1e-7, 3.0]
    assert z.count_nonzero() == 3


# Linear rules by hand -----------------------------------------------------------------
# For a = (1, 2): the contributions w·a are (2, 2) to z₁ and (1, −2) to z₂.


A, SIGNED = row(1, 2), row(1, -2)
FIRST, SECOND = torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 1.0]]])
BY_HAND = {
    # (2 + 1, 1 − 1), whatever the input and the bias.
    "gradient": (rules.Gradient(), A, B, ONES, (3, 0)),
    # z = (4, −1): (2/4 + 1/−1, 2/4 + −2/−1).
    "z": (rules.Epsilon(), A, None, ONES, (-1 / 2, 5 / 2)),
    # ε = 1, z becomes (5, −2): (2/5 + 1/−2, 2/5 + −2/−2).
    "ε": (rules.Epsilon(1.0), A, None, ONES, (-1 / 10, 7 / 5)),
    # z = (4 − 1, −1 + 3) = (3, 2): (2/3 + 1/2, 2/3 + −2/2).
    "z, bias": (rules.Epsilon(), A, B, ONES, (7 / 6, -1 / 3)),
    # A unit that is always one takes its share itself: the same.
    "z, unit": (rules.Epsilon(bias="unit"), A, B, ONES, (7 / 6, -1 / 3)),
    "z, ignore": (rules.Epsilon(bias="ignore"), A, B, ONES, (-1 / 2, 5 / 2)),
    # a = (1, 1): z₂ = 0 with contributions (1, −1), so ±1/1e-7 beside (2/3, 1/3).
    "zero": (rules.Epsilon(), row(1, 1), None, ONES, (2 / 3 + 1e7, 1 / 3 - 1e7)),
    # P = W⁺a + b = (4 − 1, 1 + 3): (2/3 + 1/4, 2/3).
    "α1β0": (rules.AlphaBeta(), A, B, ONES, (11 / 12, 2 / 3)),
    # P = W⁺a + b⁺ = (4 + 0, 1 + 3): (2/4 + 1/4, 2/4).
    "α1β0, unit": (rules.AlphaBeta(1, 0, "unit"), A, B, ONES, (3 / 4, 1 / 2)),
    # P = W⁺a = (4, 1): (2/4 + 1/1, 2/4).
    "α1β0, ignore": (rules.AlphaBeta(1, 0, "ignore"), A, B, ONES, (3 / 2, 1 / 2)),
    # N = W⁻a + b = (0 − 1, −2 + 3): 2·(11/12, 2/3) − (0, −2/1).
    "α2β1": (rules.AlphaBeta(2, 1), A, B, ONES, (11 / 6, 10 / 3)),
    # N = W⁻a + b⁻ = (−1, −2 + 0): 2·(3/4, 1/2) − (0, −2/−2).
    "α2β1, unit": (rules.AlphaBeta(2, 1, "unit"), A, B, ONES, (3 / 2, 0)),
    # N = (0, −2); nothing contributes to the first: 2·(3/2, 1/2) − (0, 1).
    "α2β1, ignore": (rules.AlphaBeta(2, 1, "ignore"), A, B, ONES, (3, 0)),
    # Contributions (2, −2) and (1, 2) are sorted, not weights: P = (2, 3), N = (−2, 0).
    # (2/2 + 1/3, 2/3), and twice that less (0, −2/−2).
    "α1β0, signs": (rules.AlphaBeta(), SIGNED, None, ONES, (4 / 3, 2 / 3)),
    "α2β1, signs": (rules.AlphaBeta(2, 1), SIGNED, None, ONES, (8 / 3, 1 / 3)),
    # P = (4, 1) becomes (5, 2), N = (0, −2) becomes (1, −3):
    # 2·(2/5 + 1/2, 2/5) − (0, −2/−3).
    "α2β1, stabilizer": (
        rules.AlphaBeta(2, 1, stabilizer=1.0),
        A,
        None,
        ONES,
        (9 / 5, 2 / 15),
    ),
    # z₁ has positive contributions only: α = 2 gives 2 · (2/4, 2/4), and no loss.
    "only positive": (rules.AlphaBeta(2, 1), A, None, FIRST, (1, 1)),
    # a = (0, 2): z₂ = −2 has negative contributions only, and α1β0 wants positive ones.
    "only negative": (rules.AlphaBeta(), row(0, 2), None, SECOND, (0, 0)),
    # P = W⁺a = (4, 1), with or without b: (2/4 + 1/1, 2/4).
    "excitation": (rules.Excitation(), A, B, ONES, (3 / 2, 1 / 2)),
    # A unit that is off gives nothing, and no NaN.
    "off, z": (rules.Epsilon(), row(0, 0), None, ONES, (0, 0)),
    "off, α2β1": (rules.AlphaBeta(2, 1), row(0, 0), None, ONES, (0, 0)),
    # γ = 1: of (2, 2) and (1, −2), P = (4, 1), N = (0, −2), z = (4, −1).
    # By weight, z₂ + P₂ = 0 is replaced by 1e-7: (4/8 + 2/1e-7, 4/8 − 2/1e-7).
    "γ by weight": (
        rules.Gamma(1, split=False),
        A,
        None,
        ONES,
        (1 / 2 + 2e7, 1 / 2 - 2e7),
    ),
    # z₂ < 0 favours the negative: −1 − 2 = −3: (4/8 + 1/−3, 4/8 + −4/−3).
    "γ": (rules.Gamma(1), A, None, ONES, (1 / 6, 11 / 6)),
    # a = (2, −1): contributions (4, −1) to z₁ = 3 and (2, 1) to z₂ = 3. By weight,
    # 3 + 4 − 1 = 6 and 3 + 2 = 5: (8/6 + 4/5, −2/6 + 1/5).
    "γ by weight, signs": (
        rules.Gamma(1, split=False),
        row(2, -1),
        None,
        ONES,
        (32 / 15, -2 / 15),
    ),
    # By contribution, 3 + 4 = 7 and 3 + 3 = 6: (8/7 + 4/6, −1/7 + 2/6).
    "γ, signs": (rules.Gamma(1), row(2, -1), None, ONES, (38 / 21, 4 / 21)),
    # z = (4 − 1, −1 + 3) = (3, 2), + P: (7, 3): (4/7 + 2/3, 4/7 − 2/3).
    "γ, bias": (rules.Gamma(1), A, B, ONES, (26 / 21, -2 / 21)),
    # The bias is a contribution too: (7, 3 + 3): (4/7 + 2/6, 4/7 − 2/6).
    "γ, unit": (rules.Gamma(1, "unit"), A, B, ONES, (19 / 21, 5 / 21)),
    # z = (4, −1) without it: the sign that counts is that of W a.
    "γ, ignore": (rules.Gamma(1, "ignore"), A, B, ONES, (1 / 6, 11 / 6)),
    # (8, −3) becomes (9, −4): (4/9 + 1/−4, 4/9 + −4/−4).
    "γ, stabilizer": (rules.Gamma(1, stabilizer=1.0), A, None, ONES, (7 / 36, 13 / 9)),
    # a = (1, 1): z₂ = 0 favours the positive, where Zennit gives nothing.
    "γ, zero": (rules.Gamma(1), row(1, 1), None, SECOND, (2, -1)),
    # W² = ((4, 1), (1, 1)): (4/5 + 1/2, 1/5 + 1/2), also for pixels of zero.
    "w²": (rules.WSquare(), row(-3, 0), B, ONES, (13 / 10, 7 / 10)),
    # (1/2 + 3/2, 1/2 + 3/2) of r = (1, 3).
    "flat": (rules.Flat(), SIGNED, B, torch.tensor([[[1.0, 3.0]]]), (2, 2)),
    # Box [0, 4], a = (1, 2): 2·1, 1·2 to z₁; 1·1, −1·(2 − 4) to z₂, so P = (4, 3):
    # (2/4 + 1/3, 2/4 + 2/3), whatever the bias.
    "box": (rules.Box(0, 4), A, B, ONES, (5 / 6, 7 / 6)),
    # Low (0, 1), high (4, 5): 2·1, 1·(2 − 1); 1·1, −1·(2 − 5): P = (3, 4).
    "box by channel": (rules.Box((0, 1), (4, 5)), A, None, ONES, (11 / 12, 13 / 12)),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_a_rule_does_what_is_calculated_by_hand(case):
    rule, a, bias, r, expected = BY_HAND[case]
    torch.testing.assert_close(pulled(rule, a, bias, r), row(*expected))


def test_no_denominator_is_a_difference_of_large_numbers():
    # Contributions 2²⁸ and −1: in float32 z rounds to 2²⁸, so N = z − P would be 0.
    # 2·(1, 0) − 1·(0, −1/−1) = (2, −1).
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.data = torch.tensor([[1.0, -1.0]])
    for a in (row(2**28, 1), row(2**28, 1) * torch.tensor([[1.0, -1.0]])):
        layer.weight.data[0, 1] = -a[0, 1]
        with torch.no_grad():
            _, back = rules.AlphaBeta(2, 1)(call(layer, a), a)
        assert back(torch.ones(1, 1, 1))[0].tolist() == [[[2, -1]]]


def test_excitation_refuses_negative_inputs_and_says_what_to_use():
    with pytest.raises(MethodError, match=r"'function' \(Linear\).*-2.*'lrp-a1b0'"):
        pulled(rules.Excitation(), row(1, -2))


def test_excitation_checks_the_values_where_the_sign_is_not_known_beforehand():
    a = row(1, 2)
    unsure = replace(call(linear(), a), nonnegative=False)
    with torch.no_grad():
        _, back = rules.Excitation()(unsure, a)
    assert back(ONES)[0].tolist() == [[[3 / 2, 1 / 2]]]


# γ: for a = (1, 2) the contributions are (2, 2) to z₁ and (1, −2) to z₂, so P = (4, 1),
# N = (0, −2), z = (4, −1); with γ = 1 positive contributions count twice.


# Rules of the first layer by hand -----------------------------------------------------


def test_a_box_can_have_a_range_for_each_channel():
    a = uniform(0, 1, 2, 3, 3)
    layer, r = filled(nn.Conv2d(2, 3, 2)), normal(1, 1, 1, 3, 2, 2)
    with torch.no_grad():
        each, both = (
            box(call(layer, a), a)[1](r)[0]
            for box in (rules.Box((0, 0), (1, 1)), rules.Box(0, 1))
        )
    assert torch.equal(each, both)


def test_a_pixel_outside_the_box_by_rounding_is_inside():
    mean, deviation = 0.485, 0.229
    a = (torch.tensor([[0.0, 1.0]]) - mean) / deviation
    exact = [(value - mean) / deviation for value in (0.0, 1.0)]
    for low, high in (exact, [exact[0] + 2e-6, exact[1] - 2e-6]):
        assert pulled(rules.Box(low, high), a).isfinite().all()
    with pytest.raises(MethodError, match="outside the box"):
        pulled(rules.Box(exact[0], exact[1] - 1e-3), a)


def test_flat_gives_nothing_to_the_padding():
    # The left output sees one pixel and the padding, the others two pixels each.
    layer = nn.Conv1d(1, 1, 2, padding=1)
    a = torch.zeros(1, 1, 2)
    with torch.no_grad():
        _, back = rules.Flat()(call(layer, a), a)
        assert back(torch.ones(1, 1, 1, 3))[0].tolist() == [[[[1.5, 1.5]]]]


# A rule of one's own ------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, expected",
    [
        # Of |W a| = (2, 2) to z₁ and (1, 2) to z₂: (2/4 + 1/3, 2/4 + 2/3).
        ({}, (5 / 6, 7 / 6)),
        # b = (−1, 3) as it is: (2/3 + 1/6, 2/3 + 2/6).
        ({"bias": "denominator"}, (5 / 6, 1)),
        # Or changed like a weight, |b| = (1, 3): (2/5 + 1/6, 2/5 + 2/6).
        ({"bias": "unit"}, (17 / 30, 11 / 15)),
        # 4 + 1 and 3 + 1: (2/5 + 1/4, 2/5 + 2/4).
        ({"stabilizer": 1.0}, (13 / 20, 9 / 10)),
    ],
)
def test_a_share_is_by_what_is_called_a_contribution(options, expected):
    def magnitude(call, a):
        return rules.share(call, a, (a.abs(), torch.abs), **options)

    torch.testing.assert_close(pulled(magnitude, row(1, -2), B), row(*expected))


@pytest.mark.parametrize("bias", ["denominator", "unit", "ignore"])
def test_a_share_by_the_plain_product_is_the_z_rule(bias):
    def mine(call, a):
        return rules.share(call, a, (1 * a, None), bias=bias)

    a = row(1, -2)
    torch.testing.assert_close(pulled(mine, a, B), pulled(rules.Epsilon(0, bias), a, B))


@pytest.mark.parametrize("options", [{"bias": "half"}, {"stabilizer": -1}])
def test_a_share_refuses_what_no_rule_takes(options):
    def mine(call, a):
        return rules.share(call, a, (a, None), **options)

    with pytest.raises(InputError, match="bias|stabilizer"):
        pulled(mine, row(1, 2))


NAN, INF = float("nan"), float("inf")
WRONG = [
    *(
        (rules.AlphaBeta, ab, r"alpha = 1 \+ beta")
        for ab in [(1, 1), (0, -1), (NAN, 0)]
    ),
    (rules.AlphaBetaSplit, (2,), r"alpha = 1 \+ beta"),
    (rules.AlphaBetaSplit, (1, 0, 0), "limit is 0; give a number above 0"),
    (rules.AlphaBetaSplit, (1, 0, NAN), "limit is nan"),
    *((rules.Gamma, (gamma,), "gamma is .*AlphaBeta") for gamma in (-1, NAN, INF)),
    *((rules.Box, ends, "low is .* range of pixels") for ends in [(1, 1), (2, 0)]),
    *(
        (rules.Box, ends, "low is .* range of pixels")
        for ends in [((0, 2), 1), ("a", 1)]
    ),
    (rules.Box, ((0, 1), (3, 3, 3)), "low is .* range of pixels"),
]


@pytest.mark.parametrize("rule, options, message", WRONG)
def test_options_out_of_range_are_refused(rule, options, message):
    with pytest.raises(InputError, match=message):
        rule(*options)


# ReLU by hand -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule, expected",
    [
        (rules.Pass(), [3, -3, 5, -5]),
        # The derivative at the kink, a = 0, is 0.
        (rules.ReLUGradient(), [0, 0, 5, -5]),
        (rules.ReLUMask(), [0, 0, 5, -5]),
        (rules.Guided(), [0, 0, 5, 0]),
        (rules.Deconv(), [3, 0, 5, 0]),
    ],
)
def test_what_a_relu_does_to_relevance(rule, expected):
    a = row(-1, 0, 2, 4)
    z, back = rule(call(nn.ReLU(), a), a)
    assert z.tolist() == [[0, 0, 2, 4]]
    (r_in,) = back(row(3, -3, 5, -5)[None])
    assert r_in.tolist() == [[expected]]


@pytest.mark.parametrize("percentile", [98, 60, 10])
def test_rectgrad_takes_numpys_percentile_over_all_entries_of_a_sample(percentile):
    a, r = normal(0, 3, 4, 5, 5), normal(1, 2, 3, 4, 5, 5)
    _, back = rules.RectGrad(percentile)(call(nn.ReLU(), a), a)
    gain = (r * a.clamp(min=0)).flatten(2)
    threshold = np.percentile(gain, percentile, 2, method="nearest", keepdims=True)
    kept = (gain > torch.from_numpy(threshold)).reshape(r.shape) & (a > 0)
    assert torch.equal(back(r)[0], r * kept) and kept.any()


# Pooling, joining, reshaping by hand --------------------------------------------------


def test_the_winner_of_a_max_pooling_takes_everything_from_each_window():
    # Windows of two, one apart: 3 wins in (1, 3) and in (3, 2), 2 in (2, 0).
    a = torch.tensor([[[1.0, 3.0, 2.0, 0.0]]])
    z, back = rules.MaxPool()(call(nn.MaxPool1d(2, stride=1), a), a)
    assert z.tolist() == [[[3, 3, 2]]]
    (r_in,) = back(torch.tensor([[[[10.0, 1.0, -5.0]]]]))
    assert r_in.tolist() == [[[[0, 11, -5, 0]]]]


def test_the_average_hands_down_the_derivative_or_by_contribution():
    # (1 + 3)/2 = 2: each gets 1/2 of r, or 1/4 and 3/4 of it; (1 − 1)/2 = 0 is replaced
    # by 1e-7: ±1/2 · 8/1e-7.
    a, r = torch.tensor([[[1.0, 3.0, 1.0, -1.0]]]), torch.tensor([[[[8.0, 8.0]]]])
    for by_contribution, expected in (False, (4, 4, 4, 4)), (True, (2, 6, 4e7, -4e7)):
        z, back = rules.AvgPool(by_contribution)(call(nn.AvgPool1d(2), a), a)
        assert z.tolist() == [[[2, 0]]]
        torch.testing.assert_close(back(r)[0][0, 0], row(*expected))


def test_an_addition_copies_the_derivative_to_every_summand():
    a, b = row(1, -2), row(3, 2)
    z, back = rules.Copy()(call(lambda a: a + a, a), a, b)
    assert z.tolist() == [[4, 0]]
    assert [part.tolist() for part in back(row(8, 5)[None])] == [[[[8, 5]]]] * 2


def test_an_addition_splits_relevance_by_contribution():
    # 8 · 1/4 and 8 · 3/4; −1 + 3 = 2: 5 · −1/2 and 5 · 3/2; 1 − 1 = 0 is replaced by
    # 1e-7; 0 + 0 gives nothing to anybody.
    a, b = row(1, -1, 1, 0), row(3, 3, -1, 0)
    z, back = rules.Split()(call(lambda a: a + a, a), a, b)
    assert z.tolist() == [[4, 2, 0, 0]]
    left, right = back(row(8, 5, 2, 2)[None])
    torch.testing.assert_close(left[0], row(2, -5 / 2, 2e7, 0))
    torch.testing.assert_close(right[0], row(6, 15 / 2, -2e7, 0))


def test_a_concatenation_gives_every_part_its_own_piece():
    a, b = torch.zeros(1, 1, 2), torch.zeros(1, 2, 2)
    z, back = rules.Concatenation()(call(lambda a: torch.cat([a, a], 1), a), a, b)
    assert z.shape == (1, 3, 2)
    r = torch.arange(6.0).reshape(1, 1, 3, 2)
    first, second = back(r)
    assert first.tolist() == [[[[0, 1]]]]
    assert second.tolist() == [[[[2, 3], [4, 5]]]]


@pytest.mark.parametrize("layer", [nn.Flatten(), lambda a: a.permute(0, 3, 1, 2)])
def test_reshaping_is_undone(layer):
    a = normal(0, 2, 3, 4, 5)
    z, back = rules.Reshape()(call(layer, a), a)
    assert z.shape in ((2, 60), (2, 5, 3, 4))
    assert torch.equal(back(z[None])[0][0], a)


# What is kept -------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize(
    "rule, layer",
    [
        (rules.Gradient(), nn.Conv2d(4, 4, 3)),
        *((rule, nn.ReLU()) for rule in (rules.Pass(), rules.Deconv())),
        *((rule, nn.ReLU()) for rule in (rules.ReLUGradient(), rules.Guided())),
        *((rule, nn.ReLU()) for rule in (rules.ReLUMask(), rules.RectGrad())),
        (rules.MaxPool(), nn.MaxPool2d(2)),
        (rules.AvgPool(), nn.AvgPool2d(2)),
        (rules.Reshape(), nn.Flatten()),
    ],
    ids=str,
)
def test_no_activation_is_kept_where_a_mask_or_a_shape_suffices(rule, layer):
    a = normal(0, 2, 4, 6, 6)
    step, gone = call(filled(layer), a), weakref.ref(a)
    z, back = rule(step, a)
    r = normal(1, 1, *z.shape)
    del a, z
    assert gone() is None and back(r)[0].shape == (1, 2, 4, 6, 6)


# By replication: the slow formula on the explicit matrix of the layer -----------------

LAYERS = {
    "dense": (nn.Linear(6, 4), (6,)),
    "dense on rows": (nn.Linear(3, 2), (2, 3)),
    "conv1d": (nn.Conv1d(2, 3, 3, stride=2, padding=1), (2, 5)),
    "conv2d": (nn.Conv2d(2, 3, 3, padding=1), (2, 3, 3)),
    "grouped": (nn.Conv2d(4, 4, 2, groups=2), (4, 3, 3)),
    "dilated": (nn.Conv2d(1, 2, 2, dilation=2, padding=(1, 2)), (1, 3, 3)),
    "same": (nn.Conv2d(1, 2, 3, padding="same"), (1, 3, 2)),
    "conv3d": (nn.Conv3d(1, 2, 2), (1, 2, 3, 2)),
    "transposed": (
        nn.ConvTranspose2d(2, 2, 3, stride=2, padding=1, output_padding=1),
        (2, 2, 3),
    ),
    "batch norm": (nn.BatchNorm2d(2), (2, 2, 2)),
    "without a bias": (nn.Conv1d(2, 3, 3, bias=False), (2, 4)),
}
RULES = [
    rules.Gradient(),
    *(rules.Epsilon(0.01, bias) for bias in ("denominator", "ignore")),
    *(
        rules.AlphaBeta(1 + beta, beta, bias, 0.01)
        for beta in (0, 4)
        for bias in ("denominator", "unit", "ignore")
    ),
    *(
        rules.Gamma(0.5, bias, 0.01, split)
        for split in (True, False)
        for bias in ("denominator", "unit", "ignore")
    ),
    rules.Box(-4, 4),
    rules.WSquare(),
    rules.Flat(),
]


@torch.no_grad()
def explicit(layer, shape):
    """Return the matrix and the bias of an affine layer, found by probing it."""
    size = torch.Size(shape).numel()
    origin = layer(torch.zeros(1, *shape, dtype=torch.float64)).flatten()
    probes = torch.eye(size, dtype=torch.float64).reshape(size, *shape)
    return (layer(probes).flatten(1) - origin).T, origin


def by_formula(rule, matrix, bias, a, r):
    """Return relevance for one sample by the equation in the rule's docstring."""
    if isinstance(rule, rules.Gradient):
        return matrix.T @ r
    amount = getattr(rule, "epsilon", getattr(rule, "stabilizer", 0))
    constant = {
        rules.Box: matrix * torch.where(matrix > 0, a + 4, a - 4),
        rules.WSquare: matrix.square(),
        rules.Flat: (matrix != 0).double(),
    }.get(type(rule))
    if constant is not None:
        return constant.T @ (r / constant.sum(1))
    contributions = matrix * a
    if isinstance(rule, rules.Gamma):
        return by_gamma(rule, contributions, matrix, bias, r)

    def share(part, clamp):
        total = part.sum(1)
        if rule.bias != "ignore":
            total = total + (bias.clamp(**clamp) if rule.bias == "unit" else bias)
        total = rules.stabilize(total, amount)
        return part.T @ (r / total)

    if isinstance(rule, rules.Epsilon):
        return share(contributions, {})
    gain = share(contributions.clamp(min=0), {"min": 0})
    loss = share(contributions.clamp(max=0), {"max": 0})
    return rule.alpha * gain - rule.beta * loss


def by_gamma(rule, contributions, matrix, bias, r):
    """Add γ times the favoured contributions of each output, the bias among them."""
    bias = torch.zeros_like(bias) if rule.bias == "ignore" else bias
    z = contributions.sum(1) + bias
    r_in = 0
    for j in range(len(z)):
        side = -1 if rule.split and z[j] < 0 else 1
        sign = contributions[j] if rule.split else matrix[j]
        more = contributions[j] * (1 + rule.gamma * (side * sign > 0))
        extra = rule.gamma * bias[j] if side * bias[j] > 0 else 0
        total = more.sum() + bias[j] + (extra if rule.bias == "unit" else 0)
        r_in = r_in + more * r[j] / (
            total + rule.stabilizer * (1 if total >= 0 else -1)
        )
    return r_in


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("draw", [uniform, normal], ids=["non-negative", "signed"])
def test_a_rule_is_its_equation_on_the_explicit_matrix(rule, name, draw):
    layer, shape = LAYERS[name]
    filled(layer, seed=5)
    a = draw(1, 2, *shape)
    matrix, offset = explicit(layer, shape)
    with torch.no_grad():
        z, back = rule(call(layer, a), a)
        r = normal(2, 3, *z.shape)
        (found,) = back(r)
    assert relative(z, layer(a).detach()) < 1e-12
    wanted = torch.stack(
        [
            by_formula(rule, matrix, offset, a[n].flatten(), r[k, n].flatten())
            for k in range(3)
            for n in range(2)
        ]
    ).reshape(found.shape)
    assert relative(found, wanted) < 1e-10
