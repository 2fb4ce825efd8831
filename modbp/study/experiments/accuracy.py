"""How often a network is right, with where that would be on other images."""

import numpy as np
import torch

from modbp.errors import InputError, check_whole
from modbp.measures import accuracy as measures
from modbp.study.experiments.subjects import Subject, check_subject
from modbp.study.runs.run import Experiment, rounded

__all__ = ["Accuracy"]


class Accuracy(Experiment):
    """The share of images whose class has the largest logit, or one of the largest.

    Parameters
    ----------
    subject : The network, and images whose true classes are explained.
    batch : How many images are computed together.

    Examples
    --------
    >>> from modbp.study import experiments
    >>> seven = experiments.subject(count=7, folder="photographs", target="true")
    >>> experiments.Accuracy(seven).counts
    {'accuracy': 1}
    """

    name = "accuracy"

    def __init__(self, subject: Subject, *, batch: int = 50):
        check_subject(subject)
        check_whole("batch", batch, 1)
        if subject.target != "true":
            raise InputError(
                f"target is {subject.target!r}, and accuracy is about true classes. "
                "Give images of the network's own classes, and target 'true'."
            )
        self.subject, self.batch = subject, batch
        self.settings = {"experiment": self.name, **subject.settings(), "batch": batch}
        self.settings["labels"] = subject.shown[1]
        self.parts = {"accuracy": "place of the true class among the logits"}
        self.counts = {"accuracy": -(-len(subject.images) // batch)}

    @torch.no_grad()
    def _compute(self, part, unit):
        first = unit * self.batch
        end = min(first + self.batch, len(self.subject.images))
        x, y = self.subject.read(range(first, end))
        logits = self.subject.net(x)
        found = measures.places(logits.cpu(), y.cpu()).numpy()
        return {"places": found, "classes": np.full(1, logits.shape[1])}

    def _summary(self, part, column, keys):
        """Return by how many of the first: share, and the ends of its interval."""
        found = np.concatenate(list(column("places")))
        classes = int(next(iter(column("classes"))).item())
        tops = measures.shares(found, classes)
        return {f"top-{top}": [*map(rounded, each)] for top, each in tops.items()}
