"""The names of the methods, which one may know without torch."""

from typing import Literal

__all__ = ["Name"]

# In the order of tables; an underscore for each hyphen gives the function.
Name = Literal[
    "gradient",
    "gradient-x-input",
    "smoothgrad",
    "integrated-gradients",
    "guided-bp",
    "deconv",
    "rectgrad",
    "lrp-z",
    "lrp-eps",
    "lrp-gamma",
    "lrp-a1b0",
    "lrp-a2b1",
    "lrp-a5b4",
    "excitation-bp",
    "dtd",
    "lrp-cmp-a1b0",
    "lrp-cmp-a2b1",
    "lrp-eps-plus",
    "lrp-eps-gamma-box",
    "contrastive-lrp",
    "patternnet",
    "patternattribution",
    "deeplift-rescale",
    "deeplift-revealcancel",
    "deeplift-ablation",
]
