"""What is asked of an explanation: does it see the layers that decide?"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submodules=[
        *("channels", "csc", "neurons", "patterns", "randomise", "sanity", "seeds"),
        *("similarity", "spectra"),
    ],
)
