"""Probes whose values are known, on a small data set."""

import numpy as np
import pytest

from tdmi.data.skeletons import POSETRACK17
from tests.regression import clips, scoring
from tests.regression.subjects import fingerprint
from tests.support import tiny_dataset


@pytest.fixture(scope="module")
def probes(tmp_path_factory):
    root = tmp_path_factory.mktemp("dots")
    tiny_dataset.write(root)
    settings, window = tiny_dataset.typed(tiny_dataset.settings(root)), (-2, -1, 0, 1, 2)
    parts = clips.measure(settings, window) | scoring.measure(settings, window)
    return {f"{part}/{name}": value for part, some in parts.items() for name, value in some.items()}


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
    assert fingerprint([1.0, 2.0, 3.0]) != fingerprint([2.0, 1.0, 3.0])
    assert fingerprint(np.zeros((2, 3))) == 0
