"""Label files that users have: of a test split without labels, and merged ones."""

import json
from pathlib import Path

from tdmi.cli.main import main
from tdmi.formats.recognition import read_labels

CASES = Path(__file__).parent
UNLABELLED = CASES / "labels-without-annotations"
MERGED = CASES / "merged-labels-dead-end" / "posetrack18_val.json"


def tdmi(*arguments):
    return main([str(argument) for argument in arguments])


def test_export_takes_order_and_frames_of_labels_without_annotations(tmp_path):
    folders = ("--predictions", UNLABELLED / "predictions", "--gt", UNLABELLED / "test")
    assert tdmi("data", "export", *folders, "--form", "posetrack18", "--out", tmp_path / "o") == 0
    (given,) = (UNLABELLED / "test").iterdir()
    asked = [image["file_name"] for image in json.loads(given.read_text())["images"]]
    (written,) = (tmp_path / "o").iterdir()
    content = json.loads(written.read_text())
    assert [image["file_name"] for image in content["images"]] == asked
    (predicted,) = (UNLABELLED / "predictions").iterdir()
    assert len(content["annotations"]) == len(json.loads(predicted.read_text())["annotations"])


def test_convert_takes_frames_alone_and_evaluate_says_that_labels_are_lacking(tmp_path, capsys):
    out = tmp_path / "out"
    assert tdmi("data", "convert", "--from", UNLABELLED / "test", "--to", "posetrack17", "--out",
                out) == 0  # fmt: skip
    assert "1 videos, 8 frames, 0 persons as posetrack17" in capsys.readouterr().out
    assert read_labels(out).frames == 8
    for gt, pred in (("test", "predictions"), ("predictions", "test")):
        sides = ("--gt", UNLABELLED / gt, "--pred", UNLABELLED / pred)
        for protocol in ("poseval", "oks"):
            out = tmp_path / "metrics.json"
            assert tdmi("evaluate", *sides, "--protocol", protocol, "--out", out) == 2
            error = capsys.readouterr().err
            assert "no 'annotations', so it holds no labels" in error and error.count("\n") == 1
            assert not out.exists()


def test_merged_labels_become_a_file_per_video(tmp_path, capsys):
    out = tmp_path / "out"
    command = ("data", "convert", "--from", MERGED, "--to", "posetrack18", "--out", out)
    assert tdmi(*command) == 0
    content = json.loads(MERGED.read_text())
    folders = {image["file_name"].split("/")[-2] for image in content["images"]}
    assert {path.stem for path in out.iterdir()} == folders and len(folders) == 2
    files = [json.loads(path.read_text()) for path in out.iterdir()]
    for key in ("images", "annotations"):
        assert sum(len(file[key]) for file in files) == len(content[key])
    # What refuses a merged file names this very command.
    capsys.readouterr()
    folder = MERGED.parent
    assert tdmi("evaluate", "--gt", folder, "--pred", folder, "--out", tmp_path / "m.json") == 2
    assert "`tdmi data convert --to posetrack18`" in capsys.readouterr().err
