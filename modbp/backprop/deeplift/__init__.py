"""DeepLIFT: how a difference from a reference input travels through a network.

Every activation is compared with the one that a reference input gives, ``Δa = a − a0``.
A *multiplier* `m` says how much of the explained difference a unit passes on per unit
of its own; its *contribution* is ``m Δa``. In a chain, what goes in at a layer is a
multiplier and what is read below is a contribution, as in the 2020 code.
RevealCancel has a multiplier for each part of ``Δa = Δa⁺ + Δa⁻``; what goes in is then
that of both parts, and the contribution is ``m⁺Δa⁺ + m⁻Δa⁻``.
"""

from modbp.backprop.deeplift import frame, rules
from modbp.backprop.deeplift.frame import *
from modbp.backprop.deeplift.rules import *

__all__ = frame.__all__ + rules.__all__
