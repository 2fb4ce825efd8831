"""One visual language: the same colours, signs and scales in every figure.

Red speaks for the explained class, blue against it, white is zero, or black on a dark
page. Every map is scaled on its own, so that colours compare places in one map, never
sizes between maps. Figures are drawn for a page and for a phone.
"""

from modbp.backprop.explain import reduce
from modbp.figures import widgets
from modbp.figures.cones import cone_in_space, cones
from modbp.figures.convergence import csc_curves, csc_histogram, csc_table, style
from modbp.figures.drawing import Drawing, drawn, legend, note
from modbp.figures.labels import name_ends
from modbp.figures.maps import difference, gallery, heatmaps, normalise
from modbp.figures.stability import similarity_boxes, similarity_curves

__all__ = ["cone_in_space", "cones", "csc_curves", "csc_histogram", "csc_table"]
__all__ += ["Drawing", "difference", "drawn", "gallery", "heatmaps", "legend"]
__all__ += ["name_ends", "normalise", "note", "reduce"]
__all__ += ["similarity_boxes", "similarity_curves", "style", "widgets"]
