"""Draw a person as shapes: trunk, limbs, head with face and hair, clothes, shoes.

Sizes are metres on the reference figure and proportions of an adult, chosen by eye.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tdmi.datasets.mocap.camera import Camera
from tdmi.datasets.mocap.kinematics import LIMB_POINTS, SIDES, P, unit
from tdmi.datasets.mocap.people import Build, Colour, Outfit, shade
from tdmi.datasets.mocap.shapes import Shape, limb_outline, make_shape, unit_circle

_LIMB_PARTS = ("upper_arm", "forearm", "hand", "thigh", "shank", "foot")
PARTS = ("head", "trunk", "pelvis", *(f"{s}_{part}" for part in _LIMB_PARTS for s in SIDES))
PART = {name: i + 1 for i, name in enumerate(PARTS)}

# Radii at four stations from the body outwards.
RADII = {
    "neck": (0.056, 0.052, 0.05, 0.05),
    "upper_arm": (0.056, 0.054, 0.046, 0.042),
    "forearm": (0.043, 0.044, 0.035, 0.028),
    "hand": (0.03, 0.042, 0.038, 0.022),
    "thigh": (0.088, 0.084, 0.07, 0.057),
    "shank": (0.055, 0.06, 0.047, 0.036),
    "foot": (0.045, 0.047, 0.043, 0.03),
    "long_hair": (0.085, 0.1, 0.09, 0.05),
}
# Half width and half depth of the trunk at hips, waist, chest, shoulders, collar.
TRUNK_HALF_WIDTH = (0.155, 0.132, 0.158, 0.165, 0.06)
TRUNK_HALF_DEPTH = (0.105, 0.09, 0.112, 0.085, 0.05)
PRINTS = {"band": (1.9, 2.35, 75.0), "emblem": (1.7, 2.75, 38.0), "open": (0.5, 3.9, 17.0)}
"""Lowest and highest level of the trunk, half width in degrees."""
HEAD_HALF_AXES = (0.1, 0.12, 0.082)  # Forward, up, right

_ROUND = np.linspace(0, 2 * np.pi, 12, endpoint=False)
_UP = np.linspace(-0.98, 0.98, 60)
_TURN = np.pi * (3 - np.sqrt(5)) * np.arange(60)
_SPHERE = np.stack(
    [np.cos(_TURN) * np.sqrt(1 - _UP**2), _UP, np.sin(_TURN) * np.sqrt(1 - _UP**2)], axis=-1
)
"""[60, 3] directions over the head: forward, up, right."""
_HAIR = 0.75 * _SPHERE[:, 1] - 0.8 * _SPHERE[:, 0] > 0.0


def head_axes(points: np.ndarray) -> np.ndarray:
    """Unit axes [S, 3, 3] of the head; columns forward, up, right."""
    up = unit(points[:, P["head_top"]] - points[:, P["head"]])
    forward = points[:, P["nose"]] - points[:, P["head"]]
    forward = unit(forward - (forward * up).sum(-1, keepdims=True) * up)
    return np.stack([forward, up, np.cross(forward, up)], axis=-1)


def head_size(build: Build) -> np.ndarray:
    """Half axes [3] of this person's head in metres: forward, up, right."""
    return np.array(HEAD_HALF_AXES) * build.scale["head_top"]


@dataclass
class Body:
    """Draws one person: points in camera coordinates [S, P, 3] in, shapes out."""

    points: np.ndarray
    camera: Camera
    build: Build
    outfit: Outfit
    light: np.ndarray  # [2] direction towards the light in the image, length 1
    result: list[Shape] = field(default_factory=list)

    def shapes(self) -> list[Shape]:
        self._trunk()
        for side in SIDES:
            self._limbs(side)
        if self.outfit.legs == "skirt":
            self._skirt()
        neck, skin = self._mix("neck", "head", -0.2), self.outfit.skin
        self._limb(neck, self._at("head"), "neck", skin, "head")
        self._head()
        return self.result

    def _at(self, name: str) -> np.ndarray:
        return self.points[:, P[name]]

    def _mix(self, first: str, second: str, part: float) -> np.ndarray:
        return self._at(first) * (1 - part) + self._at(second) * part

    def _add(self, corners: np.ndarray, depth: np.ndarray, colour: Colour, **options) -> None:
        """A shape from corners [S, N, 2] in px; its colour is darker behind the body's middle."""
        behind = np.clip((depth - self._at("pelvis")[:, 2]) / 0.4, -0.4, 1.0)
        shaded = np.array(colour) * (1 - 0.25 * behind)[:, None]
        self.result.append(make_shape(corners, depth, shaded, **options))

    def _px_per_metre(self, depth: np.ndarray) -> np.ndarray:
        return self.camera.focal / np.maximum(depth, 0.1)

    def _limb(
        self,
        start: np.ndarray,
        end: np.ndarray,
        kind: str,
        colour: Colour,
        part: str,
        thick: float = 1.0,
        nearer: float = 0.0,
    ) -> None:
        """A tapered limb between two points [S, 3]: a dark outline and a lit strip upon it."""
        depth = (start[:, 2] + end[:, 2]) / 2
        girth = self.build.girth * thick
        radii = np.array(RADII[kind]) * girth * self._px_per_metre(depth)[:, None]
        first, last = self.camera.project(start), self.camera.project(end)
        outline = limb_outline(first, last, radii)
        self._add(outline, depth - nearer, shade(colour, 0.74), part=PART[part])
        offset = self.light * 0.28 * radii[:, 1:2]
        lit = limb_outline(first + offset, last + offset, 0.58 * radii)
        self._add(lit, depth - nearer - 0.02, colour)

    def _limbs(self, side: str) -> None:
        outfit, long = self.outfit, self.outfit.legs == "long"
        sleeve, wide = (outfit.shirt, 1.15) if outfit.long_sleeves else (outfit.skin, 1.0)
        cloth = outfit.trousers if long else outfit.skin
        at = {joint: self._at(f"{side}_{joint}") for joint in LIMB_POINTS}
        heel_to_toe = at["toe"] - at["ankle"]
        heel = at["ankle"] - 0.3 * heel_to_toe + np.array([0.0, 0.01, 0.0])
        limbs = [
            ("upper_arm", at["shoulder"], at["elbow"], sleeve, wide, 0.0),
            ("forearm", at["elbow"], at["wrist"], sleeve, wide, 0.0),
            ("hand", at["wrist"], at["hand"], outfit.skin, 1.0, 0.0),
            ("thigh", at["hip"], at["knee"], cloth, 1.05 if long else 1.0, 0.0),
            ("shank", at["knee"], at["ankle"], cloth, 1.12 if long else 1.0, 0.0),
            ("foot", heel, at["toe"], outfit.shoes, 1.0, 0.0),
        ]
        if not outfit.long_sleeves:
            half = self._mix(f"{side}_shoulder", f"{side}_elbow", 0.5)
            limbs.append(("upper_arm", at["shoulder"], half, outfit.shirt, 1.25, 0.03))
        if outfit.legs == "short":
            half = self._mix(f"{side}_hip", f"{side}_knee", 0.65)
            limbs.append(("thigh", at["hip"], half, outfit.trousers, 1.15, 0.03))
        blue, green, red = shade(outfit.shoes, 0.45)
        light = (blue + 0.55 * 255, green + 0.55 * 255, red + 0.55 * 255)
        near, far = at["toe"] - 0.12 * heel_to_toe, at["toe"] + 0.08 * heel_to_toe
        limbs.append(("foot", near, far, light, 0.72, 0.03))
        for kind, start, end, colour, thick, nearer in limbs:
            self._limb(start, end, kind, colour, f"{side}_{kind}", thick, nearer)

    def _trunk_frame(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Centres, right and forward axes of the five trunk levels, [S, 5, 3] each."""
        hips = self._at("right_hip") - self._at("left_hip")
        shoulders = self._at("right_shoulder") - self._at("left_shoulder")
        up = unit(self._at("neck") - self._at("pelvis"))
        part = np.array([0.0, 0.35, 0.8, 1.0, 1.0])[None, :, None]
        right = unit(hips)[:, None] * (1 - part) + unit(shoulders)[:, None] * part
        right = unit(right - (right * up[:, None]).sum(-1, keepdims=True) * up[:, None])
        forward = np.cross(np.broadcast_to(up[:, None], right.shape), right)
        middle = (self._at("left_shoulder") + self._at("right_shoulder")) / 2
        centres = [
            self._at("pelvis") - 0.02 * up,
            self._mix("pelvis", "chest", 0.55),
            self._mix("chest", "neck", 0.35),
            middle - 0.035 * up,
            middle + 0.04 * up,
        ]
        return np.stack(centres, axis=1), right, forward

    def _trunk(self) -> None:
        outfit, girth = self.outfit, self.build.girth
        centres, right, forward = self._trunk_frame()
        wide = np.array(TRUNK_HALF_WIDTH)[:, None] * girth * right
        deep = np.array(TRUNK_HALF_DEPTH)[:, None] * girth * forward
        # The person's own shoulder width replaces that of the reference figure.
        wide[:, 3] = 0.92 * (self._at("right_shoulder") - self._at("left_shoulder")) / 2

        def ring(level: float, angles: np.ndarray, size: float = 1.0) -> np.ndarray:
            """Points [S, A, 3] around the trunk at a level between 0 (hips) and 4 (collar)."""
            low = min(int(level), 3)
            part = level - low

            def at(values: np.ndarray) -> np.ndarray:
                return (values[:, low] * (1 - part) + values[:, low + 1] * part)[:, None]

            around = np.cos(angles)[:, None] * at(deep) + np.sin(angles)[:, None] * at(wide)
            return at(centres) + size * around

        def piece(bottom: float, top: float, size: float = 1.0) -> np.ndarray:
            both = [ring(bottom, _ROUND, size), ring(top, _ROUND, size)]
            return self.camera.project(np.concatenate(both, axis=1))

        depth = centres[:, 2, 2]
        low, dark = self._at("pelvis")[:, 2], shade(outfit.trousers, 0.78)
        self._add(piece(0.0, 0.8), low, dark, part=PART["pelvis"], hull=True)
        offset = (self.light * 0.03 * self._px_per_metre(depth)[:, None])[:, None]
        for bottom, top in ((0.45, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0)):
            dark = shade(outfit.shirt, 0.78)
            self._add(piece(bottom, top), depth, dark, part=PART["trunk"], hull=True)
        for bottom, top in ((0.6, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 3.4)):
            lit = piece(bottom, top, 0.66) + offset
            self._add(lit, depth - 0.004, outfit.shirt, hull=True)
        self._print(ring, depth, forward[:, 2])

    def _print(self, ring, depth: np.ndarray, forward: np.ndarray) -> None:
        """Draw the print on the chest where the chest faces the camera."""
        low, high, half = PRINTS[self.outfit.print_style]
        angles = np.radians(np.linspace(-half, half, 5))
        levels = np.linspace(low, high, 3)
        edges = (angles, angles[-1:], angles[::-1], angles[:1])
        corners = [ring(levels[i], edge) for i, edge in zip((0, 1, 2, 1), edges, strict=True)]
        outline = self.camera.project(np.concatenate(corners, axis=1))
        facing = (forward * -unit(self._at("chest"))).sum(-1) > 0.05
        self._add(outline, depth - 0.006, self.outfit.chest_print, shown=facing)

    def _skirt(self) -> None:
        _, right, forward = self._trunk_frame()
        size = 0.16 * self.build.girth
        turn = np.cos(_ROUND)[:, None] * forward[:, :1] + np.sin(_ROUND)[:, None] * right[:, :1]
        rings = [self._mix("pelvis", "chest", 0.2)[:, None] + 0.85 * size * turn]
        for side in SIDES:
            hem = self._mix(f"{side}_hip", f"{side}_knee", 0.62)
            rings.append(hem[:, None] + 0.75 * size * turn)
        corners = self.camera.project(np.concatenate(rings, axis=1))
        depth = np.minimum(rings[1][..., 2].mean(1), rings[2][..., 2].mean(1)) - 0.03
        dark = shade(self.outfit.trousers, 0.85)
        self._add(corners, depth, dark, part=PART["pelvis"], hull=True)

    def _head(self) -> None:
        outfit = self.outfit
        axes, size, centre = head_axes(self.points), head_size(self.build), self._at("head")
        depth, towards = centre[:, 2], -unit(centre)
        surface = np.einsum("sij,nj->sni", axes, _SPHERE * size) + centre[:, None]
        dark = shade(outfit.skin, 0.9)
        self._add(self.camera.project(surface), depth, dark, part=PART["head"], hull=True)
        facing = np.einsum("sij,nj,si->sn", axes, _SPHERE, towards)
        crown = np.einsum("sij,j->si", axes, np.array([-0.4, 0.85, 0.0]) * size) + centre
        hair = np.einsum("sij,nj->sni", axes, _SPHERE * size * 1.08) + centre[:, None]
        hair = np.where((_HAIR & (facing > -0.15))[..., None], hair, crown[:, None])
        self._add(self.camera.project(hair), depth - 0.012, outfit.hair, hull=True)
        self._face(axes, size, towards)
        if outfit.long_hair:
            back, up = -axes[..., 0], axes[..., 1]
            start = centre + 0.04 * back
            end = self._at("neck") + 0.1 * back - 0.06 * up
            self._limb(start, end, "long_hair", outfit.hair, "head", 0.9)

    def _face(self, axes: np.ndarray, size: np.ndarray, towards: np.ndarray) -> None:
        """Draw eyes and nose, which show the direction of the head."""
        depth = self._at("head")[:, 2] - 0.014
        scale = (self._px_per_metre(depth) * size[1])[:, None, None]
        circle = unit_circle(12)
        for side in (-1.0, 1.0):
            place = np.array([0.9, 0.12, 0.36 * side]) * size
            eye = np.einsum("sij,j->si", axes, place) + self._at("head")
            ahead = np.einsum("sij,j->si", axes, np.array([0.9, 0.1, 0.4 * side]))
            corners = self.camera.project(eye)[:, None] + 0.095 * scale * circle
            shown = (ahead * towards).sum(-1) > 0.15
            self._add(corners, depth, (45, 40, 40), shown=shown)
        tip = self.camera.project(self._at("nose"))[:, None] + 0.13 * scale * circle
        shown = (axes[..., 0] * towards).sum(-1) > -0.1
        self._add(tip, depth - 0.002, shade(self.outfit.skin, 0.72), shown=shown)
