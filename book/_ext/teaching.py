"""Sessions as a list of what belongs to them, and questions to choose an answer to."""

from functools import cache
from pathlib import Path

import yaml
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

SESSIONS = Path(__file__).parents[1] / "teaching" / "sessions.yml"


@cache
def sessions():
    """Return the sessions by name."""
    listed = yaml.safe_load(SESSIONS.read_text(encoding="utf-8"))
    return {session["name"]: session for session in listed}


class Part(SphinxDirective):
    """What both directives do with text that they make."""

    def parsed(self, *lines):
        """Return the nodes of some lines of the page's own markup."""
        found = nodes.Element()
        self.state.nested_parse(StringList(lines, ""), self.content_offset, found)
        return found.children


class Session(Part):
    """Which chapters, exercises and files belong to a session."""

    required_arguments = 1

    def run(self):
        """Make the list."""
        session = sessions()[self.arguments[0]]
        self.env.note_dependency(str(SESSIONS))
        chapters = ", ".join(f"[]({name}.md)" for name in session["chapters"])
        exercises = ", ".join(f"{{ref}}`{label}`" for label in session["exercises"])
        lines = [f"* **Minutes** {session['minutes']}", f"* **Chapters** {chapters}"]
        lines += [f"* **Exercises** {exercises}"]
        pack = f"`_build/student/{session['name']}.zip`"
        lines += [f"* **Hand-out** {pack}, made by `python3 noxfile.py student`"]
        if (SESSIONS.parent / "slides" / f"{session['name']}.md").exists():
            file = f"_build/slides/{session['name']}.html"
            lines += [f"* **Slides** `{file}`, made by `python3 noxfile.py slides`"]
        if "quiz" in session:
            lines += [f"* **Quiz** *{session['quiz']}*, among [the four](quizzes.md)"]
        return self.parsed(*lines)


class Question(Part):
    """A question, the last list in it the answers to choose from.

    The page does not know which is right. What is chosen shows where to check it: by a
    style sheet, without a script.
    """

    has_content = True
    option_spec = {
        "label": directives.unchanged_required,
        "check": directives.unchanged_required,
    }

    def run(self):
        """Make the controls as HTML, and leave all text to the page."""
        label = self.options["label"]
        *text, answers = self.parsed(*self.content)
        number = label.rpartition("-")[2]
        found = [html(f'<fieldset class="modbp-question" id="{label}">')]
        found += [html(f"<legend>Question {number}</legend>"), *text]
        for letter, answer in zip("abcdefgh", answers, strict=False):
            control = f'<input type="radio" name="{label}" value="{letter}">'
            (words,) = answer.children
            parts = [
                html(f"<label>{control}<span>"),
                *words.children,
                html("</span></label>"),
            ]
            found.append(nodes.paragraph("", "", *parts, classes=["answer"]))
        (check,) = self.parsed(f"Check it in {self.options['check']}.")
        check["classes"].append("check")
        return [*found, check, html("</fieldset>")]


def html(text):
    """Return what only pages show."""
    return nodes.raw("", text, format="html")


def setup(app):
    """Tell Sphinx of both."""
    app.add_directive("session", Session)
    app.add_directive("question", Question)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
