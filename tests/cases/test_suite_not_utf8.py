"""Text files in other encodings than UTF-8: one line that names file, place and cure."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tdmi.config.settings import Settings
from tdmi.core.errors import UserError
from tdmi.core.files import read_text, read_yaml
from tdmi.data.attributes import read_attributes
from tdmi.formats.hieve.people import read_boxes
from tests.cases.conftest import CASES

LATIN = CASES / "suite-not-utf8" / "latin.yaml"


def test_a_suite_in_cp1252_is_refused_with_the_line(tmp_path):
    shutil.copy(LATIN, tmp_path / "latin.yaml")
    data = LATIN.read_bytes()
    odd = next(i for i, line in enumerate(data.split(b"\n"), 1) if max(line, default=0) > 127)
    with pytest.raises(UserError) as error:
        read_yaml(tmp_path / "latin.yaml")
    assert "latin.yaml: found byte 0x" in str(error.value)
    assert f"in line {odd}, which is not UTF-8, expected UTF-8; save it again" in str(error.value)


READERS = {
    "yaml": read_yaml,
    "config": Settings.read,
    "csv": lambda path: read_attributes(path, np.array([0]), np.array([0])),
    "boxes": read_boxes,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-le", "utf-32"])
def test_every_reader_of_text_says_so(tmp_path, reader, encoding):
    path = tmp_path / "000001.txt"
    path.write_bytes("name: Müller, größer\n".encode(encoding))
    with pytest.raises(UserError, match=r"000001\.txt: found .*expected UTF-8; save it") as error:
        READERS[reader](path)
    assert "\n" not in str(error.value)


def test_byte_order_mark_and_line_ends_of_windows_are_read(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes("name: Müller\r\nother: 1\r\n".encode("utf-8-sig"))
    assert read_text(path) == "name: Müller\nother: 1\n"
    assert read_yaml(path) == {"name": "Müller", "other": 1}


@pytest.mark.parametrize("text", ["a: 2024-13-45", "a: [", "[" * 5000, "a: \x07"])
def test_whatever_yaml_cannot_hold_is_one_line(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UserError, match=r"a\.yaml: not valid YAML") as error:
        read_yaml(tmp_path / "a.yaml")
    assert "\n" not in str(error.value)
