"""Which layers and methods each network's experiments are about."""

from dataclasses import dataclass

__all__ = ["CSC_PLANS", "Plan"]


@dataclass(frozen=True)
class Plan:
    """Where relevance enters, where it is read, and by which methods.

    Attributes
    ----------
    starts : tuple of str
        Injection layers, top first.
    layers : tuple of str
        The layers that the paper's figure shows, top first.
    methods : tuple of str
        Names of methods.
    """

    starts: tuple
    layers: tuple
    methods: tuple


CSC_PLANS = {
    "cifar10": Plan(
        starts=("fc6", "fc5", "conv4", "conv3", "conv2"),
        layers=("fc6", "fc5", "pool4", "conv4", "conv3", "pool2", "conv2", "conv1")
        + ("input",),
        methods=("gradient", "gradient-x-input", "guided-bp", "deconv", "lrp-z")
        + ("lrp-eps", "lrp-a1b0", "lrp-a2b1", "lrp-a5b4", "excitation-bp"),
    )
}
