"""The verb ``audit``: stopped and gone on with, refused, and its page in a browser."""

import json
import os
import signal
import time
from importlib import resources
from pathlib import Path

import pytest
from commands.shell import shell, start

from modbp.__main__ import main, parser
from modbp.audits import AuditResult, Work
from modbp.commands.audit import _subject

FILE = '''
import torch
from torch import nn


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(384, 4),
    )


def single():
    return nn.Sequential(nn.Flatten(), nn.Linear(432, 1))


def final():
    return nn.Sequential(network(), nn.Softmax(1))


def edges():
    """A method of one's own."""
    return lambda net, x, target: (x[:, 0] - x[:, 0].roll(1, 2)).abs()


def direct(net, x, target):
    return x[:, 0]


def made():
    return direct


def three():
    return 3
'''
LINE = "audit --network own.py:network --images photographs 6 --size 12"
METHODS = " --methods gradient lrp-a1b0 own.py:edges"


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "own.py").write_text(FILE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_stopped_and_gone_on_with_it_is_the_same_report(here, capsys, monkeypatch):
    line = (LINE + METHODS).split()
    assert main([*line, "--output", "whole.html"]) == 0
    out = capsys.readouterr().out
    assert "about" in out and "wrote whole.html and whole.json" in out

    kept, done = Work.compute, []

    def stop(work, *unit):
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append(unit)
        return kept(work, *unit)

    monkeypatch.setattr(Work, "seconds", lambda work, todo: 1.0)
    monkeypatch.setattr(Work, "compute", stop)
    line += ["--output", "stopped.html"]
    assert main(line) == 130
    assert "Give the same command again to go on." in capsys.readouterr().err
    assert not Path("stopped.html").exists() and not Path("stopped.json").exists()
    first, done[:] = list(done), []
    monkeypatch.setattr(Work, "compute", lambda *unit: done.append(unit) or kept(*unit))
    assert main(line) == 0
    assert len(done) == sum(map(len, _units())) - len(first)
    for name in ("whole.html", "whole.json"):
        other = Path(name.replace("whole", "stopped")).read_text(encoding="utf-8")
        text = Path(name).read_text(encoding="utf-8")
        assert other.replace("stopped.html", "whole.html") == text
    found = AuditResult.read("whole.json")
    assert list(found.verdicts) == ["gradient", "lrp-a1b0", "own.py:edges"]
    assert found.content["about"]["command"].startswith("python -m modbp audit")
    kind = pytest.importorskip("jsonschema").Draft202012Validator
    schema = resources.files("modbp.audits").joinpath("schema.json").read_text("utf-8")
    kind(json.loads(schema)).validate(found.content)


def _units():
    """Measures by chunks: bits once, of chains alone."""
    chunks = 2
    return [range(4 * chunks + 1)] * 2 + [range(3 * chunks)]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--images nowhere", "nowhere"),
        ("--images empty", "empty"),
        ("--images photographs 1", "one picture"),
        ("--size 13", "own.py:network|stopped|size"),
        ("--network own.py:single", "has one output"),
        ("--network own.py:final --methods lrp-a1b0", "Softmax"),
        ("--methods nonsense", "unknown method"),
        ("--methods patternnet", "no pattern"),
        ("--methods gradient gradient", "twice"),
        ("--methods own.py:nothing", "unknown function"),
        ("--methods own.py:direct", "wants arguments, (net, x, target)"),
        ("--methods own.py:three", "own.py:three returns a int"),
        ("--methods other.py:edges", "no such file"),
        ("--network other.py:network", "no such file"),
        ("--output data.html", "data.json: is there already"),
        ("--output report.txt", "ends in .html"),
        ("--output mine.html", "is there already"),
        ("--target true --images plain", "no classes"),
    ],
)
def test_what_is_refused_leaves_nothing(here, capsys, words, told):
    from PIL import Image

    (here / "empty").mkdir()
    (here / "plain").mkdir()
    for number in range(2):
        Image.new("RGB", (12, 12), (90 * number, 9, 9)).save(f"plain/{number}.png")
    for name in ("mine.html", "data.json"):
        (here / name).write_text("mine", encoding="utf-8")
    before = files(here)
    assert main((LINE + " " + words).split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("modbp: ") and any(
        each in error for each in told.split("|")
    )
    assert files(here) == before


def test_a_function_that_returns_the_method_is_taken(here, capsys):
    """As it is told of one that is the method: see above."""
    assert main(f"{LINE} --methods own.py:made".split()) == 0
    assert "own.py:made does not look" in capsys.readouterr().out


def test_another_network_under_the_same_name_is_refused(here, capsys):
    line = f"{LINE} --methods own.py:edges --output a.html"
    assert main(line.split()) == 0
    (here / "own.py").write_text(
        FILE.replace("manual_seed(0)", "manual_seed(1)"), encoding="utf-8"
    )
    before = Path("a.html").read_bytes()
    assert main(line.split()) == 2
    assert "was made with different weights" in capsys.readouterr().err
    assert Path("a.html").read_bytes() == before


@pytest.mark.long
def test_killed_and_started_again_it_is_the_same_report(tmp_path):
    line = f"{LINE}{METHODS} smoothgrad:samples=20".split()
    for folder in ("whole", "killed"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own.py").write_text(FILE, encoding="utf-8")
    assert shell(tmp_path / "whole", *line)[0] == 0
    here = tmp_path / "killed"
    process = start(here, *line)
    while process.poll() is None and len([*here.rglob("*.safetensors")]) < 2:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (here / "report.html").exists()
    assert shell(here, *line)[0] == 0
    for name in ("report.html", "report.json"):
        other = (tmp_path / "whole" / name).read_bytes()
        assert (here / name).read_bytes() == other


def test_a_method_of_a_changed_file_is_audited_again(here, capsys):
    line = f"{LINE} --methods own.py:edges".split()
    assert main(line) == 0
    first = AuditResult.read("report.json").content["methods"]["own.py:edges"]
    (here / "own.py").write_text(
        FILE.replace("roll(1, 2)", "roll(1, 1)"), encoding="utf-8"
    )
    assert main(line) == 0
    again = AuditResult.read("report.json").content["methods"]["own.py:edges"]
    assert first["maps"] != again["maps"]


def test_a_folder_gives_pictures_of_all_its_classes(here):
    from PIL import Image

    for label in ("a", "b", "c"):
        (here / "many" / label).mkdir(parents=True)
        for number in range(20):
            picture = Image.new("RGB", (12, 12), (12 * number, ord(label), 99))
            picture.save(f"many/{label}/{number:02d}.png")
    line = "audit --network own.py:network --images many --size 12"
    images = _subject(parser().parse_args(line.split())).images
    assert len(images) == 20 and images.read().y.unique().tolist() == [0, 1, 2]


def test_the_page_asks_nobody_and_is_for_everyone(here, browser):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    assert main((LINE + METHODS).split()) == 0
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    trouble = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda message: trouble.append(message.text))
    page.on("request", lambda request: trouble.append(request.url))
    address = (here / "report.html").as_uri()
    page.goto(address)
    assert [each for each in trouble if not each.startswith((address, "data:"))] == []
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        found = axe.Axe().run(page).response["violations"]
        told = [
            (each["id"], [node["html"][:200] for node in each["nodes"]])
            for each in found
            if each["impact"] in ("serious", "critical")
        ]
        assert told == []
    page.set_viewport_size({"width": 390, "height": 844})
    wide = "document.documentElement.scrollWidth"
    assert page.evaluate(wide) <= 390
    assert page.locator(".maps img").count() == 9
    page.emulate_media(media="print", color_scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(255, 255, 255)"
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = false)")
    assert page.locator("details dl").first.is_visible()
    page.close()
