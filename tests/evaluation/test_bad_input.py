"""`tdmi evaluate` on bad input: one line with file and place, exit status 2, nothing written."""

import copy
import json
import os
import re
from pathlib import Path

import pytest

from tdmi.cli.main import main
from tdmi.evaluation import inputs
from tests.support.golden_evaluation import cases, write_back

POSEVAL, POSETRACK21 = cases("poseval"), cases("posetrack21")


def person(side: str, change) -> callable:
    """Change the first person of the first file in the form of 2018."""

    def damage(folder: Path) -> None:
        path = sorted((folder / side).iterdir())[0]
        content = json.loads(path.read_text())
        change(content["annotations"][0])
        path.write_text(json.dumps(content))

    return damage


def image(side: str, change) -> callable:
    """Change the images of the first file."""

    def damage(folder: Path) -> None:
        path = sorted((folder / side).iterdir())[0]
        content = json.loads(path.read_text())
        change(content["images"])
        path.write_text(json.dumps(content))

    return damage


def first(side: str, action) -> callable:
    """Do something to the path of the first file."""
    return lambda folder: action(sorted((folder / side).iterdir())[0])


def score(value: float) -> callable:
    def change(record: dict) -> None:
        record["scores"][6] = value

    return person("pred", change)


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.truncate(inputs.LARGEST_FILE + 1)  # a hole, which takes no room


def copied(side: str, name: str) -> callable:
    """A copy of the first file under another name, with a partner on the other side."""

    def damage(folder: Path) -> None:
        for each in ("gt", "pred"):
            source = sorted((folder / each).iterdir())[0 if each == side else 1]
            content = json.loads(source.read_text())
            if each != side:
                for record in content["images"]:
                    record["file_name"] = record["file_name"].replace("/0", "/9", 1)
            (folder / each / f"{name}.json").write_text(json.dumps(content))

    return damage


def drop_last_frame(folder: Path) -> None:
    path = sorted((folder / "pred").iterdir())[0]
    content = json.loads(path.read_text())
    last = content["images"].pop()["id"]
    people = content["annotations"]
    content["annotations"] = [record for record in people if record["image_id"] != last]
    path.write_text(json.dumps(content))


FILE = r"/(?:gt|pred)/\d{6}_[a-z]+_test\.json"
# What is done to sound files, and what the line must say.
DAMAGES = {
    "prediction file missing": (
        first("pred", Path.unlink),
        rf"{FILE}: no such file, expected predictions for all 3 videos",
    ),
    "predictions for another video": (
        first("pred", lambda path: path.with_name("999999_mpii_test.json").write_text("{}")),
        r"pred/999999_mpii_test\.json: no such video in .*gt, which has 3",
    ),
    "a frame too few": (
        drop_last_frame,
        rf"{FILE}: \d+ frames in the predictions, \d+ in the ground truth",
    ),
    "head box missing": (
        person("gt", lambda record: record.pop("bbox_head")),
        rf"{FILE}: frame \d+: a person of the ground truth \(track id \d+\) has no head box",
    ),
    "region of two corners": (
        image(
            "gt",
            lambda images: [
                i.update(ignore_regions_x=[[1, 2]], ignore_regions_y=[[1, 2]]) for i in images
            ],
        ),
        rf"{FILE}: frame \d+: ignore region 0 of the ground truth has 2 corners",
    ),
    "no categories": (
        first("pred", lambda path: path.write_text('{"images": [], "annotations": []}')),
        rf"{FILE}: no 'categories'",
    ),
    "score NaN": (
        score(float("nan")),
        rf"{FILE}: frame \d+: person \d+, track \d+: right_shoulder has the score nan",
    ),
    "score infinite": (
        score(float("inf")),
        rf"{FILE}: frame \d+: person \d+, track \d+: right_shoulder has the score inf",
    ),
    "coordinate as text": (
        person("pred", lambda record: record["keypoints"].__setitem__(0, "12.5")),
        rf"{FILE}: annotations\[0\] \(frame \d+\): keypoints: found '12\.5'",
    ),
    "score as text": (
        person("pred", lambda record: record["scores"].__setitem__(0, "0.5")),
        rf"{FILE}: annotations\[0\] \(frame \d+\): scores: found '0\.5'",
    ),
    "a joint too few": (
        person("pred", lambda record: record["keypoints"].pop()),
        rf"{FILE}: annotations\[0\] \(frame \d+\): keypoints: found a list of 50, expected 51",
    ),
    "track id as text": (
        person("pred", lambda record: record.update(track_id="7")),
        rf"{FILE}: annotations\[0\] \(frame \d+\): 'track_id' is '7', expected a whole number",
    ),
    "person of an unknown frame": (
        person("pred", lambda record: record.update(image_id=5)),
        rf"{FILE}: annotations\[0\]: image_id 5 is not among",
    ),
    "not JSON": (
        first("pred", lambda path: path.write_text('{"images": [')),
        rf"{FILE}: not valid JSON",
    ),
    "empty file": (first("gt", lambda path: path.write_text("")), rf"{FILE}: not valid JSON"),
    "a gigantic file": (
        first("pred", grow),
        rf"{FILE}: the file has 256 MB, expected at most 256 MB",
    ),
    "a folder in place of a file": (
        first("pred", replace_by_folder),
        rf"{FILE}: cannot be read \(Is a directory\)",
    ),
    "a broken link": (
        first("pred", lambda path: (path.unlink(), path.symlink_to("nowhere"))),
        rf"{FILE}: (cannot be read|no such file)",
    ),
    "ground truth twice": (
        copied("gt", "999999_mpii_test"),
        r"gt/999999_mpii_test\.json: lists the same images as \d{6}_\w+\.json",
    ),
    "predictions twice": (
        copied("pred", "999999_mpii_test"),
        r"pred/999999_mpii_test\.json: lists the same images as \d{6}_\w+\.json",
    ),
}


def evaluate(folder: Path, *options: str) -> int:
    command = ["evaluate", "--gt", folder / "gt", "--pred", folder / "pred"]
    return main([str(word) for word in [*command, "--out", folder / "metrics.json", *options]])


def one_line(folder: Path, capsys, *options: str) -> str:
    """The line on standard error, after the checks that hold for all bad input."""
    assert evaluate(folder, *options) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("tdmi evaluate: ")
    assert not (folder / "metrics.json").exists()
    return line


@pytest.fixture
def sound(tmp_path) -> Path:
    write_back(copy.deepcopy(POSEVAL["r_small_pt18"]), tmp_path)
    return tmp_path


def test_the_files_are_sound_before(sound):
    assert evaluate(sound, "--quiet") == 0


@pytest.mark.parametrize("name", DAMAGES)
def test_bad_files_get_one_line_with_their_place(name, sound, capsys):
    damage, expected = DAMAGES[name]
    damage(sound)
    assert re.search(expected, one_line(sound, capsys))


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_first_bad_file_is_named_by_any_number_of_processes(jobs, sound, capsys):
    for path in (sound / "pred").iterdir():
        path.write_text("[]")
    first_file = sorted((sound / "pred").iterdir())[0]
    assert f"{first_file}: " in one_line(sound, capsys, "--jobs", jobs)


@pytest.mark.parametrize("protocol", ["poseval", "posetrack21", "oks"])
def test_odd_scores_are_refused_by_every_protocol(protocol, sound, capsys):
    score(float("nan"))(sound)
    line = one_line(sound, capsys, "--protocol", protocol)
    assert "right_shoulder has the score nan" in line
    assert ("--strict-poseval" in line) == (protocol == "poseval")


def test_a_file_that_may_not_be_read(sound, capsys, monkeypatch):
    refused = sorted((sound / "gt").iterdir())[0]
    read_bytes = Path.read_bytes

    def read(path: Path) -> bytes:
        if path == refused:
            raise PermissionError(13, os.strerror(13))
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", read)
    assert f"{refused}: cannot be read (Permission denied)" in one_line(sound, capsys)


def test_a_folder_that_may_not_be_listed(sound, capsys, monkeypatch):
    def refuse(folder: Path) -> list[str]:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(inputs, "video_files", refuse)
    assert "gt: cannot be listed (Permission denied)" in one_line(sound, capsys)


def test_files_and_folders_mixed_up(sound, capsys):
    name = sorted((sound / "gt").iterdir())[0]
    assert main(["evaluate", "--gt", str(name), "--pred", str(sound), "--out", "x"]) == 2
    assert f"{name}: --gt is a file, expected a folder" in capsys.readouterr().err
    arguments = ["--gt", str(sound / "gt"), "--pred", str(sound / "pred"), "--out", str(sound)]
    assert main(["evaluate", *arguments]) == 2
    assert f"{sound}: --out is a folder, expected a file" in capsys.readouterr().err
    assert main(["evaluate", "--gt", str(sound / "none"), *arguments[2:4], "--out", "x"]) == 2
    assert "none: no such folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("out", "reason"),
    [
        ("plain/metrics.json", "Not a directory"),
        ("nowhere/metrics.json", "No such file or directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_any_work(
    out, reason, sound, capsys, monkeypatch
):
    (sound / "plain").write_text("")
    (sound / "nowhere").symlink_to(sound / "none" / "at all")
    before = sorted(sound.rglob("*"))
    monkeypatch.setattr("tdmi.experiments.evaluate.evaluate_folders", None)
    command = ["evaluate", "--gt", sound / "gt", "--pred", sound / "pred", "--out", sound / out]
    assert main([str(word) for word in command]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{sound / out}: --out cannot be written in {sound}" in line and reason in line
    assert sorted(sound.rglob("*")) == before


def test_a_disk_that_fills_up_gets_one_line(sound, capsys, monkeypatch):
    def fail(path: Path, content: dict) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("tdmi.experiments.evaluate.write_json", fail)
    assert "metrics.json: --out cannot be written (No space left" in one_line(sound, capsys)


@pytest.mark.parametrize("name", ["ground truth twice", "predictions twice", "a gigantic file"])
def test_oks_refuses_what_the_others_refuse(name, sound, capsys):
    damage, expected = DAMAGES[name]
    damage(sound)
    assert re.search(expected, one_line(sound, capsys, "--protocol", "oks"))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--jobs", "0"], "--jobs: found 0, expected a whole number of at least 1"),
        (
            ["--protocol", "oks", "--jobs", "2"],
            "--jobs goes with --protocol poseval or posetrack21",
        ),
        (["--protocol", "oks", "--curves"], "--curves goes with --protocol poseval or posetrack21"),
        (
            ["--protocol", "hieve", "--slices"],
            "found hieve; hieve and oks pair people anew at each threshold",
        ),
        (["--protocol", "posetrack21", "--tracking"], "--tracking goes with --protocol poseval"),
    ],
)
def test_options_that_do_not_fit(options, expected, sound, capsys):
    assert expected in one_line(sound, capsys, *options)


def test_scores_that_are_not_finite_are_ranked_as_poseval_does_on_demand(tmp_path):
    case = POSEVAL["nan_score"]
    write_back(case, tmp_path)
    assert evaluate(tmp_path, "--quiet") == 2
    assert evaluate(tmp_path, "--quiet", "--strict-poseval") == 0
    total = json.loads((tmp_path / "metrics.json").read_text())["ap"]["total"]
    assert total == pytest.approx(case["expected"]["ap"]["ap"][-1], abs=1e-9)


def test_images_of_other_ids_are_refused_by_posetrack21(tmp_path, capsys):
    write_back(POSETRACK21["pt18_prediction_image_order"], tmp_path)
    line = one_line(tmp_path, capsys, "--protocol", "posetrack21")
    assert re.search(r"pred/000011_mpii_test\.json: frame 0: the image id is", line)


def test_a_killed_process_is_reported(sound, capsys, monkeypatch):
    # Forked processes inherit the damage.
    monkeypatch.setattr("tdmi.evaluation.protocols.posetrack.read_json", lambda path: os._exit(9))
    line = one_line(sound, capsys, "--jobs", "2")
    assert "one of 2 processes was killed" in line
