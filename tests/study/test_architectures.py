"""Classifiers of timm and torchvision: explained as stored, and as promised."""

import json
import random

import pytest
from architectures import LIBRARIES
from conftest import long_but
from study.architectures_table import (
    FILE,
    MEASURED,
    TRIED,
    config,
    in_the_way,
    paths,
    row,
)

from modbp.files import fingerprint

STORED = json.loads(FILE.read_text(encoding="utf-8"))
ROWS = STORED["results"]

# One for each thing that their families do and others do not.
DOZEN = [
    "timm/mobilenetv3_small_100",  # gates by a hard sigmoid, hardswish
    "timm/lcnet_100",  # without residuals
    "timm/tf_efficientnet_lite0",  # TensorFlow's padding, from the size of the input
    "timm/mixnet_s",  # splits, and kernels of several sizes
    "timm/convnext_atto",  # LayerNorm, GELU, a factor per channel
    "timm/nf_regnet_b1",  # weights that are normalised in each forward
    "timm/skresnet18",  # a softmax that weights branches
    "timm/ghostnet_100",  # slices of a concatenation
    "timm/edgenext_xx_small",  # attention between channels
    "timm/starnet_s1",  # a product of two branches
    "torchvision/shufflenet_v2_x0_5",  # chunks, and channels in another order
    "torchvision/squeezenet1_1",  # nothing of it
]
# Rounding; what is promised to hold to 1e-6 is promised by a quotient of differences.
LIMITS = {"gradient": 1e-9, "lrp-eps": 1e-9, "lrp-a1b0": 1e-9, "deeplift-rescale": 1e-6}
# Without biases some of its channels are zero. A norm subtracts the mean from them too,
# and hands them relevance that nothing below contributed to.
VANISHING = "timm/rdnet_tiny"


def check(path, found, names=TRIED):
    """Compare a row with what it must be, and with what is stored of these methods."""
    stored = ROWS[path]
    assert found.keys() == stored.keys() == {"side", *MEASURED, "refusing", "lost"}
    assert found["side"] == stored["side"]
    for why in ("refusing", "lost"):
        assert found[why] == [name for name in stored[why] if name in names], why
    refusing = found["refusing"]
    for method, limit in LIMITS.items():
        one, other = found[method], stored[method]
        assert one.keys() == other.keys(), method
        assert one.get("refused") == other.get("refused"), method
        if method in names:
            assert ("refused" in one) == (method in refusing), method
        # Another machine rounds differently.
        assert max(one.get("gap", 0), other.get("gap", 0)) < limit, method
        dropped = other.get("dropped", 0)
        near = pytest.approx(dropped, rel=1e-6, abs=1e-9)
        assert path == VANISHING or one.get("dropped", 0) == near, method


def working(library, method):
    return [
        path
        for path, found in ROWS.items()
        if path.startswith(library) and "refused" not in found[method]
    ]


def test_the_table_has_every_network_and_method():
    assert list(ROWS) == paths() and STORED["config"] == config()
    for path, found in ROWS.items():
        check(path, found)
        assert {*found["refusing"], *found["lost"]} <= set(TRIED)


def test_most_networks_work():
    assert len(working("timm", "gradient")) == 106
    for method in ("lrp-eps", "lrp-a1b0"):
        assert len(working("timm", method)) >= 75
        assert len(working("torchvision", method)) >= 62
    # The ε-rule drops nothing; what the other drops is said.
    dropping = [path for path in ROWS if ROWS[path]["lrp-eps"].get("dropped")]
    assert dropping == [VANISHING]


def test_a_refusal_names_layers_with_their_counts():
    message = (
        "method 'lrp-z' has no rule for 7 of the network's layers: softmax (kind "
        "'other', 2, 'a.softmax' first), Conv2d + BatchNorm2d (kind 'conv', 5, 'b' "
        "first). Explain the logits: leave the softmax out of the model."
    )
    assert in_the_way(message) == {"softmax": 2, "Conv2d + BatchNorm2d": 5}


@pytest.mark.parametrize("path", long_but(DOZEN[::6].__contains__, DOZEN))
def test_a_dozen_networks_are_explained_as_stored(path):
    # Others whenever the table changes, and the same on every machine.
    drawn = random.Random(fingerprint(FILE) + path).sample(TRIED, 6)
    names = [name for name in TRIED if name in drawn]
    check(path, row(path, names), names)


# All of timm's; of torchvision's, of which some have 600 million weights, other ones
# whenever the table changes.
DRAWN = random.Random(fingerprint(FILE)).sample(LIBRARIES["torchvision"], 10)
AGAIN = [f"timm/{name}" for name in LIBRARIES["timm"]]
AGAIN += [f"torchvision/{name}" for name in DRAWN]
# Its random weights amplify rounding so much that some processors can tell nothing.
AGAIN = [path for path in AGAIN if path != "torchvision/efficientnet_b4"]


@pytest.mark.long
@pytest.mark.parametrize("path", AGAIN)
def test_networks_are_explained_as_stored(path):
    check(path, row(path))
