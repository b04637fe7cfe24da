import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.rpn import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign

from tdmi.cli.main import main
from tdmi.clips.video import VideoFrames
from tdmi.core.errors import UserError
from tdmi.core.files import read_json, write_json, write_text
from tdmi.data.detections import read_detections
from tdmi.experiments.build import build_method
from tdmi.experiments.demo.overlay import BOX, COLOURS, FAINT, MIDDLE, RIM, SURE, draw_people
from tdmi.formats.posetrack18 import read_file
from tdmi.prediction import person_detector as detection
from tests.support import tiny_dataset

FRAMES = 5


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The tiny data set, an untrained run on it and its test video as a file without loss."""
    root = tmp_path_factory.mktemp("demo")
    tiny_dataset.write(root)
    settings = tiny_dataset.settings(root)
    settings["method"]["class"] = "baselines.temporal_concatenation.TemporalConcatenation"
    settings["method"]["options"] = {}
    torch.manual_seed(0)
    method = build_method(tiny_dataset.typed(settings))
    nn.init.normal_(method.head.weight)  # an untrained head says almost nothing
    write_json(root / "run" / "config.yaml", settings)  # JSON is YAML
    torch.save({"model": method.state_dict()}, root / "run" / "checkpoint.pt")
    writer = cv2.VideoWriter(
        str(root / "dots.avi"), cv2.VideoWriter_fourcc(*"FFV1"), 10.0, (160, 120)
    )
    for i in range(FRAMES):
        writer.write(cv2.imread(str(folder(root) / f"{i:06d}.png")))
    writer.release()
    return root


def folder(root):
    return root / "images" / "test" / "900003_mpiinew_dots"


def run(root, video, out, *options):
    standard = ["--run", str(root / "run"), "--out", str(out), "--threads", "1"]
    return main(["demo", str(video), *standard, *options])


def persons(out):
    return read_file(out / "predictions.json")


def test_a_video_and_its_frames_give_the_same_predictions(root, tmp_path, capsys):
    assert run(root, root / "dots.avi", tmp_path / "video", "--whole-frame") == 0
    assert run(root, folder(root), tmp_path / "folder") == 0
    notice = "no boxes given: the whole frame counts as one person's box"
    assert capsys.readouterr().err.count(notice) == 1
    one, two = persons(tmp_path / "video"), persons(tmp_path / "folder")
    assert one.frame_file == [f"dots/{i:06d}.jpg" for i in range(FRAMES)]
    assert one.person_frame.tolist() == list(range(FRAMES))
    np.testing.assert_array_equal(one.keypoints, two.keypoints)
    np.testing.assert_array_equal(one.joint_score, two.joint_score)
    assert np.ptp(one.joint_score) > 0
    np.testing.assert_array_equal(one.box, np.tile([0, 0, 160, 120], (FRAMES, 1)))


def test_the_overlay_shows_every_frame_and_the_poster_one_of_them(root, tmp_path):
    run(root, root / "dots.avi", tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "overlay.mp4", "poster.png", "predictions.json",
    ]  # fmt: skip
    capture = cv2.VideoCapture(str(tmp_path / "overlay.mp4"))
    assert capture.get(cv2.CAP_PROP_FPS) == 10
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1].astype(int))
    assert len(frames) == FRAMES
    assert frames[0].shape == (480, 640, 3)  # four times as large, to reach 480
    poster = cv2.imread(str(tmp_path / "poster.png")).astype(int)
    best = persons(tmp_path).joint_score.sum(axis=1).argmax()
    distances = [np.abs(frame - poster).mean() for frame in frames]
    assert np.argmin(distances) == best
    assert distances[best] < 5


def test_boxes_come_from_a_detection_list_or_a_posetrack_file(root, tmp_path):
    """Three boxes, one below the threshold; then the same as the labels of the data set."""
    truth = tiny_dataset.annotations("test")
    box = truth.box[0].tolist()
    records = [
        {"image_id": frame, "category_id": 1, "bbox": box, "score": score}
        for frame, score in ((4, 0.9), (1, 0.8), (1, 0.4))
    ]
    write_json(tmp_path / "boxes.json", records)
    boxes = ("--boxes", str(tmp_path / "boxes.json"))
    for video in (root / "dots.avi", folder(root)):
        run(root, video, tmp_path / "out", *boxes)
        assert persons(tmp_path / "out").person_frame.tolist() == [1, 4]
    run(root, root / "dots.avi", tmp_path / "out", *boxes, "--threshold", "0.3")
    assert persons(tmp_path / "out").person_frame.tolist() == [1, 1, 4]
    run(root, root / "dots.avi", tmp_path / "out", *boxes, "--max-frames", "3")
    assert persons(tmp_path / "out").person_frame.tolist() == [1]
    assert persons(tmp_path / "out").frames == 3
    labels = root / "annotations" / "test" / "900003_mpiinew_dots.json"
    run(root, folder(root), tmp_path / "out", "--boxes", str(labels))
    np.testing.assert_allclose(persons(tmp_path / "out").box, truth.box)


def test_numbers_of_frames_in_a_folder_are_those_of_their_names(root, tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in (7, 9, 10):
        picture = cv2.imread(str(folder(root) / f"{number - 7:06d}.png"))
        cv2.imwrite(str(frames / f"{number}.png"), picture)
    run(root, frames, tmp_path / "out")
    found = persons(tmp_path / "out")
    assert found.frame_id.tolist() == [7, 9, 10]
    assert [name.rpartition("/")[2] for name in found.frame_file] == ["7.png", "9.png", "10.png"]
    for path in sorted(frames.iterdir()):
        path.rename(frames / f"cam2_{path.name}")
    run(root, frames, tmp_path / "out")
    found = persons(tmp_path / "out")
    assert found.frame_id.tolist() == [0, 1, 2]
    assert found.frame_file[0].endswith("cam2_7.png")


def broken(root, tmp_path, case):
    """Video, options and the text that has to come."""
    video, options, text = root / "dots.avi", [], ""
    if case == "missing":
        video, text = tmp_path / "no.mp4", "no.mp4: no such video or folder of frames"
    elif case == "no video":
        video, text = tmp_path / "text.mp4", "text.mp4: not a video that OpenCV can read"
        video.write_text("hello")
    elif case == "empty folder":
        video, text = tmp_path / "empty", "empty: no pictures there"
        video.mkdir()
    elif case == "two sizes":
        video, text = tmp_path / "sizes", "1.png: 20x30 pixels, expected 10x30 as the first frame"
        video.mkdir()
        for i in range(2):
            cv2.imwrite(str(video / f"{i}.png"), np.zeros((30, 10 * (i + 1), 3), np.uint8))
    elif case == "no run":
        options, text = ["--run", str(tmp_path / "no")], "no: no such run folder"
    elif case == "no checkpoint":
        options, text = ["--run", str(tmp_path)], "checkpoint.pt: no such checkpoint"
        write_text(tmp_path / "config.yaml", (root / "run" / "config.yaml").read_text())
    elif case == "other model":
        options, text = ["--run", str(tmp_path)], "checkpoint.pt: does not fit the model"
        settings = read_json(root / "run" / "config.yaml")
        settings["backbone"]["width"] = 6
        write_json(tmp_path / "config.yaml", settings)
        (tmp_path / "checkpoint.pt").write_bytes((root / "run" / "checkpoint.pt").read_bytes())
    elif case == "no weights":
        options = ["--detector", "torchvision", "--detector-weights", str(tmp_path / "w.pth")]
        text = "w.pth: no such file, expected weights of torchvision's fasterrcnn"
    elif case == "wrong weights":
        options = ["--detector", "torchvision", "--detector-weights", str(tmp_path / "w.pth")]
        text = "w.pth: no weights of torchvision's fasterrcnn_resnet50_fpn_v2"
        torch.save({"a": torch.zeros(1)}, tmp_path / "w.pth")
    elif case == "stray box":
        options, text = ["--boxes", str(tmp_path / "b.json")], "5"
        box = {"image_id": 5, "category_id": 1, "bbox": [0, 0, 9, 9], "score": 1}
        write_json(tmp_path / "b.json", [box])
    return video, options, text


@pytest.mark.parametrize(
    "case",
    [
        "missing", "no video", "empty folder", "two sizes", "no run", "no checkpoint",
        "other model", "no weights", "wrong weights", "stray box",
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_leaves_nothing(root, tmp_path, capsys, monkeypatch, case):
    monkeypatch.setattr(detection, "untrained_detector", tiny_detector)
    video, options, text = broken(root, tmp_path, case)
    assert run(root, video, tmp_path / "out", *options) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert [line for line in lines if not line.startswith("no boxes given")] == [lines[-1]]
    assert lines[-1].startswith("tdmi demo: ")
    assert text in lines[-1]
    assert not (tmp_path / "out").exists()


def test_a_video_reads_like_its_frames_in_any_order_and_keeps_few(root):
    frames = VideoFrames(root / "dots.avi", keep=2)
    for number in (0, 1, 0, 3, 2, 4, 1, 0, 4):
        expected = cv2.imread(str(folder(root) / f"{number:06d}.png"))[:, :, ::-1]
        np.testing.assert_array_equal(frames.read(f"dots/{number:06d}.jpg"), expected)
        assert len(frames._frames) <= 2
    with pytest.raises(UserError, match=r"dots\.avi: frame 5 cannot be decoded"):
        frames.read("dots/000005.jpg")


def one_person(score):
    people = tiny_dataset.annotations("test", frames=1)
    people.keypoints[0] = [-50, -50]
    people.present[0] = False
    for joint, place, value in (
        ("left_hip", (20, 20), SURE),
        ("left_knee", (20, 50), score),
        ("right_hip", (60, 20), SURE),
        ("right_knee", (60, 50), SURE),
    ):
        index = people.skeleton.index(joint)
        people.keypoints[0, index], people.present[0, index] = place, True
        people.joint_score[0, index] = value
    people.box[0] = [5, 5, 70, 90]
    frame = np.full((240, 200, 3), 128, np.uint8)
    draw_people(frame, people, np.array([0]), factor=2)
    return lambda x, y: tuple(frame[2 * y, 2 * x])


def test_limbs_are_coloured_by_side_and_boxes_are_thin():
    colour = one_person(SURE)
    assert colour(20, 35) == colour(20, 50) == COLOURS["left"]
    assert colour(60, 35) == COLOURS["right"]
    assert colour(40, 20) == MIDDLE
    assert colour(40, 35) == (128, 128, 128)
    assert np.abs(np.subtract(colour(40, 5), BOX, dtype=int)).max() < 80
    assert colour(40, 8) == (128, 128, 128)


def test_uncertain_joints_are_rings_and_hopeless_ones_are_left_out():
    colour = one_person(FAINT)
    assert np.abs(np.subtract(colour(20, 50), RIM, dtype=int)).max() < 40
    assert colour(20, 20) == COLOURS["left"]
    colour = one_person(FAINT - 0.01)
    assert colour(20, 50) == colour(20, 35) == (128, 128, 128)


class BrightSpot(nn.Module):
    """Finds one person, a dog and a doubtful person, all where the picture is bright."""

    def forward(self, pictures):
        y, x = torch.nonzero(pictures[0].mean(dim=0) > 0.5, as_tuple=True)
        box = torch.stack([x.min(), y.min(), x.max() + 1, y.max() + 1]).float()
        return [
            {
                "boxes": torch.stack([box, box, box + 1]),
                "labels": torch.tensor([1, 18, 1]),
                "scores": torch.tensor([0.9, 0.8, 0.3]),
            }
        ]


def test_detected_persons_become_boxes_of_their_frames():
    frames = np.zeros((2, 40, 50, 3), np.uint8)
    frames[0, 10:30, 5:15] = 255
    frames[1, 0:7, 20:50] = 200
    found = detection.detect(frames, [70, 71], BrightSpot(), threshold=0.5)
    assert found.image_id.tolist() == [70, 71]
    assert found.box.tolist() == [[5, 10, 10, 20], [20, 0, 30, 7]]
    np.testing.assert_allclose(found.score, 0.9)
    found = detection.detect(frames, [70, 71], BrightSpot(), threshold=0.2)
    assert found.image_id.tolist() == [70, 70, 71, 71]
    assert found.box[1].tolist() == [6, 11, 10, 20]


def tiny_detector():
    """A whole Faster R-CNN, small enough to run at once."""
    backbone = nn.Sequential(nn.Conv2d(3, 4, 3, stride=16, padding=1), nn.ReLU())
    backbone.out_channels = 4
    return FasterRCNN(
        backbone,
        num_classes=2,
        min_size=64,
        max_size=96,
        box_detections_per_img=3,
        rpn_anchor_generator=AnchorGenerator(((32,),), ((1.0,),)),
        box_roi_pool=MultiScaleRoIAlign(["0"], 2, 1),
    )


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A file of random weights that find something, and the network that they fit."""
    monkeypatch.setattr(detection, "untrained_detector", tiny_detector)
    torch.manual_seed(1)
    torch.save(tiny_detector().state_dict(), tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


def test_the_demo_detects_persons_by_itself(root, tmp_path, weights):
    run(
        root, root / "dots.avi", tmp_path / "out", "--max-frames", "2", "--threshold", "0.3",
        "--detector", "torchvision", "--detector-weights", str(weights),
    )  # fmt: skip
    frames = [cv2.imread(str(folder(root) / f"{i:06d}.png"))[:, :, ::-1].copy() for i in (0, 1)]
    expected = detection.detect(frames, [0, 1], detection.load_detector(weights), threshold=0.3)
    assert len(expected.score) > 0
    assert (expected.box >= 0).all()
    np.testing.assert_allclose(persons(tmp_path / "out").box, expected.box)


def test_boxes_of_a_split_are_written_with_their_record(root, tmp_path, weights, capsys):
    out = tmp_path / "boxes" / "val.json"
    command = [
        "data", "detect", "--root", str(root), "--split", "val", "--weights", str(weights),
        "--out", str(out), "--threshold", "0.3", "--threads", "1",
    ]  # fmt: skip
    assert main(command) == 0
    found = read_detections(out)
    truth = tiny_dataset.annotations("val")
    assert set(found.image_id.tolist()) <= set(truth.frame_id.tolist())
    record = read_json(tmp_path / "boxes" / "val.provenance.json")
    assert record["detector"] == "torchvision fasterrcnn_resnet50_fpn_v2"
    assert record["weights_file"] == "weights.pth"
    assert (record["frames"], record["boxes"]) == (5, len(found.score))
    assert len(found.score) > 0
    before = out.read_bytes()
    assert main(command) == 2
    assert "val.json: exists already; delete it" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_only_labelled_frames_are_looked_at_unless_wanted(root, tmp_path, weights, capsys):
    labels = read_json(root / "annotations" / "test" / "900003_mpiinew_dots.json")
    for image in labels["images"][1:]:
        image["is_labeled"] = False
    labels["annotations"] = []
    write_json(tmp_path / "annotations" / "test" / "900003_mpiinew_dots.json", labels)
    (tmp_path / "images").symlink_to(root / "images")
    command = ["data", "detect", "--root", str(tmp_path), "--split", "test"]
    command += ["--weights", str(weights), "--threads", "1"]
    assert main([*command, "--all-frames", "--out", str(tmp_path / "all.json")]) == 0
    assert main(command) == 0
    assert read_json(tmp_path / "all.provenance.json")["frames"] == 5
    assert read_json(tmp_path / "boxes" / "test.provenance.json")["frames"] == 1
    labels["images"][0]["is_labeled"] = False
    write_json(tmp_path / "annotations" / "test" / "900003_mpiinew_dots.json", labels)
    assert main([*command, "--out", str(tmp_path / "none.json")]) == 2
    assert "no labelled frame; add --all-frames" in capsys.readouterr().err
    assert main([*command, "--split", "val"]) == 2
    assert "no label files, looked in prepared/annotations/val" in capsys.readouterr().err


def test_a_video_that_was_cut_off_is_shown_as_far_as_it_goes(root, tmp_path, capsys):
    content = (root / "dots.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(content[: len(content) * 2 // 3])
    assert run(root, tmp_path / "cut.avi", tmp_path / "out") == 0
    found = persons(tmp_path / "out").frames
    assert 0 < found < FRAMES
    notice = f"cut.avi: the file states 5 frames, {found} could be decoded; it may be cut off"
    assert notice in capsys.readouterr().err
