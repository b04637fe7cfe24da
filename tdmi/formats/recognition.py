"""Read label files of any form, and write them in one of PoseTrack's.

The content of a file, not its name, says which form it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tdmi.core.checks import choose
from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations, concatenate, on_skeleton
from tdmi.data.records import Record, describe
from tdmi.data.skeletons import ALIASES, COCO, HIEVE, POSETRACK17, POSETRACK18
from tdmi.formats import merged, posetrack17, posetrack17_matlab, posetrack18, precomputed_boxes
from tdmi.formats.coco_reading import recognised
from tdmi.formats.conversion import to_posetrack17, to_posetrack18
from tdmi.formats.files import new_folder
from tdmi.formats.hieve import annolist, frame_xml, people
from tdmi.formats.posetrack import label_files, read_content

BOXES = "boxes of a person detector"
RESULTS = "COCO keypoint results"
MATLAB = "PoseTrack2017 labels (MATLAB)"
MERGED = "merged COCO-like labels"
_JSON_READERS = {
    "PoseTrack2017 labels (JSON)": posetrack17.parse,
    MATLAB: posetrack17.parse,
    "PoseTrack2018 or 21 labels": posetrack18.parse,
    MERGED: merged.parse,
    "COCO keypoints": merged.parse_stills,
    "HiEve pose labels": annolist.parse,
    'HiEve labels of the "persons" form': people.parse_persons,
}
# By the ending of the name; "/" stands for a folder.
_FILE_READERS = {
    ".txt": ("HiEve boxes", people.read_boxes),
    "/": ("HiEve labels (XML)", frame_xml.read_folder),
}
FORMS: dict[str, tuple[Callable[..., Any], Callable[..., None]]] = {
    "posetrack17": (to_posetrack17, posetrack17.write_folder),
    "posetrack17-mat": (to_posetrack17, posetrack17_matlab.write_folder),
    "posetrack18": (to_posetrack18, posetrack18.write_folder),
}


def convert_files(
    source: Path | str, form: str, out: Path | str, labels: Path | str | None = None
) -> tuple[Annotations, list[str]]:
    """Write `source`, as `read_any` reads it, to the new folder `out`, one file per video.

    `form` is one of FORMS; `labels` are those of the frames of a detector's boxes. Returns what was
    written and notes: a line per form that was recognised, and one per field dropped or made. The
    folder appears complete or not at all. UserError: bad input, or `out` holds something.
    """
    convert, write = FORMS[choose("form", form, FORMS)]
    with new_folder(Path(out)) as folder:
        truth = read_labels(labels, frames_suffice=True) if labels else None
        found, forms = read_any(source, truth, frames_suffice=True)
        annotations, notes = convert(found)
        write(annotations, folder)
    counts = [f"{n} {'file' if n == 1 else 'files'} read as {name}" for name, n in forms.items()]
    return annotations, counts + notes


def read_labels(source: Path | str, frames_suffice: bool = False) -> Annotations:
    """Return the labels or predictions of a file, or of all files of a folder."""
    return read_any(source, frames_suffice=frames_suffice)[0]


def read_any(
    source: Path | str, labels: Annotations | None = None, frames_suffice: bool = False
) -> tuple[Annotations, Counter[str]]:
    """Return labels of any form, and the number of files by the name of their form.

    `source` is a file, a folder of files, a folder of HiEve's XML files, or of such folders. Boxes
    of a detector become persons without joints; they and keypoint results need the `labels` of
    their frames. `frames_suffice`: see `posetrack.read_content`.
    PoseTrack2017 joints become POSETRACK18's, where ears are absent, if the folder holds both.
    UserError for a file that cannot be read or is of no known form, for a video that comes twice,
    and for joint sets that do not go together.
    """
    paths = tqdm(_paths(Path(source)), "read", unit="file", disable=None)
    parts, forms = zip(*(_read(path, labels, frames_suffice) for path in paths), strict=True)
    skeletons = {part.skeleton for part in parts}
    if skeletons == {POSETRACK17, POSETRACK18}:
        parts = tuple(on_skeleton(part, POSETRACK18) for part in parts)
    elif len(skeletons) > 1:
        names = ", ".join(sorted(skeleton.name for skeleton in skeletons))
        raise UserError(
            f"{source}: files of different joint sets ({names}), expected one; put them into "
            "folders of their own"
        )
    videos = Counter(name for part in parts for name in part.video_names)
    for name, count in videos.most_common(1):
        if count > 1:
            raise UserError(
                f"{source}: video {name} is in {count} files, expected each video once; put the "
                "files into folders of their own"
            )
    return concatenate(parts), Counter(forms)


def _paths(source: Path) -> list[Path]:
    """Return the label files of a folder; of HiEve's XML labels, the folders of the videos."""
    if not source.is_dir():
        return label_files(source)
    found = sorted(path for path in source.iterdir() if not path.name.startswith("."))
    if not any(path.suffix in (".json", ".mat") for path in found):
        if texts := [path for path in found if path.suffix == ".txt"]:
            return texts
        if any(path.suffix == ".xml" for path in found):
            return [source]
        if folders := [path for path in found if any(path.glob("*.xml"))]:
            return folders
    return label_files(source)


def _read(path: Path, labels: Annotations | None, frames_suffice: bool) -> tuple[Annotations, str]:
    """Return the annotations of one file (or folder of XML files) and the name of its form."""
    suffix = "/" if path.is_dir() else path.suffix
    if suffix == ".xml":
        raise UserError(f"{path}: one frame of a video, expected the folder of all its XML files")
    if suffix in _FILE_READERS:
        form, read = _FILE_READERS[suffix]
        return read(path), form
    content = read_content(path, frames_suffice)
    form = MATLAB if suffix == ".mat" else form_of(content, path)
    if form not in (BOXES, RESULTS):
        return _JSON_READERS[form](content, path), form
    if labels is None:
        raise UserError(
            f"{path}: {form}, which need the labels of their frames; name these with "
            "`tdmi data convert --labels`"
        )
    if form == RESULTS:
        return precomputed_boxes.persons_of_results(content, path, labels), form
    boxes = precomputed_boxes.parse(content, path, labels)
    return precomputed_boxes.persons_in_boxes(boxes, labels), form


def form_of(content: Any, path: Path | str) -> str:
    """Return the name of the form of a JSON file's content; UserError if it is none that is known.

    Damaged content gets the form that it is nearest to, whose reader names the fault.
    """
    if isinstance(content, dict) and "annolist" in content:
        hieve = posetrack17.is_hieve(content)
        return "HiEve pose labels" if hieve else "PoseTrack2017 labels (JSON)"
    if isinstance(content, dict) and "images" in content:
        return _coco_like_form(content)
    first = content[0] if isinstance(content, list) and content else None
    if isinstance(first, dict) and "persons" in first:
        return 'HiEve labels of the "persons" form'
    if isinstance(first, dict) and {"image_id", "keypoints"} <= set(first):
        return RESULTS
    if isinstance(first, dict) and "bbox" in first:
        return BOXES
    keys = first if isinstance(first, dict) else content
    found = f" with {', '.join(map(repr, list(keys)[:4]))}" if isinstance(keys, dict) else ""
    raise UserError(
        f"{path}: found {describe(content)}{found}, expected one of: "
        f"{', '.join((*_JSON_READERS, BOXES, RESULTS))}"
    )


def _coco_like_form(content: Record) -> str:
    """Return the form of a file with ``images``, by its joints and by what identifies videos.

    Files of single videos, and this project's own, state ``vid_id`` or ``frame_id``; COCO's and
    HiEve's merged ones do not.
    """
    images = content["images"] if isinstance(content["images"], list) else []
    images = [image for image in images if isinstance(image, dict)]
    categories = content.get("categories")
    category = categories[0] if isinstance(categories, list) and categories else None
    names = category.get("keypoints") if isinstance(category, dict) else None
    known = [ALIASES.get(n, n) for n in names if isinstance(n, str)] if names else []
    skeleton = recognised(known)
    of_video = any("vid_id" in image or "frame_id" in image for image in images)
    if skeleton == COCO and not of_video:
        return "COCO keypoints"
    files = [str(image.get("file_name")).replace("\\", "/") for image in images]
    videos = {
        (file.rpartition("/")[0], str(image.get("vid_id")))
        for file, image in zip(files, images, strict=True)
    }
    if len(videos) > 1 or (skeleton == HIEVE and not of_video):
        return MERGED
    return "PoseTrack2018 or 21 labels"
