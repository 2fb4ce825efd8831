"""A network as calls, the equation of each rule, relevance pulled through.

From the ground up: `names`, `trace`, `checks` and `operator`, `rules`, `deeplift`,
`methods`, `chain`, `explain`.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submodules=[
        *("chain", "checks", "deeplift", "explain", "methods", "names"),
        *("operator", "rules", "trace"),
    ],
)
