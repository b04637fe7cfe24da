"""Files that appear complete or not at all, and one line for a full disk."""

import errno
import json
import math
import os

import pytest

from tdmi.core.errors import UserError
from tdmi.core.files import (
    read_json,
    read_yaml,
    remove_leftovers,
    replacing,
    write_compact_json,
    write_json,
    write_text,
)


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_full_disk_is_one_line_and_the_former_file_stays(tmp_path, monkeypatch):
    path = tmp_path / "metrics.json"
    write_json(path, {"ap": 1})
    monkeypatch.setattr("pathlib.Path.write_text", full)
    message = rf"{path}: No space left on device; free some room there and run the same command"
    with pytest.raises(UserError, match=message):
        write_text(path, "new")
    assert path.read_text() == '{\n  "ap": 1\n}\n'
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


def test_other_errors_of_the_system_pass_through_writing(tmp_path):
    with pytest.raises(PermissionError), replacing(tmp_path / "x"):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_failed_writer_leaves_nothing_and_keeps_the_suffix(tmp_path):
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "x.png") as temporary:
        assert temporary.suffix == ".png"
        temporary.touch()
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_killed_writers_are_removed_and_nothing_else(tmp_path):
    left = [".resume.7.part.pt", ".a.12.part"]
    kept = [".resume.part.pt", "resume.7.part.pt", ".a.12.partly"]
    for name in left + kept:
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(kept)


def test_json_that_the_standard_forbids_is_written_never_and_read_always(tmp_path):
    path = tmp_path / "x.json"
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"ap": math.nan})
    assert not path.exists()
    path.write_text('\ufeff{"a": NaN, "b": [Infinity], "c": "\\ud800"}')
    content = read_json(path)
    assert math.isnan(content["a"]) and content["b"] == [math.inf] and content["c"] == "\ud800"


def test_compact_json_gives_every_float_back(tmp_path):
    values = {"x": [0.1, 1 / 3, 5e-324, 1e22, -0.0], "big": 2**70}
    for value in (values["x"], values):  # the second is more than the fast writer takes
        write_compact_json(tmp_path / "x.json", value)
        text = (tmp_path / "x.json").read_text()
        assert json.loads(text) == value and " " not in text


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (None, "no such file"),
        ("{}".encode("utf-16"), "found text in UTF-16 or UTF-32, expected UTF-8"),
        (b"{", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{\n"\xe4"}', "found byte 0xe4 in line 2, which is not UTF-8, expected UTF-8"),
    ],
)
def test_unreadable_json_is_one_line_that_names_the_file(tmp_path, data, line):
    path = tmp_path / "x.json"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UserError, match=line) as error:
        read_json(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_unreadable_yaml_is_one_line_that_names_the_file(tmp_path):
    path = tmp_path / "x.yaml"
    with pytest.raises(UserError, match="no such file"):
        read_yaml(path)
    path.write_text("a: [1\nb: 2")
    with pytest.raises(UserError, match=f"^{path}: not valid YAML .*") as error:
        read_yaml(path)
    assert "\n" not in str(error.value)
