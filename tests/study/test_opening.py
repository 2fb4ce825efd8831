"""The picture that the book opens with."""

import re

from modbp.study import opening
from modbp.zoo import data, models


def test_there_is_a_picture_for_each_class_and_it_begins_with_the_chosen_one():
    net, images = models.cifar10(), data.images(2, folder="photographs")
    shown = opening.every_class(net, images, ["lrp-a1b0", "gradient"])
    texts = re.findall(r'(?:alt|aria-label)="(Image [^"]*)"', shown.html)
    assert len(texts) == 2 * len(data.CLASSES)
    best = int(net(images.x[:1]).argmax())
    assert f"that explain {data.CLASSES[best]}." in texts[best]
    # A map is like itself.
    assert texts[best].count("1.0000") == 2
    before = shown.html.split(f'"{texts[best]}"')[0]
    assert not before.rpartition('<div class="modbp-frame')[2].startswith('" hidden')


def test_one_map_stays_and_the_other_changes():
    net, images = models.cifar10(), data.images(1, folder="photographs")
    shown = opening.every_class(net, images, ["lrp-a1b0", "gradient-x-input"])
    number = r"(-?\d\.\d+)"
    found = re.findall(f"lrp-a1b0 {number}, gradient-x-input {number}", shown.html)
    stays, changes = zip(*[map(float, pair) for pair in found], strict=True)
    assert min(stays) > 0.9 > 0.5 > min(changes)
