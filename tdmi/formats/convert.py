"""Label files of one PoseTrack form written in another."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from tdmi.core.checks import choose
from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations, concatenate, on_skeleton
from tdmi.data.skeletons import POSETRACK17, POSETRACK18
from tdmi.formats import posetrack17, posetrack17_matlab, posetrack18
from tdmi.formats.conversion import to_posetrack17, to_posetrack18
from tdmi.formats.output import new_folder
from tdmi.formats.posetrack import label_files, read_video_file

FORMS = {
    "posetrack17": (to_posetrack17, posetrack17.write_folder),
    "posetrack17-mat": (to_posetrack17, posetrack17_matlab.write_folder),
    "posetrack18": (to_posetrack18, posetrack18.write_folder),
}


def read_labels(source: Path | str) -> Annotations:
    """One label file, or all of a folder, whatever their forms.

    PoseTrack2017 joints become POSETRACK18's, where ears are absent, if the folder holds both.
    UserError for a file that cannot be read, and for joint sets that do not go together.
    """
    files = label_files(source)
    parts = [read_video_file(file) for file in tqdm(files, "read", unit="video", disable=None)]
    skeletons = {part.skeleton for part in parts}
    if skeletons == {POSETRACK17, POSETRACK18}:
        parts = [on_skeleton(part, POSETRACK18) for part in parts]
    elif len(skeletons) > 1:
        names = ", ".join(sorted(skeleton.name for skeleton in skeletons))
        raise UserError(
            f"{source}: files of different joint sets ({names}), expected one; put them into "
            "folders of their own"
        )
    return concatenate(parts)


def convert_files(source: Path | str, form: str, out: Path | str) -> tuple[Annotations, list[str]]:
    """Write `source` (a label file, or a folder with one per video) to the new folder `out`.

    `form` is one of FORMS. Returns what was written, and a line per field dropped or made. The
    folder appears complete or not at all. UserError: bad input, or `out` holds something.
    """
    convert, write = FORMS[choose("form", form, FORMS)]
    with new_folder(Path(out)) as folder:
        annotations, notes = convert(read_labels(source))
        write(annotations, folder)
    return annotations, notes
