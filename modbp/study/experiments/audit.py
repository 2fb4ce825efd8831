"""An audit that may be stopped at any moment: see :func:`modbp.audit`."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from modbp.audits import AuditResult, Work, assembled, forecast
from modbp.audits.work import CHUNK
from modbp.study.experiments.subjects import Subject, check_subject
from modbp.study.runs.run import Experiment
from modbp.study.runs.store import Result

__all__ = ["Audit"]


class Audit(Experiment):
    """Which methods look at a network's decision: a part for each, as `modbp.audit`.

    Parameters
    ----------
    subject : The network and the pictures.
    methods, seed : As for :func:`modbp.audit`.
    made_by : What a method depends on besides its name, by label, such as a file.

    Examples
    --------
    >>> from modbp.study import experiments
    >>> six = experiments.subject("cifar10", count=6, folder="photographs")
    >>> experiments.Audit(six, ["gradient"]).counts
    {'gradient': 9}
    """

    name = "audit"

    def __init__(
        self,
        subject: Subject,
        methods: Sequence | Mapping | None = None,
        *,
        seed: int = 0,
        made_by: Mapping[str, str] | None = None,
    ):
        check_subject(subject)
        self.subject = subject
        places = np.arange(len(subject.images))
        # A few at a time: whoever predicts their classes keeps all that layers give.
        read = [subject.read(some) for some in np.split(places, places[CHUNK::CHUNK])]
        x, y = (torch.cat(parts) for parts in zip(*read, strict=True))
        self.work = Work(subject.net, x, methods, y, seed)
        self._units = {label: self.work.units(label) for label in self.work.candidates}
        self.parts = {n: each.table for n, each in self.work.candidates.items()}
        for label in self.parts.keys() & (made_by or {}).keys():
            self.parts[label] += f"\n{made_by[label]}"
        self.counts = {label: len(units) for label, units in self._units.items()}
        self.settings = {
            "experiment": self.name,
            **subject.settings(),
            "seed": seed,
            "targets": y.tolist(),
            "stages": self.work.stages,
        }

    def forecast(self, missing: Mapping[str, Sequence[int]]) -> list[str]:
        """Return in a line what is left to do, and about how long it will take."""
        todo = {
            label: [self._units[label][number] for number in numbers]
            for label, numbers in missing.items()
        }
        return [forecast(self.work, todo)] if any(todo.values()) else []

    def _compute(self, part, unit):
        # Which arrays there are differs from unit to unit, so that they go as one.
        stream = io.BytesIO()
        np.savez(stream, **self.work.compute(part, self._units[part][unit]))
        return {"arrays": np.frombuffer(stream.getvalue(), np.uint8)}

    def _summary(self, part, column, keys):
        found = (np.load(io.BytesIO(each.tobytes())) for each in column("arrays"))
        return self.work.summary(part, dict(zip(self._units[part], found, strict=True)))

    def result(self, found: Result, command: str = "") -> AuditResult:
        """Return what was found of the methods that were asked for."""
        methods = {label: found["results"][label] for label in self.parts}
        made = found["provenance"][next(iter(self.parts))]
        about = {
            "network": self.subject.network,
            "images": str(self.subject.images),
            **self.work.about(self.subject.classes),
            "command": command,
            "versions": {"python": made["python"], **made["versions"]},
        }
        return assembled(about, methods, self.work.left_out)
