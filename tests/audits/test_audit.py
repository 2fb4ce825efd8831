"""Audits: planted truths, what is measured, what is refused, what is written."""

import copy
import json
import re
import threading
from importlib import resources
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from audits import planted, small
from torch import nn

import modbp
from modbp.audits import AuditResult, Work, likeness
from modbp.audits.audit import duration
from modbp.audits.page import page as html
from modbp.audits.words import advised, sentence
from modbp.errors import InputError, MethodError, ModbpError, ResultError, TraceError


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
    kinds = {label: each["kind"] for label, each in found.items()}
    assert all(kinds[label] in right for label, (_, right) in truths.items())
    assert found["stops"]["below"] == "2"


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


def test_noise_changes_nothing_where_the_picture_does_not():
    """The gradient of a linear network is one for all pictures, noisy or not."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(400, 4)
    target = torch.arange(8) % 4  # so that maps of other pictures differ
    linear = nn.Sequential(*layers).eval()
    found = modbp.audit(linear, small.pictures(8), ["gradient"], target).content
    record = found["methods"]["gradient"]
    assert {*record["noise"]} == {"0", "2"} <= {*record["cascade"]}
    for stage, noisy in record["noise"].items():
        plain = record["cascade"][stage]
        for each in ("cosine", "ssim"):
            values = noisy[each]["values"]
            assert min(values) > 0.01
            assert values == pytest.approx(plain[each]["values"], rel=1e-3)


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


def test_black_pictures_do_not_accuse_what_multiplies_by_them():
    x = torch.zeros(6, 3, 12, 12)
    given = {"gradient-x-input": "gradient-x-input", "edges": planted.edges}
    found = planted.verdicts(small.network(), x, given)
    assert {each["kind"] for each in found.values()} == {planted.UNTOLD}
    # Some black ones among others accuse nothing, and acquit nothing.
    x = torch.cat([small.pictures(8), x[:2]])
    found = planted.verdicts(small.network(), x, given)
    kinds = [each["kind"] for each in found.values()]
    assert kinds == [planted.LOOKS, planted.NOT]


def test_methods_of_captum_get_the_same_verdicts():
    """By oracle: the same relevance has the same changes, whoever computes it."""
    attr = pytest.importorskip("captum.attr")

    def saliency(net, x, target):
        x = x.requires_grad_()
        return attr.Saliency(net).attribute(x, target=target, abs=False)

    def scores(net, x, target):
        x = x.requires_grad_()
        return attr.InputXGradient(net).attribute(x, target=target)

    given = {"gradient": "gradient", "saliency": saliency}
    given |= {"gradient-x-input": "gradient-x-input", "scores": scores}
    found = modbp.audit(small.network(), small.pictures(6), given)
    assert {*found.verdicts.values()} == {planted.LOOKS}
    methods = found.content["methods"]
    for ours, theirs in (("gradient", "saliency"), ("gradient-x-input", "scores")):
        one, other = methods[ours], methods[theirs]
        assert other["csc"]["why"].startswith("Not applicable")
        assert other["again"]["same"] == 6
        for stage in one["cascade"]:
            pair = (each["cascade"][stage]["cosine"]["values"] for each in (one, other))
            np.testing.assert_allclose(*pair, rtol=1e-3, atol=1e-5)
        pair = (each["class"]["cosine"]["values"] for each in (one, other))
        np.testing.assert_allclose(*pair, rtol=1e-3, atol=1e-5)


def test_pictures_that_come_twice_are_noted():
    x = small.pictures(3)
    (note,) = Work(small.network(), x.repeat(2, 1, 1, 1), ["gradient"])._notes()[:1]
    assert "Only 3 of the 6 pictures differ" in note
    assert not any("differ" in n for n in Work(small.network(), x)._notes())


def test_what_keeps_all_signs_is_advised_before_what_clips(found):
    """However much a clipped map changes, as deconvolution's does on ResNets."""
    record = copy.deepcopy(found.content["methods"]["gradient"])
    clipped, own = copy.deepcopy(record), copy.deepcopy(record)
    clipped["table"] = str(modbp.methods.get("deconv"))
    own["table"] = "function own.py:map"
    for each in (clipped, own):
        each["class"]["cosine"]["interval"] = [1.5, 1.6]
    assert advised({"a": clipped, "b": record, "c": own}) == "b"
    assert advised({"a": clipped, "c": own}) == "a"
    record["verdict"]["kind"] = planted.NOT
    assert (
        advised({"a": clipped, "b": record}) == "a" and advised({"b": record}) is None
    )


def test_what_is_advised_can_be_asked_for():
    """The labels of methods that are there if none are given are names for them too."""
    net, x = small.network(), small.pictures(2)
    labels = [each for each in Work(net, x).candidates if ":" in each]
    assert labels
    again = Work(net, x, labels)
    assert [*again.candidates] == labels
    whole = Work(net, x)
    for label in labels:
        assert again.candidates[label].table == whole.candidates[label].table


def test_all_that_look_need_no_advice():
    found = modbp.audit(small.network(), small.pictures(6), {"a": "gradient"})
    content = copy.deepcopy(found.content)
    content["methods"]["b"] = content["methods"]["a"]
    assert sentence(content) == "Of 2 methods, 2 look at this network's decision."
    content["methods"]["c"] = copy.deepcopy(content["methods"]["a"])
    content["methods"]["c"]["verdict"] |= {"kind": planted.NOT}
    assert sentence(content).endswith("Where one does not look, use a, which does.")


def test_one_number_for_each_class_is_asked_for():
    """What an error tells to do with a network works when it is done."""

    class Places(nn.Module):
        def __init__(self):
            super().__init__()
            self.look = nn.Conv2d(3, 4, 3)

        def forward(self, x):
            return self.look(x)

    class Mean(nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net(x).flatten(2).mean(2)

    class Pair(Mean):
        def forward(self, x):
            z = self.net(x)
            return torch.stack([-z, z], 1)

    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = small.network()

        def forward(self, x):
            return self.net(x).sum(1)

    x = small.pictures(2)
    for net, told, mended in (
        (Places(), r"z.flatten\(2\).mean\(2\)", Mean),
        (Sum(), r"torch.stack\(\[-z, z\], 1\)", Pair),
    ):
        with pytest.raises(InputError, match=told):
            Work(net.eval(), x, ["gradient"])
        assert Work(mended(net).eval(), x, ["gradient"]).classes > 1


def test_names_that_are_no_text_of_utf8_do_not_stop_a_report(found, tmp_path):
    """A folder of pictures may have such a name, and so then has the report."""
    content = copy.deepcopy(found.content)
    content["about"] |= {"images": "b\udcff", "names": ["\udcff"] * 3}
    path = AuditResult(content).report(tmp_path / "a.html")
    assert "b\\udcff" in path.read_text(encoding="utf-8")
    again = AuditResult.read(tmp_path / "a.json")
    assert again.content["about"]["images"] == "b\udcff"


@pytest.mark.parametrize("label", ["x" * 300, "$a^$ b$", "\U0001f600 <b>"])
def test_any_label_is_drawn(found, label):
    methods = {label: found.content["methods"]["gradient"]}
    drawing = AuditResult({**found.content, "methods": methods, "advised": None})
    assert "<svg" in drawing.figure().page("alt")


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
            # Between two pictures: none is at zero, where rounding says on which side.
            self.net[6].bias -= self.net(x).sort(0).values[3:5].mean(0)

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
        (small.network(), small.pictures(2)[:, 0], None, InputError, "torch.stack"),
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
        *(
            (small.network(), small.pictures(2), {"mine": method}, MethodError, told)
            for method, told in (
                (lambda net, x, target: x[..., :0], r"gives \[2, 3, 12, 0\]"),
                (lambda net, x, target: x[:, :0], r"gives \[2, 0, 12, 12\]"),
                (lambda net, x, target: x.long(), "of torch.int64"),
                (lambda net, x, target: x.to_sparse(), "torch.sparse_coo"),
                (lambda net, x, target: x.to("meta"), "without values"),
                (lambda net, x, target: x.numpy(), "gives a ndarray"),
                (
                    lambda net, x, target: x[:, : 1 + int(target[0]) % 3],
                    "at one time and",
                ),
            )
        ),
        *(
            (small.network(), small.pictures(2), {label: "gradient"}, InputError, told)
            for label, told in {
                1: "a label is 1",
                ("a", 1): "a label is",
                "": "a label is ''",
                "a\nb": "a label is",
                "\udc80": "can be printed",
            }.items()
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


def test_weights_that_are_computed_are_not_said_not_to_matter():
    """A draw of them would be lost, and all methods said not to look."""
    net, x = small.network(), small.pictures(2)
    nn.utils.parametrizations.weight_norm(net[6])
    with pytest.raises(TraceError, match="layer '6' computes its weight"):
        modbp.audit(net.eval(), x, ["gradient"])
    nn.utils.parametrize.remove_parametrizations(net[6], "weight")
    assert Work(net, x, ["gradient"]).stages[0] == "6"


def test_a_network_that_cannot_be_copied_is_told():
    net, x = small.network(), small.pictures(2)
    net.lock = threading.Lock()
    with pytest.raises(TraceError, match="cannot be copied.*lock"):
        modbp.audit(net, x, ["gradient"])
    del net.lock
    assert Work(net, x, ["gradient"]).classes == 4


def test_layers_without_a_rule_are_named():
    net = nn.Sequential(small.network(), nn.Softmax(1)).eval()
    told = r"no method is left.* lrp-a1b0: .*Softmax \(kind 'other', 1, '1'\)"
    with pytest.raises(MethodError, match=told):
        modbp.audit(net, small.pictures(2), ["lrp-a1b0"])
    found = modbp.audit(net, small.pictures(2), ["gradient", "lrp-a1b0"])
    assert [*found.verdicts] == ["gradient"]
    assert "Softmax" in found.content["left_out"]["lrp-a1b0"]


class Attentive(nn.Module):
    """Attention as torch writes it, which turns samples and places around."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.look = nn.Conv2d(3, 8, 3, 3)
            self.places = nn.Parameter(torch.randn(16, 8))
            self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
            self.head = nn.Linear(8, 4)

    def forward(self, x):
        tokens = self.look(x).flatten(2).transpose(1, 2) + self.places
        seen, _ = self.attend(tokens, tokens, tokens, need_weights=False)
        return self.head((tokens + seen).mean(1))


def test_attention_is_audited_by_gradients():
    net, x = Attentive().eval(), small.pictures(6)
    found = modbp.audit(net, x, ["gradient", "lrp-a1b0", planted.stops_at("look")])
    assert [*found.verdicts] == ["gradient", "stops"]
    assert found.verdicts["stops"] == f"{planted.ONLY} look and below"
    assert "Attention" in found.content["left_out"]["lrp-a1b0"]
    assert "attend" in found.content["methods"]["gradient"]["csc"]["why"]
    note = found.content["about"]["notes"][-1]
    assert note.endswith("These stay what they are: places.")
    with torch.no_grad():
        assert found.content["about"]["targets"] == net(x).argmax(1).tolist()


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


def test_it_prints_as_a_table_everywhere(found):
    assert repr(found) == str(found) and len(repr(found)) < 2000


@pytest.mark.parametrize("path", [3, None, ["a.html"], "a\0.html"])
def test_what_is_no_path_is_refused(found, path):
    with pytest.raises(ModbpError):
        found.report(path)
    with pytest.raises(ModbpError):
        AuditResult.read(path)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"format": "another"}', '{"format": "modbp audit 1"}']
)
def test_what_is_no_audit_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    with pytest.raises(ResultError, match="a.json"):
        AuditResult.read(tmp_path / "a.json")


def test_the_cost_is_told_first(capsys):
    modbp.audit(small.network(), small.pictures(6), ["gradient"])
    out = capsys.readouterr().out
    assert re.match(
        r"audit: 1 method on 6 pictures, from 6 .*: about \d+ seconds?$",
        out,
        re.MULTILINE,
    )


def test_a_time_is_told_in_the_words_for_it():
    told = {0.2: "1 second", 1.4: "1 second", 1.6: "2 seconds", 120: "2 minutes"}
    assert {key: duration(key) for key in told} == told


@pytest.fixture
def clock(monkeypatch):
    """Time that passes by a second for each part of a trial, and longer when told."""
    clock = SimpleNamespace(wall=0.0, busy=0.0, stalled=None)

    def spending(name, kept):
        def spend(work, *given, **more):
            clock.busy += 1
            clock.wall += 10 if name == clock.stalled else 1
            return kept(work, *given, **more)

        return spend

    for name in ("_twins", "_explained", "_floor", "_class", "_converged", "_bits"):
        monkeypatch.setattr(Work, name, spending(name, getattr(Work, name)))
    told = {"perf_counter": lambda: clock.wall, "process_time": lambda: clock.busy}
    monkeypatch.setattr(modbp.audits.work, "time", SimpleNamespace(**told))
    return clock


def test_a_moment_of_load_is_not_multiplied(clock):
    """A trial that had to wait counts by how long it was, not by how often it counts.

    Of pictures there are six, so that the trial of CSC counts six times, that of
    classes, with two parts of pictures, twice.
    """
    work = Work(small.network(), small.pictures(6), ["lrp-a1b0"])
    todo = {"lrp-a1b0": work.units("lrp-a1b0")}
    quiet, *loaded = (_seconds(work, todo, clock, s) for s in (None, *_TRIALS))
    assert loaded[0] == pytest.approx(loaded[1]) and loaded[0] > quiet


_TRIALS = ("_converged", "_class")


def _seconds(work, todo, clock, stalled):
    clock.stalled = stalled
    return work.seconds(todo)


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
