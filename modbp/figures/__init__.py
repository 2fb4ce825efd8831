"""One visual language: the same colours, signs and scales in every figure.

Red speaks for the explained class, blue against it, white is zero, or black on a dark
page. Every map is scaled on its own, so that colours compare places in one map, never
sizes between maps. Figures are drawn for a page and for a phone.
"""

from typing import TYPE_CHECKING

import lazy_loader as _lazy

from modbp.figures import widgets
from modbp.figures.cones import cone_in_space, cones
from modbp.figures.drawing import Drawing, drawn, legend, note
from modbp.figures.labels import name_ends

# Figures of maps and of measurements on networks need torch, those above do not.
if TYPE_CHECKING:
    from modbp.figures.convergence import csc_curves as csc_curves
    from modbp.figures.convergence import csc_histogram as csc_histogram
    from modbp.figures.convergence import csc_table as csc_table
    from modbp.figures.convergence import style as style
    from modbp.figures.maps import difference as difference
    from modbp.figures.maps import gallery as gallery
    from modbp.figures.maps import heatmaps as heatmaps
    from modbp.figures.maps import normalise as normalise
    from modbp.figures.maps import reduce as reduce
    from modbp.figures.stability import similarity_boxes as similarity_boxes
    from modbp.figures.stability import similarity_curves as similarity_curves

__getattr__, _, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "convergence": ["csc_curves", "csc_histogram", "csc_table", "style"],
        "maps": ["difference", "gallery", "heatmaps", "normalise", "reduce"],
        "stability": ["similarity_boxes", "similarity_curves"],
    },
)
__all__ += ["cone_in_space", "cones", "Drawing", "drawn", "legend", "name_ends"]
__all__ += ["note", "widgets"]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
