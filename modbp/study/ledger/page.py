"""The ledger as a table with a filter, and as the list of a chapter: plain HTML."""

from dataclasses import dataclass
from html import escape

from modbp.study.ledger.samples import called

__all__ = ["VERDICTS", "Decided", "Table", "shown", "word"]

# Of more places than these only the first and the last are named.
_MANY = 8
# In the order of the filter on the page.
VERDICTS = ("confirmed", "refined", "refuted", "awaits")


@dataclass(frozen=True)
class Table:
    """A table of claims that a notebook shows, in the order of the rows."""

    claims: list

    def _repr_html_(self):
        verdicts = [claim["verdict"] for claim in self.claims]
        count = {"all": len(verdicts)}
        count |= {verdict: verdicts.count(verdict) for verdict in VERDICTS}
        # The buttons stand before the table, so that the style sheet can look back.
        filters = "".join(
            f'<span><input type="radio" name="verdict" id="show-{kind}"'
            f"{' checked' * (kind == 'all')}> "
            f'<label for="show-{kind}">{word(kind)} ({number})</label></span>'
            for kind, number in count.items()
        )
        return (
            '<div class="modbp-ledger"><fieldset><legend>Show</legend>'
            f"{filters}</fieldset><table><thead><tr><th>No.</th><th>Claim</th>"
            "<th>Verdict</th><th>Numbers</th></tr></thead>"
            f"<tbody>{''.join(map(_row, self.claims))}</tbody></table></div>"
        )

    def _repr_markdown_(self):
        return "\n".join(map(_line, self.claims))


@dataclass(frozen=True)
class Decided(Table):
    """The claims that one chapter decides, as a list of links into the ledger."""

    def _repr_html_(self):
        rows = "".join(
            f'<li><a href="ledger.html#claim-{c["number"]}">{c["number"]}</a> '
            f"{_inline(c['claim'])} {_mark(c)}</li>"
            for c in self.claims
        )
        return f'<ul class="modbp-decided">{rows}</ul>'


def _row(claim):
    # The first place in each chapter.
    places = {place.partition("#")[0]: place for place in claim["decided"][::-1]}
    links = ", ".join(
        f'<a href="{place.replace("#", ".html#", 1)}">{chapter}</a>'
        for chapter, place in reversed(places.items())
    )
    parts = [f"<p>{_inline(claim['because'])}</p>"]
    if awaits := claim.get("awaits"):
        parts.append(
            f"<p>Open for {escape(awaits['needs'])}; decided by "
            f"<code>{escape(awaits['command'])}</code></p>"
        )
    if links:
        verb = "More in" if claim["verdict"] == "awaits" else "Decided in"
        parts.append(f"<p>{verb} {links}.</p>")
    numbers = "".join(map(_number, claim["numbers"]))
    return (
        f'<tr id="claim-{claim["number"]}" class="{claim["verdict"]}">'
        f'<th scope="row">{claim["number"]}</th>'
        f"<td><p>{_inline(claim['claim'])}</p>"
        f'<p class="origin">{_inline(claim["origin"])}</p></td>'
        f"<td>{_mark(claim)}{''.join(parts)}</td>"
        f"<td>{f'<ul>{numbers}</ul>' if numbers else ''}</td></tr>"
    )


def _line(claim):
    numbers = "; ".join(f"{shown(n)} {n['says']}" for n in claim["numbers"])
    end = f" ({numbers})" if numbers else ""
    return (
        f"* **{claim['number']}** {claim['claim']} **{word(claim['verdict'])}**. "
        f"{claim['because']}{end}"
    )


def word(verdict):
    """Name a verdict as the page does."""
    return "open" if verdict == "awaits" else verdict


def _mark(claim):
    on = f" on {escape(claim['on'])}" if claim.get("on") else ""
    verdict = claim["verdict"]
    return f'<span class="verdict-{verdict}">{word(verdict)}</span>{on}'


def _number(number):
    places = number.get("from", [])
    if len(places) > _MANY:
        places = [*places[:1], f"{len(places) - 2} more", places[-1]]
    how = (
        number.get("measurement") or f"{number['reduction']} of {' and '.join(places)}"
    )
    how = escape(called(how, number.get("arguments")))
    near = f"±{number['tolerance']:.2g}" if number["tolerance"] else "exactly"
    near += _condition(number)
    says = _inline(number["says"]) + " (missed)" * number.get("missed", False)
    return (
        f"<li><b>{_powers(shown(number))}</b> {says}{_spread(number)}<details>"
        f"<summary>source</summary><code>{how}</code>, {near}</details></li>"
    )


def _spread(number):
    """Say within which interval a number lies, over what, and with other trainings."""
    told = []
    if "interval" in number:
        low, high = _ends(*number["interval"], number["format"])
        told.append(f"{low} to {high}, over {number['over']}")
    if "seeds" in number:
        each = [_powers(shown(number | {"value": v})) for v in number["seeds"]]
        told.append(f"{' and '.join(each)} with other training seeds")
    return f' <span class="interval">({"; ".join(told)})</span>' if told else ""


def _ends(low, high, form):
    """Write both ends with as few digits as tell them apart."""
    digits, kind = int(form[1:-1]), form[-1]
    if kind == "f" and low > 0.99 and high <= 1 and round(low, 4) == round(high, 4):
        # So near to one that only what is missing can be told.
        return tuple(
            "1" if end == 1 else f"1 − {_powers(f'{1 - end:.1e}'.replace('-', '−'))}"
            for end in (low, high)
        )
    for more in range(digits, digits + 3):
        found = [format(end, f".{more}{kind}") for end in (low, high)]
        if found[0] != found[1] or low == high:
            break
    pairs = zip(found, (low, high), strict=True)
    return tuple(
        "0" if end == 0 else _powers(text.replace("-", "−")) for text, end in pairs
    )


# When a condition was written down.
_SET = {"protocol": "as the protocol set it before", "after": "set after the value"}


def _condition(number):
    """Say on what condition a verdict rests, when that was set, and if it is missed."""
    words = {"at_least": "at least", "at_most": "at most"}
    said = [f"{words[key]} {number[key]:g}" for key in words if key in number]
    if not said:
        return ""
    if number.get("throughout"):
        said[-1] += " throughout the interval"
    missed = "; <b>missed</b>" if number.get("missed") else ""
    return f"; {' and '.join(said)}, {_SET[number['set']]}{missed}"


def shown(number):
    """Write the value of a number as the ledger does."""
    value = number["value"]
    return "0" if value == 0 else format(value, number["format"]).replace("-", "−")


def _powers(text):
    """Write 3e−16 as people do."""
    mantissa, e, exponent = text.partition("e")
    if not e:
        return text
    sign = "−" if exponent.startswith("−") else ""
    return f"{mantissa}·10<sup>{sign}{exponent.lstrip('+−0')}</sup>"


def _inline(text):
    return escape(text, quote=False)
