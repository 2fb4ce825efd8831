"""Images or code replaced under the same names between a stopped run and its resume
must be refused or computed again, never mixed."""

import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from modbp.__main__ import main
from modbp.study.runs.store import Store

R = Path(tempfile.mkdtemp())
CODE = """import torch
from torch import nn
def net():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 6, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(150, 16), nn.ReLU(), nn.Linear(16, 10)).eval()
"""
(R / "n.py").write_text(CODE, encoding="utf-8")


def images(seed):
    generator = np.random.default_rng(seed)
    for name in "ab":
        (R / "p" / name).mkdir(parents=True, exist_ok=True)
        for i in range(3):
            pixels = generator.integers(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(R / "p" / name / f"{i}.png")


def run(out, stop=None):
    """Run in a process of its own, which dies after some units."""
    pid = os.fork()
    if not pid:
        put, done = Store.put, []

        def counted(self, *rest):
            put(self, *rest)
            done.append(1)
            if len(done) == stop:
                os._exit(77)

        Store.put = counted
        options = f"--size 16 --images {R}/p --batch 1 --methods lrp-z"
        options += f" --network {R}/n.py:net --output {R}/{out}"
        os._exit(main(["run", "csc", *options.split()]))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def units(out):
    stored = json.loads((R / out / "lrp-z.json").read_text(encoding="utf-8"))
    (starts,) = stored["results"].values()
    return next(iter(starts.values()))["input"]["units"]


what = sys.argv[1] if len(sys.argv) > 1 else "images"
images(1)
codes = [run("old"), run("b", stop=3)]
assert codes == [0, 77], codes
if what == "images":
    images(2)
else:  # the same weights, another network
    other = CODE.replace("MaxPool2d", "AvgPool2d")
    (R / "n.py").write_text(other, encoding="utf-8")
resumed, fresh = run("b"), run("new")
assert fresh == 0
if resumed:
    print("refused")
    sys.exit(0)
for out in ("old", "b", "new"):
    print(out, units(out))
sys.exit(0 if units("b") == units("new") else 1)
