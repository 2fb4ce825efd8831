"""Solutions with their parts blanked."""

import ast

import pytest
import stub


def test_imports_names_and_heads_stay_and_the_rest_is_blank():
    source = '''\
import numpy as np


def cosine(a, b):
    """Return how alike."""
    return a @ b


A = np.eye(2)
s, *rest = cosine(A[0], A[1]), 2
A[0, 0] = 3
for n in range(3):
    last = n
print(s)
'''
    wanted = '''\
import numpy as np


def cosine(a, b):
    """Return how alike."""
    ...


A = ...
s = ...
rest = ...
...
last = ...'''
    assert stub.stub(source, ["last", "s"]) == wanted


@pytest.mark.parametrize(
    ("expression", "names"),
    [("[a, c]", ["a"]), ("float(b) < 1", ["b"]), ("other", []), ("(a, b)", ["a", "b"])],
)
def test_an_answer_is_made_of_names_that_the_solution_assigns(expression, names):
    assert stub.answers(expression, "a = 1", "for b in range(3): ...") == names


def test_what_would_stop_at_a_blank_is_computed_when_it_is_checked():
    assert stub.call("3.4", "[a, b]") == 'check("3.4", [a, b])'
    assert stub.call("3.4", "a < 1") == 'check("3.4", lambda: a < 1)'


def test_a_stub_is_code():
    ast.parse(stub.stub("def f(x):\n    return x\n\n\nif f(1):\n    y = 2", ["y"]))
