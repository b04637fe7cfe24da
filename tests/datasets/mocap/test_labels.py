"""Labels of rendered videos: projection, visibility, attributes, against independent figures."""

import dataclasses

import cv2
import numpy as np
import pytest

from tdmi.data.skeletons import POSETRACK18
from tdmi.datasets.mocap.background import make_background
from tdmi.datasets.mocap.body import Body, head_axes, head_size
from tdmi.datasets.mocap.camera import Camera, rotation_of, sample_camera
from tdmi.datasets.mocap.families import load_library
from tdmi.datasets.mocap.kinematics import P
from tdmi.datasets.mocap.labels import blur_length, joint_points, label_frame, pace, person_box
from tdmi.datasets.mocap.occluders import Occluder
from tdmi.datasets.mocap.options import MocapOptions
from tdmi.datasets.mocap.people import sample_build, sample_outfit
from tdmi.datasets.mocap.render import cover_at, render_frames
from tdmi.datasets.mocap.scene import head_extent, sample_scene, sample_schedule
from tdmi.datasets.mocap.shapes import limb_outline, make_shape
from tests.support.mocap_sources import make_sources

LIGHT = np.array([-0.6, -0.8])
ALONE = MocapOptions(
    people_shares=(1.0,), occluder_share=0.0, bystander_share=0.0, from_behind_share=0.0
)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return load_library(make_sources(tmp_path_factory.mktemp("sources")), "test")


def one_person(library, seed=0, **changes):
    options = dataclasses.replace(ALONE, **changes)
    return sample_scene(np.random.default_rng(seed), options, library, "test")


def labels_of(scene, frame=0, ignore_below=0.0):
    tracks = [scene.camera.project(joint_points(p.points)) for p in scene.people]
    cover = cover_at(scene, int(scene.schedule.middle[frame]))
    return label_frame(scene, cover, frame, tracks, ignore_below)


def still_camera(instants=1):
    return Camera(320, 240, 1.5, np.full(instants, 368.0), np.tile(np.eye(3), (instants, 1, 1)))


def test_projection_by_hand():
    camera = still_camera()
    seen = camera.to_camera(np.array([[1.0, 2.0, -4.0]]))
    np.testing.assert_allclose(seen, [[1.0, -0.5, 4.0]])
    # (W - 1) / 2 + 368 / 4 * 1 and (H - 1) / 2 - 368 / 4 * 0.5
    np.testing.assert_allclose(camera.project(seen), [[159.5 + 92.0, 119.5 - 46.0]])


@pytest.mark.parametrize(
    ("pan", "tilt", "moves"), [(0.1, 0.0, (-1, 0)), (0.0, 0.1, (0, -1)), (-0.1, 0.0, (1, 0))]
)
def test_things_move_against_the_camera(pan, tilt, moves):
    turn = rotation_of(np.array([pan]), np.array([tilt]), np.zeros(1))
    camera = dataclasses.replace(still_camera(), rotation=turn)
    pixel = camera.project(camera.to_camera(np.array([[0.0, 1.5, -4.0]])))[0]
    np.testing.assert_array_equal(np.sign(np.round(pixel - [159.5, 119.5], 6)), moves)


def test_background_moves_with_the_world():
    times = np.linspace(0, 0.4, 5)
    camera = sample_camera(np.random.default_rng(3), times, 320, 240, moving=True)
    background = make_background(np.random.default_rng(4), camera, 18.0)
    background.picture[:] = 0
    # A far point straight ahead of the camera at rest, drawn where the wide picture has it.
    ray = np.array([0.05, 0.02, 1.0])
    place = (background.intrinsics @ ray)[:2]
    fixed = np.rint(place * 16).astype(int)
    cv2.circle(background.picture, fixed.tolist(), 40, (255, 255, 255), -1, cv2.LINE_AA, 4)
    for instant in range(5):
        seen = background.seen_by(camera, instant)[..., 0].astype(float)
        rows, columns = np.indices(seen.shape)
        found = [(seen * columns).sum() / seen.sum(), (seen * rows).sum() / seen.sum()]
        turned = camera.intrinsics(instant) @ camera.rotation[instant] @ ray
        np.testing.assert_allclose(found, turned[:2] / turned[2], atol=0.1)


def test_limbs_have_their_radius():
    outline = limb_outline(np.array([[0.0, 0.0]]), np.array([[30.0, 0.0]]), np.full((1, 4), 5.0))
    low, high = outline[0].min(0), outline[0].max(0)
    np.testing.assert_allclose([low, high], [[-5, -5], [35, 5]], atol=1e-9)


def test_keypoints_are_the_projected_figure(library):
    scene = one_person(library, seed=1)
    frame = 4
    instant = scene.schedule.middle[frame]
    (label,) = labels_of(scene, frame)
    world = scene.people[0].world[instant]
    wrist = world[P["left_wrist"]]
    base = 0.7 * world[P["neck"]] + 0.3 * world[P["head"]]
    for name, point in (("left_wrist", wrist), ("head_bottom", base)):
        rest = np.array([point[0], scene.camera.eye_height - point[1], -point[2]])
        x, y, w = scene.camera.intrinsics(instant) @ scene.camera.rotation[instant] @ rest
        found = label.keypoints[POSETRACK18.index(name)]
        np.testing.assert_allclose(found, [x / w, y / w], atol=1e-3)
    ears = [POSETRACK18.index("left_ear"), POSETRACK18.index("right_ear")]
    assert not label.present[ears].any() and not label.keypoints[ears].any()


def test_the_figure_is_drawn_where_the_labels_are(library):
    scene = one_person(library, seed=2, blur_share=0.0, defocus_share=0.0)
    blank = dataclasses.replace(scene, people=[])
    noise = np.random.default_rng
    with_person = render_frames(scene, noise(0))[0].astype(int)
    without = render_frames(blank, noise(0))[0].astype(int)
    changed = np.abs(with_person - without).max(-1) > 25
    (label,) = labels_of(scene)
    for x, y in np.rint(label.keypoints[label.visible]).astype(int):
        assert changed[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3].any()
    rows, columns = np.nonzero(changed)
    x, y, width, _ = label.box
    assert (columns > x - 3).mean() > 0.98 and (columns < x + width + 3).mean() > 0.98
    assert (rows > y - 3).mean() > 0.98


def screen(scene, depth):
    """Something as large as the picture, `depth` metres away."""
    instants = len(scene.schedule.times)
    corners = np.tile([[[0.0, 0], [320, 0], [320, 240], [0, 240]]], (instants, 1, 1))
    far = np.full(instants, depth)
    return Occluder([make_shape(corners, far, np.zeros(3), part=1)], far)


def test_what_is_covered_keeps_its_place_and_is_not_visible(library):
    scene = one_person(library, seed=3)
    (free,) = labels_of(scene)
    (covered,) = labels_of(dataclasses.replace(scene, occluders=[screen(scene, 1.0)]))
    (behind,) = labels_of(dataclasses.replace(scene, occluders=[screen(scene, 90.0)]))
    assert free.visible.sum() >= 8
    assert not covered.visible.any()
    np.testing.assert_array_equal(covered.keypoints, free.keypoints)
    np.testing.assert_array_equal(covered.present, free.present)
    assert covered.attributes["visible_fraction"] == 0
    np.testing.assert_array_equal(behind.visible, free.visible)
    assert behind.attributes["visible_fraction"] == free.attributes["visible_fraction"]
    assert not labels_of(
        dataclasses.replace(scene, occluders=[screen(scene, 1.0)]), ignore_below=0.15
    )[0].labelled


def test_the_nearer_person_hides_the_farther(library):
    scene = one_person(library, seed=4)
    person = scene.people[0]
    rng = np.random.default_rng(0)
    # Seen from the camera, a figure shrunk towards it has the same outline.
    near = person.points * 0.7
    shapes = Body(near, scene.camera, sample_build(rng), sample_outfit(rng), LIGHT).shapes()
    twin = dataclasses.replace(person, points=near, shapes=shapes)
    first, second = labels_of(dataclasses.replace(scene, people=[person, twin]))
    assert first.visible.sum() <= 2 and first.attributes["visible_fraction"] < 0.2
    assert second.visible.sum() >= 8 and second.attributes["visible_fraction"] > 0.95
    # All 15 joints of either lie inside the other's box.
    assert first.attributes["crowding"] == second.attributes["crowding"] == 1.0


def test_a_face_turned_away_hides_the_nose(library):
    seen = one_person(library, seed=5, yaw_degrees=1.0)
    away = one_person(library, seed=5, yaw_degrees=1.0, from_behind_share=1.0)
    nose = POSETRACK18.index("nose")
    assert labels_of(seen)[0].visible[nose]
    assert not labels_of(away)[0].visible[nose]


def test_people_at_the_edge_are_truncated(library):
    scene = one_person(library, seed=6)
    person = scene.people[0]
    moved = person.points - np.array([person.points[0, P["pelvis"], 0] + 1.95, 0.0, 0.0])
    rng = np.random.default_rng(0)
    shapes = Body(moved, scene.camera, sample_build(rng), sample_outfit(rng), LIGHT).shapes()
    edge = dataclasses.replace(person, points=moved, shapes=shapes)
    (label,) = labels_of(dataclasses.replace(scene, people=[edge]))
    assert label.attributes["truncation"] > 0.2
    assert 0 < label.present.sum() < 15
    assert (label.keypoints[~label.present] == 0).all()
    assert not label.visible[~label.present].any()
    assert labels_of(scene)[0].attributes["truncation"] == 0


def test_head_box_holds_the_head(library):
    scene = one_person(library, seed=7)
    person = scene.people[0]
    build = sample_build(np.random.default_rng(0))
    rng = np.random.default_rng(1)
    ball = rng.normal(size=(4000, 3))
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    surface = np.einsum("ij,nj->ni", head_axes(person.points)[0] * head_size(build), ball)
    pixels = scene.camera.project((surface + person.points[0, P["head"]])[None])[0]
    box = head_extent(person.points[:1], scene.camera, build)[0]
    expected = [*pixels.min(0), *pixels.max(0)]
    np.testing.assert_allclose(box, expected, atol=0.04 * (expected[3] - expected[1]))


def test_box_is_the_joint_extent_times_1_3():
    box = person_box(np.array([[10.0, 20.0], [50.0, 120.0]]))
    np.testing.assert_allclose(box, [30 - 26, 70 - 65, 52, 130])


def test_pace_and_blur_by_hand():
    # One joint moves 3 then 5 px, the other rests.
    track = np.array([[[0.0, 0], [9, 9]], [[3, 0], [9, 9]], [[3, 5], [9, 9]]])
    assert pace(track, 0) == 1.5
    assert pace(track, 1) == 2.0
    assert pace(track, 2) == 2.5
    assert blur_length(track[:1]) == 0.0
    # Three renders span two thirds of the exposure: (3 + 5) / 2 joints * 3 / 2.
    assert blur_length(track) == 6.0


def test_schedule_keeps_shares_and_is_centred_on_the_label():
    options = MocapOptions()
    schedule = sample_schedule(np.random.default_rng(0), options, 4000)
    assert (schedule.exposure > 0).mean() == pytest.approx(options.blur_share, abs=0.03)
    assert (schedule.defocus > 0).mean() == pytest.approx(options.defocus_share, abs=0.02)
    np.testing.assert_allclose(schedule.times[schedule.middle], np.arange(4000) * 0.04)
    frame = int(np.flatnonzero(schedule.exposure)[5])
    times = schedule.times[schedule.frame == frame]
    assert len(times) == options.blur_samples
    assert times.mean() == pytest.approx(frame * 0.04)
    span = schedule.exposure[frame] * (1 - 1 / options.blur_samples)
    assert np.ptp(times) == pytest.approx(span)


def test_long_exposure_blurs_what_moves(library):
    sharp = one_person(library, seed=8, blur_share=0.0, defocus_share=0.0)
    (quick,) = labels_of(sharp, 4)
    assert quick.attributes["blur_px"] == 0 and quick.attributes["speed"] > 0
    blurred = one_person(library, seed=8, blur_share=1.0, defocus_share=0.0)
    (smeared,) = labels_of(blurred, 4)
    # Blur is the path during the exposure: speed times the share of the frame interval.
    exposure = blurred.schedule.exposure[4] / 0.04
    expected = smeared.attributes["speed"] * exposure
    assert smeared.attributes["blur"] == pytest.approx(expected, rel=0.25)
