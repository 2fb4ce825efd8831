"""What is compared: networks, and for each row how modbp, Captum and Zennit do it.

Beside the tests and not in modbp, because only tests need Captum and Zennit.
"""

import warnings

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


def ours(method):
    return lambda net, x: modbp.explain(net, x, method, 0)


def by_captum(method, **options):
    return lambda net, x: method(net).attribute(x, target=0, **options).detach()


def lrp_by_captum(conv, dense=None):
    """LRP, whose rules Captum wants on the modules and removes after each call."""

    def explain(net, x):
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                module.rule = conv()
            elif isinstance(module, nn.Linear):
                module.rule = (dense or conv)()
            elif isinstance(module, nn.Flatten):
                module.rule = lrp_rules.EpsilonRule()  # it knows none for this one
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


def _gamma():
    return lrp_rules.GammaRule(0.25)


ALPHA = "its LRP has no αβ-rule beyond α = 1, β = 0"
ROWS = {
    "lrp-eps": (
        ours("lrp-eps"),
        lrp_by_captum(lrp_rules.EpsilonRule),
        by_zennit(zennit.Epsilon()),
    ),
    "lrp-a1b0": (
        ours("lrp-a1b0"),
        lrp_by_captum(lrp_rules.Alpha1_Beta0_Rule),
        by_zennit(zennit.ZPlus()),
    ),
    "lrp-gamma": (
        ours("lrp-gamma"),
        lrp_by_captum(_gamma),
        by_zennit(zennit.Gamma(0.25)),
    ),
    "lrp-a2b1": (ours("lrp-a2b1"), ALPHA, by_zennit(zennit.AlphaBeta(2, 1))),
    "deeplift-rescale": (
        ours("deeplift-rescale"),
        by_captum(captum.DeepLift),
        "it has no DeepLIFT",
    ),
    "lrp-eps-plus": (
        ours("lrp-eps-plus"),
        lrp_by_captum(lrp_rules.Alpha1_Beta0_Rule, lrp_rules.EpsilonRule),
        by_zennit(EpsilonPlus()),
    ),
    "lrp-eps-gamma-box": (
        ours("lrp-eps-gamma-box"),
        "it has no rule for a box of pixels",
        by_zennit(EpsilonGammaBox(0.0, 1.0)),
    ),
    "excitation-bp": (
        ours("excitation-bp"),
        "it has no excitation backprop by that name; see lrp-a1b0",
        by_zennit(zennit.ZPlus(zero_params="bias")),
    ),
    "guided-bp": (
        ours("guided-bp"),
        by_captum(captum.GuidedBackprop),
        by_zennit(GuidedBackprop()),
    ),
    "deconv": (
        ours("deconv"),
        by_captum(captum.Deconvolution),
        by_zennit(DeconvNet()),
    ),
    "gradient": (
        ours("gradient"),
        by_captum(captum.Saliency, abs=False),
        by_zennit(LayerMapComposite([])),
    ),
    "gradient-x-input": (
        ours("gradient-x-input"),
        by_captum(captum.InputXGradient),
        "it leaves the product to its user",
    ),
}


# Ten relevances through one image -----------------------------------------------------

COUNT = 10
READ = ("features.23", "features.16", "features.9", "features.4", "input")


def ten_by_us(net, x):
    chain = modbp.chain(net, x, "lrp-a1b0")
    return chain.pull(_relevances(chain.output("28")), "28", _inside(READ))["input"]


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


def _inside(layers):
    return [layer.removeprefix("features.") for layer in layers]


TEN = (
    ten_by_us,
    "its LRP starts from the model's output only",
    ten_by_zennit,
)


def csc(net, x):
    """CSC of one method from the last convolution, five relevances per image."""
    return modbp.csc(net, x, "lrp-a1b0", "features.28", [*READ])


# Rows of one network alone: how to do it, and on what.
SPECIAL = {
    "vgg16": {
        "ten relevances": (TEN, lambda net, x: (net.features[:29].eval(), x[:1])),
        "csc": ((csc, "it does not have it", "it does not have it"), None),
    },
}


def rows(network):
    """Return the names of a network's rows."""
    return [*ROWS, *SPECIAL.get(network, {})]


def _entry(network, row):
    return SPECIAL.get(network, {}).get(row) or (ROWS[row], None)


def missing(network, row):
    """Return why someone cannot do a row, by name."""
    each = zip(WHO, _entry(network, row)[0], strict=True)
    return {who: action for who, action in each if isinstance(action, str)}


def contestants(network, row, net, x):
    """Return what to run for a row, by name; "unit" is the gradient of the same."""
    actions, part = _entry(network, row)
    if part is not None:
        net, x = part(net, x)
    found = {"unit": lambda: gradient(net, x)}
    for who, action in zip(WHO, actions, strict=True):
        if not isinstance(action, str):
            found[who] = _quiet(action, net, x)
    return found


def _quiet(action, net, x):
    def run():
        with warnings.catch_warnings():  # Captum's, about its own hooks
            warnings.simplefilter("ignore")
            return action(net, x)

    return run
