"""The reproduction of the paper: runs, experiments, training, and what they decide."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submodules=(
        "answers course experiments ledger opening page paper runs training".split()
    ),
)
