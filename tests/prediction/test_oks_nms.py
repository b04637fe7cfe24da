"""Rescoring and OKS suppression: by hand, and where they stand in prediction."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tdmi.data.skeletons import HIEVE, OKS_SIGMAS, POSETRACK18
from tdmi.prediction.oks_nms import oks, oks_nms, rescore
from tests.support import tiny_dataset


def people(shifts: list[float], scores: list[float], frames: list[int]):
    """The same pose several times, moved right by some pixels."""
    truth = tiny_dataset.annotations("test")
    rows = np.zeros(len(shifts), int)
    moved = truth.keypoints[rows] + np.array(shifts)[:, None, None] * np.array([1.0, 0.0])
    return replace(
        truth,
        person_frame=np.array(frames),
        track_id=np.arange(len(shifts)),
        keypoints=moved,
        present=truth.present[rows],
        visible=truth.visible[rows],
        joint_score=truth.joint_score[rows],
        box=truth.box[rows],
        head_box=truth.head_box[rows],
        score=np.array(scores),
        area=truth.area[rows],
        crowd=truth.crowd[rows],
        person_id=None,
        action=None,
    )


def test_oks_by_hand():
    pair = people([0.0, 3.0], [1.0, 1.0], [0, 0])
    area = pair.box[0, 2] * pair.box[0, 3]
    present = pair.present[0]
    terms = [
        math.exp(-9 / (2 * (2 * sigma) ** 2 * area))
        for sigma, there in zip(OKS_SIGMAS, present, strict=True)
        if there
    ]
    (found,) = oks(0, np.array([1]), pair, np.array(OKS_SIGMAS))
    assert found == pytest.approx(sum(terms) / len(terms), rel=1e-12)
    assert oks(0, np.array([0]), pair, np.array(OKS_SIGMAS)) == 1


def test_oks_reads_joints_that_both_have():
    pair = people([0.0, 0.0], [1.0, 1.0], [0, 0])
    pair.keypoints[1, 0] += 1000
    pair.present[1, 0] = False
    assert oks(0, np.array([1]), pair, np.array(OKS_SIGMAS)) == 1
    pair.present[1] = False
    assert oks(0, np.array([1]), pair, np.array(OKS_SIGMAS)) == 0


def test_the_worse_of_two_copies_goes_and_other_frames_do_not_matter():
    five = people([0, 0.1, 60, 0, 0.2], [0.5, 0.9, 0.4, 0.8, 0.8], [0, 0, 0, 1, 1])
    kept = oks_nms(five, 0.9)
    assert kept.score.tolist() == [0.9, 0.4, 0.8]  # of equal scores the first stays
    assert kept.person_frame.tolist() == [0, 0, 1]
    assert kept.track_id.tolist() == [0, 1, 0]
    np.testing.assert_array_equal(kept.keypoints, five.keypoints[[1, 2, 3]])
    assert oks_nms(five, 1.0).persons == 5


def test_a_suppressed_person_suppresses_nobody():
    """A chain: the middle one is close to both ends, which are not close to each other."""
    chain = people([0.0, 4.0, 8.0], [0.9, 0.8, 0.7], [0, 0, 0])
    sigmas = np.array(OKS_SIGMAS)
    middle, end = oks(0, np.array([1, 2]), chain, sigmas)
    kept = oks_nms(chain, (middle + end) / 2)
    assert kept.score.tolist() == [0.9, 0.7]


def test_scores_by_hand():
    maxima = np.array([[0.9, 0.5, 0.1], [0.1, 0.2, 0.0]])
    box = np.array([0.5, 0.8])
    assert rescore(maxima, box, "none") is box
    assert rescore(maxima, box, "mean_joint").tolist() == pytest.approx([0.35, 0.0])


def test_every_skeleton_has_sigmas():
    one = people([0.0, 0.0], [0.5, 0.6], [0, 0])
    order = np.arange(len(HIEVE))
    hieve = replace(
        one, skeleton=HIEVE, keypoints=one.keypoints[:, order], present=one.present[:, order]
    )
    assert oks_nms(hieve, 0.9).score.tolist() == [0.6]
    assert one.skeleton == POSETRACK18
