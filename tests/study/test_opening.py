"""The picture that the book opens with."""

import re

import pytest
import torch

import modbp
from modbp.measures.similarity import cosine
from modbp.study import opening
from modbp.zoo.named import find_network

WORDS = ["espresso", "palace"]


@pytest.fixture(scope="module")
def named():
    return find_network("efficientnet_lite0")


def photographs(named, *indices):
    place = {"folder": "photographs", "transform": named.preparation}
    return modbp.data.images(indices=indices, **place)


def test_there_is_a_picture_for_each_class_and_it_begins_with_the_chosen_one(named):
    images = photographs(named, 5, 0)
    shown = opening.every_class(named, images, ["lrp-a1b0", "gradient"], WORDS)
    texts = re.findall(r'(?:alt|aria-label)="(Image [^"]*)"', shown.html)
    # What the second picture shows was not asked about.
    for number, text in enumerate(texts):
        word = [*WORDS, "Egyptian cat"][number % 3]
        name, taken = (("temple", "palace"), ("cat Chelsea", "Egyptian cat"))[
            number // 3
        ]
        assert f"Image {name} and" in text and f"that explain {word}." in text
        # A map is like itself.
        assert (text.count("1.0000") == 2) == (word == taken)
    assert len(texts) == 6
    before = shown.html.split(f'"{texts[1]}"')[0]
    assert not before.rpartition('<div class="modbp-frame')[2].startswith('" hidden')


def test_one_map_stays_and_the_other_changes(named):
    """The number above a map is its cosine, here computed of the gradient itself."""
    images = photographs(named, 4)
    shown = opening.Opening(named, images, WORDS)
    numbers = [shown.classes[word] for word in WORDS]
    x = images.x.clone().requires_grad_()
    logits = named.net(x)[0, numbers]
    gradients = [torch.autograd.grad(z, x, retain_graph=True)[0] for z in logits]
    one, other = ((x * g).sum(1).flatten() for g in gradients)
    names = ["lrp-a1b0", "gradient-x-input"]
    told = shown.picture(names, 0, numbers[1])[1]
    stays, changes = map(float, re.findall(r"a1b0 (\S+), \S+ (\S+)\.$", told)[0])
    assert changes == pytest.approx(cosine(one, other).item(), abs=1e-4)
    assert stays > 0.99 > 0.5 > abs(changes)
    maps = torch.stack([*shown.maps("lrp-a1b0").values()])
    assert maps.shape == (2, 1, 224, 224)
    assert stays == pytest.approx(cosine(*maps.flatten(1)).item(), abs=1e-4)
