"""The report and the command `tdmi data check`."""

import json
import shutil

import pytest

from tdmi.cli.main import main
from tdmi.core.errors import UserError
from tdmi.datasets.public.check import check
from tdmi.datasets.public.check.findings import SHOWN, printable
from tdmi.datasets.public.check.images import image_folders
from tests.support.check_trees import (
    VAL,
    found,
    only,
)


def test_many_places_are_counted_and_few_are_shown(tree):
    for path in (tree / VAL).glob("00000[0-6].jpg"):
        path.unlink()
    report = check("posetrack18", tree)
    finding = only(report, "image-missing")
    assert finding.count == 7 and len(finding.examples) == SHOWN
    text = report.as_text()
    assert "error   image-missing: 7 images" in text and "... and 4 more" in text
    assert len(text.splitlines()) < 40


def test_names_in_damaged_files_cannot_write_to_the_terminal():
    assert printable("a\x1b[31m\nb\ud800 é") == "a\\x1b[31m\\nb\\ud800 é"
    assert len(printable("x" * 1000)) == 300


def test_command_prints_writes_json_and_tells_by_its_status(tree, tmp_path, capsys):
    command = ["data", "check", "posetrack18", "--root", str(tree)]
    report = tmp_path / "report.json"
    assert main([*command, "--json", str(report)]) == 0
    assert capsys.readouterr().out.rstrip().splitlines()[-1].startswith("clean")
    assert json.loads(report.read_text())["clean"] is True
    (tree / VAL / "000003.jpg").unlink()
    with pytest.raises(SystemExit) as status:
        main([*command, "--json", str(report)])
    assert status.value.code == 1
    assert "NOT CLEAN" in capsys.readouterr().out
    content = json.loads(report.read_text())
    assert content["clean"] is False and content["counts"]["val"]["frames"] == 8
    assert content["findings"][0]["kind"] == "image-missing"


@pytest.mark.parametrize(
    ("place", "message"),
    [("nowhere", "no such folder"), ("", r"no label files in annotations/train or")],
)
def test_bad_roots_are_one_line_and_status_2(place, message, tmp_path, capsys):
    with pytest.raises(UserError, match=message):
        check("posetrack18", tmp_path / place)
    assert main(["data", "check", "posetrack18", "--root", str(tmp_path / place)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_folder_for_the_report_is_refused_before_the_work(tree, capsys):
    assert main(["data", "check", "posetrack18", "--root", str(tree), "--json", str(tree)]) == 2
    assert "expected a file to write" in capsys.readouterr().err


def test_linked_folders_are_followed_once(tree, tmp_path):
    shutil.move(tree / "images/val", tmp_path / "elsewhere")
    (tree / "images/val").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tree / "images/val/loop").symlink_to(tree / "images", target_is_directory=True)
    assert found(check("posetrack18", tree)) == {}
    assert len(list(image_folders(tree))) == 3
