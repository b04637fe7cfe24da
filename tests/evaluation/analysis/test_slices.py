"""AP on parts of the people: counted by hand, and identities with the whole."""

from dataclasses import replace

import numpy as np
import pytest

from tdmi.data.annotations import Annotations, concatenate
from tdmi.data.skeletons import POSETRACK17
from tdmi.evaluation.analysis import slices
from tdmi.evaluation.analysis.derived_attributes import derived_attributes
from tdmi.evaluation.matching.assignment import match_video
from tdmi.evaluation.matching.scored_videos import scored_videos
from tdmi.evaluation.protocols import posetrack21
from tdmi.evaluation.protocols.poseval import (
    Statistics,
    average_precision,
    combine,
    evaluate,
    video_statistics,
)
from tdmi.formats.files import video_files
from tdmi.formats.posetrack import read_folder
from tests.support.golden_evaluation import cases, write_back

POSEVAL = cases("poseval")
SEVERAL_VIDEOS = ("m_medium_pt18", "m_medium", "r_small")


def scene(hits: list, owner: list, hardness: list, joints: int = 1) -> slices.Owned:
    """Predictions of the first joint, ranked as listed, each with its owner or -1 for nobody."""
    people = len(hardness)
    return slices.Owned(
        statistics=Statistics(
            joint=np.zeros(len(hits), dtype=np.int8),
            score=-np.arange(len(hits), dtype=float),
            hit=np.array(hits, dtype=bool),
            annotated=np.full(joints, people),
            frames=1,
            truth_persons=people,
            predicted_persons=len(hits),
        ),
        owner=np.array(owner, dtype=np.int64),
        neighbours=np.full(len(hits), people),
        present=np.ones((people, joints), dtype=bool),
        attributes={"hardness": np.array(hardness, dtype=float)},
        video=np.arange(people),
        image_id=np.arange(people),
        track_id=np.arange(people),
    )


def aps(people: slices.Owned, edges: list) -> list[float]:
    return [part.scores.ap[0] for part in slices.bins(people, "hardness", edges)]


def owned(truth: Annotations, predictions: Annotations) -> slices.Owned:
    videos, attributes = [], derived_attributes(truth)
    for video in scored_videos(truth, predictions):
        matches = match_video(video)
        statistics = video_statistics(video, matches)
        videos.append(slices.own(video, matches, statistics, truth, attributes))
    return slices.pool(videos)


def read_case(name: str, folder) -> tuple[Annotations, Annotations]:
    truth, predictions = write_back(POSEVAL[name], folder)
    names = video_files(truth)
    return read_folder(truth, names, POSETRACK17), read_folder(predictions, names, POSETRACK17)


def same_scores(found, expected) -> None:
    for name in ("ap", "precision", "recall"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_bins_by_hand():
    # A false positive, then persons 0 (easy) and 2 (hard) found, person 1 (easy) missed.
    people = scene([0, 1, 1, 0], [-1, 0, 2, 1], [0, 0, 1])
    easy, hard = slices.bins(people, "hardness", [0.5])
    # Easy: 2/3 of the false positive, a hit, a miss: precision 1 / (5/3) at recall 1/2.
    np.testing.assert_allclose(easy.scores.ap[0], 100 * 1 / 2 * 3 / 5)
    np.testing.assert_allclose(easy.scores.recall[0], 50)
    np.testing.assert_allclose(easy.scores.precision[0], 100 * 1 / (2 / 3 + 2))
    # Hard: 1/3 of the false positive, a hit: precision 1 / (4/3) at recall 1.
    np.testing.assert_allclose(hard.scores.ap[0], 75)
    np.testing.assert_allclose(hard.scores.recall[0], 100)
    assert (easy.persons, hard.persons, easy.videos, hard.videos) == (2, 1, 2, 1)
    assert (easy.low, easy.high, hard.low, hard.high) == (-np.inf, 0.5, 0.5, np.inf)


def test_bins_in_which_all_are_found_alike_have_the_ap_of_the_whole_by_hand():
    people = scene([0, 1, 1, 1], [-1, 0, 2, 1], [0, 0, 1])
    np.testing.assert_allclose(aps(people, [0.5]), [75, 75])
    np.testing.assert_allclose(aps(people, []), [75])


def test_an_edge_belongs_to_the_bin_above_it():
    people = scene([1, 1], [0, 1], [1.0, 2.0])
    assert [part.persons for part in slices.bins(people, "hardness", [1.0, 2.0])] == [0, 1, 1]


def test_a_bin_without_people_is_undefined():
    empty, full = slices.bins(scene([0, 1], [-1, 0], [3.0]), "hardness", [1.0])
    assert np.isnan(empty.scores.ap).all() and np.isnan(empty.scores.recall).all()
    assert empty.persons == 0 and full.scores.ap[0] == 50


def test_people_of_unknown_hardness_are_in_no_bin_and_their_predictions_left_out():
    people = scene([0, 1], [0, 1], [np.nan, 1.0])
    (part,) = slices.bins(people, "hardness", [])
    assert part.persons == 1 and part.scores.ap[0] == 100


@pytest.mark.parametrize("name", SEVERAL_VIDEOS)
@pytest.mark.parametrize("attribute", ["crowding", "visible_fraction", "people"])
def test_one_bin_of_everybody_has_exactly_the_ap_of_the_whole(name, attribute, tmp_path):
    truth, predictions = read_case(name, tmp_path)
    people = owned(truth, predictions)
    people.attributes[attribute][:] = 1.0
    (part,) = slices.bins(people, attribute, [])
    same_scores(part.scores, average_precision(combine(evaluate(truth, predictions).values())))


def test_one_bin_by_the_rules_of_posetrack21(tmp_path):
    truth, predictions = read_case("m_medium_pt18", tmp_path)
    sides = posetrack21.as_scored(truth, predictions)
    people = owned(*sides)
    people.attributes["crowding"][:] = 1.0
    (part,) = slices.bins(people, "crowding", [], posetrack21.average_precision)
    whole = combine(evaluate(*sides).values())
    same_scores(part.scores, posetrack21.average_precision(whole))


def test_halves_that_are_alike_have_the_ap_of_the_whole(tmp_path):
    truth, predictions = read_case("m_medium_pt18", tmp_path)

    def twice(side: Annotations) -> Annotations:
        copy = replace(side, video_names=[f"{name} again" for name in side.video_names])
        return concatenate([side, copy])

    people = owned(twice(truth), twice(predictions))
    half = len(people.present) // 2
    people.attributes["twin"] = np.arange(2 * half) // half
    whole = average_precision(people.statistics).ap
    first, second = slices.bins(people, "twin", [1])
    np.testing.assert_allclose(first.scores.ap, whole, rtol=0, atol=1e-10)
    np.testing.assert_allclose(second.scores.ap, whole, rtol=0, atol=1e-10)


def test_ap_by_number_of_people_is_ap_on_those_frames(tmp_path):
    truth, predictions = read_case("m_medium_pt18", tmp_path)
    people = owned(truth, predictions)
    crowded = np.zeros(truth.frames, dtype=bool)
    for video, name in enumerate(truth.video_names):
        (judged,) = [v for v in scored_videos(truth, predictions) if v.name == name]
        number = np.bincount(judged.truth.frame, minlength=len(judged.frame_index))
        crowded[truth.frames_of(video)[judged.frame_index]] = number >= 3
    for part, chosen in zip(slices.bins(people, "people", [3]), (~crowded, crowded), strict=True):
        there = replace(truth, frame_annotated=truth.frame_annotated & chosen)
        same_scores(part.scores, average_precision(combine(evaluate(there, predictions).values())))
        assert part.persons > 0


def test_judged_people_keep_their_row_in_the_annotations(tmp_path):
    truth, predictions = read_case("m_medium_pt18", tmp_path)
    judged = 0
    for video in scored_videos(truth, predictions):
        for people, side in ((video.truth, truth), (video.predictions, predictions)):
            np.testing.assert_array_equal(people.keypoints, side.keypoints[people.row])
            judged += len(people)
    assert 0 < judged < truth.persons + predictions.persons


@pytest.mark.parametrize("name", SEVERAL_VIDEOS)
def test_every_person_to_find_is_in_one_bin(name, tmp_path):
    people = owned(*read_case(name, tmp_path))
    found = slices.bins(people, "size", slices.quantile_edges(people.attributes["size"]))
    assert sum(part.persons for part in found) == people.present.any(axis=1).sum()
    hits = sum(
        np.nansum(part.scores.recall[:-1] * _annotated(people, part)) / 100 for part in found
    )
    np.testing.assert_allclose(hits, people.statistics.hit.sum())


def _annotated(people: slices.Owned, part: slices.Bin) -> np.ndarray:
    size = people.attributes["size"]
    return people.present[(size >= part.low) & (size < part.high)].sum(axis=0)


def test_quantile_edges():
    assert slices.quantile_edges(np.arange(101.0)).tolist() == [25, 50, 75]
    assert slices.quantile_edges(np.array([0.0, 0.2, *[1.0] * 6])).tolist() == [1.0]
    assert slices.quantile_edges(np.array([1.0, 1.0, np.nan])).tolist() == []
    assert slices.quantile_edges(np.array([0.0, 0.0, 0.0, 4.0])).tolist() == [4.0]
    assert slices.quantile_edges(np.array([np.nan])).tolist() == []


def test_metrics_name_edges_counts_and_few_people(tmp_path):
    people = owned(*read_case("m_medium_pt18", tmp_path))
    count = len(people.present)
    table = {"blur": np.arange(count) / count, "same": np.ones(count), "speed": np.arange(count)}
    content = slices.metrics(people, table)
    assert "same" not in content
    assert content["blur"]["source"] == content["speed"]["source"] == "file"
    assert content["size"]["source"] == "labels"
    low, *_, high = content["blur"]["bins"]
    assert low["from"] is None and high["to"] is None and low["to"] == pytest.approx(0.25, abs=0.02)
    assert set(low["ap"]) == {
        "head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "total",
    }  # fmt: skip
    heading, *lines, _ = slices.table(content).splitlines()
    assert len(lines) == sum(len(attribute["bins"]) for attribute in content.values())
    first = next(line.split() for line in lines if line.startswith("blur"))
    shown = [f"{low['to']:.4g}", str(low["persons"]), str(low["videos"])]
    assert first[1:6] == [*shown, f"{low['ap']['total']:.1f}", f"{low['recall']['total']:.1f}"]
    assert heading.split() == ["slice", "from", "to", "people", "videos", "AP", "recall"]


def test_bins_of_few_people_are_marked():
    people = scene([], [], [0] * 99 + [1] * 100, joints=15)
    bins = slices.metrics(people)["hardness"]["bins"]
    assert [(part["persons"], part["few"]) for part in bins] == [(99, True), (100, False)]
    marked = [line.endswith("few") for line in slices.table(slices.metrics(people)).splitlines()]
    assert marked == [False, True, False, False]


def test_crowding_is_cut_at_the_limits_of_crowdpose(tmp_path):
    people = owned(*read_case("m_medium_pt18", tmp_path))
    people.attributes["crowding"] = np.linspace(0, 1, len(people.present))
    edges = [part["to"] for part in slices.metrics(people)["crowding"]["bins"]]
    assert edges == [0.1, 0.8, None]
