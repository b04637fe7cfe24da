"""Label files of any form written in one of PoseTrack's."""

from __future__ import annotations

from pathlib import Path

from tdmi.core.checks import choose
from tdmi.data.annotations import Annotations
from tdmi.formats import posetrack17, posetrack17_matlab, posetrack18
from tdmi.formats.conversion import to_posetrack17, to_posetrack18
from tdmi.formats.files import new_folder
from tdmi.formats.recognition import read_any, read_labels

FORMS = {
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
