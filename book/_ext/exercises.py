"""Exercises that say what they ask for and how long it takes; solutions that shut.

sphinx-exercise pairs them, and gathers what stands between `solution-start` and
`solution-end`, outputs included. A title is complete for every builder: number, name,
level and minutes stand in it as text.
"""

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx_exercise.directive import ExerciseDirective
from sphinx_exercise.nodes import (
    exercise_enumerable_node,
    exercise_node,
    exercise_subtitle,
    solution_node,
)
from sphinx_exercise.utils import get_node_number

LOG = logging.getLogger(__name__)
LEVELS = ("blackboard", "run", "change", "prove")


def level(argument):
    """Read the option of this name."""
    return directives.choice(argument, LEVELS)


class Exercise(ExerciseDirective):
    """An exercise with a level and the minutes that it takes."""

    option_spec = {
        **ExerciseDirective.option_spec,
        "level": level,
        "minutes": directives.positive_int,
    }

    def run(self):
        """Make the node, and tell it both."""
        found = super().run()
        for option in ("label", "level", "minutes"):
            if option not in self.options:
                LOG.warning("exercise without %s", option, location=self.get_location())
            for node in found:
                node[option] = self.options.get(option)
        return found


class NameExercises(SphinxPostTransform):
    """Write out the titles of exercises and of their solutions."""

    default_priority = 19  # sphinx-exercise's own, at 20, then finds nothing to do

    def name(self, exercise):
        """Return the title's nodes: Exercise 3.4 · Title."""
        number = get_node_number(self.app, exercise, "exercise")
        parts = [nodes.Text(f"Exercise {number}")]
        for subtitle in exercise.children[0].findall(exercise_subtitle):
            parts += [nodes.Text(" · "), *(c.deepcopy() for c in subtitle.children)]
        return parts

    def run(self, **_):
        """Do it for the page."""
        for solution in list(self.document.findall(solution_node)):
            known = self.env.sphinx_exercise_registry.get(solution["target_label"])
            if known:  # sphinx-exercise warns of the others
                parts = [nodes.Text("Solution to "), *self.name(known["node"])]
                solution[0].replace_self(nodes.title("", "", *parts))
                clear_ids(solution)
        for exercise in list(self.document.findall(exercise_enumerable_node)):
            facts = f" – {exercise['level']}, {exercise['minutes']} minutes"
            facts = nodes.inline("", facts, classes=["exercise-facts"])
            title = nodes.title("", "", *self.name(exercise), facts)
            # Not the enumerable kind, which HTML numbers once more.
            plain = exercise_node("", title, *exercise[1:], **exercise.attributes)
            exercise.replace_self(plain)
            clear_ids(plain)


def clear_ids(node):
    """Take from the content the ids that it has in common with all others."""
    for section in node.findall(nodes.section):
        section["ids"] = [each for each in section["ids"] if "-content" not in each]


def visit_solution(self, node):
    """Open a box that shuts by mouse and keyboard, without a script."""
    if "dropdown" not in node["classes"]:
        self.body.append(self.starttag(node, "div", CLASS="admonition"))
        return
    # By its class a script would make another button.
    node["classes"].remove("dropdown")
    self.body.append(self.starttag(node, "details", CLASS="admonition"))
    self.body.append('<summary class="admonition-title">')
    title = node.pop(0)
    for child in title.children:
        child.walkabout(self)
    self.body.append("</summary>\n")
    node["shuts"] = True


def depart_solution(self, node):
    """Close it."""
    self.body.append("</details>\n" if node.get("shuts") else "</div>\n")


def setup(app):
    """Add level, minutes and numbers to sphinx-exercise."""
    app.setup_extension("sphinx_exercise")
    app.add_directive("exercise", Exercise, override=True)
    app.add_post_transform(NameExercises)
    own = (visit_solution, depart_solution)
    app.add_node(solution_node, override=True, html=own)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
