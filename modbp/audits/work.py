"""What an audit measures, in units of a few pictures, a method and a measure.

A unit depends on the network, the pictures and the seed alone, so that units may be
computed in any order, kept, and put together later.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from modbp.audits.candidate import candidates
from modbp.audits.likeness import LIKENESSES, complexity
from modbp.audits.summary import png, summary
from modbp.audits.verdict import CHANGE, FLOOR, PICTURES
from modbp.backprop.chain import Chain
from modbp.backprop.checks import check_input, check_target
from modbp.backprop.explain import explain_each
from modbp.backprop.methods import get
from modbp.backprop.trace import Trace
from modbp.errors import InputError, ModbpError, TraceError, check_seed
from modbp.measures import csc
from modbp.measures.bits import bits
from modbp.measures.channels import MIXING
from modbp.measures.places import evenly
from modbp.measures.randomise import twins
from modbp.measures.seeds import generator, per_image

__all__ = ["MEASURES", "Work"]

MEASURES = ("class", "cascade", "csc", "noise", "bits")
# Pictures of a unit, which share a draw of weights; stages; other classes; random
# relevances; noisy copies, and their noise in shares of a picture's range.
CHUNK, STAGES, OTHERS, RELEVANCES, COPIES, NOISE = 5, 8, 2, 5, 4, 0.15
# Of how many pictures bits are measured, and among how many classes; pixels of a side
# of the maps that are kept to be shown.
BITS_PICTURES, BITS_CLASSES, SHOWN = 8, 10, 112
# Seconds that a clock of processor time can tell from none on every system, and how
# often what takes less is tried.
_TICK, _TRIALS = 0.02, 3


class Work:
    """All that is to be measured of some methods on a network and pictures.

    Attributes
    ----------
    candidates, left_out : by label what is audited, and why others are not
    start, layers, stages
        The last layer with weights, where convergence is read, and down to which
        layers weights are drawn anew.
    targets, others : ``[N]`` and ``[K, N]``, the classes that are explained
    kept : names of weights that are in no such layer, and stay what they are
    """

    def __init__(
        self,
        net: nn.Module,
        x: torch.Tensor,
        methods: Sequence | Mapping | None = None,
        target: int | Sequence[int] | None = None,
        seed: int = 0,
    ):
        check_seed(seed)
        trace = Trace(net)
        _check_pictures(check_input(net, x))
        self.net, self.x, self.seed = net, x, seed
        self.chunks = np.array_split(np.arange(len(x)), -(-len(x) // CHUNK))
        self.calls, logits = _read(trace, [self._pictures(n) for n in self._numbers])
        _check_logits(logits)
        self.predicted = check_target(None, logits)[:, 0]
        self.targets = check_target(target, logits)[:, 0]
        self.classes = logits.shape[1]
        if self.classes < 2:
            raise InputError(
                "the network has one output, so there is no other class to compare "
                "with. Give it one output for each class, as in "
                "torch.cat([-z, z], 1) of a single logit z."
            )
        self.weighted = [c.name for c in self.calls if c.kind in MIXING][::-1]
        if not self.weighted:
            raise InputError(
                "the network has no layer with weights that could be drawn anew. Give "
                "one that computes logits with convolutions or dense layers."
            )
        self.start, self.stages = self.weighted[0], evenly(self.weighted, STAGES)
        # A network whose weights cannot be drawn says so now, by the layer's name.
        *_, (_, twin) = twins(net, self.calls, self.stages, seed, True)
        pairs = zip(net.named_parameters(), twin.parameters(), strict=True)
        self.kept = [
            name for (name, one), two in pairs if one.ndim > 1 and torch.equal(one, two)
        ]
        self.layers = [*self.stages, "input"]
        self.others = self._draw_others(logits)
        found, self.left_out = candidates(net, x, methods)
        self.candidates = {each.label: each for each in found}

    @property
    def _numbers(self):
        return range(len(self.chunks))

    def _pictures(self, chunk):
        return self.x[self.chunks[chunk]]

    def _draw_others(self, logits):
        """Draw for each picture a few classes that are not its own.

        Where some logits are zero, as behind a ReLU, from the others first: of a zero
        nothing is explained by methods that start with it.
        """
        found, count = [], min(OTHERS, self.classes - 1)
        for own, label, row in zip(
            per_image(self.x, self.seed, "logit"), self.targets, logits, strict=True
        ):
            draws = torch.randperm(self.classes, generator=own, device="cpu")
            draws = draws.to(row.device)
            draws = draws[draws != label]
            zero = row[draws] == 0
            found.append(torch.cat([draws[~zero], draws[zero]])[:count])
        return torch.stack(found, 1)

    def units(self, label: str) -> list[tuple[str, int]]:
        """Return the units of a method: a measure and the number of some pictures."""
        candidate, found = self.candidates[label], []
        for measure in MEASURES:
            if measure in ("csc", "bits") and not candidate.is_chain:
                continue
            if measure == "noise" and not candidate.is_simple:
                continue
            numbers = [0] if measure == "bits" else self._numbers
            found += [(measure, number) for number in numbers]
        return found

    def compute(self, label: str, unit: tuple[str, int]) -> dict[str, np.ndarray]:
        """Return what is measured in a unit: arrays by name.

        What cannot be measured, as where numbers leave their range, is left out, and
        ``why`` says so, in bytes.
        """
        measure, chunk = unit
        try:
            return getattr(self, f"_{measure}")(self.candidates[label], chunk)
        except ModbpError as error:
            if measure == "class":  # without which nothing can be said
                raise
            return {"why": np.frombuffer(str(error).encode(), np.uint8)}

    def summary(self, label: str, found: Mapping[tuple, Mapping]) -> dict:
        """Return what is said of a method, in plain JSON values, of all its units."""
        return summary(self, self.candidates[label], found)

    def groups(self) -> np.ndarray:
        """Return for each picture the number of its draw of weights."""
        return np.repeat(self._numbers, [len(each) for each in self.chunks])

    def about(self, names: Sequence[str] = ()) -> dict:
        """Return what was measured on, in plain JSON values, and the first picture."""
        shown = self.x[0]
        if len(shown) != 3:
            shown = shown.mean(0).expand(3, -1, -1)
        low, high = shown.aminmax()
        colours = (shown - low) / (high - low).clamp(min=1e-30) * 255
        pixels = colours.round().byte().permute(1, 2, 0).cpu().numpy()
        explained = [self.targets[0].item(), *self.others[:, 0].tolist()]
        return {
            "pictures": len(self.x),
            "classes": self.classes,
            "start": self.start,
            "stages": self.stages,
            "seed": self.seed,
            "targets": self.targets.tolist(),
            "others": self.others.T.tolist(),
            "predicted": bool((self.targets == self.predicted).all()),
            "picture": png(pixels),
            "explained": explained,
            "names": [names[n] if n < len(names) else f"class {n}" for n in explained],
            "notes": self._notes(),
            "rules": {"change": CHANGE, "pictures": PICTURES, "floor": FLOOR},
        }

    def _notes(self):
        """Return what a reader should know of the pictures."""
        notes = []
        if (count := len(self.x.cpu().flatten(1).unique(dim=0))) < len(self.x):
            notes.append(
                f"Only {count} of the {len(self.x)} pictures differ: intervals count "
                "each as one of its own, and so are too narrow. Leave out the copies."
            )
        if len({*self.targets.tolist()}) == 1:
            notes.append(
                f"All pictures are explained for one class, {self.targets[0].item()}: "
                "changes are measured against other pictures of that class alone."
            )
        if self.kept:
            some, more = self.kept[:4], len(self.kept) - 4
            names = ", ".join([*some, f"and {more} others"] if more > 0 else some)
            notes.append(
                "Weights that belong to no layer, and those of layers with a memory, "
                f"are not drawn anew. These stay what they are: {names}."
            )
        return notes

    # The measures.

    def _explained(self, candidate, net, x, targets):
        """Return for each of `targets` relevance ``[N, …]`` and maps ``[N, H, W]``."""
        found = candidate.relevance(net, x, targets)
        return [(r, candidate.maps(r, x.shape[2:])) for r in found]

    def _twins(self, chunk, stages):
        # No seed that weights of the network may have been drawn with.
        own = generator(self.seed, f"audit {chunk}").initial_seed()
        return twins(self.net, self.calls, stages, own, True)

    def _class(self, candidate, chunk):
        """Other classes of the same pictures, and other pictures."""
        x, places = self._pictures(chunk), self.chunks[chunk]
        targets = [self.targets[places], *self.others[:, places]]
        own, *rest = self._explained(candidate, self.net, x, targets)
        # Two classes may have opposite logits, and so opposite explanations; of more
        # classes an opposite map says no more than the same one.
        signed = self.classes == 2
        found = [candidate.changes(own, each, signed) for each in rest]
        result = {key: _mean([f[key] for f in found]) for key in LIKENESSES}
        for key in ("same", "empty"):
            result[key] = np.all([each[key] for each in found], 0)
        result |= self._floor(candidate, own)
        if candidate.method is None:
            (again,) = self._explained(candidate, self.net, x, targets[:1])
            twice = candidate.changes(own, again, True)
            result |= {f"again {key}": value for key, value in twice.items()}
        if chunk == 0:
            result["maps"] = _shown(
                torch.stack([drawn[0] for _, drawn in (own, *rest)])
            )
        return result

    def _floor(self, candidate, own):
        """Return how far each explanation is from the next picture's."""
        found = candidate.changes(own, tuple(each.roll(-1, 0) for each in own))
        return {f"floor {key}": found[key] for key in LIKENESSES}

    def _cascade(self, candidate, chunk):
        """Random weights from the top down."""
        x, target = self._pictures(chunk), self.targets[self.chunks[chunk]]
        explain = partial(self._explained, candidate, x=x, targets=[target])
        (own,) = explain(self.net)
        rows = []
        for _, twin in self._twins(chunk, self.stages):
            (last,) = explain(twin)
            rows.append(candidate.changes(own, last))
        result = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
        result["complexity"] = np.stack([complexity(maps) for _, maps in (own, last)])

        def same(layer):
            ((_, twin),) = self._twins(chunk, [layer])
            return bool((explain(twin)[0][0] == own[0]).all())

        result["highest"] = np.full(1, self._highest(result["same"].all(1), same))
        return result

    def _highest(self, same, ask):
        """Return the place of the highest layer that matters, −1 if all or none do."""
        if not same[0] or same.all():
            return -1
        places = [self.weighted.index(stage) for stage in self.stages]
        first = int(np.argmin(same))
        low, high = places[first - 1], places[first]
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if ask(self.weighted[middle]) else (low, middle)
        return high

    def _csc(self, candidate, chunk):
        """How far random relevances converge, the median of each picture."""
        rows = [self._converged(candidate, one) for one in self._pictures(chunk)]
        return {over: np.array([row[over] for row in rows]).T for over in csc.OVER}

    def _converged(self, candidate, one):
        chain = Chain(self.net, one[None], candidate.method)
        below = {*chain.below(self.start)}
        layers = [layer for layer in self.layers if layer in below]
        r, found = csc.vectors(chain, self.start, layers, RELEVANCES, self.seed), {}
        for over in csc.OVER:
            cosines = csc.compared(candidate.label, self.start, r, over).cosines
            there = (cosines.get(layer) for layer in self.layers)
            found[over] = [np.nan if c is None else csc.median(c) for c in there]
        return found

    def _noise(self, candidate, chunk):
        """Maps averaged over noisy pictures, for random weights on top and throughout.

        An average has less noise of its own, which else would seem to be a change.
        """
        x, target = self._pictures(chunk), self.targets[self.chunks[chunk]]
        draws = []
        for one, own in zip(x, per_image(x, self.seed, "noise"), strict=True):
            low, high = one.aminmax()
            noise = torch.randn(
                COPIES,
                *one.shape,
                generator=own,
                dtype=torch.float64,
                device="cpu",
            ).to(one)
            # Some rules hold for pixels of that range alone.
            draws.append((one + NOISE * (high - low) * noise).clamp(low, high))
        noisy = torch.stack(draws).flatten(0, 1)
        targets = [target.repeat_interleave(COPIES)]

        def averaged(net):
            r = candidate.relevance(net, noisy, targets)[0]
            r = r.unflatten(0, (len(x), COPIES)).mean(1)
            return r, candidate.maps(r, x.shape[2:])

        own = averaged(self.net)
        twins = self._twins(chunk, self.ends)
        rows = [candidate.changes(own, averaged(twin)) for _, twin in twins]
        result = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
        return result | self._floor(candidate, own)

    @property
    def ends(self) -> list[str]:
        """The first stage and the last."""
        return [*dict.fromkeys((self.stages[0], self.stages[-1]))]

    def _bits(self, candidate, chunk, pictures=BITS_PICTURES):
        """How much of the choice among some classes is left."""
        classes = [*map(int, evenly(range(self.classes), BITS_CLASSES))]
        found = bits(self.net, self.x[:pictures], candidate.method, classes)
        return {"left": found.left["input"], "whole": np.full(1, found.whole)}

    # What it will take.

    def seconds(self, todo: Mapping[str, Sequence[tuple]]) -> float:
        """Return how long units will take, from a few that are tried.

        What they take of the processor, at the pace of all trials together: a moment in
        which others had it is then not multiplied by how often one trial counts.
        """
        labels = [label for label, units in todo.items() if units]
        for label in labels[:1]:  # loads libraries, and reads the network
            self.compute(label, ("class", 0))
        wall, busy = time.perf_counter(), time.process_time()
        draw = _time(lambda: [*self._twins(0, self.stages)]) / len(self.stages)
        total = 0.0
        for label in labels:
            each = self._trial(self.candidates[label], draw)
            total += sum(each[measure] for measure, _ in todo[label])
        wall, busy = time.perf_counter() - wall, time.process_time() - busy
        return total * wall / max(busy, _TICK)

    def _trial(self, candidate, draw):
        """Return what a unit of each measure takes, with a draw of a stage."""
        x, target = self.x[self.chunks[0]], self.targets[self.chunks[0]]
        found = []

        def explain():
            found[:] = self._explained(candidate, self.net, x, [target])

        single = _time(explain)
        compared = _time(lambda: self._floor(candidate, found[0]))
        pictures = min(BITS_PICTURES, len(self.x))
        each = {
            "class": _time(lambda: self._class(candidate, 0)),
            "cascade": single + len(self.stages) * (single + compared + draw),
            "noise": (1 + len(self.ends)) * (COPIES * single + compared),
        }
        if candidate.is_chain:
            each["csc"] = len(x) * _time(lambda: self._converged(candidate, x[0]))
            each["bits"] = pictures * _time(lambda: self._bits(candidate, 0, 1))
        return each


def _read(trace, parts):
    """Return the calls of a network, and its logits for pictures, a few at a time."""
    try:
        with torch.no_grad():
            calls, _, _ = trace.run(parts[0][:1])
            return calls, torch.cat([trace.run(part)[1][-1] for part in parts])
    except TraceError:
        # Layers have names also where their outputs are not modbp's to compute, as in
        # most attention, and autograd may go back through them.
        calls, outputs = trace.plan(parts[0][:1]).calls, []
        for part in parts:
            explain_each(trace, part, get("gradient"), lambda own: _noted(own, outputs))
        return calls, torch.cat(outputs)


def _noted(own, outputs):
    outputs.append(own.logits.detach())
    return [None]


def _mean(rows):
    """Return the mean of what is there of rows ``[K, N]``, NaN where nothing is."""
    there = ~np.isnan(rows)
    total, count = np.where(there, rows, 0).sum(0), there.sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _time(do):
    """Return what something takes of the processor, or takes until it is refused."""
    begin, count, taken = time.process_time(), 0, 0.0
    while count < _TRIALS and taken <= _TICK:
        with suppress(ModbpError):
            do()
        count, taken = count + 1, time.process_time() - begin
    return taken / count


def _check_pictures(x):
    """Refuse what is no pictures, or a single one."""
    if x.ndim != 4:
        raise InputError(
            f"the input has shape {list(x.shape)}; an audit compares maps of pictures, "
            "[N, channels, height, width]. Give several together, as in "
            "torch.stack([one, two])."
        )
    if len(x) < 2:
        raise InputError(
            "there is one picture, and no other to compare its maps with. Give "
            f"{PICTURES} or more."
        )


def _check_logits(logits):
    """Refuse what is no logit for each class, and say how it becomes one."""
    if logits.ndim == 2:
        return
    remedy = (
        "torch.stack([-z, z], 1) of a single logit z"
        if logits.ndim == 1
        else "z.flatten(2).mean(2) of what z says of each place"
    )
    raise InputError(
        f"the network gives {list(logits.shape)} instead of [N, classes]. Wrap it in "
        f"a module that returns one number for each class, as in {remedy}."
    )


def _shown(maps):
    """Return maps ``[K, H, W]`` as grey pictures, in which 128 is zero."""
    from modbp.figures import normalise

    if (most := max(maps.shape[1:])) > SHOWN:
        size = [max(1, round(side * SHOWN / most)) for side in maps.shape[1:]]
        maps = F.interpolate(maps[:, None], size, mode="area")[:, 0]
    return np.rint(128 + 127 * normalise(maps)).astype(np.uint8)
