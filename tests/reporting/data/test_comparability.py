"""Runs that cannot be compared are refused with their names and values; other commits are named."""

import hashlib
import json
from pathlib import Path

import pytest

from tdmi.core.errors import UserError
from tdmi.data.skeletons import POSETRACK17
from tdmi.reporting.data.runs import read_runs
from tdmi.reporting.data.spec import Method
from tdmi.reporting.tables.results import comparison_table
from tests.support.report_suite import made_spec, metrics

BOXES = "ground_truth_boxes"
METHODS = (Method("one", "One", "single", (0, 1)), Method("two", "Two", "difference", (0,)))
EVALUATION = f"{BOXES}/metrics.provenance.json"
A, B = "a" * 64, "b" * 64
RECORD = {
    "commit": "1" * 40,
    "dirty": False,
    "data_sha256": A,
    "data_release": "v0.45",
    "labels_sha256": {"test": A, "train": A},
    "boxes_sha256": A,
    "checkpoint_sha256": A,
}
CODE = {"tdmi/losses/heatmap.py": A, "tdmi/cli/main.py": A}
EVALUATED = {
    "ground_truth_sha256": A,
    "code": {"tdmi/evaluation/matching/assignment.py": A, "tdmi/cli/main.py": A},
}


def bins(edge: float) -> dict:
    block = {"persons": 200, "videos": 3, "few": False, "ap": {"total": 50.0}, "recall": {}}
    return {
        "speed": {"bins": [{"from": None, "to": edge} | block, {"from": edge, "to": None} | block]}
    }


def files() -> dict[str, dict]:
    """The files of a run that say how it was made, by name."""
    content = metrics(dict.fromkeys(POSETRACK17.joints, 50.0)) | {"slices": bins(0.25)}
    return {
        "provenance.json": dict(RECORD),
        "code.json": dict(CODE),
        "predictions.provenance.json": {"checkpoint_sha256": A},
        f"{BOXES}/metrics.json": content,
        EVALUATION: dict(EVALUATED),
    }


def write(runs: Path, name: str, changed: dict[str, dict]) -> None:
    for file, content in files().items():
        path = runs / "suite" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content | changed.get(file, {})))


def read(tmp_path: Path, changed: dict[str, dict], also: dict[str, dict] | None = None):
    write(tmp_path, "one/seed0", {})
    write(tmp_path, "one/seed1", also or {})
    write(tmp_path, "two/seed0", changed)
    return read_runs(tmp_path / "suite", METHODS, [BOXES])


@pytest.mark.parametrize(
    ("changed", "what", "values"),
    [
        ({"provenance.json": {"data_sha256": B}}, "data", "aaaaaaaaaaaa bbbbbbbbbbbb"),
        ({"provenance.json": {"data_release": "v0.50"}}, "label release", "v0.45 v0.50"),
        ({"provenance.json": {"data_release": None}}, "label release", "v0.45 None"),
        ({"provenance.json": {"labels_sha256": {"test": B}}}, "labels of test", "aaaaaaaaaaaa b"),
        ({"provenance.json": {"boxes_sha256": B}}, "boxes", "aaaaaaaaaaaa bbbbbbbbbbbb"),
        ({f"{BOXES}/metrics.json": {"protocol": "hieve"}}, "protocol", "poseval hieve"),
        ({f"{BOXES}/metrics.json": {"slices": bins(0.5)}}, "bins of speed", "0.25 0.5"),
        ({EVALUATION: {"ground_truth_sha256": B}}, "labels of the evaluation", ""),
        (
            {EVALUATION: {"code": {"tdmi/evaluation/matching/assignment.py": B}}},
            "evaluator tdmi/evalu",
            "",
        ),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(tmp_path, changed, what, values):
    with pytest.raises(UserError) as caught:
        read(tmp_path, changed)
    message = str(caught.value)
    assert message.startswith(what)
    assert all(value in message for value in values.split())
    assert "in suite/one/seed0, suite/one/seed1; " in message and "suite/two/seed0" in message
    assert " again" in message and "\n" not in message


def test_alike_runs_and_other_code_than_the_evaluator_are_not_refused(tmp_path):
    changed = {"code.json": {"tdmi/cli/main.py": B, "tdmi/models/tdmi.py": B}}
    changed[EVALUATION] = {"code": {"tdmi/cli/main.py": B}}
    runs = read(tmp_path, changed)
    assert len(runs.counts) == 3
    assert runs.names_of("one") == ["suite/one/seed0", "suite/one/seed1"]


def test_what_a_run_does_not_record_is_not_compared(tmp_path):
    write(tmp_path, "one/seed0", {})
    path = tmp_path / "suite" / "two" / "seed0" / BOXES / "metrics.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(metrics(dict.fromkeys(POSETRACK17.joints, 50.0))))
    assert len(read_runs(tmp_path / "suite", METHODS, [BOXES]).counts) == 2


def test_predictions_of_another_checkpoint_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"two/seed0/predictions\.prov.*bbbbbbbbbbbb.*aaaaaaaaaaaa"):
        read(tmp_path, {"predictions.provenance.json": {"checkpoint_sha256": B}})


def test_metrics_that_are_not_as_recorded_are_refused(tmp_path):
    path = tmp_path / "suite" / "one" / "seed0" / BOXES / "metrics.json"
    write(tmp_path, "one/seed0", {})
    record = {"metrics_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    path.with_suffix(".provenance.json").write_text(json.dumps(EVALUATED | record))
    read_runs(tmp_path / "suite", METHODS, [BOXES])
    path.write_text(path.read_text().replace("50.0", "58.0", 1))
    with pytest.raises(UserError, match=r"metrics\.json: SHA-256 is .* as recorded; delete it"):
        read_runs(tmp_path / "suite", METHODS, [BOXES])


def test_a_broken_part_of_the_metrics_is_named(tmp_path):
    changed = {f"{BOXES}/metrics.json": {"slices": {"speed": {"bins": [{"from": None}]}}}}
    with pytest.raises(UserError, match=r"two/seed0/.*metrics\.json: slices: found something else"):
        read(tmp_path, changed)


def test_other_commits_are_named_and_not_refused(tmp_path):
    spec = made_spec(METHODS)
    same = read(tmp_path / "same", {})
    assert same.commits == ""
    runs = read(tmp_path / "other", {"provenance.json": {"commit": "2" * 40, "dirty": True}})
    assert runs.commits == "1111111 (2), 2222222 with changes (1)"
    table = comparison_table(runs, spec, BOXES)
    assert f"Runs of several commits: {runs.commits}." in table.caption
