"""torchvision beside a build of torch that it was not made for."""

import subprocess
import sys

import pytest

from modbp.zoo import vision


def test_in_a_fresh_process_both_orders_of_import_work_without_a_warning():
    """Also that importing modbp alone does not need torchvision."""
    program = (
        "import sys, modbp; assert 'torchvision' not in sys.modules;"
        "from modbp.zoo.vision import load_torchvision as load;"
        "first = load(); import torchvision; assert first is torchvision is load();"
        "net = torchvision.models.squeezenet1_1(num_classes=2)"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_only_the_missing_operator_is_answered_with_a_placeholder(monkeypatch):
    """Any other failure of the import is shown as it is."""

    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "torchvision":
                raise RuntimeError("something else is wrong")

    vision.load_torchvision()
    monkeypatch.delitem(sys.modules, "torchvision")
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    monkeypatch.setattr(vision, "_placeholders", None)
    with pytest.raises(RuntimeError, match="something else is wrong"):
        vision.load_torchvision()
    assert vision._placeholders is None
