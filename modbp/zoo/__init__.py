"""Networks with their weights, images, and the network that a name means."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__, submodules=["data", "models", "named", "vision"]
)
