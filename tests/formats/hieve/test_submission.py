"""Submissions to HiEve's server: what they hold, that they repeat, what is refused."""

import json
import zipfile

import numpy as np
import pytest

from tdmi.core.errors import UserError
from tdmi.data.annotations import NO_TRACK, UNSCORED, select_videos
from tdmi.formats import hieve
from tdmi.formats.files import new_zip
from tdmi.formats.hieve import annolist
from tdmi.formats.submission import write_hieve
from tests.support.hieve_samples import scene
from tests.support.posetrack17_samples import assert_same_bits


def submit(a, path):
    with new_zip(path) as folder:
        write_hieve(a, folder)


def test_submission_has_a_file_per_test_video_and_repeats_its_bytes(tmp_path):
    a = scene((*hieve.TEST_VIDEOS, "4"))
    a.box[0], a.track_id[1] = np.nan, NO_TRACK
    a.present[2] = False
    a.ignore_regions[0] = [np.array([[0, 0], [1, 0], [1, 1]], float)]
    for name in ("a.zip", "b.zip"):
        submit(a, tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == [f"{n}.json" for n in range(20, 33)]
        first = json.loads(archive.read("20.json"))["annolist"]
    assert [frame["image"] for frame in first] == [[{"name": f"{k:06d}.jpg"}] for k in range(3)]
    assert all(set(f) == {"image", "ignore_regions", "annorect"} for f in first)
    assert first[0]["ignore_regions"] == []
    assert [len(frame["annorect"]) for frame in first] == [2, 0, 1]
    for person in first[0]["annorect"]:
        assert {"x1", "y1", "x2", "y2", "track_id"} <= set(person)
        points = person["annopoints"][0]["point"]
        assert points and all(set(p) == {"id", "x", "y", "score"} for p in points)
    xs = [p["x"][0] for p in first[0]["annorect"][0]["annopoints"][0]["point"]]
    assert first[0]["annorect"][0]["x1"] == [min(xs)]
    assert first[0]["annorect"][0]["x2"][0] == pytest.approx(max(xs))
    assert first[0]["annorect"][1]["track_id"] == [1]


def test_submission_reads_back(tmp_path):
    a = scene(hieve.TEST_VIDEOS)
    submit(a, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        content = json.loads(archive.read("25.json"))
    assert_same_bits(annolist.parse(content, "25.json"), select_videos(a, ["25"]))


@pytest.mark.parametrize("fault", ["missing video", "no scores"])
def test_unfit_submissions_are_refused(tmp_path, fault):
    a = scene(hieve.TEST_VIDEOS[:-2] if fault == "missing video" else hieve.TEST_VIDEOS)
    if fault == "no scores":
        a.joint_score[:] = UNSCORED
    with pytest.raises(UserError) as error:
        submit(a, tmp_path / "a.zip")
    assert "\n" not in str(error.value)
    if fault == "missing video":
        assert "no predictions for video 31, 32" in str(error.value)
    assert list(tmp_path.iterdir()) == []
