"""Our evaluators against the recorded numbers of the official ones: `pytest -m golden`.

The cases are those of `tests/golden`, or of the folder that TDMI_GOLDEN names. Where an official
program ended with an exception, ours must either refuse the files in one line or say that it knows.
"""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from tdmi.core.errors import UserError
from tdmi.data.skeletons import POSETRACK17
from tdmi.evaluation.diagnostics.refusals import merge
from tdmi.evaluation.output import group_means
from tdmi.evaluation.protocols import oks, posetrack21
from tdmi.evaluation.protocols import poseval as average_precision
from tdmi.evaluation.protocols.base import Request
from tdmi.evaluation.protocols.posetrack import VideoResult
from tdmi.evaluation.run import EVALUATORS
from tdmi.evaluation.tracking import mota
from tdmi.formats.files import video_files
from tests.support.golden_evaluation import golden_cases, oks_sides, write_back

pytestmark = pytest.mark.golden

POSEVAL, POSETRACK21, OKS = map(golden_cases, ("poseval", "posetrack21", "oks"))
COLUMNS = ("Head", "Shou", "Elb", "Wri", "Hip", "Knee", "Ankl", "Total")
STABLE = 16
"""NumPy's default sort leaves equal scores in their order in lists of up to that many."""


def numbers(values: list) -> np.ndarray:
    return np.array(values, dtype=np.float64)  # None becomes NaN


def close(ours: np.ndarray, official: list) -> None:
    np.testing.assert_allclose(ours, numbers(official), rtol=0, atol=1e-9)


def evaluated(case: dict, folder: Path, **options) -> list[VideoResult] | UserError:
    truth, predictions = write_back(case, folder)
    request = Request(truth, predictions, **options)
    evaluator = EVALUATORS[request.protocol]
    try:
        return [evaluator.evaluate_video(request, name) for name in video_files(truth)]
    except UserError as error:
        assert "\n" not in str(error) and str(folder) in str(error)
        return error


@pytest.mark.parametrize("name", POSEVAL)
def test_poseval(name, tmp_path):
    expected = POSEVAL[name]["expected"]
    # Strict, because poseval takes scores that are not finite, which are errors otherwise.
    results = evaluated(POSEVAL[name], tmp_path, tracking=True, strict_poseval=True)
    for measure, agrees in (("ap", agrees_in_ap), ("mot", agrees_in_tracking)):
        answer = expected.get(measure, expected["load"])
        if answer["status"] == "ok":
            assert not isinstance(results, UserError), results
            agrees(results, expected)
        elif not isinstance(results, UserError):
            known = merge(refusal for result in results for refusal in result.refusals)
            assert answer["error"] in [refusal.exception for refusal in known]


def agrees_in_ap(results: list[VideoResult], expected: dict) -> None:
    official, counts = expected["ap"], expected["counts"]
    pooled = average_precision.combine(result.statistics for result in results)
    scores = average_precision.average_precision(pooled)
    assert pooled.frames == expected["load"]["frames_kept"]
    assert pooled.annotated.tolist() == counts["gt_joints"]
    assert np.bincount(pooled.joint, minlength=15).tolist() == counts["predicted_joints"]
    true_positives = np.bincount(pooled.joint[pooled.hit], minlength=15)
    assert true_positives.tolist() == counts["true_positives"]
    close(scores.precision, official["precision"])
    close(scores.recall, official["recall"])
    close(group_means(scores.precision), official["table_precision"])
    close(group_means(scores.recall), official["table_recall"])
    if counts["tie_free"]:
        close(scores.ap, official["ap"])
        close(group_means(scores.ap), official["table_ap"])
        videos = {result.name: result.statistics for result in results}
        for video, values in expected.get("ap_per_video", {}).items():
            close(average_precision.average_precision(videos[video]).ap, values["ap"])
    else:
        ties = expected["ties"]
        close(scores.ap, ties["ap_stable_sort_reversed"])
        lowest, highest = average_precision.tie_bounds(pooled)
        close(lowest.ap, ties["ap_lowest"])
        close(highest.ap, ties["ap_highest"])
        within(lowest.ap, official["ap"], highest.ap)


def within(lowest: np.ndarray, official: list, highest: np.ndarray) -> None:
    known = ~np.isnan(highest)
    assert (lowest[known] <= numbers(official)[known] + 1e-9).all()
    assert (numbers(official)[known] <= highest[known] + 1e-9).all()


def agrees_in_tracking(results: list[VideoResult], expected: dict) -> None:
    official = expected["mot"]
    ours = mota.tracking_accuracy(mota.combine(result.tracking for result in results))
    for field in fields(mota.Scores):
        close(getattr(ours, field.name), official[field.name])
    totals = [ours.motp[-1], ours.precision[-1], ours.recall[-1]]
    close(np.append(group_means(ours.mota), totals), official["table"])


@pytest.mark.parametrize("name", POSETRACK21)
def test_posetrack21(name, tmp_path):
    expected = POSETRACK21[name]["expected"]
    official = expected["map"]
    results = evaluated(POSETRACK21[name], tmp_path, protocol="posetrack21")
    if official["status"] != "ok":
        assert isinstance(results, UserError) or any(result.refusals for result in results)
        return
    assert not isinstance(results, UserError), results
    pooled = average_precision.combine(result.statistics for result in results)
    ours = posetrack21.average_precision(pooled)
    order = [*(POSETRACK17.index(joint) for joint in official["joint_order"]), -1]
    for measure in ("precision", "recall"):
        values = getattr(ours, measure)
        close(values[order], official[measure])
        close(group_means(values), [official[f"table_{measure}"][column] for column in COLUMNS])
    longest = np.bincount(pooled.joint, minlength=15).max()
    if not expected["tie_free"] and longest > STABLE:
        lowest, highest = (
            np.append(bound.ap[:-1], [bound.ap[:-1].mean()])[order]
            for bound in average_precision.tie_bounds(
                replace(pooled, annotated=np.maximum(pooled.annotated, 1))
            )
        )
        within(lowest, official["ap"], highest)
        return
    close(ours.ap[order], official["ap"])
    close(group_means(ours.ap), [official["table_ap"][column] for column in COLUMNS])
    videos = {result.name: result.statistics for result in results}
    for file, columns in official["per_video_table_ap"].items():
        values = posetrack21.average_precision(videos[file.removesuffix(".json")]).ap
        close(group_means(values), [columns[column] for column in COLUMNS])


@pytest.mark.parametrize("name", OKS)
def test_oks(name):
    summary = oks.metrics(*oks_sides(OKS[name]))["oks"]
    official = numbers(list(OKS[name]["expected"]["oks"]["stats"].values()))
    close(numbers(list(summary.values())), list(np.where(official < 0, np.nan, official)))
