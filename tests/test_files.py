"""Files that say where they came from, and are whole or not there."""

import hashlib
import json
import os

import pytest

from modbp import files


def test_json_is_indented_but_for_lists_of_plain_values(tmp_path):
    value = {
        "a": [1, 2.5, None],
        "b": {"c": ["x [ y", "z\n]"]},
        "d": [],
        "e": [[1], {}],
    }
    files.write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == value
    assert '  "a": [1, 2.5, null],\n' in text and text.endswith("}\n")


def test_a_fingerprint_is_the_sha256_of_bytes_or_of_a_file(tmp_path):
    # SHA-256 of "abc", from FIPS 180-2.
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "file").write_bytes(b"abc")
    assert files.fingerprint(b"abc") == expected
    assert files.fingerprint(memoryview(b"abc")) == expected
    assert files.fingerprint(tmp_path / "file") == expected
    assert files.fingerprint(str(tmp_path / "file")) == expected
    assert files.fingerprint(b"") == hashlib.sha256().hexdigest()


def test_a_file_is_written_whole_with_the_folders_above_it(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    files.write_bytes(path, b"one")
    assert path.read_bytes() == b"one"
    files.write_bytes(str(path), b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(path.parent) == ["file"]
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("broken", ["fsync", "replace", "chmod"])
def test_if_writing_fails_the_old_file_is_left_and_nothing_beside_it(
    broken, tmp_path, monkeypatch
):
    path = tmp_path / "file"
    files.write_bytes(path, b"old")

    def full(*args):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, broken, full)
    with pytest.raises(OSError, match="no space left"):
        files.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_what_is_no_json_is_refused_before_the_old_file_is_touched(tmp_path):
    path = tmp_path / "file.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        files.write_json(path, {"a": object()})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": 1}
    assert path.read_text(encoding="utf-8") == '{\n  "a": 1\n}\n'
