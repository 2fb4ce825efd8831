"""modbp: modified backpropagation as a chain of layer operators.

>>> import modbp
>>> net = modbp.models.cifar10()
>>> x, y = modbp.data.images(2)
>>> modbp.explain(net, x, "lrp-a1b0", target=y).shape
torch.Size([2, 3, 32, 32])

What stands behind a name is loaded when it is first used: `modbp.theory` and
`modbp.surrogate` need no torch.
"""

from typing import TYPE_CHECKING

import lazy_loader as _lazy

# Editors read these imports, `attach` makes them happen late; a test holds both alike.
if TYPE_CHECKING:
    from modbp import audits as audits
    from modbp import errors as errors
    from modbp import figures as figures
    from modbp import theory as theory
    from modbp.audits import AuditResult as AuditResult
    from modbp.audits import audit as audit
    from modbp.backprop import deeplift as deeplift
    from modbp.backprop import methods as methods
    from modbp.backprop import rules as rules
    from modbp.backprop.chain import Chain as Chain
    from modbp.backprop.chain import chain as chain
    from modbp.backprop.explain import explain as explain
    from modbp.backprop.explain import supported as supported
    from modbp.errors import ModbpError as ModbpError
    from modbp.figures import widgets as widgets
    from modbp.measures import patterns as patterns
    from modbp.measures import sanity as sanity
    from modbp.measures import similarity as similarity
    from modbp.measures.bits import Bits as Bits
    from modbp.measures.bits import bits as bits
    from modbp.measures.csc import CSCResult as CSCResult
    from modbp.measures.csc import csc as csc
    from modbp.theory import surrogate as surrogate
    from modbp.zoo import data as data
    from modbp.zoo import models as models

_late, _, __all__ = _lazy.attach(
    __name__,
    submodules=["audits", "errors", "figures", "theory"],
    submod_attrs={
        "audits": ["AuditResult", "audit"],
        "backprop": ["deeplift", "methods", "rules"],
        "backprop.chain": ["Chain", "chain"],
        "backprop.explain": ["explain", "supported"],
        "errors": ["ModbpError"],
        "figures": ["widgets"],
        "measures": ["patterns", "sanity", "similarity"],
        "measures.bits": ["Bits", "bits"],
        "measures.csc": ["CSCResult", "csc"],
        "theory": ["surrogate"],
        "zoo": ["data", "models"],
    },
)
__all__ += ["__version__"]


def __getattr__(name: str) -> object:
    if name == "__version__":
        # Half of the door's time, for what one seldom asks.
        from importlib.metadata import version

        return version("explanations-that-forget")
    return _late(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
