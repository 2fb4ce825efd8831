"""Bad input: each kind is refused by name, with what was found and what to do."""

import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from nets import Net, fingerprint
from PIL import Image
from safetensors.torch import save as pack
from torch import nn

import modbp
from modbp import data, errors, methods, models, rules
from modbp.errors import ModbpError, unknown_name
from modbp.files import fingerprint as checksum
from modbp.study import experiments, ledger, training


@cache
def net():
    """A small classifier of [N, 3, 8, 8] with layers conv1 … fc."""
    torch.manual_seed(0)
    parts = {
        "conv1": nn.Conv2d(3, 4, 3, padding=1),
        "relu1": nn.ReLU(),
        "conv2": nn.Conv2d(4, 4, 3, padding=1),
        "relu2": nn.ReLU(),
        "flatten": nn.Flatten(),
        "fc": nn.Linear(256, 5),
    }
    whole = nn.Sequential()
    for name, part in parts.items():
        whole.add_module(name, part)
    return whole.eval()


def x(**options):
    return torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1), **options)


def chain(method="lrp-a1b0"):
    return modbp.chain(net(), x(), method)


def explain(images, target=None):
    return modbp.explain(net(), images, "lrp-a1b0", target)


def explain_by(model, images=None):
    return modbp.explain(model, x() if images is None else images, "lrp-a1b0")


def with_layer(layer):
    """The classifier with another layer after fc."""
    return nn.Sequential(*net(), layer).eval()


class Sine(nn.Module):
    def forward(self, x):
        return x.sin()


class Chooses(nn.Module):
    def forward(self, x):
        return x if x.mean() > 0 else -x


class Adds(nn.Module):
    def forward(self, x, y):
        return x + y


def forward(function, images=None, **parts):
    """Explain by a network whose forward is a function, with some layers at hand."""
    parts = {"fc": nn.Linear(8, 8), "conv": nn.Conv2d(3, 3, 3, padding=1), **parts}
    return explain_by(Net(function, **parts).eval(), images)


def sanity(run, *options, **named):
    """Run a sanity check of the small classifier's gradient."""
    return getattr(modbp.sanity, run)(net(), x(), "gradient", *options, **named)


def stored(tmp_path, **entries):
    """Store the small classifier's weights, some of them replaced or left out."""
    state = {**net().state_dict(), **entries}
    return packed(tmp_path, pack({k: v for k, v in state.items() if v is not None}))


def packed(tmp_path, content, **history):
    path = tmp_path / "net.safetensors"
    path.write_bytes(content)
    history = {"sha256": checksum(content), **history}
    path.with_suffix(".json").write_text(json.dumps(history), encoding="utf-8")
    return path


@cache
def about():
    """What an experiment is done on."""
    return experiments.subject(count=1, folder="photographs")


def folder(tmp_path, content=None):
    """An image folder with one picture, or with that content in its place."""
    path = tmp_path / "cats" / "one.png"
    path.parent.mkdir()
    Image.fromarray(np.arange(243, dtype=np.uint8).reshape(9, 9, 3)).save(path)
    if content is not None:
        path.write_bytes(content)
    return tmp_path


# What the calls on the list may use.
WORDS = {
    "chain": chain, "data": data, "explain": explain, "explain_by": explain_by,
    "folder": folder, "forward": forward, "methods": methods,
    "modbp": modbp, "models": models, "net": net, "nn": nn, "packed": packed,
    "rules": rules, "sanity": sanity, "stored": stored, "torch": torch,
    "training": training, "about": about, "experiments": experiments, "ledger": ledger,
    "with_layer": with_layer, "x": x,
    "Adds": Adds, "Sine": Sine, "Chooses": Chooses, "Function": Net,
}  # fmt: skip


def refusals():
    """Read the list of calls: for each its name, its code, and what it is told."""
    text = Path(__file__).with_name("refusals.txt").read_text(encoding="utf-8")
    for block in text.split("\n\n"):
        name, *lines = block.strip("\n").split("\n")
        code = [line[8:] for line in lines if line.startswith(("    >>>", "    ..."))]
        if code:
            told = " ".join(line.strip() for line in lines[len(code) :])
            yield pytest.param("\n".join(code), told, id=name.replace(" ", "_"))


@pytest.mark.parametrize(("code", "told"), list(refusals()))
def test_bad_input_is_refused_with_what_was_found_and_what_to_do(code, told, tmp_path):
    before = fingerprint(net())
    with pytest.raises(ModbpError) as caught:
        exec(code, {**WORDS, "tmp_path": tmp_path})
    message = str(caught.value)
    pattern = ".*".join(re.escape(part.strip()) for part in told.split("…"))
    found = f"{caught.type.__name__}: {message}"
    assert re.fullmatch(pattern, found, re.DOTALL), found
    assert message.endswith(".") and len(message) < 700
    after = fingerprint(net())
    changed = {key for key in before | after if before.get(key) != after.get(key)}
    assert changed <= {"random"}  # building the bad input may draw


def test_every_error_is_also_the_built_in_one_that_a_caller_expects():
    expected = {"InputError": ValueError, "UnknownName": LookupError}
    expected |= {"TraceError": TypeError, "MethodError": TypeError}
    expected |= {"WeightsError": ValueError, "DataError": ValueError}
    expected |= {"ResultError": OSError}
    assert set(expected) == {each.__name__ for each in ModbpError.__subclasses__()}
    for name, built_in in expected.items():
        assert issubclass(getattr(errors, name), built_in)


def test_an_unknown_name_is_answered_with_the_nearest_ones_if_there_are_any():
    known = ["conv1", "conv2", "fc"]
    assert str(unknown_name("layer", "conv", known)) == (
        "unknown layer 'conv'. Did you mean 'conv2' or 'conv1'? "
        "Known: conv1, conv2, fc."
    )
    assert str(unknown_name("layer", "zzz", known)) == (
        "unknown layer 'zzz'. Known: conv1, conv2, fc."
    )
