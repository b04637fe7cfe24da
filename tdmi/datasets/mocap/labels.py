"""Exact labels and difficulty attributes of a rendered video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tdmi.data.boxes import BOX_SCALE
from tdmi.data.skeletons import POSETRACK18
from tdmi.datasets.mocap.body import PART, PARTS
from tdmi.datasets.mocap.camera import Camera
from tdmi.datasets.mocap.kinematics import SIDES, P
from tdmi.datasets.mocap.render import FIRST_OCCLUDER, Cover, first_part
from tdmi.datasets.mocap.scene import Scene

FEWEST_JOINTS = 4  # People with fewer joints inside the frame are not labelled
HEAD_SIZE = 0.6  # poseval's head size is this times the head box's diagonal

ATTRIBUTES = (
    "visible_fraction", "speed", "blur", "blur_px", "crowding", "truncation", "defocus",
)  # fmt: skip

# Body parts that a joint belongs to: they hide it if they are nearer than the joint by a margin.
_OWN_PARTS = {"nose": ["head"], "head_top": ["head"], "head_bottom": ["head", "trunk"]} | {
    f"{side}_{joint}": [*(f"{side}_{part}" for part in limb), *middle]
    for side in SIDES
    for joint, limb, middle in (
        ("shoulder", ("upper_arm",), ("trunk",)), ("elbow", ("upper_arm", "forearm"), ()),
        ("wrist", ("forearm", "hand"), ()), ("hip", ("thigh",), ("pelvis", "trunk")),
        ("knee", ("thigh", "shank"), ()), ("ankle", ("shank", "foot"), ()),
    )
}  # fmt: skip
OWN_MARGIN = {"nose": 0.02, "hip": 0.3}
"""Metres; a head that is turned away hides its nose, a bent trunk does not hide a hip."""
OTHER_OWN_MARGIN = 0.15


@dataclass(frozen=True)
class Label:
    """One person in one frame."""

    person: int  # Number in the scene; the track id
    labelled: bool  # False: only an ignore region
    keypoints: np.ndarray  # [17, 2] px
    present: np.ndarray  # [17] bool
    visible: np.ndarray  # [17] bool
    box: np.ndarray  # [4] x, y, width, height
    head_box: np.ndarray  # [4] x1, y1, x2, y2
    attributes: dict[str, float]


def joint_points(points: np.ndarray) -> np.ndarray:
    """The 17 PoseTrack18 slots [..., 17, 3] of figure points [..., P, 3]; NaN for the ears.

    head_bottom is the base of the neck, three tenths of the way to the head's centre.
    """
    named = {name: points[..., row, :] for name, row in P.items()}
    named["head_bottom"] = 0.7 * named["neck"] + 0.3 * named["head"]
    absent = np.full_like(named["neck"], np.nan)
    return np.stack([named.get(name, absent) for name in POSETRACK18.joints], axis=-2)


def inside(keypoints: np.ndarray, camera: Camera) -> np.ndarray:
    """[...] bool: px [..., 2] between the centres of the frame's first and last pixels."""
    last = np.array([camera.width - 1, camera.height - 1])
    return ((keypoints >= 0) & (keypoints <= last)).all(-1)


def label_frame(
    scene: Scene, cover: Cover, frame: int, tracks: list[np.ndarray], ignore_below: float
) -> list[Label]:
    """Labels of one frame; `tracks` holds each person's joints [S, 17, 2] in px."""
    instant = int(scene.schedule.middle[frame])
    labels = []
    for number, person in enumerate(scene.people):
        keypoints = np.round(tracks[number][instant], 3)
        present = inside(keypoints, scene.camera)
        if cover.whole[number] == 0 or not present.any():
            continue
        enough = cover.seen[number] / cover.whole[number] >= ignore_below
        labels.append(
            Label(
                person=number,
                labelled=bool(person.labelled and enough and present.sum() >= FEWEST_JOINTS),
                keypoints=np.where(present[:, None], keypoints, 0.0),
                present=present,
                visible=present & joints_seen(scene, cover, number, instant, keypoints),
                box=person_box(keypoints[present]),
                head_box=np.round(person.head_extent[instant], 3),
                attributes=_attributes(scene, cover, number, frame, tracks[number], present),
            )
        )
    _add_crowding(labels)
    return labels


def person_box(joints: np.ndarray) -> np.ndarray:
    """Box [4] (x, y, width, height) around joints [N, 2], enlarged about its middle."""
    low, high = joints.min(0), joints.max(0)
    size = np.maximum(high - low, 1.0) * BOX_SCALE
    return np.round(np.concatenate([(low + high - size) / 2, size]), 3)


def joints_seen(
    scene: Scene, cover: Cover, number: int, instant: int, keypoints: np.ndarray
) -> np.ndarray:
    """[17] bool: nothing nearer to the camera covers the joint's pixel.

    A joint is covered by another person or thing, by a part of its own body that it does not belong
    to, or by a part that it belongs to and that is nearer by more than a margin.
    """
    person = scene.people[number]
    joints = joint_points(person.points[instant])
    # Depth in metres of each part's axis, of which the first shape tells; the hair hangs behind the
    # head's centre and would stand for it.
    parts = {shape.part: shape.depth[instant] for shape in reversed(person.shapes)}
    parts[PART["head"]] = person.points[instant, P["head"], 2]
    seen = np.zeros(len(POSETRACK18), dtype=bool)
    for slot, name in enumerate(POSETRACK18.joints):
        if name not in _OWN_PARTS or not inside(keypoints[slot], scene.camera):
            continue
        x, y = np.rint(keypoints[slot]).astype(int)
        on_top = int(cover.numbers[y, x])
        part = on_top - first_part(number)
        if on_top == 0:
            seen[slot] = True
        elif 0 < part <= len(PARTS):
            margin = OWN_MARGIN.get(name.split("_")[-1], OTHER_OWN_MARGIN)
            own = PARTS[part - 1] in _OWN_PARTS[name]
            seen[slot] = own and joints[slot, 2] - parts[part] < margin
        else:
            if on_top >= FIRST_OCCLUDER:
                other = scene.occluders[on_top - FIRST_OCCLUDER - 1].depth[instant]
            else:
                other = scene.people[on_top // (len(PARTS) + 1)].points[instant, P["pelvis"], 2]
            seen[slot] = other > person.points[instant, P["pelvis"], 2]
    return seen


def _attributes(
    scene: Scene, cover: Cover, number: int, frame: int, track: np.ndarray, present: np.ndarray
) -> dict[str, float]:
    schedule = scene.schedule
    corners = scene.people[number].head_extent[schedule.middle[frame]]
    head = HEAD_SIZE * float(np.hypot(*(corners[2:] - corners[:2])))
    blur = blur_length(track[schedule.frame == frame][:, present])
    whole = cover.whole[number]
    return {
        "visible_fraction": cover.seen[number] / whole,
        "speed": pace(track[schedule.middle][:, present], frame) / head,
        "blur": blur / head,
        "blur_px": blur,
        "truncation": 1 - cover.inside[number] / whole,
        "defocus": float(schedule.defocus[frame]),
    }


def pace(track: np.ndarray, frame: int) -> float:
    """Mean over joints of the px moved per frame, to the one or two neighbours; [F, J, 2]."""
    steps = np.linalg.norm(np.diff(track, axis=0), axis=-1).mean(1)
    near = steps[max(frame - 1, 0) : frame + 1]
    return float(near.mean()) if len(near) else 0.0


def blur_length(track: np.ndarray) -> float:
    """Mean over joints of the px moved while the shutter is open; [renders, J, 2]."""
    path = np.linalg.norm(np.diff(track, axis=0), axis=-1).sum(0).mean()
    # The renders stand for equal parts of the exposure, their middles span one part less.
    return float(path * len(track) / max(len(track) - 1, 1))


def _add_crowding(labels: list[Label]) -> None:
    """CrowdPose's index: joints of others inside the box, over own joints."""
    for label in labels:
        joints = [other.keypoints[other.present] for other in labels if other is not label]
        near = np.concatenate([np.empty((0, 2)), *joints]) - label.box[:2]
        others = int(((near >= 0) & (near <= label.box[2:])).all(1).sum())
        label.attributes["crowding"] = others / int(label.present.sum())


def ignore_polygon(label: Label, camera: Camera) -> np.ndarray:
    """Corners [4, 2] of the person's box, cut at the frame's edge."""
    corners = np.array([label.box[:2], label.box[:2] + label.box[2:]])
    (x1, y1), (x2, y2) = np.clip(corners, 0, [camera.width - 1, camera.height - 1])
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])
