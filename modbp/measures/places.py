"""A few places of many: of layers, of classes, of pictures."""

from collections.abc import Sequence

__all__ = ["evenly"]


def evenly(places: Sequence, most: int) -> list:
    """Return at most so many places at even distances, the first and last included."""
    if len(places) <= most:
        return list(places)
    step = (len(places) - 1) / (most - 1)
    return [places[round(step * number)] for number in range(most)]
