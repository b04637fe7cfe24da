"""Pictures of people: crops around a person with skeletons, in rows and sheets of panels.

Pictures are BGR uint8 arrays. Everything is drawn at twice the size and reduced, which smooths the
lines. Text is set in DejaVu Sans, which comes with matplotlib.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tdmi.core.errors import UserError
from tdmi.core.files import replacing
from tdmi.data.skeletons import Skeleton
from tdmi.reporting.figures import style

PANEL = (156, 208)
"""Width and height of a panel in pixels."""
STRIP, GAP, SCALE = 36, 6, 2
PER_LINE = 7
GROUND = (250, 250, 250)
_WRONG = (167, 40, 220)


@dataclass(frozen=True)
class Panel:
    """One picture of a row: the text above it and the skeleton over it, if there is one."""

    title: str
    remark: str = ""
    keypoints: np.ndarray | None = None
    """[J, 2] pixels of the full frame."""
    present: np.ndarray | None = None
    """[J] bool."""
    wrong: np.ndarray | None = None
    """[J] bool, joints to ring."""


def read_image(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise UserError(f"{path}: no readable picture; make the data set again with `tdmi data`")
    return image


def write_jpeg(path: Path, image: np.ndarray, quality: int = 80) -> None:
    with replacing(path) as temporary:
        cv2.imwrite(str(temporary), image, [cv2.IMWRITE_JPEG_QUALITY, quality])


def write_loop(path: Path, images: list[np.ndarray], seconds: float, quality: int = 55) -> None:
    """Write pictures of one size as a WebP that shows them all in `seconds`, in a loop."""
    first, *others = (Image.fromarray(image[:, :, ::-1]) for image in images)
    with replacing(path) as temporary:
        first.save(
            temporary, save_all=True, append_images=others, loop=0, quality=quality, method=4,
            duration=round(1000 * seconds / len(images)),
        )  # fmt: skip


def crop_transform(keypoints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the affine map [2, 3] from frame pixels to a crop of `size` (width, height).

    The joints' box is widened by 35 %, so that limbs predicted outside remain in sight.
    """
    low, high = keypoints.min(axis=0), keypoints.max(axis=0)
    extent = np.maximum(high - low, 8.0) * 1.35
    factor = min(size[0] / extent[0], size[1] / extent[1])
    shift = (np.array(size) - 1) / 2 - factor * (low + high) / 2
    return np.array([[factor, 0, shift[0]], [0, factor, shift[1]]])


def draw_skeleton(
    image: np.ndarray, points: np.ndarray, panel: Panel, skeleton: Skeleton, width: int
) -> None:
    """Draw limbs and joints in place; `points` [J, 2] are pixels of `image`."""
    present = np.zeros(len(points), bool) if panel.present is None else panel.present
    # OpenCV's coordinates are 32-bit integers.
    corners = np.clip(np.rint(points), -10_000, 10_000).astype(int).tolist()
    for one, other in skeleton.limbs:
        i, j = skeleton.index(one), skeleton.index(other)
        if present[i] and present[j]:
            cv2.line(image, corners[i], corners[j], (30, 30, 30), width + 3, cv2.LINE_AA)
            cv2.line(image, corners[i], corners[j], _side(one, other), width, cv2.LINE_AA)
    for joint, corner in zip(skeleton.joints, corners, strict=True):
        index = skeleton.index(joint)
        if present[index]:
            cv2.circle(image, corner, width + 1, (30, 30, 30), -1, cv2.LINE_AA)
            cv2.circle(image, corner, width - 1, _side(joint), -1, cv2.LINE_AA)
            if panel.wrong is not None and panel.wrong[index]:
                cv2.circle(image, corner, width + 8, _WRONG, 4, cv2.LINE_AA)


def row(
    image: np.ndarray, centre_on: np.ndarray, panels: list[Panel], skeleton: Skeleton
) -> np.ndarray:
    """Return all panels beside one another, each the same crop around `centre_on` [P, 2]."""
    size = (PANEL[0] * SCALE, PANEL[1] * SCALE)
    transform = crop_transform(centre_on, size)
    crop = cv2.warpAffine(
        image, transform, size, flags=cv2.INTER_CUBIC, borderValue=(128, 128, 128)
    )
    tiles = []
    for panel in panels:
        picture = crop.copy() if panel.keypoints is not None else np.full_like(crop, 235)
        if panel.keypoints is not None:
            points = panel.keypoints @ transform[:, :2].T + transform[:, 2]
            draw_skeleton(picture, points, panel, skeleton, width=5)
        picture = cv2.resize(picture, PANEL, interpolation=cv2.INTER_AREA)
        tiles.append(np.vstack([_strip(panel), picture]))
    lines = math.ceil(len(tiles) / PER_LINE)
    return grid(tiles, math.ceil(len(tiles) / lines))


def grid(tiles: list[np.ndarray], columns: int) -> np.ndarray:
    """Return tiles of one size in rows of `columns`, with a gap between them."""
    height, width = tiles[0].shape[:2]
    rows = math.ceil(len(tiles) / columns)
    shape = (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3)
    sheet = np.full(shape, GROUND, np.uint8)
    for index, tile in enumerate(tiles):
        top, left = (index // columns) * (height + GAP), (index % columns) * (width + GAP)
        sheet[top : top + height, left : left + width] = tile
    return sheet


def write_on(image: np.ndarray, text: str, place: tuple[int, int], size: int, bold=False) -> None:
    """Write dark text in place; it shrinks until it fits in the width of the image."""
    while size > 6 and _font(size, bold).getlength(text) > image.shape[1] - place[0] - 1:
        size -= 1
    picture = Image.fromarray(image[:, :, ::-1])
    ImageDraw.Draw(picture).text(place, text, fill=(31, 35, 40), font=_font(size, bold))
    image[:] = np.asarray(picture)[:, :, ::-1]


def _strip(panel: Panel) -> np.ndarray:
    strip = np.full((STRIP, PANEL[0], 3), GROUND, np.uint8)
    write_on(strip, panel.title, (1, 2), 12, bold=True)
    write_on(strip, panel.remark, (1, 18), 11)
    return strip


@functools.cache
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


def _side(*joints: str) -> tuple[int, ...]:
    """Return the colour of a joint or limb as BGR."""
    return tuple(reversed(bytes.fromhex(style.side_colour(*joints)[1:])))
