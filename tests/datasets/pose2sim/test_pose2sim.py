"""The real-video data set: cameras, joints, committed labels, preparation."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, sha256_of
from tdmi.data.detections import read_detections as read_boxes
from tdmi.data.skeletons import POSETRACK18
from tdmi.datasets.pose2sim import labels as label_files
from tdmi.datasets.pose2sim.calibration import read_calibration
from tdmi.datasets.pose2sim.joints import head_boxes, joints_from_landmarks
from tdmi.datasets.pose2sim.labels import PseudoLabels, read_labels, write_labels
from tdmi.datasets.pose2sim.options import Pose2simOptions, read_options
from tdmi.datasets.pose2sim.prepare import annotate, prepare
from tdmi.formats.posetrack18 import read_folder
from tests.support.pose2sim_scenes import person, ring

# One camera 2 m behind the origin on the y axis, 1.5 m high, level, looking along +y: its picture
# has world x to the right and world z upwards. In the file's axes (x right, y up, -z forward) the
# rows are (1, 0, 0), (0, 0, 1), (0, -1, 0).
CALIBRATION = """<?xml version='1.0' encoding='ASCII'?>
<calibration><cameras>
  <camera serial="front">
    <transform r11="1" r12="0" r13="0" r21="0" r22="0" r23="1" r31="0" r32="-1" r33="0"
               x="0" y="-2000" z="1500"/>
    <intrinsic centerPointU="20448" centerPointV="15328" focalLengthU="32000"
      focalLengthV="32000" radialDistortion1="0" radialDistortion2="0" radialDistortion3="0"
      sensorMaxU="40896" sensorMaxV="30656" tangentalDistortion1="0" tangentalDistortion2="0"/>
  </camera>
</cameras></calibration>
"""


def write(path, text):
    path.write_text(text)
    return path


# --- cameras ---------------------------------------------------------------------------------


def test_a_known_camera_sees_a_known_point_at_a_known_pixel(tmp_path):
    camera = read_calibration(write(tmp_path / "calib.qca.txt", CALIBRATION))["front"]
    assert (camera.width, camera.height) == (640, 480)
    # 4 m ahead, 1 m to the right and 0.5 m up: 500 px * (1/4, -0.5/4) from (319.5, 239.5).
    np.testing.assert_allclose(camera.project(np.array([1.0, 2.0, 2.0])), [444.5, 177.0])
    np.testing.assert_allclose(camera.to_camera(np.array([0.0, -2.0, 1.5])), 0, atol=1e-12)


def test_distortion_is_opencvs_and_is_undone():
    camera = ring()[1]
    points = np.random.default_rng(1).uniform((-1, -1, 0), (1, 1, 2), (50, 3))
    theirs, _ = cv2.projectPoints(
        points,
        cv2.Rodrigues(camera.rotation)[0],
        camera.translation,
        camera.matrix,
        camera.distortion,
    )
    pixels = camera.project(points)
    np.testing.assert_allclose(pixels, theirs[:, 0], atol=1e-9)
    local = camera.to_camera(points)
    np.testing.assert_allclose(camera.undistort(pixels), local[:, :2] / local[:, 2:], atol=1e-11)


def test_a_scaled_and_padded_picture_keeps_its_points():
    camera = replace(ring()[0], width=1088, height=1920)
    fitted = camera.scaled_to(1080, 1920)
    points = person(1)[0]
    scale = 1080 / 1088
    margin = (1920 - 1920 * scale) / 2
    expected = (camera.project(points) + 0.5) * scale - 0.5 + [0, margin]
    np.testing.assert_allclose(fitted.project(points), expected)
    assert camera.scaled_to(1088, 1920).matrix.tolist() == camera.matrix.tolist()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("no xml", "not valid XML"),
        ("<calibration/>", "no <camera>"),
        (CALIBRATION.replace('x="0" y', 'x="left" y'), "camera front: <transform>"),
        (CALIBRATION.replace("focalLengthU", "focus"), "focalLengthU"),
        (CALIBRATION.replace('r11="1"', 'r11="2"'), "no rotation"),
    ],
)
def test_a_broken_calibration_is_named(tmp_path, text, found):
    path = write(tmp_path / "calib.qca.txt", text)
    with pytest.raises(UserError, match=found) as error:
        read_calibration(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


# --- joints ----------------------------------------------------------------------------------


def test_head_joints_are_built_upright_on_a_standing_figure():
    joints = joints_from_landmarks(person(1)[0])
    at = dict(zip(POSETRACK18.joints, joints, strict=True))
    ears = (at["left_ear"] + at["right_ear"]) / 2
    # The eyes are at the ears' height, so the head is upright.
    np.testing.assert_allclose(at["head_top"] - ears, [0, 0, 0.15], atol=1e-9)
    shoulders = (at["left_shoulder"] + at["right_shoulder"]) / 2
    np.testing.assert_allclose(at["head_bottom"], (shoulders + ears) / 2)


def test_the_head_box_of_a_far_camera_is_the_heads_size():
    far = replace(
        ring()[0],
        matrix=np.array([[1e6, 0, 0], [0, 1e6, 0], [0, 0, 1.0]]),
        distortion=np.zeros(5),
        rotation=np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]]),
        translation=np.array([0, 0, 1000.0]),
    )
    joints = joints_from_landmarks(person(1)[0])
    x1, y1, x2, y2 = head_boxes(joints, far)
    # Seen from the front at 1000 px a metre: 0.16 m wide and 0.23 m high, head_top on the edge.
    np.testing.assert_allclose([x2 - x1, y2 - y1], [160, 230], rtol=2e-3)
    top = far.project(joints[POSETRACK18.index("head_top")])
    np.testing.assert_allclose(top[1], y1, atol=0.5)


# --- committed pseudo-labels -----------------------------------------------------------------


def test_committed_pseudo_labels_have_their_form():
    labels = read_labels()
    frames = len(labels.joints)
    assert (frames, labels.rate) == (100, 60.0)
    assert list(labels.cameras) == ["cam01", "cam02", "cam03", "cam04"]
    assert np.isfinite(labels.joints).all()
    assert ((labels.confidence > 0) & (labels.confidence <= 1)).all()
    assert ((labels.views >= 2) & (labels.views <= 4)).all()
    at = dict(zip(POSETRACK18.joints, labels.joints.transpose(1, 0, 2), strict=True))
    for side in ("left", "right"):
        thigh = np.linalg.norm(at[f"{side}_hip"] - at[f"{side}_knee"], axis=-1)
        assert 0.35 < thigh.mean() < 0.5 and thigh.std() < 0.03
    speed = np.linalg.norm(np.diff(labels.joints, axis=0), axis=-1) * labels.rate
    assert speed.max() < 10
    provenance = read_json(label_files.PROVENANCE)
    assert provenance["labels_sha256"] == sha256_of(label_files.LABELS)
    assert provenance["detector"]["detections_sha256"] == sha256_of(label_files.DETECTIONS)


# --- preparation -----------------------------------------------------------------------------


@pytest.fixture
def tiny(tmp_path):
    """Two cameras' videos of 12 frames with a white disc where the nose is, and their labels."""
    cameras = {camera.name: camera for camera in ring(2)}
    joints = joints_from_landmarks(person(12))
    labels = PseudoLabels(
        joints=joints,
        confidence=np.ones((12, 17)),
        views=np.full((12, 17), 2),
        cameras=cameras,
        rate=60.0,
    )
    write_labels(labels, tmp_path / "labels.json")
    folder = tmp_path / "sources/pose2sim/Pose2Sim/Demo_SinglePerson/videos"
    folder.mkdir(parents=True)
    for name, camera in cameras.items():
        out = cv2.VideoWriter(
            str(folder / f"{name}.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 60, (640, 480)
        )
        for frame in joints:
            picture = np.zeros((480, 640, 3), np.uint8)
            x, y = np.rint(camera.project(frame[0])).astype(int)
            cv2.circle(picture, (int(x), int(y)), 8, (255, 255, 255), -1)
            out.write(picture)
        out.release()
    options = Pose2simOptions(
        cameras={"train": ("cam01",), "val": ("cam02",), "test": ("cam02",)},
        label_stride={"train": 1, "val": 2, "test": 1},
    )
    return tmp_path, options


def test_prepared_set_has_its_labels_where_the_pictures_show_them(tiny):
    folder, options = tiny
    record = prepare(options, folder / "sources", folder / "set", folder / "labels.json")
    assert record["counts"]["train"] == {
        "videos": 1, "frames": 6, "labelled_frames": 6, "persons": 6, "boxes": 6
    }  # fmt: skip
    assert record["counts"]["val"]["labelled_frames"] == 3
    found = read_folder(folder / "set/annotations/train")
    assert found.video_names == ["950001_mpiinew_cam01"]
    assert found.frame_id.tolist() == [39500010000 + i for i in range(6)]
    nose = POSETRACK18.index("nose")
    for row, frame in enumerate(found.person_frame):
        picture = cv2.imread(str(folder / "set" / found.frame_file[frame]), cv2.IMREAD_GRAYSCALE)
        assert picture.shape == (120, 160)
        y, x = np.nonzero(picture > 128)
        np.testing.assert_allclose(found.keypoints[row, nose], (x.mean(), y.mean()), atol=0.4)
    ears = [POSETRACK18.index("left_ear"), POSETRACK18.index("right_ear")]
    assert not found.present[:, ears].any() and found.present.sum(1).tolist() == [15] * 6
    boxes = read_boxes(folder / "set/boxes/train.json")
    assert boxes.image_id.tolist() == found.frame_id.tolist()
    assert not np.allclose(boxes.box, found.box) and ((boxes.score > 0) & (boxes.score < 1)).all()
    rows = (folder / "set/attributes/train.csv").read_text().splitlines()
    assert len(rows) == 7 and rows[1].startswith("39500010000,3950001000000,0,")


def test_preparing_again_gives_the_same_bytes(tiny):
    folder, options = tiny
    first = prepare(options, folder / "sources", folder / "set", folder / "labels.json")
    again = prepare(options, folder / "sources", folder / "set", folder / "labels.json")
    assert first == again


def test_the_bystander_is_under_an_ignore_region():
    part = annotate(Pose2simOptions(), "test", read_labels(), read_labels().cameras["cam02"],
                    "950002_mpiinew_cam02")  # fmt: skip
    assert [len(regions) for regions in part.ignore_regions] == [1] * 50
    # Corner (745, 472) of the full frame at a quarter: (745.5, 472.5) / 4 - 0.5.
    np.testing.assert_allclose(part.ignore_regions[0][0][0], [185.875, 117.625])


def test_bad_videos_are_named(tiny):
    folder, options = tiny
    videos = folder / "sources/pose2sim/Pose2Sim/Demo_SinglePerson/videos"

    def refusal():
        with pytest.raises(UserError) as error:
            prepare(options, folder / "sources", folder / "set", folder / "labels.json")
        assert "\n" not in str(error.value) and not (folder / "set").exists()
        return str(error.value)

    content = (videos / "cam01.mp4").read_bytes()
    (videos / "cam01.mp4").unlink()
    assert "cam01.mp4: no such file" in refusal()
    (videos / "cam01.mp4").write_bytes(b"not a video")
    assert "cam01.mp4: no readable frame" in refusal()
    (videos / "cam01.mp4").write_bytes(content)
    labels = read_labels(folder / "labels.json")
    longer = replace(
        labels,
        joints=np.concatenate([labels.joints] * 2),
        confidence=np.ones((24, 17)),
        views=np.full((24, 17), 2),
    )
    write_labels(longer, folder / "labels.json")
    assert "12 readable frames, expected 24" in refusal()


def test_a_folder_with_other_files_is_left_alone(tiny):
    folder, options = tiny
    write(folder / "keep.txt", "mine")
    with pytest.raises(UserError, match="holds other files"):
        prepare(options, folder / "sources", folder, folder / "labels.json")
    assert (folder / "keep.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("stride: 2", "found unknown 'stride'"),
        ("step: 0", "step, label_stride"),
        ("cameras: {train: [cam01]}", "cameras: expected an entry"),
        ("- 1", r"found \[1\], expected options by name"),
    ],
)
def test_wrong_options_are_named(tmp_path, text, found):
    with pytest.raises(UserError, match=found):
        read_options(write(tmp_path / "options.yaml", text))
    chosen = read_options(write(tmp_path / "options.yaml", "step: 1\nscale: 0.5"))
    assert (chosen.step, chosen.scale) == (1, 0.5)


def test_an_unknown_camera_is_named(tiny):
    folder, options = tiny
    wrong = replace(options, cameras=options.cameras | {"test": ("cam09",)})
    with pytest.raises(UserError, match="no cam09"):
        prepare(wrong, folder / "sources", folder / "set", folder / "labels.json")
