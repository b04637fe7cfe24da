"""`tdmi verify` and `tdmi reproduce` on a tiny run that is trained, predicted and judged once."""

import json
import shutil

import pytest
import torch

from tdmi.cli.main import main
from tdmi.core.files import read_json, sha256_of, write_json
from tdmi.experiments.provenance import code_file, digest, imported_code, write_record
from tdmi.experiments.reproduce import compare
from tdmi.experiments.verify import verify
from tdmi.reporting.data.runs import read_runs
from tdmi.reporting.data.spec import Method
from tests.support import tiny_runs
from tests.support.tiny_runs import SINGLE, TEMPORAL


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Folders of data and runs: a temporal run that starts from a single-frame run."""
    folder = tmp_path_factory.mktemp("recorded")
    tiny_runs.record(folder)
    return folder


@pytest.fixture
def run(recorded, tmp_path):
    """A copy that a test may damage; its data stays where the settings say."""
    shutil.copytree(recorded / "runs", tmp_path / "runs")
    return tmp_path / "runs" / TEMPORAL


def line(capsys) -> str:
    """The one line on standard error."""
    (text,) = capsys.readouterr().err.splitlines()
    return text


def test_untouched_run_is_as_recorded_and_nothing_differs(run, capsys):
    assert main(["verify", str(run)]) == 0
    out = capsys.readouterr().out
    assert "files are as recorded: 4 of training, 4 of prediction, 4 of evaluation" in out
    assert "differs" not in out and "not recorded" not in out
    same = verify(run).same
    assert {"data", "labels of test", "boxes", "initial weights", "commit", "torch"} <= set(same)


@pytest.mark.parametrize(
    ("file", "cure"),
    [
        ("config.yaml", "tdmi train"),
        ("history.csv", "tdmi reproduce"),
        ("cost.json", "tdmi reproduce"),
        ("checkpoint.pt", "tdmi reproduce"),
        ("detected_boxes/predictions/900003_mpiinew_dots.json", "tdmi predict --run"),
        ("ground_truth_boxes/tracked/900003_mpiinew_dots.json", "tdmi predict --run"),
        ("detected_boxes/metrics.json", "tdmi evaluate --protocol poseval --gt"),
        ("detected_boxes/tracking.json", "tdmi evaluate --protocol poseval --tracking"),
    ],
)
def test_one_changed_byte_is_one_line_that_names_file_hashes_and_cure(run, capsys, file, cure):
    path = run / file
    before = sha256_of(path)
    content = bytearray(path.read_bytes())
    content[-1:] = b" "
    path.write_bytes(content)
    assert main(["verify", str(run)]) == 2
    text = line(capsys)
    assert str(path) in text and cure in text
    assert sha256_of(path)[:12] in text and before[:12] in text


def test_cure_of_a_hieve_evaluation_names_a_protocol_of_the_command(run, capsys):
    """Its metrics call the protocol hieve_local, which `tdmi evaluate` does not know."""
    path = run / "detected_boxes" / "metrics.json"
    write_json(path, read_json(path) | {"protocol": "hieve_local"})
    assert main(["verify", str(run)]) == 2
    assert "tdmi evaluate --protocol hieve --gt" in line(capsys)


def test_files_that_the_workflow_hides_in_its_folders_do_not_count(run, capsys):
    for boxes in ("ground_truth_boxes", "detected_boxes"):
        for folder in ("predictions", "tracked"):
            (run / boxes / folder / ".snakemake_timestamp").touch()
    assert main(["verify", str(run)]) == 0
    assert "differs" not in capsys.readouterr().out


def test_missing_and_strange_files_are_named(run, capsys):
    folder = run / "detected_boxes" / "predictions"
    (folder / "900009_mpiinew_dots.json").write_text("{}")
    assert main(["verify", str(run)]) == 2
    assert "900009_mpiinew_dots.json: found a file that is not recorded" in line(capsys)
    shutil.rmtree(folder)
    folder.mkdir()
    assert main(["verify", str(run)]) == 2
    assert "900003_mpiinew_dots.json: no such file, expected SHA-256" in line(capsys)
    (run / "provenance.json").unlink()
    assert main(["verify", str(run)]) == 2
    assert "no provenance.json, expected the folder of a trained run" in line(capsys)


def test_predictions_and_metrics_of_another_model_are_refused(run, capsys):
    """Files that are all as recorded, but whose records do not belong together."""
    path = run / "predictions.provenance.json"
    record = read_json(path)
    write_record(path, record | {"checkpoint_sha256": "0" * 64})
    assert main(["verify", str(run)]) == 2
    assert "were made with checkpoint 000000000000" in line(capsys)
    write_json(path, record)
    path = run / "detected_boxes" / "metrics.provenance.json"
    write_record(path, read_json(path) | {"predictions_sha256": "0" * 64})
    assert main(["verify", str(run)]) == 2
    assert "evaluates predictions 000000000000" in line(capsys)
    write_json(path, {"metrics_sha256": 0})
    assert main(["verify", str(run)]) == 2
    assert "metrics.provenance.json: code is missing" in line(capsys)


def test_what_changed_since_is_listed_and_is_no_error(run, recorded, tmp_path, capsys):
    record = read_json(run / "provenance.json")
    record["packages"]["torch"] = "0.1"
    record["hardware"]["processor"] = "abacus"
    record |= {"commit": "1" * 40, "boxes_sha256": "2" * 64, "initial_weights_sha256": "3" * 64}
    code = read_json(run / "code.json")
    code["tdmi/data/skeletons.py"] = "4" * 64
    write_json(run / "code.json", code)
    write_record(run / "provenance.json", record | {"code_sha256": digest(code)})
    assert main(["verify", str(run)]) == 0
    lines = [text for text in capsys.readouterr().out.splitlines() if text.startswith("differs")]
    assert [text.split(":")[1].strip() for text in lines] == [
        "code of training", "commit", "torch", "processor", "boxes", "initial weights",
    ]  # fmt: skip
    assert "1 of them changed: tdmi/data/skeletons.py" in lines[0]
    assert f"recorded 0.1, today {torch.__version__.split('+')[0]}" in lines[2]
    assert "recorded 333333333333, today " in lines[5]


def test_starting_run_that_is_gone_is_listed(run, tmp_path):
    shutil.rmtree(tmp_path / "runs" / SINGLE)
    (difference,) = verify(run).differences
    assert (difference.what, difference.today) == ("initial weights", None)


def test_run_without_the_newer_records_says_what_it_does_not_hold(run):
    record = read_json(run / "provenance.json")
    for key in ("config_sha256", "code_sha256", "labels_sha256"):
        del record[key]
    write_record(run / "provenance.json", record)
    (run / "predictions.provenance.json").unlink()
    (run / "detected_boxes" / "metrics.provenance.json").unlink()
    found = verify(run)
    assert set(found.unrecorded) == {
        "config.yaml", "code of training", "labels_sha256", "predictions",
        "detected_boxes/metrics.json",
    }  # fmt: skip


OLD_CODE = dict.fromkeys(
    (
        "tdmi/annotations.py", "tdmi/building.py", "tdmi/cli.py", "tdmi/inference.py",
        "tdmi/runs.py", "tdmi/suites.py", "tdmi/clips/samples.py", "tdmi/training/loop.py",
    ),
    "0" * 64,
)  # fmt: skip
"""Source files as records named them before modules moved into rooms."""


def test_a_record_from_before_the_move_can_be_verified_predicted_and_tabled(run, capsys):
    write_json(run / "code.json", OLD_CODE)
    records = [run / "provenance.json", *run.rglob("*.provenance.json")]
    for path in records:
        record = {k: v for k, v in read_json(path).items() if k != "record_sha256"}
        new = {"code_sha256": digest(OLD_CODE)} if "code_sha256" in record else {"code": OLD_CODE}
        write_record(path, record | new)
    assert len(records) == 6
    assert main(["verify", str(run)]) == 0
    out = capsys.readouterr().out
    moved = "source files have moved since: 6 are not where they were"
    changed = "2 of them changed: tdmi/clips/samples.py, tdmi/training/loop.py"
    assert f"differs: code of training: recorded 8 source files, today {moved}; {changed}" in out
    assert out.count(moved) == 6 and "tdmi/runs.py" not in out
    assert main(["predict", "--run", str(run)]) == 0
    method = Method(name="temporal_concatenation", label="T", family="control", seeds=(3,))
    found = read_runs(run.parents[1], [method], ["ground_truth_boxes", "detected_boxes"])
    assert len(found.groups) and not found.history.empty


def test_settings_of_another_version_are_refused_with_the_command_that_mends_it(run, capsys):
    path = run / "config.yaml"
    path.write_text(path.read_text().replace("sigma: 1.5", "sigma: 1.5\n  reduced_decoding: true"))
    record = read_json(run / "provenance.json")
    del record["record_sha256"]
    write_record(run / "provenance.json", record | {"config_sha256": sha256_of(path)})
    for command in (["verify", str(run)], ["predict", "--run", str(run)]):
        assert main(command) == 2
        text = line(capsys)
        assert f"{path}: crop: " in text and "'reduced_decoding' was unexpected" in text
        assert text.endswith("train the run again with `tdmi train`")


def test_imported_code_is_hashed_by_its_path_and_found_again():
    code = imported_code(("tdmi", "baselines"))
    assert {"tdmi/__init__.py", "tdmi/experiments/provenance.py", "tdmi/losses/__init__.py"} <= set(
        code
    )
    for path, recorded in code.items():
        assert sha256_of(code_file(path)) == recorded
    assert not any(path.startswith("baselines") for path in imported_code())


def test_repeated_run_has_the_same_bits(run, tmp_path, capsys):
    assert main(["reproduce", str(run), "--out", str(tmp_path / "again")]) == 0
    out = capsys.readouterr().out
    assert "checkpoint: the same bits" in out
    assert out.count("equal to the last digit") == 4
    again = tmp_path / "again" / TEMPORAL
    assert read_json(again / "reproduction.json")["checkpoint_equal"] is True
    for file in ("checkpoint.pt", "history.csv", "detected_boxes/metrics.json"):
        assert sha256_of(again / file) == sha256_of(run / file)
    assert verify(again, tmp_path / "runs").differences == []


def test_other_numbers_are_listed_per_joint_with_status_1(run, tmp_path, capsys):
    path = run / "ground_truth_boxes" / "metrics.json"
    content = read_json(path)
    content["ap"]["wrist"] = (content["ap"]["wrist"] or 0.0) + 0.25
    path.write_text(json.dumps(content))
    with pytest.raises(SystemExit) as stopped:
        main(["reproduce", str(run), "--out", str(tmp_path / "again")])
    assert stopped.value.code == 1
    out = capsys.readouterr().out
    assert "ground_truth_boxes/metrics.json: 1 of " in out
    assert "ap/wrist: recorded" in out


def test_repetition_with_other_inputs_is_refused_before_it_starts(run, tmp_path, capsys):
    shutil.rmtree(tmp_path / "runs" / SINGLE)
    assert main(["reproduce", str(run), "--out", str(tmp_path / "again")]) == 2
    assert "initial weights: found nothing, expected" in line(capsys)
    assert not (tmp_path / "again").exists()


def test_repetition_does_not_overwrite_the_record(run, tmp_path, capsys):
    assert main(["reproduce", str(run), "--out", str(tmp_path / "runs")]) == 2
    assert "holds the recorded run itself" in line(capsys)


def test_comparison_by_hand():
    recorded = {"ap": {"head": 1.0, "hip": None}, "slices": {"a": 3.0}, "notes": ["x"]}
    repeated = {"ap": {"head": 1.5, "hip": None}, "notes": ["y"]}
    found = compare("m", recorded, repeated)
    assert (found.numbers, found.differing, found.largest) == (2, {"ap/head": (1.0, 1.5)}, 0.5)
    assert compare("m", recorded, {"ap": {"head": 1.0, "hip": 2.0}}).largest is None
    assert compare("m", recorded, recorded).largest == 0.0
