"""Files of labels: their names, output that appears complete or not at all, and what none holds."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from tdmi.core.errors import UserError
from tdmi.core.files import replacing, replacing_folder
from tdmi.data.annotations import Annotations
from tdmi.data.records import Floats


def video_name(path: Path | str) -> str:
    """Return the name of the video that a label file describes."""
    return re.sub(r"\.(json|mat|txt)$", "", Path(path).name)


def video_files(folder: Path | str) -> list[str]:
    """Return the names of the videos of a folder (its ``*.json`` without the ending), sorted.

    UserError if the folder is missing or has no such file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder, expected one with a PoseTrack file per video")
    # Hidden files are left out: they may be files that are just being written.
    names = sorted(video_name(p) for p in folder.glob("*.json") if not p.name.startswith("."))
    if not names:
        raise UserError(f"{folder}: no *.json there, expected one PoseTrack file per video")
    return names


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give an empty temporary folder; it becomes `folder` if the block succeeds.

    UserError, before any work, if `folder` exists and is anything but an empty folder, or cannot
    be written.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UserError(f"{folder}: not a folder, expected a new or empty one; give another name")
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(
            f"{folder}: holds files already, expected a new or empty folder; empty it or give "
            "another name"
        )
    with ExitStack() as stack:
        try:
            temporary = stack.enter_context(replacing_folder(folder))
        except OSError as error:
            raise _unwritable(folder, error) from None
        stack.enter_context(_errors_naming(folder, temporary))
        yield temporary


@contextmanager
def new_zip(path: Path) -> Iterator[Path]:
    """Give an empty temporary folder; its files become the zip file `path` if the block succeeds.

    They lie in its root, and the same files give the same bytes on every system.
    UserError if `path` exists or cannot be written.
    """
    if path.exists() or path.is_symlink():
        raise UserError(f"{path}: exists already, expected a new file; delete it or rename it")
    with tempfile.TemporaryDirectory() as name, replacing(path) as temporary:
        try:
            temporary.touch()
        except OSError as error:
            raise _unwritable(path, error) from None
        folder = Path(name)
        with _errors_naming(path, folder):
            yield folder
        with zipfile.ZipFile(temporary, "w") as archive:
            for file in sorted(folder.iterdir()):
                entry = zipfile.ZipInfo(file.name, date_time=(1980, 1, 1, 0, 0, 0))
                entry.create_system = 3
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, file.read_bytes(), compress_type=zipfile.ZIP_DEFLATED)


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"{path}: cannot be written ({error.strerror}), expected a place for new files; give "
        "another name"
    )


@contextmanager
def _errors_naming(path: Path, temporary: Path) -> Iterator[None]:
    """Make errors about the temporary folder name `path`, which the user asked for."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace(str(temporary), str(path))) from None


def check_finite(annotations: Annotations, path: Path | str) -> None:
    """Raise UserError, with `path` as the place, for the first number that no file holds.

    Joints that are present, their scores, and ignore regions must be finite. The box, head box,
    score and area of a person must be finite or unknown (all NaN).
    """

    def frame(person: int) -> str:
        return annotations.frame_file[annotations.person_frame[person]]

    odd = annotations.present & ~np.isfinite(annotations.keypoints).all(axis=2)
    odd |= ~np.isfinite(annotations.joint_score)
    if odd.any():
        person, joint = np.argwhere(odd)[0]
        x, y = annotations.keypoints[person, joint]
        score = annotations.joint_score[person, joint]
        raise UserError(
            f"{path}: not written, {annotations.skeleton.joints[joint]} of a person in "
            f"{frame(person)} is at ({x}, {y}) with score {score}, expected finite numbers; the "
            "model that predicted it has probably diverged, train it again"
        )
    known = ~np.isnan(annotations.head_box).all(axis=1)
    columns = {
        "box": annotations.box,
        "head box": np.where(known[:, None], width_height(annotations.head_box), np.nan),
        "score": annotations.score[:, None],
        "area": annotations.area[:, None],
    }
    for name, column in columns.items():
        odd = ~np.isfinite(column).all(axis=1) & ~np.isnan(column).all(axis=1)
        for person in np.flatnonzero(odd):
            raise UserError(
                f"{path}: not written, {name} of a person in {frame(person)} is "
                f"{' '.join(map(str, column[person]))}, expected finite numbers (all NaN: unknown)"
            )
    for file, polygons in zip(annotations.frame_file, annotations.ignore_regions, strict=True):
        if not all(np.isfinite(polygon).all() for polygon in polygons):
            raise UserError(
                f"{path}: not written, an ignore region of {file} has a corner that is not finite, "
                "expected finite numbers; remove the region"
            )


def width_height(corners: Floats) -> Floats:
    """Return boxes [N, 4] as x, y, width, height from corners x1, y1, x2, y2."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
