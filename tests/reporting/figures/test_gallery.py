"""The pictures of a report."""

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from tdmi.reporting.data import selection
from tdmi.reporting.figures import drawing, gallery


def test_the_crop_keeps_all_joints_inside_and_centred():
    points = np.array([[10.0, 20.0], [50.0, 120.0], [30.0, 60.0]])
    transform = drawing.crop_transform(points, (156, 208))
    moved = points @ transform[:, :2].T + transform[:, 2]
    assert (moved > 0).all()
    assert (moved < [155, 207]).all()
    np.testing.assert_allclose((moved.min(axis=0) + moved.max(axis=0)) / 2, [77.5, 103.5])


def test_gallery_pictures_show_truth_first_and_every_method(suite, tmp_path):
    spec, folder = suite
    pictures = gallery.method_gallery(spec, folder / "runs" / "made_up", tmp_path)
    table = pd.read_csv(tmp_path / "gallery.csv")
    moving, *pictures = pictures
    assert len(pictures) == len(table)
    assert "flow_fusion" not in table  # not run
    spread = table[["single_frame", "dcpose", "tdmi"]].max(axis=1) - table.tdmi
    assert spread[table.rule == selection.DISAGREE].min() > 0
    width = (1 + len(spec.methods)) * (drawing.PANEL[0] + drawing.GAP) - drawing.GAP
    for picture in pictures:
        image = cv2.imread(str(picture.path))
        assert image.shape == (drawing.STRIP + drawing.PANEL[1], width, 3)
    assert sum(picture.path.stat().st_size for picture in pictures) < 1_000_000
    assert moving.moving and not any(picture.moving for picture in pictures)


def test_the_loop_shows_every_method_over_successive_frames_again_and_again(suite, tmp_path):
    spec, folder = suite
    shown = gallery.compare(spec, folder / "runs" / "made_up")
    picture = gallery.loop(shown, tmp_path / "loop.webp", length=5, seconds=2)
    with Image.open(picture.path) as image:
        assert image.n_frames == 5
        assert image.info["loop"] == 0
        frames = []
        for index in range(5):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGB")).astype(int))
            assert image.info["duration"] == 400
    moved = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 3)).max(axis=0)  # by column of pixels
    for panel in range(1 + len(spec.methods)):
        left = panel * (drawing.PANEL[0] + drawing.GAP)
        not_run = panel > 0 and spec.methods[panel - 1].name == "flow_fusion"
        assert (moved[left : left + drawing.PANEL[0]].mean() > 3) != not_run
    assert "skeletons are ground truth" in picture.caption
    again = gallery.loop(shown, tmp_path / "again.webp", length=5, seconds=2)
    assert again.path.read_bytes() == picture.path.read_bytes()


def test_pictures_are_the_same_bytes_each_time(suite, tmp_path):
    for name in ("one.jpg", "two.jpg"):
        gallery.contact_sheet(suite.spec.dataset, tmp_path / name)
    assert (tmp_path / "one.jpg").read_bytes() == (tmp_path / "two.jpg").read_bytes()


def test_real_video_is_captioned_as_pseudo_labels(suite, tmp_path):
    spec, folder = suite
    pictures = gallery.real_video_gallery(
        spec.real_video, folder / "runs" / "made_up_video", tmp_path
    )
    assert len(pictures) == 1 + 4
    assert all("pseudo-labels" in picture.caption for picture in pictures)


def test_without_predictions_there_is_no_gallery(suite, tmp_path):
    assert gallery.method_gallery(suite.spec, tmp_path / "nothing", tmp_path) == []
