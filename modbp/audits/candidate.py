"""A method that is audited: one of modbp's, or any function that gives maps."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from modbp.audits.likeness import changes
from modbp.backprop import methods
from modbp.backprop.explain import explain_each, reduce, supported
from modbp.backprop.methods import Averaged, Method
from modbp.backprop.trace import Trace
from modbp.errors import InputError, MethodError, check_option, in_a_line

__all__ = ["Candidate", "candidates"]

# Averages of so few inputs, or they would take longer than all others together.
_FEW = {"smoothgrad": {"samples": 8}, "integrated-gradients": {"steps": 8}}


@dataclass(frozen=True, eq=False)
class Candidate:
    """A method with the label that it is told by; a chain if relevance can be pulled.

    `table` says in words what it is: the rules of a method, the name of a function.
    """

    label: str
    method: Method | Averaged | None = None
    function: Callable | None = None
    table: str = ""

    @property
    def kind(self):
        """What it is in one word."""
        if self.method is None:
            return "function"
        return "chain" if self.is_chain else "average"

    @property
    def is_chain(self):
        """Whether random relevance can be pulled through it."""
        return isinstance(self.method, Method)

    @property
    def is_simple(self):
        """Whether it explains one input at a time, and is no average of its own."""
        return not isinstance(self.method, Averaged)

    @property
    def starts_at_logit(self):
        """Whether a logit goes in at the top, so that of a zero nothing is told."""
        base = getattr(self.method, "method", self.method)
        return base is not None and base.output in ("logit", "contrast")

    def changes(self, one, two, signed=False):
        """Return how far explanations are apart: relevance and maps of each.

        An opposite map is alike, unless `signed`: it has everything in the same places.
        """
        self._check_sizes([one[0], two[0]])
        maps, empty = (one[1], two[1]), not self.starts_at_logit
        return changes(one[0], two[0], maps, signed, empty)

    def relevance(self, net: nn.Module, x: torch.Tensor, targets) -> torch.Tensor:
        """Explain the classes of each of `targets`, ``[K, N]``: ``[K, N, …]``.

        Where a logit goes in at the top, a negative one turns the sign of all below:
        it is turned back, or a map would seem to change with the class.
        """
        if self.method is None:
            found = [self._asked(net, x, target) for target in targets]
            self._check_sizes(found)
            return torch.stack(found)
        seen = {}

        def choose(own):
            seen["logits"] = own.logits
            return targets

        r = explain_each(Trace(net), x, self.method, choose)
        if not self.starts_at_logit:
            return r
        signs = torch.stack([seen["logits"].gather(1, t[:, None]) for t in targets])
        return r * (1 - 2 * (signs < 0).to(r)).reshape(*r.shape[:2], 1, 1, 1)

    def maps(self, r: torch.Tensor, size) -> torch.Tensor:
        """Return relevance ``[N, …]`` as it is drawn, ``[N, H, W]``."""
        if self.method is not None:
            return reduce(r, self.method)
        maps = r.sum(1) if r.ndim == 4 else r
        if maps.shape[1:] != size:  # of a layer with fewer places
            maps = F.interpolate(maps[:, None], size, mode="nearest")[:, 0]
        return maps

    def _asked(self, net, x, target):
        """Return what a function of the user's gives, or say why that is no map."""
        who = f"method {self.label!r}"
        try:
            with torch.enable_grad():
                # Of copies, into which it may write.
                given = copy.deepcopy(net), x.clone(), target.clone()
                found = self.function(*given)
        except Exception as error:  # anything may happen in code of the user's
            told = in_a_line(error)
            raise MethodError(
                f"{who} stopped with {type(error).__name__}: {told}. It is called as "
                "function(net, x, target); repair it."
            ) from error
        found = found.detach() if isinstance(found, torch.Tensor) else found
        if not _fits(found, len(x)):
            raise MethodError(
                f"{who} gives {_described(found)}; return a tensor of floats, "
                "[N, H, W] or [N, channels, H, W], with a map for each of the "
                f"{len(x)} pictures."
            )
        if not found.isfinite().all():
            raise MethodError(f"{who} gives NaN or infinite values; repair it.")
        return found

    def _check_sizes(self, maps):
        """Refuse maps that are compared and have not the same places."""
        sizes = [list(each.shape) for each in maps]
        if other := next((size for size in sizes if size != sizes[0]), None):
            raise MethodError(
                f"method {self.label!r} gives {sizes[0]} for the same pictures at one "
                f"time and {other} at another; return maps of one size for all "
                "classes and weights, such as the pictures' own."
            )


def _fits(found, count):
    """Return whether that is a map of numbers for each of so many pictures."""
    if not isinstance(found, torch.Tensor) or not found.is_floating_point():
        return False
    if found.layout != torch.strided or found.is_meta:
        return False
    return found.ndim in (3, 4) and len(found) == count and found.numel() > 0


def _described(found):
    if not isinstance(found, torch.Tensor):
        return f"a {type(found).__name__}"
    kind = "" if found.layout == torch.strided else f", {found.layout}"
    kind += ", without values" if found.is_meta else ""
    return f"{list(found.shape)} of {found.dtype}{kind}"


def candidates(
    net: nn.Module, x: torch.Tensor, given: Sequence | Mapping | None = None
) -> tuple[list[Candidate], dict[str, str]]:
    """Return the methods to audit, and by label why others are left out.

    None are those that the network supports. Else each is a name, a method, or a
    function ``(net, x, target) -> map``; a dict gives them labels. What is asked for by
    name and not supported is left out too, unless nothing else is asked for.
    """
    known = _defaults()
    given = known if given is None else given
    remedy = "give names, methods or functions in a list, or by label in a dict."
    many = isinstance(given, Mapping | Sequence) and not isinstance(given, str)
    check_option("methods", given, lambda _: many and len(given), remedy)
    if not isinstance(given, Mapping):
        given = {_label(each): each for each in _distinct(given)}
    found, left_out = [], {}
    for label, each in given.items():
        remedy = "give each method a text that can be printed, such as its name."
        is_text = isinstance(label, str) and label.isprintable() and label.strip()
        check_option("a label", label, lambda _, fits=is_text: fits, remedy)
        if callable(each) and not isinstance(each, (str, Method, Averaged, type)):
            name = f"{each.__module__}.{_label(each)}"
            found.append(Candidate(label, function=each, table=f"function {name}"))
            continue
        # A report names what it advises as it is named here.
        method = known.get(each) if isinstance(each, str) else None
        method = method or methods.get(each)
        if why := supported(net, x[:1], [method])[method.name]:
            left_out[label] = why
        else:
            found.append(Candidate(label, method=method, table=str(method)))
    if not found:
        label, why = next(iter(left_out.items()))
        raise MethodError(f"no method is left to audit. {label}: {why}")
    return found, left_out


def _defaults():
    """Return all methods by label, averages with the few inputs that they get here."""
    found = {}
    for name in methods.names():
        options = _FEW.get(name, {})
        told = ",".join(f"{key}={value}" for key, value in options.items())
        found[f"{name}:{told}" if told else name] = methods.get(name, **options)
    return found


def _label(method):
    if isinstance(method, str):
        return method
    return getattr(method, "name", getattr(method, "__name__", type(method).__name__))


def _distinct(given):
    labels = [_label(each) for each in given]
    for label in labels:
        if labels.count(label) > 1:
            raise InputError(
                f"two methods are called {label!r}. Give a dict of them, by labels of "
                "your own."
            )
    return given
