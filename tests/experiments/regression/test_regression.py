"""The regression check's probes, where their values are known, and its judgement by hand. The check
itself runs on the smoke suite in `test_workflow`."""

import glob

import numpy as np
import pytest

from tdmi.cli.main import main
from tdmi.core.files import read_json
from tdmi.data.skeletons import POSETRACK17
from tdmi.experiments.regression import fixed, judgement, record
from tdmi.experiments.regression.judgement import PARTS, explanation, failures, spread_factor
from tests.support import tiny_dataset

COMMITTED = read_json(record.RECORDS / "smoke.json")


@pytest.fixture(scope="module")
def probes(tmp_path_factory):
    root = tmp_path_factory.mktemp("dots")
    tiny_dataset.write(root)
    return fixed.measure(tiny_dataset.typed(tiny_dataset.settings(root)), (-2, -1, 0, 1, 2))


def test_nothing_is_off_where_the_truth_is_known(probes):
    for name in (
        "skeletons/wrong_mirrors", "windows/wrong_frames", "windows/wrong_pictures",
        "crops/off_centre_x", "crops/off_centre_y", "heatmaps/encode", "heatmaps/flip_back",
        "heatmaps/stride_inverse",
    ):  # fmt: skip
        assert probes[name] == 0
    # What OpenCV's fixed-point sampling allows, in pixels of the frame, and DARK's own error.
    assert abs(probes["crops/ramp_x"]) < 0.02 and abs(probes["crops/ramp_y"]) < 0.02
    assert probes["heatmaps/dark_error"] < 0.002


def test_an_oracle_finds_everybody_who_has_a_box(probes):
    """Of the five detections in the five frames one has a score below the threshold of 0.2."""
    assert probes["inference/validation_ap"] == 100
    for joint in POSETRACK17.joints:
        assert probes[f"inference/ground_truth_boxes/ap_{joint}"] == 100
        assert probes[f"inference/detected_boxes/ap_{joint}"] == pytest.approx(80)
    assert probes["inference/ground_truth_boxes/median_error"] < 0.05
    assert probes["inference/persons_of_pairs"] == 4
    ratio = (0.3 + 0.5 + 0.7 + 0.9) / 4
    found = probes["inference/detected_boxes/joint_score"]
    assert found == pytest.approx(
        ratio * probes["inference/ground_truth_boxes/joint_score"], rel=0.01
    )


def test_fingerprint_sees_an_exchange_that_the_mean_does_not():
    assert fixed.fingerprint([1.0, 2.0, 3.0]) != fixed.fingerprint([2.0, 1.0, 3.0])
    assert fixed.fingerprint(np.zeros((2, 3))) == 0


def test_record_holds_parts_that_exist_and_the_table_of_parts_real_files():
    names = [*COMMITTED["fixed"], *COMMITTED["trained"]]
    assert {name.partition("/")[0] for name in names} == set(PARTS)
    assert all(glob.glob(path) for paths in PARTS.values() for path in paths)
    assert COMMITTED["dirty"] is False


def test_spread_factor_keeps_false_alarms_at_one_percent():
    # Quantile of Student's t with 9 degrees of freedom, 99.5 %, from printed tables: 3.250.
    assert spread_factor(10, 1) == pytest.approx(3.250 * 1.1**0.5, abs=1e-3)
    drawn = np.random.default_rng(0).standard_normal((4000, 20, 11))
    recorded, new = drawn[..., :10], drawn[..., 10]
    off = np.abs(new - recorded.mean(axis=2)) / recorded.std(axis=2, ddof=1)
    alarms = (off > spread_factor(10, 20)).any(axis=1).mean()
    assert 0.005 < alarms < 0.015


def made_up(**trained) -> dict:
    """Its tolerances: 0.02 for ``crops/scale`` (ten deviations), 1e-3 for ``losses/plain``."""
    return {
        "commit": "0" * 40,
        "packages": COMMITTED["packages"] | {"torch": "0.1"},
        "seeds": [0, 1, 2],
        "fixed": {
            "crops/scale": {"value": 2.0, "deviation": 0.002},
            "losses/plain": {"value": 1.0, "deviation": 0.0},
            "data/joints": {"value": 5.0, "deviation": 0.0},
        },
        "trained": trained,
    }


def test_fixed_probes_are_allowed_ten_roundings_and_a_thousandth():
    known = made_up()
    inside = {"crops/scale": 2.019, "losses/plain": 0.9991, "data/joints": 5.0}
    assert failures(inside, known, "fixed") == []
    outside = {"losses/plain": 1.0011, "crops/scale": 1.979, "data/joints": 5.0}
    first, second = failures(outside, known, "fixed")
    assert (first.probe, second.probe) == ("crops/scale", "losses/plain")
    assert str(first) == ("crops/scale: found 1.979, expected 2 ± 0.02 (-0.021, 1.05 tolerances)")


def test_a_probe_that_one_side_lacks_is_a_failure():
    known = made_up()
    found = {"crops/scale": 2.0, "losses/plain": 1.0, "models/new": 3.0}
    lost, new = failures(found, known, "fixed")
    assert str(lost) == "data/joints: found nothing, expected 5"
    assert str(new) == "models/new: found 3, expected nothing"


def test_trained_probes_are_allowed_the_spread_of_seeds():
    known = made_up(**{
        "trained/x/loss": {"mean": 1.0, "deviation": 0.1},
        "trained/x/boxes/ap_hip": {"mean": 0.0, "deviation": 0.0},
    })  # fmt: skip
    width = 0.1 * spread_factor(3, 2)
    for sign in (-1, 1):
        inside = {"trained/x/loss": 1 + sign * (width - 1e-6), "trained/x/boxes/ap_hip": 3.9}
        assert failures(inside, known, "trained") == []
        outside = {"trained/x/loss": 1 + sign * (width + 1e-6), "trained/x/boxes/ap_hip": 4.1}
        assert len(failures(outside, known, "trained")) == 2


def test_explanation_names_the_first_part_unless_a_later_one_has_changed(monkeypatch):
    known = made_up()
    found = failures({"crops/scale": 3.0, "losses/plain": 2.0, "data/joints": 5.0}, known, "fixed")
    changed = []
    monkeypatch.setattr(judgement, "changed_since", lambda commit: changed)
    lines = explanation(found, known, 3)
    assert lines[0] == "2 of 3 probes differ from the record of commit 000000000000:"
    assert lines[3].startswith("most likely part: crops (tdmi/clips/crops.py, ")
    assert lines[4] == "changed since: no source file"
    assert lines[5].startswith("package torch: recorded 0.1, today ")
    changed += ["README.md", "tdmi/losses/heatmap.py"]
    lines = explanation(found, known, 3)
    assert lines[3] == "most likely part: losses (tdmi/losses/heatmap.py)"
    monkeypatch.setattr(judgement, "changed_since", lambda commit: None)
    assert "not in this clone's history" in explanation(found, known, 3)[4]


def test_wrong_requests_are_one_line_with_status_2(capsys):
    assert main(["check-regression", "--suite", "nope"]) == 2
    assert "workflow/regression/nope.json: no such record; make it" in capsys.readouterr().err
    assert main(["check-regression", "--suite", "smoke", "--update", "2"]) == 2
    assert "--update: found 2, expected 3 or more seeds" in capsys.readouterr().err
