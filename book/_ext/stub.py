"""Solutions with their parts blanked: what a student starts from.

Of a solution's code there stay imports, the names that are assigned, and the heads of
functions with what they say of themselves; the rest is a blank.
"""

import ast

BLANK = "..."


def stub(source, wanted=()):
    """Return code with its parts blanked; the wanted names are there, and blank."""
    lines, bound = [], set()
    for node in ast.parse(source).body:
        found, names = _blanked(node)
        bound |= names
        # Parts that go one after the other are one blank.
        if found != [BLANK] or lines[-1:] != [BLANK]:
            lines += found
    lines += [f"{name} = {BLANK}" for name in wanted if name not in bound]
    return "\n".join(lines)


def _blanked(node):
    """Return the lines that stay of a statement, and the names that these assign."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [ast.unparse(node)], set()
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        said = ast.get_docstring(node, clean=False)
        blank = ast.Expr(ast.Constant(...))
        kept = node.body[:1] if said is not None else []
        node.body = [*kept, blank]
        return ["", "", *ast.unparse(node).split("\n"), "", ""], {node.name}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [name for target in targets for name in _names(target)]
        if names:
            return [f"{name} = {BLANK}" for name in names], set(names)
    return [BLANK], set()


def _names(target):
    """Return the names in a target; what stands in something else is no name."""
    if isinstance(target, ast.Name):
        return [target.id]
    if isinstance(target, ast.Tuple | ast.List):
        return [name for each in target.elts for name in _names(each)]
    if isinstance(target, ast.Starred):
        return _names(target.value)
    return []


def answers(expression, *sources):
    """Return the names that an answer is made of and that its solution assigns."""
    asked = {n.id for n in ast.walk(ast.parse(expression)) if isinstance(n, ast.Name)}
    made = {
        node.id
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return sorted(asked & made)


def call(number, expression):
    """Return the line that checks an answer; blanks must not stop what computes it."""
    plain = all(
        isinstance(node, ast.Expression | ast.Name | ast.List | ast.Tuple | ast.Load)
        for node in ast.walk(ast.parse(expression, mode="eval"))
    )
    return f'check("{number}", {"" if plain else "lambda: "}{expression})'
