"""Files that say where they came from, and are whole or not there."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002, 0o027])
def test_the_users_umask_says_who_may_read_a_file(tmp_path, mask):
    before = os.umask(mask)
    try:
        files.write_json(tmp_path / "a.json", {})
        files.write_json(tmp_path / "a.json", {"old": False})
        files.hold(tmp_path / "lock").close()
    finally:
        os.umask(before)
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o777 == 0o666 & ~mask, path


def test_a_file_is_held_by_one_until_it_lets_go(tmp_path):
    path = tmp_path / "a" / "lock"
    with files.hold(path):
        with pytest.raises(BlockingIOError):
            files.hold(path)
    files.hold(path).close()


def test_a_file_is_held_until_its_process_is_killed(tmp_path):
    script = "import sys; from modbp import files; held = files.hold(sys.argv[1])\n"
    script += "print(flush=True); input()"
    command = [sys.executable, "-c", script, tmp_path / "lock"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    environment = {**os.environ, "PYTHONPATH": str(Path(files.__file__).parents[1])}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        process.stdout.readline()
        with pytest.raises(BlockingIOError):
            files.hold(tmp_path / "lock")
        process.kill()
        process.wait()
    files.hold(tmp_path / "lock").close()


def test_on_windows_a_file_is_held_by_a_lock_on_its_first_byte(tmp_path, monkeypatch):
    asked = []

    class Windows:
        LK_NBLCK = 2

        @staticmethod
        def locking(number, mode, count):
            asked.append((mode, count, os.lseek(number, 0, os.SEEK_CUR)))
            if len(asked) > 1:
                raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "fcntl", None)
    monkeypatch.setattr(files, "msvcrt", Windows, raising=False)
    with files.hold(tmp_path / "lock"), pytest.raises(BlockingIOError):
        files.hold(tmp_path / "lock")
    assert asked == [(2, 1, 0)] * 2


@pytest.mark.parametrize("text", ["NaN", "[1, Infinity]", '{"a": -Infinity}'])
def test_what_is_no_number_is_neither_read_nor_written(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="is no number"):
        files.read_json(path)
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "b.json", json.loads(text))
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b"1" * 9999])
def test_what_is_no_json_is_a_value_error(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError):
        files.read_json(tmp_path / "a.json")


@pytest.mark.parametrize("broken", ["fsync", "replace"])
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
