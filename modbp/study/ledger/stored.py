"""One number out of stored curves and tables."""

import numpy as np
from scipy import stats

__all__ = [
    "bend",
    "difference",
    "largest",
    "largest_beta",
    "last_below",
    "monotone",
    "r_squared",
    "shared_start",
    "slope",
    "slope_ratio",
    "smallest",
    "steps_until",
    "value",
]


def value(found):
    """Return the number that is stored.

    Parameters
    ----------
    found : float
        What the path leads to.

    Returns
    -------
    float
    """
    return found


def largest(*found):
    """Return the largest of several.

    Parameters
    ----------
    *found : float
        One per path.

    Returns
    -------
    float
    """
    return max(found)


def smallest(*found):
    """Return the smallest of several.

    Parameters
    ----------
    *found : float
        One per path.

    Returns
    -------
    float
    """
    return min(found)


def difference(first, second):
    """Return the first minus the second.

    Parameters
    ----------
    first, second : float
        In the order of the paths.

    Returns
    -------
    float
    """
    return first - second


def slope(curve, first, last):
    """Return the decades by which a curve falls per multiplication.

    Parameters
    ----------
    curve : sequence of float
        One minus the similarity, by number of multiplications.
    first, last : int
        From which to which multiplication.

    Returns
    -------
    float
    """
    return np.log10(curve[first] / curve[last]) / (last - first)


def slope_ratio(curve, other, first, last):
    """Return the slope of one curve over that of another.

    Parameters
    ----------
    curve, other : sequence of float
        As for `slope`.
    first, last : int
        From which to which multiplication.

    Returns
    -------
    float
    """
    return slope(curve, first, last) / slope(other, first, last)


def bend(curve, at):
    """Return by how much the slope changes at a multiplication.

    Parameters
    ----------
    curve : sequence of float
        As for `slope`.
    at : int
        The step that ends here is compared with the step that begins here.

    Returns
    -------
    float
        Decades per multiplication, positive if the curve becomes less steep.
    """
    return slope(curve, at - 1, at) - slope(curve, at, at + 1)


def r_squared(*curves, first, last):
    """Return how straight curves are on a logarithmic axis; of several the worst.

    Parameters
    ----------
    *curves : sequence of float
        As for `slope`.
    first, last : int
        From which to which multiplication, both included.

    Returns
    -------
    float
        1 for a straight line.
    """
    n = np.arange(first, last + 1)
    found = (np.log10(curve[first : last + 1]) for curve in curves)
    return min(float(np.corrcoef(n, line)[0, 1] ** 2) for line in found)


def steps_until(*curves, below):
    """Return the multiplication after which curves are below; of several the last.

    Parameters
    ----------
    *curves : sequence of float
        One minus the similarity, by number of multiplications.
    below : float
        The threshold.

    Returns
    -------
    int
    """
    return max(int(np.flatnonzero(np.array(curve) < below)[0]) for curve in curves)


def last_below(*curves, below):
    """Return how many of the curves end below a threshold.

    Parameters
    ----------
    *curves : sequence of float
        One minus the similarity, by number of multiplications.
    below : float
        The threshold.

    Returns
    -------
    int
    """
    return sum(curve[-1] < below for curve in curves)


def largest_beta(variants, below):
    """Return the largest β of a table of variants whose curve ends below.

    Parameters
    ----------
    variants : dict
        For labels such as "α=5, β=4" the median curve.
    below : float
        The threshold.

    Returns
    -------
    float
    """
    return max(
        float(label.partition("β=")[2])
        for label, entry in variants.items()
        if "β=" in label and entry["median"][-1] < below
    )


def monotone(*found):
    """Return the smallest rise from one to the next.

    Parameters
    ----------
    *found : float
        In the order in which they should rise.

    Returns
    -------
    float
        Positive if they rise strictly.
    """
    return min(np.diff(found))


def shared_start(found, dimensions):
    """Return how far a value is from what random vectors of few dimensions give.

    Parameters
    ----------
    found : float
        One minus the mean absolute cosine of 32 vectors, each also with itself.
    dimensions : int
        Of the vectors.

    Returns
    -------
    float
        ``found`` minus the expectation for independent directions.
    """
    # E|cos| in d dimensions; 32 of the 528 pairs are a vector with itself.
    d = dimensions
    expected = stats.beta.expect(np.sqrt, args=(0.5, (d - 1) / 2))
    return found - (496 / 528) * (1 - expected)
