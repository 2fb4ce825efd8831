"""A scan with 16 bits, or floats, is read as it looks, or refused."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from modbp import ModbpError, data

ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
files = {
    "16bit.png": (ramp * 65535).astype(np.uint16),
    "16bit.tif": (ramp * 65535).astype(np.uint16),
    "float.tif": ramp,
}
bad = 0
for name, values in files.items():
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "a").mkdir()
        Image.fromarray(values).save(Path(place) / "a" / name)
        try:
            x, _ = data.images(folder=place)
        except ModbpError as error:
            print(name, "refused:", error)
            continue
        off = (x[0, 0].mean(0) - torch.linspace(0, 1, 32)).abs().mean().item()
        print(f"{name}: values {x.min():.2f} to {x.max():.2f}, off by {off:.2f}")
        bad += off > 0.03
raise SystemExit(bad > 0)
