"""The network that a name means, and the words for its weights."""

import pytest
import torch
from torch import nn

import modbp
from modbp import models
from modbp.errors import InputError, UnknownName, WeightsError
from modbp.zoo.models.weights import weights_fingerprint
from modbp.zoo.named import find_network
from modbp.zoo.vision import load_torchvision


@pytest.mark.parametrize("name", ["cifar10", "vgg16", "resnet50", "vit"])
def test_a_network_of_the_book_has_our_weights_if_nothing_is_said(name, tmp_path):
    ours, random = find_network(name), find_network(name, None, seed=4)
    wanted = getattr(models, name)("cifar10")
    assert weights_fingerprint(ours.net) == weights_fingerprint(wanted)
    assert weights_fingerprint(random.net) == weights_fingerprint(models.build(name, 4))
    assert (ours.title, random.title) == (name, f"{name}, random weights, seed 4")
    assert ours.size == random.size == 32 and ours.classes == modbp.data.CLASSES
    models.save(random.net, tmp_path / "mine.safetensors")
    again = find_network(name, tmp_path / "mine.safetensors")
    assert again.title == f"{name}, mine.safetensors"
    for one, two in zip(again.net.parameters(), random.net.parameters(), strict=True):
        assert torch.equal(one, two.half().float())


@pytest.mark.parametrize("name", ["googlenet", "inception_v3", "densenet121"])
def test_random_weights_depend_on_the_seed_alone(name):
    first = find_network(name, None, seed=1)
    before = torch.random.get_rng_state()
    again = find_network(name, None, seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert weights_fingerprint(first.net) == weights_fingerprint(again.net)
    assert first.size == (299 if name == "inception_v3" else 224)
    assert first.classes == () and not first.net.training


@pytest.mark.parametrize(
    "name, weights", [("resnet18", "trained"), ("vgg16", "imagenet")]
)
def test_imagenet_weights_come_with_what_their_images_have_to_be(
    monkeypatch, name, weights
):
    library = load_torchvision().models
    with torch.device("meta"):
        net = library.get_model(name, weights=None)
    net.to_empty(device="cpu")
    for number, parameter in enumerate(net.parameters()):
        parameter.data.fill_(number)  # what was in memory may be NaN
    asked = []

    def get_model(*name, weights):
        asked.extend([*name, weights.name])
        return net

    monkeypatch.setattr(library, "get_model", get_model)
    found = find_network(name, weights)
    assert asked[0] == name and asked[1].startswith("IMAGENET1K")
    assert (found.size, found.preparation.shorter) == (224, 256)
    assert found.mean == (0.485, 0.456, 0.406) and found.std == (0.229, 0.224, 0.225)
    assert len(found.classes) == 1000 and found.classes[207] == "golden retriever"
    if name == "vgg16":  # with the layers of the paper, filled one by one
        assert found.title == "vgg16, ImageNet weights"
        assert torch.equal(found.net.conv4_2.weight, net.features[19].weight)
        assert torch.equal(found.net.fc2.bias, net.classifier[3].bias)
        assert found.net.fc3.weight.shape == (1000, 4096)


@pytest.mark.parametrize("name", ["resnet18", "vgg16", "resnet50"])
def test_weights_that_cannot_be_downloaded_are_answered_with_where_to_put_them(
    monkeypatch, tmp_path, name
):
    def unreachable(*arguments, **options):
        raise OSError("no network here")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError) as caught:
        find_network(name, "imagenet")
    message = str(caught.value)
    assert message.startswith(f"the ImageNet weights of {name} cannot be had (no net")
    assert f"{name}-" in message and ".pth into " in message
    assert str(tmp_path) in message and "--weights none" in message


@pytest.mark.parametrize(
    "name, weights, error, message",
    [
        ("alexnet", "cifar10", UnknownName, "network with weights for CIFAR-10"),
        ("cifar10", "imagenet", WeightsError, "has no ImageNet weights"),
        ("cifar10", "DEFAULT", InputError, "choose cifar10 for ours, imagenet"),
        ("alexnet", "a.safetensors", InputError, "Weights of yours for others"),
        ("cifar10", "a.safetensors", WeightsError, "no such weights file"),
        ("mine.py:build", None, InputError, "weights of its own. Leave it out"),
        ("mine.py:build", "trained", InputError, "mine.py: no such file. Give FILE"),
        ("resnet19", "trained", UnknownName, "Did you mean 'resnet18'"),
    ],
)
def test_names_and_weights_that_do_not_fit_are_refused(name, weights, error, message):
    with pytest.raises(error, match=message):
        find_network(name, weights)


def test_a_function_in_a_file_gives_the_network(tmp_path):
    code = "from torch import nn\nbuild, n = nn.ReLU, int"
    (tmp_path / "mine.py").write_text(code, "utf-8")
    found = find_network(f"{tmp_path}/mine.py:build")
    assert type(found.net) is nn.ReLU and not found.net.training
    assert found.title.endswith("mine.py:build") and found.classes == ()
    with pytest.raises(TypeError, match="returns a int; return a torch.nn.Module"):
        find_network(f"{tmp_path}/mine.py:n")
