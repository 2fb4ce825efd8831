"""Which layers and methods each network's experiments are about."""

from dataclasses import dataclass, replace

import torch
from torch import nn

from modbp.backprop.chain import Chain
from modbp.backprop.checks import check_input
from modbp.backprop.trace import Trace
from modbp.errors import InputError, check_once, check_option, unknown_name
from modbp.measures.places import evenly
from modbp.study.experiments import labels
from modbp.study.experiments.subjects import Subject

__all__ = ["PLANS", "Plan", "automatic", "from_top", "of"]

# What goes back through any network on any images.
_ANY = ("gradient", "gradient-x-input", "guided-bp", "deconv", "rectgrad", "lrp-z")
_ANY += ("lrp-eps", "lrp-gamma", "lrp-a1b0", "lrp-a2b1", "lrp-a5b4", "lrp-cmp-a1b0")
_ANY += ("lrp-cmp-a2b1", "lrp-eps-plus", *labels.SPELLED)
# With those that want pixels in 0…1 or images to fit to, all that are chains of
# operators: not the means of several gradients; nor contrastive LRP, which differs from
# its parts in what goes in at the top alone.
_CSC = (*_ANY, "excitation-bp", "dtd", "lrp-eps-gamma-box", *labels.PATTERNS)
# Those of the paper's figures, in their order, and the patterns.
_MAPS = ("guided-bp", "deconv", "rectgrad", "dtd", "lrp-a1b0", "lrp-a2b1", "lrp-a5b4")
_MAPS += ("lrp-z", "lrp-cmp-a1b0", "lrp-cmp-a2b1", "smoothgrad")
_MAPS += ("deeplift-revealcancel", "deeplift-rescale", "deeplift-ablation", "gradient")
_MAPS += labels.PATTERNS
# How many starts, layers and stages are chosen where no plan is written down.
_STARTS, _LAYERS, _STAGES = 5, 20, 9


@dataclass(frozen=True)
class Plan:
    """Where relevance enters and is read, what is re-initialised, and the methods."""

    # Layers where relevance enters, where convergence is measured, and layers or blocks
    # down to which weights are re-initialised; all top first.
    starts: tuple
    layers: tuple
    stages: tuple
    # Methods whose convergence is measured, and whose maps are compared.
    methods: tuple = _CSC
    maps: tuple = _MAPS
    # Those that conserve relevance without minus signs, so that it is a distribution.
    bits: tuple = ("lrp-a1b0", "dtd", "excitation-bp")
    # Those whose columns sum to one, with signs or without, by this convention.
    conserving: tuple = tuple(
        f"{name}:bias=ignore" for name in ("lrp-a1b0", "lrp-gamma", "lrp-a2b1", "lrp-z")
    )

    def __post_init__(self):
        for name, value in vars(self).items():
            if value or name in ("starts", "layers"):
                check_once(name, value)


# Starts, layers and stages of each. The paper's layers of VGG-16 end with their ReLU, a
# block of ResNet-50 with the third call of its own.
_WRITTEN = {
    "cifar10": (
        "fc6 fc5 conv4 conv3 conv2",
        "fc6 fc5 pool4 conv4 conv3 pool2 conv2 conv1 input",
        "fc6 fc5 conv4 conv3 conv2 conv1",
    ),
    "vgg16": (
        "fc3 relu_fc1 relu4_3 relu3_3 relu2_2",
        "fc3 relu_fc2 relu_fc1 pool5 relu5_3 relu5_2 relu5_1 pool4 relu4_3 relu4_2 "
        "relu4_1 pool3 relu3_3 relu3_2 relu3_1 pool2 relu2_2 relu2_1 pool1 relu1_2 "
        "relu1_1 input",
        "fc3 fc1 conv5_3 conv5_1 conv4_3 conv4_1 conv3_1 conv2_1 conv1_1",
    ),
    "resnet50": (
        "fc layer4.0.relu:3 layer3.1.relu:3 layer2.3.relu:3 layer2.1.relu:3 "
        "layer1.1.relu:3",
        "fc layer4.2.relu:3 layer4.1.relu:3 layer4.0.relu:3 layer3.5.relu:3 "
        "layer3.4.relu:3 layer3.3.relu:3 layer3.2.relu:3 layer3.1.relu:3 "
        "layer3.0.relu:3 layer2.3.relu:3 layer2.2.relu:3 layer2.1.relu:3 "
        "layer2.0.relu:3 layer1.2.relu:3 layer1.1.relu:3 layer1.0.relu:3 relu input",
        "fc layer4.1 layer3.5 layer3.0 layer2.2 layer2.0 layer1.1 conv1",
    ),
    "efficientnet_lite0": (
        "fc block6_4.add block5_3.add block4_3.add block3_2.add",
        "fc relu_head block7_1.project block6_4.add block6_3.add block6_2.add "
        "block6_1.project block5_3.add block5_2.add block5_1.project block4_3.add "
        "block4_2.add block4_1.project block3_2.add block3_1.project block2_2.add "
        "block2_1.project block1_1.project relu_stem input",
        "fc head block6_3 block6_1 block5_1 block4_1 block3_1 block2_1 stem",
    ),
}
PLANS = {
    network: Plan(*(tuple(names.split()) for names in written))
    for network, written in _WRITTEN.items()
}
# What wants pixels in 0…1 or layers without negative inputs has no rule for it.
_PIXELS = ("excitation-bp", "dtd", "lrp-eps-gamma-box")
PLANS["efficientnet_lite0"] = replace(
    PLANS["efficientnet_lite0"],
    methods=tuple(name for name in _CSC if name not in _PIXELS),
    maps=tuple(name for name in _MAPS if name not in _PIXELS),
    # What a block adds up has signs, and so have the usual shares of it; and where no
    # ReLU follows, a bias may turn the sign of a denominator.
    bits=("lrp-a1b0:addition=alphabeta,bias=ignore",),
)


def of(subject: Subject, plan: Plan | None = None) -> Plan:
    """Return the plan that is written down for a network, or an automatic one.

    A network of the same name may have other layers, such as torchvision's VGG-16. A
    plan of the user's is only looked through.
    """
    remedy = "give a Plan, or leave it out."
    check_option("plan", plan, lambda v: v is None or isinstance(v, Plan), remedy)
    found = PLANS.get(subject.network)
    x, _ = subject.read([0])
    # A chain says by name what does not fit, such as images that are too small.
    layers = Chain(subject.net, x, "gradient", fold=subject.fold).layers
    if plan:
        for name in {*plan.starts, *plan.layers} - {*layers}:
            raise unknown_name("layer", name, layers)
        return plan
    if found and {*found.starts, *found.layers} <= set(layers):
        return found
    return automatic(subject.net, x)


def from_top(subject: Subject, plan: Plan) -> list[str]:
    """Return the layers of a plan that relevance from its first start reaches."""
    x, _ = subject.read([0])
    feeding = {*subject.chain(x, "gradient").below(plan.starts[0])}
    return [layer for layer in plan.layers if layer in feeding]


@torch.no_grad()
def automatic(net: nn.Module, x: torch.Tensor) -> Plan:
    """Return a plan for a network that takes `x`: layers at even distances."""
    check_input(net, x)
    calls = Trace(net).run(x)[0]
    weighted = [call.name for call in calls if call.kind in ("conv", "dense")][::-1]
    if not weighted:
        raise InputError("the network has no layer with weights to start from.")
    kinds = ("conv", "dense", "maxpool", "avgpool", "add", "cat")
    places = [call.name for call in calls if call.kind in kinds][::-1]
    # The lowest has only the input below it.
    starts = evenly(weighted[:-1] or weighted, _STARTS)
    chosen = {*evenly(places, _LAYERS), *starts}
    layers = [name for name in places if name in chosen]
    return Plan(
        starts=tuple(starts),
        layers=(*layers, "input"),
        stages=tuple(evenly(weighted, _STAGES)),
        methods=_ANY,
        maps=tuple(name for name in _MAPS if name in (*_ANY, "smoothgrad")),
        bits=("lrp-a1b0:addition=alphabeta,bias=ignore",),
    )
