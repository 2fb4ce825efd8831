"""Audits: planted truths, what is measured, what is refused, what is written."""

import copy
import json
import os
import re
from importlib import resources

import numpy as np
import pytest
import torch
from audits import guests, planted, small
from torch import nn

import modbp
from modbp.audits import AuditResult, Work, likeness
from modbp.audits.page import page as html
from modbp.audits.words import sentence
from modbp.errors import InputError, MethodError, ModbpError, ResultError, TraceError
from modbp.zoo.data.sources import imagenet
from modbp.zoo.named import find_network

LAYERS = {"cifar10": "conv3", "vgg16": "relu3_3", "efficientnet_lite0": "block4_3"}
# Of the CIFAR-10 networks alone: bottlenecks without ReLUs keep more.
BLIND = ("lrp-a1b0", "dtd")


def pictures(found, count, repetition):
    """Return pictures that a network was made for, drawn at random."""
    folder = None
    if found.is_imagenet:
        folder = "imagenet" if imagenet().is_dir() else "photographs"
    place = modbp.zoo.data.listed(folder=folder).place
    draw = np.random.default_rng(repetition).permutation(place.count)[:count]
    kind = {"folder": folder, "transform": found.preparation}
    return modbp.data.images(indices=[*map(int, draw)], **kind).x


def judged(network, count, repetition):
    """Return the network, pictures, verdicts, and what they should be."""
    found = find_network(network)
    truths = planted.truths(LAYERS[network])
    if not found.is_imagenet:
        truths |= {name: (name, {planted.NOT}) for name in BLIND}
    x = pictures(found, count, repetition)
    given = {label: method for label, (method, _) in truths.items()}
    return found.net, x, planted.verdicts(found.net, x, given, repetition), truths


def wrong(verdicts, truths):
    kinds = {label: each["kind"] for label, each in verdicts.items()}
    return {
        label: kind for label, kind in kinds.items() if kind not in truths[label][1]
    }


def test_complexity_by_hand():
    # Half of the pixels in one bin, a quarter in each of two others: 3/2 bits.
    one = torch.tensor([0.0, 0.0, 0.5, 1.0]).reshape(1, 2, 2)
    two = torch.tensor([-1.0, -1.0, 1.0, 1.0]).reshape(1, 2, 2)
    assert likeness.complexity(torch.ones(1, 2, 2)).item() == 0
    assert likeness.complexity(one).item() == pytest.approx(3 / 2)
    # However large its numbers are.
    assert likeness.complexity(7 * two).item() == pytest.approx(1)


def test_what_never_asks_the_network_does_not_look():
    """Nor what asks it for no class in particular."""
    truths = planted.truths("2")
    given = {label: method for label, (method, _) in truths.items()}
    found = planted.verdicts(small.network(), small.pictures(8), given)
    assert not wrong(found, truths)
    assert found["stops"]["below"] == "2"


@pytest.mark.long
@pytest.mark.parametrize("network", LAYERS)
def test_planted_truths_on_the_networks_of_the_book(network):
    # Fewer pictures for the larger networks: twenty take a quarter of an hour.
    count = 10 if network == "cifar10" else 6
    net, x, verdicts, truths = judged(network, count, 0)
    assert not wrong(verdicts, truths)
    assert verdicts["stops"]["below"].startswith(
        LAYERS[network].replace("relu", "conv")
    )
    half = planted.half_random(net, x)
    blind = {"summed": planted.summed, "edges": planted.edges}
    blind |= {name: name for name in BLIND if name in truths}
    found = planted.verdicts(half, x, blind)
    assert {each["kind"] for each in found.values()} == {planted.NOT}


# Of each a layer in the middle.
GUESTS = {
    "resnet18": "layer2",
    "vgg11_bn": "features.14",
    "squeezenet1_1": "features.6",
    "mobilenet_v2": "features.9",
}


@pytest.mark.parametrize("name", GUESTS)
def test_guests_are_networks_for_small_pictures(name):
    net = getattr(guests, name)()
    assert net(torch.rand(2, 3, 32, 32)).shape == (2, 10)
    assert net.get_submodule(GUESTS[name])


@pytest.mark.long
@pytest.mark.parametrize("name", GUESTS)
def test_planted_truths_on_networks_that_the_book_did_not_make(name):
    if not guests.weights(name).is_file():
        pytest.skip(f"needs python -m modbp train {guests.__file__}:{name}")
    net, _, _ = guests.trained(name)
    assert modbp.models.provenance(guests.weights(name))["test_accuracy"] >= 0.7
    x = modbp.data.images(20).x
    truths = planted.truths(GUESTS[name])
    given = {label: method for label, (method, _) in truths.items()}
    verdicts = planted.verdicts(net, x, given)
    assert not wrong(verdicts, truths)
    blind = {"summed": planted.summed, "edges": planted.edges}
    found = planted.verdicts(planted.half_random(net, x), x, blind)
    assert {each["kind"] for each in found.values()} == {planted.NOT}


# Fifty take an hour: MODBP_REPETITIONS=50 asks for them.
REPETITIONS = int(os.environ.get("MODBP_REPETITIONS", "1"))


@pytest.mark.long
def test_repetitions_never_flip():
    untold = 0
    for repetition in range(REPETITIONS):
        _, _, verdicts, truths = judged("cifar10", 20, repetition)
        untold += sum(
            each["kind"] == planted.UNTOLD and planted.UNTOLD not in truths[label][1]
            for label, each in verdicts.items()
        )
        found = wrong(verdicts, truths)
        assert {*found.values()} <= {planted.UNTOLD}, (repetition, found)
    assert untold <= 3


@pytest.fixture(scope="module")
def found():
    methods = {
        "gradient": "gradient",
        "lrp-a1b0": "lrp-a1b0",
        "smooth": modbp.methods.get("smoothgrad", samples=2),
        "edges": planted.edges,
        "patternnet": "patternnet",
    }
    return modbp.audit(small.network(), small.pictures(8), methods)


def test_the_result_says_it_in_a_sentence_and_a_table(found):
    text = str(found)
    assert " ".join(text.split("\n\n")[0].split()) == sentence(found.content)
    for label, verdict in found.verdicts.items():
        assert re.search(rf"^{label} +{verdict}", text, re.MULTILINE)
    assert "patternnet" in found.content["left_out"]
    assert list(found.verdicts) == ["gradient", "lrp-a1b0", "smooth", "edges"]


def test_what_is_advised_looks(found):
    assert found.verdicts[found.advised] == planted.LOOKS
    alone = modbp.audit(small.network(), small.pictures(6), [planted.edges])
    assert alone.advised is None and "use" not in sentence(alone.content)


def test_the_json_fits_its_schema(found):
    jsonschema = pytest.importorskip("jsonschema")
    text = resources.files("modbp.audits").joinpath("schema.json").read_text("utf-8")
    schema = json.loads(text)
    kind = jsonschema.Draft202012Validator
    kind.check_schema(schema)
    kind(schema).validate(json.loads(found.to_json()))
    broken = json.loads(found.to_json())
    broken["methods"]["edges"]["verdict"]["kind"] = "perhaps"
    with pytest.raises(jsonschema.ValidationError):
        kind(schema).validate(broken)


def test_what_does_not_apply_says_why(found):
    methods = found.content["methods"]
    assert "chain" in methods["edges"]["csc"]["why"]
    assert "average" in methods["smooth"]["noise"]["why"]
    assert "signs" in methods["gradient"]["bits"]["why"]
    assert 0 <= methods["lrp-a1b0"]["bits"]["left"]["median"] <= 2
    assert methods["edges"]["again"]["same"] == 8 and not methods["smooth"]["again"]
    assert {each["kind"] for each in methods.values()} == {
        "chain",
        "average",
        "function",
    }


def test_numbers_are_those_of_the_measures(found):
    """The parts are those that others of modbp's measure: by replication."""

    def apart(one, two):
        return 1 - torch.cosine_similarity(one.flatten(1), two.flatten(1)).abs()

    net, x = small.network(), small.pictures(8)
    about, record = found.content["about"], found.content["methods"]["gradient"]
    r = modbp.explain(net, x, "gradient")
    floor = apart(r[:4], r[:4].roll(-1, 0))
    other = apart(r[4:], r[4:].roll(-1, 0))
    median = torch.cat([floor, other]).double().numpy()
    assert record["floor"]["cosine"] == pytest.approx(np.median(median), rel=1e-3)
    changed = [
        apart(r, modbp.explain(net, x, "gradient", each))
        for each in np.array(about["others"]).T.tolist()
    ]
    values = torch.stack(changed).mean(0) / record["floor"]["cosine"]
    shares = record["class"]["cosine"]["values"]
    assert shares == pytest.approx(values.tolist(), rel=1e-3)
    csc = modbp.csc(net, x, "gradient", about["start"], ["0"])
    each = np.nanmedian(csc.cosines["0"], axis=(1, 2))
    told = record["csc"]["channels"]["0"]["median"]
    assert told == pytest.approx(np.nanmedian(each), rel=1e-4)


def test_the_network_is_only_read():
    net, x = small.network(), small.pictures(6)
    before = copy.deepcopy(net.state_dict())

    def rude(net, x, target):
        net[0].weight.data.zero_()
        x.zero_()
        return torch.zeros(len(x), 12, 12)

    found = modbp.audit(net, x, {"gradient": "gradient", "rude": rude})
    after = net.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert found.verdicts["gradient"] == planted.LOOKS


@pytest.mark.long
def test_the_same_seed_gives_the_same_json():
    net, x = small.network(), small.pictures(6)
    once, again, other = (
        modbp.audit(net, x, ["gradient"], seed=seed).to_json() for seed in (0, 0, 1)
    )
    assert once == again != other


def test_negative_logits_turn_no_map():
    """A map of α1β0 has the sign of its logit, which says nothing of where."""
    net, x = small.network(), small.pictures(6)
    with torch.no_grad():
        net[6].bias -= net(x).mean(0)
    work = Work(net, x, ["lrp-a1b0"])
    targets = [work.targets, *work.others]
    logits = net(x)
    signs = torch.stack([logits.gather(1, t[:, None])[:, 0] for t in targets]).sign()
    assert {*signs.flatten().tolist()} == {-1.0, 1.0}
    candidate = work.candidates["lrp-a1b0"]
    r = candidate.relevance(net, x, targets)
    assert (r.sum((2, 3, 4)) > 0).all()


class Rectified(nn.Module):
    """A network with a ReLU behind its logits, as SqueezeNet has one."""

    def __init__(self):
        super().__init__()
        self.net = small.network(classes=8)
        x = small.pictures(8)
        with torch.no_grad():
            self.net[6].bias -= self.net(x).median(0).values

    def forward(self, x):
        return self.net(x).relu()


def test_logits_that_are_zero_are_no_evidence():
    """Of a zero, LRP tells nothing: an empty map is then no change."""
    net, x = Rectified().eval(), small.pictures(8)
    work = Work(net, x, ["gradient", "lrp-a1b0"])
    logits = net(x)
    assert (logits == 0).any(1).all()
    told = logits.gather(1, work.others.T)
    assert (told > 0).all() or ((logits > 0).sum(1) < 3).any()
    zero = torch.stack([row.argmin() for row in logits])
    for label, empty in {"gradient": 1.0, "lrp-a1b0": np.nan}.items():
        candidate = work.candidates[label]
        explained = candidate.relevance(net, x, [work.targets, zero])
        assert not explained[1].any()
        own, nothing = ((r, candidate.maps(r, (12, 12))) for r in explained)
        found = candidate.changes(own, nothing)
        for key in ("cosine", "ssim"):
            np.testing.assert_equal(found[key], np.full(8, empty))


def test_two_opposite_logits_are_two_classes():
    """The gradients of z and −z are opposite: their magnitudes are the same."""

    class Binary(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = small.network(classes=1)

        def forward(self, x):
            z = self.net(x)
            return torch.cat([-z, z], 1)

    found = modbp.audit(
        Binary().eval(),
        small.pictures(8),
        {"gradient": "gradient", "saliency": planted.saliency, "edges": planted.edges},
    )
    assert [*found.verdicts.values()] == [planted.LOOKS, planted.LOOKS, planted.NOT]


class Single(nn.Module):
    """A network whose answer is a number without a dimension of its own."""

    def forward(self, x):
        return x.flatten(1).sum(1)


NONE_LEFT = "methods is \\[\\]"


@pytest.mark.parametrize(
    ("net", "x", "methods", "error", "told"),
    [
        (small.network(), torch.zeros(0, 3, 12, 12), None, InputError, "at least one"),
        (small.network(), [], None, InputError, "the input is a list"),
        (small.network(), small.pictures(1), None, InputError, "one picture"),
        (small.network(), small.pictures(2)[:, 0], None, ModbpError, "dimension|shape"),
        (small.network(), small.pictures(2)[..., :9], None, ModbpError, "9|stopped"),
        (small.network(1), small.pictures(2), None, InputError, "has one output"),
        (
            Single().eval(),
            small.pictures(2),
            None,
            InputError,
            "instead of \\[N, classes",
        ),
        (
            nn.Flatten().eval(),
            small.pictures(2),
            None,
            InputError,
            "no layer with weig",
        ),
        (small.network().train(), small.pictures(2), None, InputError, "training mode"),
        (small.network(), small.pictures(2), [], InputError, NONE_LEFT),
        (small.network(), small.pictures(2), "gradient", InputError, "in a list"),
        (small.network(), small.pictures(2), ["gradien"], ModbpError, "Did you mean"),
        (small.network(), small.pictures(2), ["patternnet"], MethodError, "no pattern"),
        (
            small.network(),
            small.pictures(2),
            ["gradient", modbp.methods.get("gradient")],
            InputError,
            "Give a dict",
        ),
        (
            small.network(),
            small.pictures(2),
            {"short": lambda net, x, target: x[:1]},
            MethodError,
            "'short' gives \\[1, 3, 12, 12\\]",
        ),
        (
            small.network(),
            small.pictures(2),
            {"bad": lambda net, x: x},
            MethodError,
            "'bad' stopped with TypeError",
        ),
        (
            small.network(),
            small.pictures(2),
            {"nan": lambda net, x, target: x / 0},
            MethodError,
            "'nan' gives NaN",
        ),
    ],
)
def test_bad_input_is_refused_by_name(net, x, methods, error, told):
    with pytest.raises(error, match=told):
        modbp.audit(net, x, methods)


def test_a_layer_that_cannot_be_drawn_anew_is_named():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(4, 432))

        def forward(self, x):
            return nn.functional.linear(x.flatten(1), self.weight)

    with pytest.raises(TraceError, match="layer 'linear'"):
        modbp.audit(Odd().eval(), small.pictures(2))


def test_pictures_of_one_class_are_noted():
    net, x = small.network(), small.pictures(6)
    found = modbp.audit(net, x, ["gradient"], target=1)
    assert "one class, 1" in found.content["about"]["notes"][0]
    assert found.verdicts["gradient"] == planted.LOOKS


def test_few_pictures_tell_nothing():
    found = modbp.audit(small.network(), small.pictures(2), ["gradient"])
    assert found.verdicts == {"gradient": planted.UNTOLD} and found.advised is None


def test_a_report_that_cannot_be_written_leaves_nothing(found, tmp_path):
    with pytest.raises(InputError, match="ends in .html"):
        found.report(tmp_path / "a.txt")
    (tmp_path / "file").touch()
    with pytest.raises(ResultError, match="cannot be written"):
        found.report(tmp_path / "file" / "a.html")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("content", ["", "[]", '{"format": "another"}'])
def test_what_is_no_audit_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    with pytest.raises(ResultError, match="a.json"):
        AuditResult.read(tmp_path / "a.json")


def test_the_cost_is_told_first(capsys):
    modbp.audit(small.network(), small.pictures(6), ["gradient"])
    out = capsys.readouterr().out
    assert re.match(r"audit: 1 method on 6 pictures, from 6 .*: about \d+ seconds", out)


def test_a_page_shows_names_as_they_are():
    """Whatever they hold: no label, class or message becomes an element."""
    bad = "<script>alert(1)</script>"
    found = modbp.audit(
        small.network(), small.pictures(6), {bad: planted.edges}, classes=[bad] * 4
    )
    content = copy.deepcopy(found.content)
    content["about"] |= {"network": bad, "images": bad, "command": bad, "notes": [bad]}
    content["left_out"] = {bad: bad}
    content["methods"][bad]["verdict"] |= {"why": bad, "below": bad}
    content["methods"][bad]["csc"] = {"why": bad}
    page = AuditResult(content)
    for text in (page._repr_html_(), html(page.content)):
        assert bad not in text and "&lt;script&gt;" in text
