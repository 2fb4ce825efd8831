"""Nothing that is NaN or infinite is returned without a word."""

import sys
import warnings

import torch

import modbp
from modbp import rules

bad = 0
x = modbp.data.images(8, folder="photographs").x
net = modbp.models.resnet50()
m = modbp.methods.get("patternnet", patterns=modbp.patterns.fit(net, [x]))
xc = torch.rand(1, 3, 8, 8)
cnn = torch.nn.Sequential(
    torch.nn.Conv2d(3, 4, 3),
    torch.nn.ReLU(),
    torch.nn.Flatten(),
    torch.nn.Linear(144, 3),
).eval()


def check(name, f):
    global bad
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            r = f()
        except modbp.ModbpError as error:
            return print(name, "refused:", str(error)[:80])
    wrong = not r.isfinite().all() and not told
    bad |= bool(wrong)
    print(name, "finite:", bool(r.isfinite().all()), "told:", len(told))


check(
    "patternnet resnet50 float32", lambda: modbp.explain(net, x[:1], target=0, method=m)
)
check(
    "Box(-inf, inf)",
    lambda: modbp.explain(
        cnn,
        xc,
        target=0,
        method=modbp.methods.get(
            "lrp-a1b0", first=rules.Box(-float("inf"), float("inf"))
        ),
    ),
)
check(
    "gamma=1e300 in float32",
    lambda: modbp.explain(
        cnn, xc, target=0, method=modbp.methods.get("lrp-gamma", gamma=1e300)
    ),
)
check(
    "patterns of NaN",
    lambda: modbp.explain(
        cnn,
        xc,
        target=0,
        method=modbp.methods.get(
            "patternnet",
            patterns={
                "0": torch.full((4, 3, 3, 3), float("nan")),
                "3": torch.full((3, 144), float("nan")),
            },
        ),
    ),
)
sys.exit(bad)
