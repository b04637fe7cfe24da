"""Sample a video's scene: people with motions and places, camera, occluders, background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tdmi.datasets.mocap.background import Background, make_background
from tdmi.datasets.mocap.body import Body, head_axes, head_size
from tdmi.datasets.mocap.camera import Camera, sample_camera
from tdmi.datasets.mocap.families import Family, Library
from tdmi.datasets.mocap.kinematics import SIDES, P, mirror, replace_arms, retarget, unit
from tdmi.datasets.mocap.motion import Clip
from tdmi.datasets.mocap.occluders import Occluder, make_occluder
from tdmi.datasets.mocap.options import MocapOptions
from tdmi.datasets.mocap.people import Build, sample_build, sample_outfit
from tdmi.datasets.mocap.shapes import Shape

STANDING = 1.65  # Height in metres of the reference figure, to choose distances
NEAREST = 0.6  # Metres between people on the floor, so that bodies do not run into each other


@dataclass(frozen=True)
class Schedule:
    """The instants of a video: S renders for F frames."""

    times: np.ndarray  # [S] s
    frame: np.ndarray  # [S] frame of each render
    middle: np.ndarray  # [F] the render of the labelled instant
    exposure: np.ndarray  # [F] s; 0 for a sharp frame
    defocus: np.ndarray  # [F] Gaussian sigma in px; 0 for a frame in focus


@dataclass(frozen=True)
class Person:
    """One person at S instants."""

    points: np.ndarray  # [S, P, 3] camera coordinates in metres
    world: np.ndarray  # [S, P, 3]
    shapes: list[Shape]
    head_extent: np.ndarray  # [S, 4] px x1, y1, x2, y2 of the projected head ellipsoid
    labelled: bool  # False for a bystander
    family: str


@dataclass(frozen=True)
class Scene:
    """The content of one video."""

    schedule: Schedule
    camera: Camera
    background: Background
    people: list[Person]
    occluders: list[Occluder]


def sample_schedule(rng: np.random.Generator, options: MocapOptions, frames: int) -> Schedule:
    """Choose blurred and defocused frames; blurred ones get renders evenly over their exposure."""
    blurred = rng.uniform(size=frames) < options.blur_share
    exposure = np.where(blurred, rng.uniform(*options.exposure, frames), 0.0)
    exposure = exposure * options.frame_seconds
    defocused = rng.uniform(size=frames) < options.defocus_share
    defocus = np.where(defocused, rng.uniform(*options.defocus_sigma, frames), 0.0)
    samples = np.where(blurred, options.blur_samples, 1)
    frame = np.repeat(np.arange(frames), samples)
    middle = np.cumsum(samples) - samples + samples // 2
    step = (np.arange(len(frame)) - middle[frame]) / samples[frame] * exposure[frame]
    return Schedule(frame * options.frame_seconds + step, frame, middle, exposure, defocus)


def sample_scene(
    rng: np.random.Generator, options: MocapOptions, library: Library, split: str
) -> Scene:
    """A whole scene from one random generator."""
    schedule = sample_schedule(rng, options, options.frames[split])
    moving = bool(rng.uniform() < options.moving_camera_share)
    camera = sample_camera(rng, schedule.times, options.width, options.height, moving)
    light = np.array([rng.choice([-0.6, 0.6]), -0.8])
    count = 1 + rng.choice(len(options.people_shares), p=options.people_shares)
    places = sample_places(rng, options, camera, count)

    def person(place: np.ndarray, labelled: bool) -> Person:
        build, outfit = sample_build(rng), sample_outfit(rng)
        family, clip = choose_clip(rng, library, options.upright_share if labelled else 1.0)
        points = play(rng, clip, schedule.times, options)
        if split == "train" and rng.uniform() < options.mixed_arms_share:
            _, arms = choose_clip(rng, library, options.upright_share)
            points = replace_arms(points, play(rng, arms, schedule.times, options))
        yaw = np.radians(rng.uniform(-options.yaw_degrees, options.yaw_degrees))
        if rng.uniform() < options.from_behind_share:
            yaw += np.pi
        middle = int(schedule.middle[len(schedule.middle) // 2])
        world = place_clip(retarget(points, build.scale), place, yaw, middle)
        if not clip.grounded:
            # The lowest foot, knee or hand stands on the floor.
            limbs = [
                P[f"{side}_{end}"] for side in SIDES for end in ("ankle", "toe", "hand", "knee")
            ]
            world[..., 1] -= world[:, limbs, 1].min() - 0.03
        seen = camera.to_camera(world)
        shapes = Body(seen, camera, build, outfit, light).shapes()
        extent = head_extent(seen, camera, build)
        return Person(seen, world, shapes, extent, labelled, family.name)

    people = [person(place, labelled=True) for place in places]
    wall = rng.uniform(14.0, 24.0)
    if rng.uniform() < options.bystander_share:
        for _ in range(rng.integers(1, 4)):
            place = np.array([rng.uniform(-4.5, 4.5), 0.0, -rng.uniform(10.5, 13.0)])
            people.append(person(place, labelled=False))
    occluders = []
    if rng.uniform() < options.occluder_share:
        for _ in range(rng.integers(1, 3)):
            # Between the camera and a person, a little to the side.
            target = places[rng.integers(len(places))]
            nearer = max(-target[2] - rng.uniform(0.5, 1.1), 2.2)
            place = target * (nearer / -target[2])
            place[0] += rng.uniform(-0.4, 0.4)
            goes = bool(rng.uniform() < options.moving_occluder_share)
            occluders.append(make_occluder(rng, camera, schedule.times, place, goes))
    return Scene(schedule, camera, make_background(rng, camera, wall), people, occluders)


def sample_places(
    rng: np.random.Generator, options: MocapOptions, camera: Camera, count: int
) -> list[np.ndarray]:
    """Places [3] on the floor, at least `NEAREST` apart, mostly inside the picture."""
    focal = float(camera.focal.mean())
    places: list[np.ndarray] = []
    while len(places) < count:
        depth = focal * STANDING / rng.uniform(*options.person_height)
        x = rng.uniform(0.1, 0.9) * options.width - options.width / 2
        place = np.array([x * depth / focal, 0.0, -depth])
        if all(np.linalg.norm(place - other) > NEAREST for other in places):
            places.append(place)
    return places


def choose_clip(
    rng: np.random.Generator, library: Library, upright_share: float
) -> tuple[Family, Clip]:
    """A clip: upright or not by share, then a family of the split, then one of its clips."""
    upright = bool(rng.uniform() < upright_share)
    names = sorted({family.name for family, _ in library if family.upright == upright})
    name = names[rng.integers(len(names))]
    siblings = [entry for entry in library if entry[0].name == name]
    return siblings[rng.integers(len(siblings))]


def play(
    rng: np.random.Generator, clip: Clip, times: np.ndarray, options: MocapOptions
) -> np.ndarray:
    """Points [S, P, 3] of a random part of a clip, at random speed, mirrored half of the time."""
    speed = rng.uniform(*options.speed)
    elapsed = (times - times[0]) * speed
    start = rng.uniform(0.0, max(clip.seconds - elapsed[-1], 1e-3))
    points = clip.at(start + elapsed)
    return mirror(points) if rng.uniform() < 0.5 else points


def place_clip(points: np.ndarray, place: np.ndarray, yaw: float, middle: int) -> np.ndarray:
    """Clip points [S, P, 3] in the world: at instant `middle` the pelvis is over `place`.

    At that instant the hips face the camera, turned by `yaw` (positive: to the camera's right).
    """
    right = points[middle, P["right_hip"]] - points[middle, P["left_hip"]]
    heading = np.cross(np.array([0.0, 1.0, 0.0]), unit(right * np.array([1.0, 0.0, 1.0])))
    # Turn about y that brings the heading to +z (towards the camera), then by yaw.
    angle = yaw - np.arctan2(heading[0], heading[2])
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    origin = points[middle, P["pelvis"]] * np.array([1.0, 0.0, 1.0])
    return (points - origin) @ turn.T + place


def head_extent(points: np.ndarray, camera: Camera, build: Build) -> np.ndarray:
    """Box [S, 4] (x1, y1, x2, y2 in px) of the head ellipsoid, seen as from far away."""
    centre = points[:, P["head"]]
    axes = head_axes(points) * head_size(build)
    half = np.linalg.norm(axes[:, :2], axis=-1) * (camera.focal / centre[:, 2])[:, None]
    middle = camera.project(centre)
    return np.concatenate([middle - half, middle + half], axis=-1)
