"""The report of an audit: one page of HTML that asks nobody for anything."""

import base64
import io
from collections.abc import Mapping
from html import escape
from importlib import resources

import numpy as np
from PIL import Image

from modbp.audits.likeness import LIKENESSES
from modbp.audits.summary import png
from modbp.audits.verdict import CHANGE, FLOOR, KINDS, PICTURES
from modbp.audits.words import keeps_signs, sentence, share, told
from modbp.audits.work import CHUNK, COPIES, NOISE, OTHERS, RELEVANCES

__all__ = ["page", "table"]

_CLASSES = dict(zip(KINDS, ("looks", "only", "not", "untold"), strict=True))


def page(content: Mapping) -> str:
    """Return the whole page."""
    from modbp.audits.curves import ALT, figure

    network = escape(content["about"]["network"])
    style = resources.files("modbp.audits").joinpath("page.css").read_text("utf-8")
    parts = [
        f"<h1>Which explanations look at {network}?</h1>",
        f'<p class="answer">{escape(sentence(content))}</p>',
        *(f"<p>{escape(note)}</p>" for note in content["about"]["notes"]),
        "<h2>Verdicts</h2>",
        "<p>A change of 1 is as large as that to another picture's map, 0 is none. In "
        "brackets: the interval over pictures, 95 %.</p>",
        table(content),
        "<h2>What to use instead</h2>",
        *_advice(content),
        "<h2>How far maps change</h2>",
        figure(content).page(ALT),
        "<h2>One picture, three classes</h2>",
        *_maps(content),
        "<h2>Each method in detail</h2>",
        *(_detail(label, each) for label, each in content["methods"].items()),
        *_left_out(content),
        "<h2>How it was measured</h2>",
        *_how(content),
        "<h2>Made with</h2>",
        _made(content),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Which explanations look at {network}?</title>\n"
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def table(content: Mapping) -> str:
    """Return the verdicts as a table of HTML."""
    heads = ("method", "verdict", "other class", "last layer random", "all random")
    rows = ["".join(f'<th scope="col">{head}</th>' for head in heads)]
    for label, each in content["methods"].items():
        stages = list(each["cascade"].values())
        readings = (each["class"], stages[0], stages[-1])
        cells = "".join(
            f'<td class="number" data-of="{head}">{share(reading)}</td>'
            for head, reading in zip(heads[2:], readings, strict=True)
        )
        rows.append(
            f'<th scope="row"><code>{escape(label)}</code></th>'
            f"<td>{_badge(each)}"
            f'<span class="why">{escape(each["verdict"]["why"])}</span></td>{cells}'
        )
    head, *body = (f"<tr>{row}</tr>" for row in rows)
    return (
        f'<table class="verdicts"><thead>{head}</thead>'
        f"<tbody>{''.join(body)}</tbody></table>"
    )


def _badge(record):
    kind = _CLASSES[record["verdict"]["kind"]]
    return f'<span class="verdict {kind}">{escape(told(record))}</span>'


def _advice(content):
    """Say what looks, on what grounds, and at which price."""
    methods, label = content["methods"], content["advised"]
    if label is None:
        yield (
            "<p>None of these methods was seen to look at the decision, so none can "
            "be advised. Audit <code>gradient</code>, with more pictures.</p>"
        )
        return
    found = methods[label]
    first = next(iter(found["cascade"].values()))
    group = "look and keep all signs of the network on their way down"
    group = group if keeps_signs(found) else "look"
    yield (
        f"<p>Use <code>{escape(label)}</code>: of the methods that {group} it is the "
        "one whose maps most surely change with the class. The change is "
        f"{share(found['class'])} of that to another picture, and {share(first)} when "
        f"the weights of the last layer are random.</p>"
    )
    blind = [
        each["complexity"]["trained"]["median"]
        for each in methods.values()
        if each["verdict"]["kind"] == KINDS[2] and "trained" in each["complexity"]
    ]
    own = found["complexity"].get("trained", {}).get("median")
    blind = [value for value in blind if value is not None]
    if blind and own is not None:
        other = float(np.median(blind))
        harder = "harder" if own > other else "no harder"
        yield (
            f"<p>The price: its maps have {own:.2g} bits of entropy, those of the "
            f"methods that do not look {other:.2g} in the median, so they are {harder} "
            "to read. A map that is easy to read is no explanation where it would be "
            "the same for another class.</p>"
        )


def _maps(content):
    """Show the maps of the first picture."""
    about = content["about"]
    names = [escape(name) for name in about["names"]]
    explained = ", ".join(names)
    yield (
        f'<figure class="picture"><img alt="The first picture, as the network gets it" '
        f'src="data:image/png;base64,{about["picture"]}"></figure>'
        f"<p>Explained from left to right: {explained}. Red speaks for the class, blue "
        "against it, where a method has signs. Each map has its own scale.</p>"
    )
    rows = []
    for label, each in content["methods"].items():
        images = "".join(
            f'<img class="map" alt="{escape(label)}, explaining {name}" '
            f'src="data:image/png;base64,{_coloured(grey)}">'
            for name, grey in zip(names, each["maps"], strict=True)
        )
        rows.append(
            f'<li><figure><div class="row">{images}</div><figcaption>'
            f"<code>{escape(label)}</code> {_badge(each)}</figcaption></figure></li>"
        )
    yield f'<ul class="maps">{"".join(rows)}</ul>'


def _coloured(grey):
    """Return a grey picture, in which 128 is zero, in the colours of all figures."""
    from matplotlib import colormaps

    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(grey)))).astype(float)
    colours = colormaps["seismic"](((pixels - 128) / 127 + 1) / 2)
    return png(np.rint(255 * colours[..., :3]).astype(np.uint8))


def _detail(label, each):
    """Return all else that was measured of a method."""
    facts = {"Convergence (CSC)": _csc(each["csc"]), "Bits left": _bits(each["bits"])}
    facts["Averaged over noise"] = _noise(each["noise"])
    facts["Complexity"] = _complexity(each["complexity"])
    if each["again"]:
        facts["Asked twice"] = f"changes by {share(each['again'])}"
    list_ = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in facts.items())
    return (
        f"<details><summary><code>{escape(label)}</code> {_badge(each)}</summary>"
        f"<dl>{list_}</dl><pre>{escape(each['table'])}</pre></details>"
    )


def _csc(found):
    if "why" in found:
        return escape(found["why"])
    texts = []
    for over, layers in found.items():
        told = (f"{escape(n)} {_cosine(each)}" for n, each in layers.items())
        texts.append(f"over {over}: " + ", ".join(told))
    return "<br>".join(texts)


def _cosine(cell):
    """Write a cosine so that its distance to one is seen."""
    value = cell["median"]
    if value is None:
        return "-"
    return f"{value:.3f}" if value < 0.9995 else f"1 − {max(1 - value, 1e-7):.0e}"


def _bits(found):
    if "why" in found:
        return escape(found["why"])
    low, high = found["left"]["interval"]
    median = found["left"]["median"]
    return f"{median:.2g} ({low:.2g} … {high:.2g}) of {found['whole']:.2f} bits"


def _noise(found):
    if "why" in found:
        return escape(found["why"])
    told = (f"random down to {escape(n)}: {share(each)}" for n, each in found.items())
    return "; ".join(told)


def _complexity(found):
    if "why" in found:
        return escape(found["why"])
    values = (found[key]["median"] for key in ("trained", "random", "rise"))
    own, random, rise = ("-" if v is None else f"{v:.3g}" for v in values)
    return f"{own} bits, {random} when all weights are random: relative rise {rise}"


def _left_out(content):
    if content["left_out"]:
        yield "<h2>Left out</h2><dl>"
        for label, why in content["left_out"].items():
            yield f"<dt><code>{escape(label)}</code></dt><dd>{escape(why)}</dd>"
        yield "</dl>"


def _how(content):
    about = content["about"]
    stages = ", ".join(f"<code>{escape(stage)}</code>" for stage in about["stages"])
    yield (
        f"<p>{about['pictures']} pictures were explained by each method: for the class "
        f"{_own(about)}, for up to {OTHERS} others drawn at random, and after the "
        f"weights were drawn anew from the top down to each of {stages}. Each "
        f"{CHUNK} pictures share a draw. Two likenesses compare explanations: the "
        "cosine of all relevance, and SSIM of the maps as they are drawn; to both an "
        "opposite map is alike, but where a network has two classes. A change is "
        "one minus the likeness, divided by the same for the map of another picture: "
        "that is the floor.</p>"
    )
    yield (
        "<p>The rules were written down before any method was judged by them; the "
        "changelog of modbp says what was changed since. "
        f"A method looks if its maps change by more than {CHANGE:g} both for other "
        "classes and when the last layer is random, with the interval of one likeness "
        f"above it. It does not look if the intervals of both are below {CHANGE:g} for "
        "either, or if its maps are the same to the last bit when every weight is "
        "drawn anew; a map that is zero throughout is no evidence. It looks only at "
        "lower layers if its maps are the same to the last bit for other classes and "
        "for random weights above. All else cannot be "
        f"told, and neither can anything of fewer than {PICTURES} pictures, nor where "
        f"maps of other pictures differ by {100 * FLOOR:g} % or less.</p>"
    )
    yield (
        f"<p>Convergence: {RELEVANCES} random relevances for each picture enter at "
        f"<code>{escape(about['start'])}</code>, the last layer with weights; the "
        "cosine between them is read below, over the channels of a place and over "
        "places. Bits: how much of the choice among classes is left in a map, where a "
        "method has no minus signs. Two controls meet objections to the test by random "
        f"weights: maps averaged over {COPIES} pictures with noise of "
        f"{100 * NOISE:g} % of their range, so that the noise of a map itself does not "
        "count as a change; and the rise of a map's entropy when all weights are "
        "random, which compares no maps at all.</p>"
    )


def _own(about):
    return "that the network predicts" if about["predicted"] else "that was asked for"


def _made(content):
    about = content["about"]
    versions = ", ".join(f"{k} {v}" for k, v in about["versions"].items())
    facts = {
        "network": about["network"],
        "pictures": about["images"],
        "seed": about["seed"],
        "likenesses": ", ".join(LIKENESSES),
        "versions": versions,
    }
    if about["command"]:
        facts["command"] = about["command"]
    cells = "".join(
        f"<dt>{key}</dt><dd><code>{escape(str(value))}</code></dd>"
        for key, value in facts.items()
    )
    return f"<dl>{cells}</dl>"
