"""The real-video data set: cameras, triangulation, checks of the cameras, labels, preparation."""

import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.signal import savgol_filter
from scipy.spatial.transform import Rotation

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, sha256_of
from tdmi.data.detections import read_detections as read_boxes
from tdmi.data.skeletons import POSETRACK18
from tdmi.datasets.pose2sim import labels as label_files
from tdmi.datasets.pose2sim.calibration import Camera, read_calibration
from tdmi.datasets.pose2sim.joints import MIRRORED, NAMES, head_boxes, joints_from_landmarks
from tdmi.datasets.pose2sim.labels import PseudoLabels, read_labels, write_labels
from tdmi.datasets.pose2sim.options import Pose2simOptions, read_options
from tdmi.datasets.pose2sim.prepare import annotate, prepare
from tdmi.formats.posetrack18 import read_folder
from workflow.scripts.pose2sim.detect import Detector, combine_looks
from workflow.scripts.pose2sim.quality import reprojection_errors, summary
from workflow.scripts.pose2sim.refine import (
    estimate_shifts,
    moved,
    refine_cameras,
    resolve_sides,
)
from workflow.scripts.pose2sim.smooth import smooth
from workflow.scripts.pose2sim.triangulate import triangulate

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


def ring(count=4, width=640, height=480):
    """Cameras on a circle of 4 m, 1.6 m high, looking at (0, 0, 1), with lens distortion."""
    cameras = []
    for index in range(count):
        angle = 2 * np.pi * index / count + 0.3
        place = np.array([4 * np.cos(angle), 4 * np.sin(angle), 1.6])
        forward = np.array([0, 0, 1.0]) - place
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(forward, right), forward])
        cameras.append(
            Camera(
                name=f"cam{index + 1:02d}",
                width=width,
                height=height,
                matrix=np.array([[500.0, 0, 319], [0, 502.0, 241], [0, 0, 1]]),
                distortion=np.array([-0.05, 0.13, 0.0006, -0.0007, 0.0]),
                rotation=rotation,
                translation=-rotation @ place,
            )
        )
    return cameras


def person(frames=30, speed=0.03):
    """Landmarks [F, L, 3] of a stiff figure that walks on a curve and turns."""
    standing = {
        "nose": (0.12, 0, 1.62), "eye": (0.09, 0.03, 1.64), "ear": (0, 0.075, 1.64),
        "mouth": (0.10, 0.02, 1.57), "shoulder": (0, 0.18, 1.42), "elbow": (0.05, 0.25, 1.15),
        "wrist": (0.20, 0.27, 0.95), "hip": (0, 0.10, 0.95), "knee": (0.08, 0.11, 0.52),
        "ankle": (0.02, 0.12, 0.08),
    }  # fmt: skip
    points = []
    for name in NAMES:
        x, y, z = standing[name.split("_")[-1]]
        points.append((x, -y if name.startswith("right") else y, z))
    base = np.array(points)
    track = []
    for frame in range(frames):
        turn = Rotation.from_euler("z", 0.05 * frame).as_matrix()
        shift = np.array([speed * frame, 0.3 * np.sin(0.3 * frame), 0.05 * np.cos(0.7 * frame)])
        track.append(base @ turn.T + shift)
    return np.array(track) - [speed * frames / 2, 0, 0]


def views(cameras, points):
    return np.stack([camera.project(points) for camera in cameras])


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
        ("no xml", "not XML"),
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


# --- triangulation ---------------------------------------------------------------------------


def test_projected_points_come_back():
    cameras, points = ring(), person(5)
    pixels = views(cameras, points)
    found = triangulate(cameras, pixels, np.ones(pixels.shape[:-1]))
    np.testing.assert_allclose(found.points, points, atol=1e-9)
    assert found.used.all() and found.residuals.max() < 1e-6


def test_one_wrong_view_is_rejected():
    cameras, points = ring(), person(5)
    pixels = views(cameras, points)
    pixels[2] += (90, -60)
    found = triangulate(cameras, pixels, np.ones(pixels.shape[:-1]))
    np.testing.assert_allclose(found.points, points, atol=1e-9)
    assert not found.used[2].any() and found.used[[0, 1, 3]].all()
    np.testing.assert_allclose(found.residuals[2], np.hypot(90, 60), rtol=0.1)


def test_a_heavy_view_pulls_more():
    cameras, points = ring(), person(1)
    pixels = views(cameras, points)
    pixels[0] += (6, 0)
    light, heavy = (
        triangulate(cameras, pixels, np.array([w, 1, 1, 1])[:, None, None] * np.ones((4, 1, 19)))
        for w in (0.2, 5.0)
    )
    assert (heavy.residuals[0] < light.residuals[0]).all()


def test_a_point_of_one_view_has_no_place():
    cameras = ring()
    pixels = views(cameras, person(1))
    weights = np.ones(pixels.shape[:-1])
    weights[1:, 0, 3] = 0
    pixels[:2, 0, 4] = np.nan
    found = triangulate(cameras, pixels, weights)
    assert np.isnan(found.points[0, 3]).all() and found.used[:, 0, 3].sum() <= 1
    np.testing.assert_allclose(found.points[0, 4], person(1)[0, 4], atol=1e-9)


# --- checks of cameras and sides -------------------------------------------------------------


def test_shifts_between_videos_are_found():
    cameras = ring()
    late = (0, 2, -3, 1)
    pixels = views(cameras, person(50))
    pixels = np.stack(
        [np.roll(view, shift, axis=0) for view, shift in zip(pixels, late, strict=True)]
    )[:, 5:45]
    shifts, costs = estimate_shifts(cameras, pixels, np.ones(pixels.shape[:-1]), largest=4)
    assert shifts == late
    assert [len(row) for row in costs] == [9] * 4


def test_a_turned_camera_is_turned_back():
    truth = ring()
    pixels = views(truth, person(12)[::6])
    bent = list(truth)
    bent[2] = moved(truth[2], np.array([0.01, -0.015, 0.005, 0, 0, 0]))
    mended, changes = refine_cameras(bent, pixels, np.ones(pixels.shape[:-1]))
    before = np.linalg.norm(views(bent, person(12)) - views(truth, person(12)), axis=-1)[2]
    after = triangulate(mended, pixels, np.ones(pixels.shape[:-1])).residuals
    assert before.mean() > 5 and after.mean() < 0.5
    assert np.linalg.norm(changes[:, :3], axis=1).argmax() == 2


def test_exchanged_sides_are_put_right():
    cameras, points = ring(), person(10)
    true = np.concatenate([views(cameras, points), np.ones((4, 10, 19, 1))], axis=-1)
    wrong = true.copy()
    wrong[1, 3:6] = true[1, 3:6][:, MIRRORED]
    mended, counts = resolve_sides(cameras, wrong)
    np.testing.assert_array_equal(mended, true)
    assert counts == [0, 3, 0, 0]


def test_mirrored_landmarks_are_the_other_sides():
    assert NAMES[MIRRORED[NAMES.index("left_knee")]] == "right_knee"
    assert NAMES[MIRRORED[NAMES.index("nose")]] == "nose"
    assert [MIRRORED[i] for i in MIRRORED] == list(range(len(NAMES)))


def test_looks_are_combined_by_the_median_after_turning_exchanged_ones():
    look = np.concatenate([views(ring(), person(1))[0, 0], np.full((19, 1), 0.8)], axis=-1)
    looks = np.stack([look, look[MIRRORED], look, look + np.array([4, 0, 0]), look])
    combined = combine_looks(looks)
    np.testing.assert_allclose(combined, look)
    spread = np.stack([look + np.array([10, 0, 0]), look, look - np.array([10, 0, 0])])
    # Median distance to the median is 10 px, which halves the weight.
    np.testing.assert_allclose(combine_looks(spread)[:, 2], 0.4)


def test_a_missing_pose_model_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(UserError, match=r"pip install mediapipe==0\.10\.21"):
        Detector()


def test_crops_and_mirror_images_give_the_landmarks_of_the_frame():
    """A stand-in for the pose model calls the right one of two bright spots the left side."""

    class Spots(Detector):
        def __init__(self):
            pass

        def look(self, image):
            places = np.argwhere(image[..., 0] > 100)[:, ::-1]
            on_the_right = places[:, 0] > places[:, 0].mean()
            sides = {
                "left": places[on_the_right].mean(0),
                "right": places[~on_the_right].mean(0),
                "nose": places.mean(0),
            }
            return np.array([(*sides[name.partition("_")[0]], 0.5) for name in NAMES])

    frame = np.zeros((480, 640, 3), np.uint8)
    for spot in ((260, 200), (340, 230)):
        cv2.circle(frame, spot, 6, (255, 255, 255), -1)
    found = Spots().video([frame, frame], roll=0.0, label="video")
    assert found.shape == (2, len(NAMES), 3)
    for name, place in (("left_knee", (340, 230)), ("right_ear", (260, 200)), ("nose", (300, 215))):
        np.testing.assert_allclose(found[:, NAMES.index(name), :2], [place] * 2, atol=0.5)
    np.testing.assert_allclose(found[..., 2], 0.5, atol=0.01)


def test_smoothing_is_savitzky_golay_and_ignores_single_wrong_frames():
    track = person(40)[:, :3]
    noisy = track + np.random.default_rng(3).normal(0, 0.004, track.shape)
    plain = smooth(noisy, np.ones(noisy.shape[:2]), window=9, order=2, tolerance=1e6)
    np.testing.assert_allclose(plain[4:-4], savgol_filter(noisy, 9, 2, axis=0)[4:-4], atol=1e-9)
    noisy[20] += 0.5
    robust, pulled = (
        smooth(noisy, np.ones(noisy.shape[:2]), window=9, order=2, tolerance=tolerance)
        for tolerance in (0.02, 1e6)
    )
    assert np.linalg.norm(pulled - plain, axis=-1).max() > 0.2
    assert np.linalg.norm(robust - plain, axis=-1).max() < 0.02
    noisy[7] = np.nan
    assert np.isfinite(smooth(noisy, np.ones(noisy.shape[:2]))).all()


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


def test_provenance_figures_follow_from_the_committed_files():
    labels, detections = read_labels(), label_files.read_detections()
    measured = read_json(label_files.PROVENANCE)["measured"]
    for name, found in detections.items():
        exchanged = measured["exchanged_sides_frames"][name]
        joints = [NAMES.index(joint) for joint in ("left_hip", "left_knee", "left_ankle")]
        slots = [POSETRACK18.index(NAMES[joint]) for joint in joints]
        there = labels.cameras[name].project(labels.joints[:, slots])
        off = np.linalg.norm(found[:, joints, :2] - there, axis=-1).mean(1)
        mirrored = found[:, MIRRORED][:, joints, :2]
        turn = np.linalg.norm(mirrored - there, axis=-1).mean(1) < off / 2
        assert abs(int(turn.sum()) - exchanged) <= 5
    stack, _ = resolve_sides(list(labels.cameras.values()), np.stack(list(detections.values())))
    pixels, heads = reprojection_errors(labels, dict(zip(detections, stack, strict=True)))
    again = summary(pixels, heads, list(detections))
    claimed = measured["reprojection"]
    for row in ("median_px", "mean_px", "p90_px"):
        assert again["all"][row] == pytest.approx(claimed["all"][row], abs=0.1)
        for name in detections:
            assert again["per_camera"][name][row] == pytest.approx(
                claimed["per_camera"][name][row], abs=0.2
            )


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
