"""FILE.py:FUNCTION has to work for a file that python itself would run."""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

BODY = "nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), "
BODY += "nn.Flatten(), nn.Linear(4, 5))"
FILES = {
    "beside.py": f"from torch import nn\ndef body():\n    return {BODY}\n",
    "one.py": "from beside import body\ndef net():\n    return body()\n",
    "two.py": "from __future__ import annotations\n"
    "from dataclasses import dataclass\nfrom torch import nn\n"
    f"@dataclass\nclass Settings:\n    width: int = 4\ndef net():\n    return {BODY}\n",
}
bad = 0
with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as elsewhere:
    for name, text in FILES.items():
        (Path(place) / name).write_text(text, encoding="utf-8")
    Image.new("RGB", (64, 64), "orange").save(Path(elsewhere) / "p.png")
    for name in ("one.py", "two.py"):
        run = subprocess.run(
            [
                sys.executable,
                "-m",
                "modbp",
                "explain",
                "p.png",
                "--network",
                f"{place}/{name}:net",
            ],
            cwd=elsewhere,
            capture_output=True,
            encoding="utf-8",
        )
        print(name, run.returncode, run.stderr.strip()[-160:])
        bad += run.returncode != 0
raise SystemExit(bad > 0)
