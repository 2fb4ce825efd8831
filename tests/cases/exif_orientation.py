"""A photograph whose file says "turn me" has to be explained upright."""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from modbp import data

wide = np.zeros((40, 60, 3), np.uint8)
wide[:20] = [250, 40, 40]  # sky above, ground below
wide[20:] = [40, 40, 250]
with tempfile.TemporaryDirectory() as place:
    place = Path(place)
    (place / "a").mkdir()
    Image.fromarray(wide).save(place / "a" / "0.png")
    tag = Image.Exif()
    tag[0x0112] = 6  # stored turned by a quarter
    Image.fromarray(np.rot90(wide)).save(place / "a" / "1.jpg", exif=tag, quality=95)
    x, _ = data.images(folder=place)
gap = (x[0] - x[1]).abs().mean().item()
print(f"upright and tagged file differ by {gap:.3f} of the colour range")
raise SystemExit(gap > 0.05)
