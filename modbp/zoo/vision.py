"""Import torchvision even where its compiled operators cannot be loaded.

The torchvision wheel that pip finds first on Linux is linked against CUDA. Beside a
CPU build of torch its import stops, because two operators of box suppression, which no
classifier calls, were never registered. Where the wheel fits, nothing is done here.
"""

import torch

__all__ = ["load_torchvision"]

_placeholders = None


def _declare_missing_operators():
    # Kept in a global: dropping the library would withdraw the operators again.
    global _placeholders
    _placeholders = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        _placeholders.define(
            f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        )


def load_torchvision():
    """Return the torchvision module, whichever build of torch is installed.

    Returns
    -------
    module
        torchvision. Its detection operators raise an error when they are called and
        missing; classifiers, transforms and data sets work.
    """
    try:
        import torchvision
    except RuntimeError as error:
        # Only after a failure: where the real operators load, a second declaration
        # of the same names would be the error.
        if "torchvision::nms does not exist" not in str(error):
            raise
        _declare_missing_operators()
        import torchvision
    return torchvision
