"""What of torch is switched around a call, or where a thing was made, changes nothing.

Inference mode, under which autograd goes nowhere; another default device, which tensors
made on the way would land on; torch.func; another default type.
"""

import copy
from contextlib import nullcontext

import pytest
import torch
from nets import filled, relative, uniform
from torch import nn

import modbp
from modbp import methods
from modbp.errors import InputError, ModbpError, TraceError


def network():
    """A network that needs autograd on the way: norms and activations with slopes."""
    norms = nn.BatchNorm2d(4), nn.ReLU(), nn.GroupNorm(2, 4), nn.PReLU(4), nn.GELU()
    top = nn.Flatten(), nn.LayerNorm(16), nn.Linear(16, 3)
    return filled(nn.Sequential(nn.Conv2d(3, 4, 3), *norms, nn.AvgPool2d(2), *top))


class Branch(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = network()

    def forward(self, x):
        return self.net(x) if x.sum() > 0 else -self.net(x)


NETWORKS = {
    "layers": network,
    "a branch": lambda: Branch().eval(),
    "a softmax": lambda: nn.Sequential(network(), nn.Softmax(1)).eval(),
}
# What is in inference mode: the call, and what is made for it.
WAYS = {
    "call": ("call",),
    "network": ("network",),
    "input": ("input",),
    "all": ("call", "network", "input"),
}


def picture():
    return uniform(4, 2, 3, 6, 6)


def within(part, way):
    return torch.inference_mode() if part in WAYS[way] else nullcontext()


# One of each family; each has another way through autograd.
METHODS = {
    "gradient": {},
    "integrated-gradients": {"steps": 3},
    "lrp-eps": {},
    "lrp-gamma": {},
    "deeplift-rescale": {},
    "guided-bp": {},
}


def told(call):
    try:
        return call()
    except ModbpError as error:
        return str(error)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_method_explains_what_it_explains_outside(name, way):
    made = NETWORKS[name]
    with within("network", way):
        net = made()
    with within("input", way):
        x = picture()
    explained = 0
    for method, options in METHODS.items():
        method = methods.get(method, **options)
        wanted = told(lambda m=method: modbp.explain(made(), picture(), m, 1))
        with within("call", way):
            found = told(lambda m=method: modbp.explain(net, x, m, 1))
        if isinstance(wanted, str):
            assert found == wanted, method
            continue
        assert relative(found, wanted) <= 1e-12, method
        explained += 1
    assert explained == {"layers": 5, "a branch": 2, "a softmax": 2}[name]


def plain():
    parts = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)
    return filled(nn.Sequential(*parts))


def by_patterns(net, x):
    fitted = modbp.patterns.fit(net, x)
    method = methods.get("patternnet", patterns=fitted)
    return modbp.chain(net, x, method).operator("0").column_sums()


def by_reference(net, x):
    method = methods.get("deeplift-rescale", reference=0.5 * x)
    return modbp.explain(net, x, method, 0)


def by_own_relevance(net, x):
    chain = modbp.chain(net, x, "gradient")
    up = chain.operator("0").adjoint(x.flatten(1))
    return chain.pull(up.reshape(2, 4, 4, 4), "0")["input"]


USES = {
    "patterns": by_patterns,
    "reference": by_reference,
    "relevance": by_own_relevance,
    "matrix": lambda net, x: modbp.chain(net, x, "gradient").matrix("0"),
    "norm": lambda net, x: modbp.chain(net, x, "lrp-z").operator("0").norm(),
    "bits": lambda net, x: torch.from_numpy(
        modbp.bits(net, x, "lrp-a1b0").left["input"]
    ),
    "csc": lambda net, x: torch.from_numpy(
        modbp.csc(net, x, "lrp-z", "3", to=["0"]).cosines["0"]
    ),
    "random logit": lambda net, x: torch.from_numpy(
        modbp.sanity.random_logit(net, x, "lrp-z", 0).ssim
    ),
    "weights drawn anew": lambda net, x: torch.cat(
        [twin[0].weight for _, twin in modbp.sanity.randomised(net, x)]
    ).detach(),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("use", USES)
def test_whatever_is_asked_has_the_answer_that_it_has_outside(use, way):
    wanted = USES[use](plain(), picture())
    with within("network", way):
        net = plain()
    with within("input", way):
        x = picture()
    with within("call", way):
        assert relative(USES[use](net, x), wanted) <= 1e-12


def test_what_autograd_cannot_use_may_be_mixed_with_what_it_can():
    """Patterns, references and relevance made in that mode, used outside of it."""
    net, x = plain(), picture()
    with torch.inference_mode():
        fitted = {k: v.clone() for k, v in modbp.patterns.fit(net, x).items()}
        reference, ones = 0.5 * x, torch.ones(2, 108).double()
    method = methods.get("patternnet", patterns=fitted)
    found = modbp.chain(net, x, method).operator("0").adjoint(ones)
    assert relative(found.view(2, 4, 4, 4), by_patterns(net, x)) <= 1e-12
    method = methods.get("deeplift-rescale", reference=reference)
    found = modbp.explain(net, x, method, 0)
    assert relative(found, by_reference(net, x)) <= 1e-12


def test_a_network_that_cannot_be_copied_is_refused_by_name():
    with torch.inference_mode():
        net = plain()
        net.stream = (number for number in range(3))
    with pytest.raises(InputError, match=r"cannot be copied .* Make it outside"):
        modbp.explain(net, picture(), "gradient", 0)


def test_weights_of_that_mode_are_drawn_anew_as_told():
    with torch.inference_mode():
        net = plain()
    with pytest.raises(TraceError, match=r"Draw copy.deepcopy\(net\) anew"):
        modbp.sanity.randomise(net, ["3"])
    copied = copy.deepcopy(net)
    modbp.sanity.randomise(copied, ["3"])
    assert not torch.equal(copied[3].weight, net[3].weight)


# Another device by default ------------------------------------------------------------

MADE = {
    "smoothgrad": lambda net, x: modbp.explain(net, x, "smoothgrad", 0),
    "baseline": lambda net, x: modbp.explain(
        net, x, methods.integrated_gradients(steps=3, baseline=0.5), 0
    ),
    "box": lambda net, x: modbp.explain(
        net, x, methods.get("dtd", first=modbp.rules.Box(0, 1)), 0
    ),
    "seen": lambda net, x: torch.from_numpy(modbp.measures.neurons.seen(net, x)["3"].x),
    "ssim": lambda net, x: torch.from_numpy(
        modbp.similarity.ssim(x[0].numpy(), x[1].numpy())
    ),
    "cascade": lambda net, x: torch.from_numpy(
        modbp.sanity.cascade(net, x, "lrp-z", 0).ssim
    ),
    "a fresh network": lambda net, x: modbp.models.build("cifar10").fc6.weight.detach(),
    "images": lambda net, x: modbp.data.images(1, folder="photographs").x,
    "a mask": lambda net, x: modbp.explain(net[0], x, "lrp-z", 0),
}


class Masked(nn.Module):
    """Chooses by a mask, and adds constants, of its own device."""

    def __init__(self):
        super().__init__()
        self.fc = filled(nn.Linear(216, 3))
        self.register_buffer("mask", torch.arange(6, device="cpu") > 2)
        self.register_buffer("more", torch.ones(1, 3, 6, 6, device="cpu"))

    def forward(self, x):
        x = torch.where(self.mask, x, 0.5) / 2
        return self.fc(torch.cat([x, self.more], 1).flatten(1))


@pytest.mark.parametrize("use", USES | MADE)
def test_another_default_device_changes_nothing(use):
    call, net, x = (USES | MADE)[use], plain(), picture()
    if use == "a mask":
        net = nn.Sequential(Masked()).double().eval()
    wanted = call(net, x)
    # A tensor that is made there has no values, so that no error can hide.
    with torch.device("meta"):
        found = call(net, x)
    assert found.device.type == "cpu" and relative(found, wanted) <= 1e-12


def test_within_torch_func_the_call_is_refused_and_one_call_takes_all_samples():
    net, x = plain(), picture()
    for transform in (torch.vmap, torch.func.grad):
        with pytest.raises(InputError, match="Explain all samples in one call"):
            transform(lambda a: modbp.explain(net, a[None], "gradient", 0).sum())(
                x if transform is torch.vmap else x[0]
            )
    assert modbp.explain(net, x, "gradient", 0).shape == x.shape


@pytest.mark.long  # it takes torch long to begin
def test_within_torch_compile_the_call_gives_what_it_gives_outside():
    net, x = plain(), picture()
    compiled = torch.compile(
        lambda a: modbp.explain(net, a, "gradient", 0), backend="eager"
    )
    assert relative(compiled(x), modbp.explain(net, x, "gradient", 0)) <= 1e-12


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
@pytest.mark.parametrize("use", ["relevance", "csc", "random logit", "norm"])
def test_another_default_type_changes_nothing(use, dtype):
    net, x = plain(), picture()
    wanted, before = USES[use](net, x), torch.get_default_dtype()
    try:
        torch.set_default_dtype(dtype)
        found = USES[use](net, x)
    finally:
        torch.set_default_dtype(before)
    assert found.dtype == wanted.dtype and relative(found, wanted) <= 1e-12
