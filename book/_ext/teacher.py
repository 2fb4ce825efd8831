"""Write the quizzes with their answers: `teacher.py PAGES TARGET`, beside the book.

Questions are taken from the built page, answers from a file that no page includes.
"""

import re
import sys
from pathlib import Path

import yaml
from bs4 import BeautifulSoup

ANSWERS = Path(__file__).parents[1] / "_teacher" / "quizzes.yml"
STYLE = """
label:has(:checked) { font-weight: bold; } .modbp-because { margin-bottom: 0; }
.check, .prev-next-footer, .bd-sidebar-primary { display: none !important; }
"""


def answered(page, answers):
    """Mark the right answers in a page of questions, and give the reasons."""
    asked = {box["id"] for box in page.select(".modbp-question")}
    if asked != answers.keys():
        raise SystemExit(f"only in one of both: {sorted(asked ^ answers.keys())}")
    for label, (letter, reason) in answers.items():
        box = page.find(id=label)
        box.find("input", value=letter)["checked"] = ""
        because = page.new_tag("p", attrs={"class": "modbp-because"})
        because.string = f"{letter}: {reason}"
        box.append(because)
    title = f"{page.h1.contents[0]}, with answers"
    page.title.string = title
    page.h1.contents[0].replace_with(title)
    style = page.new_tag("style")
    style.string = STYLE
    page.head.append(style)
    return page


def main(pages, target):
    """Write one page, whose links and styles are those of the book beside it."""
    page = BeautifulSoup((pages / "quizzes.html").read_text("utf-8"), "html.parser")
    page = answered(page, yaml.safe_load(ANSWERS.read_text("utf-8")))
    for name in ("href", "src"):
        for element in page.find_all(attrs={name: re.compile(r"^(?!#|\w+:)")}):
            element[name] = f"../{pages.name}/{element[name]}"
    target.mkdir(parents=True, exist_ok=True)
    (target / "quizzes.html").write_text(str(page), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
