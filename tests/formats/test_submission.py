"""Submissions have what the official evaluators and servers demand, and lose nothing on the way."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from tdmi.cli.main import main
from tdmi.core.errors import UserError
from tdmi.data.annotations import NO_TRACK, concatenate, on_skeleton, select_frames
from tdmi.data.skeletons import POSETRACK17, POSETRACK18
from tdmi.evaluation.protocols.poseval import average_precision, combine, evaluate
from tdmi.formats import posetrack17, posetrack18
from tdmi.formats.files import new_folder, new_zip
from tdmi.formats.posetrack import read_video_file
from tdmi.formats.submission import FORMS, submission_tracks, write_submission
from tests.support.posetrack17_samples import assert_same_bits, frame, person, point
from tests.support.tiny_dataset import annotations as tiny


def predictions(split="val", frames=4):
    """One video; nobody in its second frame, two people in its third."""
    a = tiny(split, frames)
    rng = np.random.default_rng(1)
    return replace(
        a,
        person_frame=np.array([0, 2, 2, 3])[: a.persons],
        track_id=np.array([4, 4, 9, 9]),
        joint_score=np.where(a.present, rng.random(a.present.shape), -9999.0),
        score=np.array([0.9, 0.8, 0.7, 0.6]),
        video_length=np.array([frames]),
        ignore_regions=[[np.zeros((3, 2))], [], [], []],
    )


def two_videos():
    return concatenate([predictions("train"), predictions("val")])


def submit(a, out, form, truth=None):
    with (new_zip if out.suffix == ".zip" else new_folder)(out) as folder:
        write_submission(a, folder, form, truth)


def files_of(out):
    return {path.stem: json.loads(path.read_text()) for path in sorted(out.iterdir())}


@pytest.mark.parametrize("form", FORMS)
def test_reading_back_gives_frames_joints_scores_and_tracks(tmp_path, form):
    a = two_videos()
    submit(a, tmp_path / "out", form)
    again = concatenate(
        [read_video_file(tmp_path / "out" / f"{name}.json") for name in a.video_names]
    )
    skeleton = POSETRACK17 if form == "posetrack17" else POSETRACK18
    expected = on_skeleton(a, skeleton)
    assert again.frame_file == a.frame_file
    for column in ("person_frame", "track_id", "present", "score", "frame_video"):
        np.testing.assert_array_equal(getattr(again, column), getattr(expected, column))
    for column in ("keypoints", "joint_score"):
        left, right = (getattr(side, column)[expected.present] for side in (again, expected))
        assert left.tobytes() == right.tobytes(), column
    assert again.ignore_regions == [[]] * 8


def test_posetrack17_demands(tmp_path):
    submit(two_videos(), tmp_path / "out", "posetrack17")
    for name, content in files_of(tmp_path / "out").items():
        frames = content["annolist"]
        assert len(frames) == 4 and [len(f["annorect"]) for f in frames] == [1, 0, 2, 1]
        for k, f in enumerate(frames):
            assert f["image"][0]["name"].endswith(f"{name}/{k:06d}.png")
            tracks = [someone["track_id"] for someone in f["annorect"]]
            assert all(0 <= t[0] <= 999 and isinstance(t[0], int) for t in tracks)
            for someone in f["annorect"]:
                points = someone["annopoints"][0]["point"]
                assert len(points) == 15 and all(0 <= p["id"][0] < 15 for p in points)
                assert all(isinstance(p["score"][0], float) for p in points)


@pytest.mark.parametrize("form", ["posetrack18", "posetrack21"])
def test_posetrack18_and_21_demands(tmp_path, form):
    a = two_videos()
    a.box[1] = np.nan
    submit(a, tmp_path / "out", form)
    for name, content in files_of(tmp_path / "out").items():
        assert content["categories"][0]["name"] == "person" and len(content["categories"]) == 1
        assert content["categories"][0]["keypoints"] == list(POSETRACK18.joints)
        number = int(name.split("_")[0])
        ids = [3 * 10**10 + number * 10**4 + k for k in range(4)]
        assert [image["id"] for image in content["images"]] == ids
        for image in content["images"]:
            assert image["frame_id"] == image["id"] and image["nframes"] == 4
            assert image["file_name"].rpartition("/")[0].endswith(name)
        seen = set()
        for someone in content["annotations"]:
            assert len(someone["keypoints"]) == 51 and len(someone["scores"]) == 17
            assert someone["image_id"] in ids and 0 <= someone["track_id"] <= 9999
            assert np.isfinite(someone["bbox"]).all() and len(someone["bbox"]) == 4
            assert (someone["image_id"], someone["track_id"]) not in seen
            seen.add((someone["image_id"], someone["track_id"]))
            if form == "posetrack21":
                assert someone["person_id"] == someone["track_id"]


def test_identities_that_are_known_are_kept(tmp_path):
    a = replace(predictions(), person_id=np.array([70, 70, 71, 71]))
    submit(a, tmp_path / "out", "posetrack21")
    (content,) = files_of(tmp_path / "out").values()
    assert [someone["person_id"] for someone in content["annotations"]] == [70, 70, 71, 71]


@pytest.mark.parametrize("form", FORMS)
def test_the_official_score_is_that_of_the_predictions(tmp_path, form):
    a, truth = predictions(), tiny("val", 4)
    a.keypoints[1:3] += 3
    submit(a, tmp_path / "out", form)
    again = read_video_file(tmp_path / "out" / f"{a.video_names[0]}.json")
    truth, a, again = (on_skeleton(side, POSETRACK17) for side in (truth, a, again))
    scores = [average_precision(combine(evaluate(truth, side).values())) for side in (a, again)]
    np.testing.assert_array_equal(scores[0].ap, scores[1].ap)
    assert 0 < scores[0].ap[-1] < 100


def test_tracks_that_fit_stay_and_others_are_numbered_by_appearance():
    a = predictions()
    assert submission_tracks(a, 999).tolist() == [4, 4, 9, 9]
    assert submission_tracks(a, 8).tolist() == [0, 0, 1, 1]
    a.track_id[:2] = -3
    assert submission_tracks(a, 999).tolist() == [0, 0, 1, 1]
    a.track_id[1] = NO_TRACK
    assert submission_tracks(a, 999).tolist() == [0, 1, 2, 2]
    a.track_id[:] = NO_TRACK
    assert submission_tracks(a, 999).tolist() == [0, 0, 1, 0], "index in the frame"
    assert submission_tracks(two_videos(), 999).tolist() == [4, 4, 9, 9] * 2


def test_more_tracks_than_ids_are_refused():
    with pytest.raises(UserError, match=r"900002_mpiinew_dots: 2 tracks, expected at most 1"):
        submission_tracks(predictions(), 0)


def test_a_track_twice_in_a_frame_is_refused(tmp_path):
    a = predictions()
    a.track_id[2] = 4
    with pytest.raises(UserError, match=r"000002\.png: track id 4 stands there 2 times"):
        submit(a, tmp_path / "out", "posetrack17")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("column", "change", "message"),
    [
        ("joint_score", lambda v: np.where(v == v[0, 0], -9999.0, v), r"000000\.png: nose of a "
         r"person has no score"),
        ("joint_score", lambda v: np.where(v == v[0, 0], np.nan, v), r"out(\.zip)?: not .*nose"),
        ("keypoints", lambda v: v + np.inf, r"out(\.zip)?: not written"),
        ("video_length", lambda v: v + 3, r"predictions list 4 of 7 frames.*--gt"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ending", ["", ".zip"])
def test_what_evaluators_cannot_use_is_refused(tmp_path, column, change, message, ending):
    a = predictions()
    setattr(a, column, change(getattr(a, column)))
    for form in FORMS:
        with pytest.raises(UserError, match=message) as error:
            submit(a, tmp_path / f"out{ending}", form)
        assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_persons_without_joints_are_left_out(tmp_path):
    a = predictions()
    a.present[1] = False
    submit(a, tmp_path / "out", "posetrack17")
    (content,) = files_of(tmp_path / "out").values()
    assert [len(f["annorect"]) for f in content["annolist"]] == [1, 0, 1, 1]


def test_ground_truth_gives_order_ids_and_missing_frames(tmp_path):
    truth = tiny("val", 4)
    a = select_frames(predictions(), np.array([True, False, True, True]))
    turned = posetrack18.parse(reversed_frames(truth), "900002_mpiinew_dots.json")
    submit(replace(a, frame_id=np.arange(3)), tmp_path / "out", "posetrack21", turned)
    (content,) = files_of(tmp_path / "out").values()
    assert [i["file_name"][-10:-4] for i in content["images"]] == [f"{k:06d}" for k in (3, 2, 1, 0)]
    assert [i["id"] for i in content["images"]] == turned.frame_id.tolist()
    people = [(p["image_id"] % 10, p["track_id"]) for p in content["annotations"]]
    assert people == [(3, 9), (2, 4), (2, 9), (0, 4)]


def reversed_frames(a):
    images = [
        {"file_name": file, "id": int(i), "is_labeled": True}
        for file, i in zip(a.frame_file, a.frame_id, strict=True)
    ]
    category = {"name": "person", "id": 1, "keypoints": list(POSETRACK18.joints)}
    return {"images": images[::-1], "annotations": [], "categories": [category]}


def test_predictions_of_2018_in_2017_form_and_the_other_way_round(tmp_path):
    frames = [frame(k, [person(1, [point(3, 5.5, 6, score=0.5)])]) for k in (1, 2)]
    old = posetrack17.parse({"annolist": frames}, "v.json")
    submit(old, tmp_path / "out", "posetrack21", old)
    content = files_of(tmp_path / "out")["v"]
    assert [image["id"] for image in content["images"]] == [10003420001, 10003420002]
    assert content["annotations"][0]["keypoints"][33:36] == [5.5, 6, 1]


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        (two_videos(), r"900001_mpiinew_dots: not among the 1 videos of the predictions \(1 miss"),
        (tiny("train", 4), r"not among the 1 videos of the predictions"),
        (tiny("val", 3), r"frame images/val/900002_mpiinew_dots/000003\.png is not in the ground"),
        (select_frames(tiny("val", 4), np.zeros(4, bool)), r"000000\.png is not in the ground"),
    ],
)
def test_predictions_that_do_not_belong_to_the_ground_truth_are_refused(tmp_path, truth, message):
    with pytest.raises(UserError, match=message):
        submit(predictions(), tmp_path / "out", "posetrack17", truth)
    unknown = two_videos()
    with pytest.raises(
        UserError, match="900001_mpiinew_dots: not among the 1 videos of the ground"
    ):
        submit(unknown, tmp_path / "out", "posetrack17", tiny("val", 4))


def test_zip_holds_the_same_files_in_its_root_and_the_same_bytes_every_time(tmp_path):
    a = two_videos()
    submit(a, tmp_path / "out", "posetrack18")
    for name in ("one.zip", "two.zip"):
        submit(a, tmp_path / name, "posetrack18")
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.testzip() is None
        inside = {name: archive.read(name) for name in archive.namelist()}
    assert inside == {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_nothing_that_is_there_is_replaced(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(UserError, match=rf"{name}: (not a folder|exists already)"):
        submit(predictions(), tmp_path / name, "posetrack17")
    assert (tmp_path / name).read_text() == "mine"


def test_command_exports_folder_and_zip(tmp_path, capsys):
    posetrack18.write_folder(two_videos(), tmp_path / "pred")
    posetrack18.write_folder(concatenate([tiny("train", 4), tiny("val", 4)]), tmp_path / "gt")
    command = ["data", "export", "--predictions", str(tmp_path / "pred"), "--form", "posetrack17"]
    out = str(tmp_path / "out")
    assert main([*command, "--out", out]) == 0
    assert main([*command, "--out", out, "--zip", "--gt", str(tmp_path / "gt")]) == 0
    assert f"{out}.zip: 2 videos as posetrack17" in capsys.readouterr().out
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        for name, content in files_of(tmp_path / "out").items():
            assert json.loads(archive.read(f"{name}.json")) == content
    assert main([*command, "--out", out]) == 2
    assert "holds files already" in capsys.readouterr().err


def test_what_is_given_is_not_changed(tmp_path):
    a, before = two_videos(), two_videos()
    for form in FORMS:
        submit(a, tmp_path / form, form, tiny_truth())
    assert_same_bits(a, before)


def tiny_truth():
    return concatenate([tiny("train", 4), tiny("val", 4)])
