"""Stored results, and what a damaged one is answered with."""

import json
from pathlib import Path

from modbp.errors import DataError

__all__ = ["read"]


def read(path):
    """Return a stored result.

    Parameters
    ----------
    path : path
        A JSON file that an experiment wrote.

    Returns
    -------
    dict
        With "config", "provenance" and "results".

    Raises
    ------
    DataError
        If there is no such file, or it is not a result.
    """
    try:
        stored = json.loads(Path(path).read_text())
        missing = {"config", "provenance", "results"} - stored.keys()
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such result. Make it with `python -m modbp run`."
        ) from None
    except ValueError as error:
        raise DataError(
            f"{path}: not JSON ({error}). Delete it and run the experiment again."
        ) from None
    if missing:
        raise DataError(f"{path}: has no {', '.join(sorted(missing))}. Run it again.")
    return stored
