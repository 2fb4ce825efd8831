"""Fitted patterns, and going back along them."""

import pytest
import torch
import torch.nn.functional as F
from nets import Zoo, filled, fingerprint, mlp, none, normal, relative, uniform
from torch import nn

import modbp
from modbp import methods, patterns
from modbp.errors import InputError, MethodError, UnknownName

ESTIMATORS = ["code", "eq41"]
PATTERN_METHODS = ["patternnet", "patternattribution"]


def convnet(bias=normal):
    layers = [nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(3, 4, 2, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(4, 3)]
    return filled(nn.Sequential(*layers), seed=1, bias=bias)


def patches(layer, a):
    """Return what each location of a layer sees, ``[locations, d]``."""
    if isinstance(layer, nn.Linear):
        return a
    options = {key: getattr(layer, key) for key in ("padding", "stride", "dilation")}
    return F.unfold(a, layer.kernel_size, **options).transpose(1, 2).flatten(0, 1)


@torch.no_grad()
def by_definition(net, x, kind, estimator):
    """Return every pattern from the explicit patches, one neuron at a time."""
    found = {}
    for name, layer in net.named_children():
        if hasattr(layer, "weight"):
            seen, rows = patches(layer, x), []
            for w, b in zip(layer.weight.flatten(1), layer.bias, strict=True):
                y = seen @ w
                on = (y + b > 0) if kind == "relu" else torch.ones_like(y) > 0
                mean_y = y.mean() if estimator == "code" else y[on].mean()
                c = (seen[on] * y[on, None]).mean(0) - seen[on].mean(0) * mean_y
                rows.append(c / (w @ c))
            found[name] = torch.stack(rows).reshape(layer.weight.shape)
        x = layer(x)
    return found


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("kind", ["relu", "linear"])
def test_patterns_are_regressions_on_explicit_patches(kind, estimator):
    net, x = convnet(), normal(4, 40, 2, 6, 6)
    found = patterns.fit(net, [x], kind, estimator)
    wanted = by_definition(net, x, kind, estimator)
    assert found.keys() == wanted.keys() == {"0", "3", "6"}
    for layer in wanted:
        assert relative(found[layer], wanted[layer]) < 1e-9


def test_by_hand_on_three_samples():
    # w = (1, 0) and x = (1, 2), (3, 2), (−2, 5): y = 1, 3, −2, the first two are on.
    # E₊[xy] = ((1 + 9)/2, (2 + 6)/2) = (5, 4), E₊[x] = (2, 2), E[y] = 2/3, E₊[y] = 2.
    # Code: (5 − 4/3, 4 − 4/3) = (11/3, 8/3), by its first entry (1, 8/11).
    # Equation 41: (5 − 4, 4 − 4) = (1, 0).
    net = nn.Sequential(nn.Linear(2, 1, bias=False)).eval()
    net[0].weight.data = torch.tensor([[1.0, 0.0]])
    x = torch.tensor([[1.0, 2.0], [3.0, 2.0], [-2.0, 5.0]])
    code, eq41 = (patterns.fit(net, [x], estimator=entry)["0"] for entry in ESTIMATORS)
    torch.testing.assert_close(code, torch.tensor([[1, 8 / 11]]))
    assert eq41.tolist() == [[1, 0]]


def test_where_the_codes_denominator_vanishes_there_is_no_pattern():
    # One neuron w = (1, 0), bias 2.5: y = -1 four times and -2 four times, where it is
    # on, and -3, where it is off. E₊[y²] = 5/2, E₊[y] = -3/2, E[y] = -5/3: the code's
    # w·c is 5/2 - 3/2 · 5/3 = 0, and c = E₊[xy] - E₊[x] E[y] is not. With u = (8, 0,
    # …, 0): E₊[u] = 1, E₊[uy] = -1, c = (0, -1 + 5/3). Row sums are zero, not one.
    y = torch.tensor([-1.0] * 4 + [-2.0] * 4 + [-3.0], dtype=torch.float64)
    u = torch.zeros_like(y)
    u[0] = 8
    layer = nn.Linear(2, 1).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 0.0]]))
        layer.bias.fill_(2.5)
    net, x = nn.Sequential(layer).eval(), torch.stack([y, u], 1)
    code, eq41 = (patterns.fit(net, [x], estimator=entry)["0"] for entry in ESTIMATORS)
    assert code.tolist() == [[0, 0]]
    # With the mean where the neuron is on, w·c = 5/2 - 9/4 and the row sum is one.
    assert eq41[0, 0].item() == pytest.approx(1)
    assert "denominator is zero" in patterns.fit.__doc__


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_on_linear_data_the_pattern_is_the_direction_of_the_signal(estimator):
    # x = a s + d n with signal s and distractor n, uncorrelated in this very sample;
    # the weights see the signal, wᵀa = 1, and cancel the distractor, wᵀd = 0.
    a, d = torch.tensor([[1.0, 2.0, 0.5], [1.0, 1.0, -2.0]]).double()
    w = torch.linalg.pinv(torch.stack([a, d], 1))[0]
    s, n = torch.linalg.qr(normal(0, 500, 3) - normal(0, 500, 3).mean(0))[0].T[:2]
    x = 3 * s[:, None] * a + 5 * n[:, None] * d
    net = nn.Sequential(nn.Linear(3, 1, bias=False)).double().eval()
    net[0].weight.data = w[None]
    found = patterns.fit(net, [x], "linear", estimator)["0"][0]
    torch.testing.assert_close(found, a)
    cosine = torch.cosine_similarity(w, a, dim=0)
    assert cosine < 0.95  # the weights themselves point elsewhere


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_how_the_data_are_cut_into_batches_changes_nothing(estimator):
    net, x = convnet(), normal(4, 30, 2, 6, 6)
    whole = patterns.fit(net, x, estimator=estimator)
    pairs = patterns.fit(net, [(x[:7], None), (x[7:], None)], estimator=estimator)
    for layer in whole:
        assert relative(pairs[layer], whole[layer]) < 1e-10


def test_a_neuron_that_is_never_on_has_a_pattern_of_zeros():
    net = mlp(3, 2, 2)
    net[0].bias.data.fill_(-100)
    found = patterns.fit(net, [normal(1, 20, 3)])
    assert not found["0"].any() and not found["2"].any()


def test_grouped_and_dilated_convolutions_have_patterns_of_their_weights_shape():
    conv = filled(nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2), bias=none)
    x = normal(1, 6, 4, 5, 5)
    found = patterns.fit(nn.Sequential(conv).eval(), [x], "linear")["0"]
    for group in range(2):
        part = nn.Sequential(nn.Conv2d(2, 2, 3, padding=2, dilation=2)).double().eval()
        part[0].weight.data = conv.weight[2 * group : 2 * group + 2].detach()
        part[0].bias.data.zero_()
        own = by_definition(part, x[:, 2 * group : 2 * group + 2], "linear", "code")
        assert relative(found[2 * group : 2 * group + 2], own["0"]) < 1e-9


# Going back ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", PATTERN_METHODS)
def test_patterns_take_the_place_of_the_weights_in_a_gradient(name):
    net, x = convnet(none), uniform(4, 5, 2, 6, 6)
    fitted = patterns.fit(net, [x], "linear")
    chain = modbp.chain(net, x, "gradient")
    r = torch.zeros(5, 3).double()
    r[:, 1] = chain.logits[:, 1]
    for place in reversed(range(len(net))):
        layer, source = str(place), str(place - 1) if place else "input"
        if layer in fitted:
            w = fitted[layer]
            if name == "patternattribution":
                w = w * net[place].weight.detach()
            below = chain.output(source).clone().requires_grad_()
            z = torch.func.functional_call(net[place], {"weight": w}, below)
            r = torch.autograd.grad(z, below, r)[0]
        else:
            r = chain.pull(r, layer, to=source)[source]
    found = modbp.explain(net, x, methods.get(name, patterns=fitted), 1)
    assert found.abs().max() > 0
    assert relative(found, r) < 1e-12


@pytest.mark.parametrize("name", PATTERN_METHODS)
def test_missing_patterns_are_refused_by_layer_and_remedy(name):
    net, x = convnet(), uniform(4, 5, 2, 6, 6)
    fitted = patterns.fit(net, [x])
    del fitted["3"]
    for method, layer in ((name, 0), (methods.get(name, patterns=fitted), 3)):
        wanted = f"layer '{layer}' .Conv2d. has no pattern.*fit.*get.'{name}', patterns"
        with pytest.raises(MethodError, match=wanted):
            modbp.explain(net, x, method, 1)


def test_fitting_leaves_the_network_and_the_data_as_they_were():
    net, x = convnet(), normal(1, 3, 2, 6, 6).requires_grad_()
    before = fingerprint(net, x)
    fitted = patterns.fit(net, [x])
    assert fingerprint(net, x) == before
    assert not any(entry.requires_grad for entry in fitted.values())


def test_what_cannot_be_fitted_is_refused():
    net, x = convnet(), normal(1, 3, 2, 6, 6)
    for options in ({"kind": "positive"}, {"estimator": "eq42"}):
        with pytest.raises(UnknownName, match="Known"):
            patterns.fit(net, [x], **options)
    wrong = {"nothing": [], "give a torch.Tensor": ["image.png"], "NaN": [x / 0 * 0]}
    for message, batches in wrong.items():
        with pytest.raises(InputError, match=message):
            patterns.fit(net, batches)
    with pytest.raises(MethodError, match="'up' .ConvTranspose2d.*transposed"):
        patterns.fit(filled(Zoo()), [x])
