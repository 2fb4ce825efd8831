"""The book's own weights: in the package, in a clone, or fetched once, and checked."""

import os
import sys
from http.client import HTTPException
from urllib.request import urlopen

from modbp.errors import WeightsError
from modbp.files import fingerprint, write_bytes
from modbp.zoo.data.sources import root
from modbp.zoo.models.weights import SHIPPED, provenance

__all__ = ["ADDRESS", "find", "read"]

# The folder of the published repository that holds what is too large for the wheel, as
# in "https://…/modbp/zoo/weights". Empty until there is one.
ADDRESS = ""


def address():
    """Return where weights are fetched from: ``$MODBP_WEIGHTS_URL``, or the book's."""
    return os.environ.get("MODBP_WEIGHTS_URL", ADDRESS).rstrip("/")


def find(name):
    """Return the file of a network's trained weights, fetched if it is not here."""
    path = SHIPPED / f"{name}.safetensors"
    if path.is_file():
        return path
    path = root() / "weights" / path.name
    if not path.is_file():
        write_bytes(path, _fetched(name, path))
    return path


def read(name):
    """Return a network's trained weights, as bytes that are those of the book."""
    path = find(name)
    content = path.read_bytes()
    if fingerprint(content) != _wanted(name):
        raise WeightsError(
            f"{path}: the checksum is not that of the book's {name}, so the file is "
            f"damaged or of another version. Delete it; then {_remedy(name)}"
        )
    return content


def _wanted(name):
    return provenance(SHIPPED / f"{name}.json").get("sha256")


def _fetched(name, path):
    if not (base := address()):
        raise WeightsError(
            f"the trained weights of {name} are not here (an installed package has "
            "those of cifar10 and vit), and there is no address yet to fetch them "
            f"from: {_by_hand(name)} Or take random ones, with weights=None "
            "(--weights none)."
        )
    source = f"{base}/{path.name}"
    print(f"modbp: fetching {source}, once, into {path.parent}", file=sys.stderr)
    try:
        with urlopen(source, timeout=30) as answer:
            content = answer.read()
    except (OSError, HTTPException, ValueError) as error:
        raise WeightsError(
            f"{source} cannot be fetched ({error}); try again, or {_by_hand(name)}"
        ) from None
    if fingerprint(content) != _wanted(name):
        raise WeightsError(
            f"{source}: the checksum is not that of the book's {name}, so nothing was "
            "kept. Correct the address in MODBP_WEIGHTS_URL, or update modbp."
        )
    return content


def _remedy(name):
    return "it is fetched anew." if address() else _by_hand(name)


def _by_hand(name):
    file = f"{name}.safetensors"
    return (
        f"put {file} from the folder modbp/zoo/weights of the repository into "
        f"{root() / 'weights'}."
    )
