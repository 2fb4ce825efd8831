"""What is compared: networks, and for each row how modbp, Captum and Zennit do it.

Beside the tests and not in modbp, because only tests need Captum and Zennit.
"""

import warnings
from functools import partial

import torch
from torch import nn

import modbp
from modbp.zoo.vision import load_torchvision

# Zennit imports torchvision at once, and cannot beside some builds of torch.
load_torchvision()
import captum.attr as captum  # noqa: E402
from captum.attr._utils import lrp_rules  # noqa: E402
from zennit import rules as zennit  # noqa: E402
from zennit.composites import (  # noqa: E402
    DeconvNet,
    EpsilonGammaBox,
    EpsilonPlus,
    GuidedBackprop,
    LayerMapComposite,
)
from zennit.types import Activation, Linear  # noqa: E402

WHO = ("modbp", "captum", "zennit")


# Networks -----------------------------------------------------------------------------


def _torchvision(name, batch):
    net = getattr(load_torchvision().models, name)(weights=None)
    return net, torch.rand(batch, 3, 224, 224)


class Tiny(nn.Module):
    """For the test of this machinery; flattens by a function, as Captum's LRP wants."""

    def __init__(self):
        super().__init__()
        layers = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(8 * 16, 5)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


NETWORKS = {
    "cifar10": lambda: (modbp.models.cifar10(None), torch.rand(64, 3, 32, 32)),
    "vgg16": lambda: _torchvision("vgg16", 4),
    "tiny": lambda: (Tiny(), torch.rand(2, 3, 8, 8)),
}


def build(name):
    """Return a network with random weights and zero biases, and images.

    Without biases all three mean the same by every rule.
    """
    torch.manual_seed(0)
    net, x = NETWORKS[name]()
    for key, entry in net.named_parameters():
        entry.requires_grad_(False)
        if key.endswith("bias"):
            entry.zero_()
    return net.eval(), x


def gradient(net, x):
    """The unit: one forward and one backward pass to the input, by autograd."""
    a = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(net(a)[:, 0].sum(), a)
    return found


# How each does a row ------------------------------------------------------------------


def by_captum(method, **options):
    return lambda net, x: method(net).attribute(x, target=0, **options).detach()


def lrp_by_captum(conv, dense=None):
    """LRP, whose rules Captum wants on the modules and removes after each call."""
    # It knows none for flattening.
    rules = {nn.Conv2d: conv, nn.Linear: dense or conv, nn.Flatten: EPSILON}

    def explain(net, x):
        for module in net.modules():
            if type(module) in rules:
                module.rule = rules[type(module)]()
        return captum.LRP(net).attribute(x, target=0).detach()

    return explain


def by_zennit(composite):
    if isinstance(composite, zennit.BasicHook):
        layers = [(Activation, zennit.Pass()), (Linear, composite)]
        composite = LayerMapComposite(layers)

    def explain(net, x):
        a = x.clone().requires_grad_()
        with composite.context(net) as modified:
            logits = modified(a)
            start = torch.zeros_like(logits)
            start[:, 0] = logits[:, 0].detach()
            (found,) = torch.autograd.grad(logits, a, start)
        return found

    return explain


EPSILON, Z_PLUS = lrp_rules.EpsilonRule, lrp_rules.Alpha1_Beta0_Rule
# Methods, which have the same name here; and by Captum, by Zennit, or why not.
ROWS = {
    "lrp-eps": (lrp_by_captum(EPSILON), by_zennit(zennit.Epsilon())),
    "lrp-a1b0": (lrp_by_captum(Z_PLUS), by_zennit(zennit.ZPlus())),
    "lrp-gamma": (
        lrp_by_captum(partial(lrp_rules.GammaRule, 0.25)),
        by_zennit(zennit.Gamma(0.25)),
    ),
    "lrp-a2b1": (
        "its LRP has no αβ-rule beyond α = 1, β = 0",
        by_zennit(zennit.AlphaBeta(2, 1)),
    ),
    "deeplift-rescale": (by_captum(captum.DeepLift), "it has no DeepLIFT"),
    "lrp-eps-plus": (lrp_by_captum(Z_PLUS, EPSILON), by_zennit(EpsilonPlus())),
    "lrp-eps-gamma-box": (
        "it has no rule for a box of pixels",
        by_zennit(EpsilonGammaBox(0.0, 1.0)),
    ),
    "excitation-bp": (
        "it has no excitation backprop by that name; see lrp-a1b0",
        by_zennit(zennit.ZPlus(zero_params="bias")),
    ),
    "guided-bp": (by_captum(captum.GuidedBackprop), by_zennit(GuidedBackprop())),
    "deconv": (by_captum(captum.Deconvolution), by_zennit(DeconvNet())),
    "gradient": (
        by_captum(captum.Saliency, abs=False),
        by_zennit(LayerMapComposite([])),
    ),
    "gradient-x-input": (
        by_captum(captum.InputXGradient),
        "it leaves the product to its user",
    ),
}


# Ten relevances through one image -----------------------------------------------------

COUNT = 10
READ = ("features.23", "features.16", "features.9", "features.4", "input")


def ten_by_us(net, x):
    chain = modbp.chain(net, x, "lrp-a1b0")
    inside = [layer.removeprefix("features.") for layer in READ]
    return chain.pull(_relevances(chain.output("28")), "28", inside)["input"]


def ten_by_zennit(net, x):
    """One forward pass, all relevances batched: the quickest of its ways."""
    a = x.clone().requires_grad_()
    layers = [(Activation, zennit.Pass()), (Linear, zennit.ZPlus())]
    with LayerMapComposite(layers).context(net) as modified:
        z = modified(a)
        (found,) = torch.autograd.grad(z, a, _relevances(z), is_grads_batched=True)
    return found


def _relevances(z):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(COUNT, *z.shape, generator=generator)


def csc(net, x):
    """CSC of one method from the last convolution, five relevances per image."""
    return modbp.csc(net, x, "lrp-a1b0", "features.28", [*READ])


NOTHING = "it does not have it"
TEN = ten_by_us, "its LRP starts from the model's output only", ten_by_zennit
# Rows of one network alone.
SPECIAL = {"vgg16": {"ten relevances": TEN, "csc": (csc, NOTHING, NOTHING)}}


def rows(network):
    """Return the names of a network's rows."""
    return [*ROWS, *SPECIAL.get(network, {})]


def _actions(network, row):
    """Return how each does a row, or why not, by name."""
    if row in ROWS:
        each = partial(modbp.explain, method=row, target=0), *ROWS[row]
    else:
        each = SPECIAL[network][row]
    return dict(zip(WHO, each, strict=True))


def missing(network, row):
    """Return why someone cannot do a row, by name."""
    each = _actions(network, row).items()
    return {who: action for who, action in each if isinstance(action, str)}


def part(row, net, x):
    """Return the part of a network that a row is about, and its input."""
    return (net.features[:29].eval(), x[:1]) if row == "ten relevances" else (net, x)


def contestants(network, row, net, x):
    """Return what to run for a row, by name; "unit" is the gradient of the same."""
    net, x = part(row, net, x)
    found = {"unit": lambda: gradient(net, x)}
    for who, action in _actions(network, row).items():
        if not isinstance(action, str):
            found[who] = _quiet(action, net, x)
    return found


def _quiet(action, net, x):
    def run():
        with warnings.catch_warnings():  # Captum's, about its own hooks
            warnings.simplefilter("ignore")
            return action(net, x)

    return run
