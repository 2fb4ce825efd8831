"""modbp: modified backpropagation as a chain of layer operators.

>>> import modbp
>>> net = modbp.models.cifar10()
>>> x, y = modbp.data.images(2)
>>> modbp.explain(net, x, target=y, method="lrp-a1b0").shape
torch.Size([2, 3, 32, 32])
"""

from modbp import (
    data,
    deeplift,
    errors,
    figures,
    methods,
    models,
    patterns,
    rules,
    sanity,
    similarity,
    surrogate,
    theory,
    widgets,
)
from modbp.chain import Chain, chain
from modbp.csc import CSCResult, csc
from modbp.errors import ModbpError
from modbp.explain import explain

__all__ = [
    "CSCResult",
    "Chain",
    "ModbpError",
    "chain",
    "csc",
    "data",
    "deeplift",
    "errors",
    "explain",
    "figures",
    "methods",
    "models",
    "patterns",
    "rules",
    "sanity",
    "similarity",
    "surrogate",
    "theory",
    "widgets",
]
