"""PoseTrack files of any year: the form is recognised file by file, as poseval does."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tdmi.core.errors import UserError
from tdmi.core.files import read_json
from tdmi.data.annotations import Annotations, concatenate, on_skeleton
from tdmi.data.skeletons import POSETRACK18, Skeleton
from tdmi.formats import posetrack17, posetrack18


def read_video_file(path: Path | str, frames_suffice: bool = False) -> Annotations:
    """Read ground truth or predictions of one video.

    The key ``annolist`` means the form of 2017, anything else that of 2018 and 2021. HiEve's files,
    which also have that key, are refused. `frames_suffice`: see `read_content`.
    """
    return parse(read_content(path, frames_suffice), path)


def read_content(path: Path | str, frames_suffice: bool = False) -> Any:
    """Return what a label file holds; a name that ends in ``.mat`` means MATLAB labels of 2017.

    With `frames_suffice`, a file that lists frames alone, as those of test splits do, gets empty
    lists of people.
    """
    if Path(path).suffix == ".mat":
        from tdmi.formats import posetrack17_matlab  # it imports scipy

        content: Any = posetrack17_matlab.read_content(path)
    else:
        content = read_json(path)
    if not frames_suffice or not isinstance(content, dict):
        return content
    if "images" in content and content.get("annotations") is None:
        joints = [{"keypoints": list(POSETRACK18.joints)}]
        return {"categories": joints, **content, "annotations": []}
    frames = content.get("annolist")
    if isinstance(frames, list) and all(
        isinstance(frame, dict) and "annorect" not in frame for frame in frames
    ):
        return {"annolist": [{**frame, "annorect": []} for frame in frames]}
    return content


def parse(content: Any, path: Path | str) -> Annotations:
    """Turn the content of a JSON file into annotations; `path` names the video and the errors."""
    return (posetrack17 if is_form_of_2017(content) else posetrack18).parse(content, path)


def is_form_of_2017(content: Any) -> bool:
    """Return whether the content of a JSON file is a frame list of 2017, not records of 2018."""
    return isinstance(content, dict) and "annolist" in content


def read_folder(folder: Path | str, names: Iterable[str], skeleton: Skeleton) -> Annotations:
    """Read the videos `names` of a folder, whatever their years, on one skeleton."""
    folder = Path(folder)
    return concatenate(
        [on_skeleton(read_video_file(_label_file(folder, name)), skeleton) for name in names]
    )


def label_files(path: Path | str) -> list[Path]:
    """Return the label file `path` itself, or those of a folder, one per video, sorted by name.

    Where a video has both, the JSON file counts and the MATLAB file does not.
    UserError if there is none.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"{path}: no such file or folder, expected one label file per video")
    found = [p for p in path.iterdir() if p.suffix in (".json", ".mat") and p.name[0] != "."]
    if not found:
        raise UserError(f"{path}: no *.json or *.mat there, expected one label file per video")
    return [_label_file(path, name) for name in sorted({p.stem for p in found})]


def _label_file(folder: Path, name: str) -> Path:
    json, matlab = folder / f"{name}.json", folder / f"{name}.mat"
    return matlab if matlab.is_file() and not json.is_file() else json
