"""The evaluators' recorded answers in `tests/golden/{poseval,posetrack21,oks}`.

`golden_cases` reads them from the folder that the environment variable TDMI_GOLDEN names, if it is
set, packed as here or with a folder for each case.
"""

from __future__ import annotations

import functools
import json
import lzma
from dataclasses import replace
from pathlib import Path

import numpy as np

from tdmi.data.annotations import Annotations
from tdmi.formats import posetrack18
from tests.support.golden import FOLDER, OWN


@functools.cache
def cases(topic: str, name: str = "cases", folder: Path = OWN) -> dict[str, dict]:
    with lzma.open(folder / topic / f"{name}.json.xz", "rt", encoding="utf-8") as file:
        return json.load(file)


@functools.cache
def golden_cases(topic: str) -> dict[str, dict]:
    """`gt`, `pred` (file name -> content, or the content of the one file) and `expected`."""
    if not (FOLDER / topic / "cases.json.xz").is_file():
        return {path.parent.name: _case(path.parent) for path in _expectations(FOLDER / topic)}
    found = cases(topic, folder=FOLDER)
    if (FOLDER / topic / "tracking.json.xz").is_file():
        for name, answer in cases(topic, "tracking", FOLDER).items():
            found[name]["expected"].setdefault("mot", answer)
    return found


def _expectations(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/expected.json"))


def _case(folder: Path) -> dict:
    case = {"expected": json.loads((folder / "expected.json").read_text(encoding="utf-8"))}
    for side in ("gt", "pred"):
        if (folder / f"{side}.json").is_file():
            case[side] = json.loads((folder / f"{side}.json").read_text(encoding="utf-8"))
        else:
            files = sorted((folder / side).glob("*.json"))
            case[side] = {path.name: json.loads(path.read_text("utf-8")) for path in files}
    return case


def write_back(case: dict, folder: Path) -> tuple[Path, Path]:
    """Write the files of a case again; gives the ground-truth and prediction folders."""
    for side in ("gt", "pred"):
        (folder / side).mkdir(parents=True)
        for name, content in case[side].items():
            (folder / side / name).write_text(json.dumps(content), encoding="utf-8")
    return folder / "gt", folder / "pred"


def oks_sides(case: dict) -> tuple[Annotations, Annotations]:
    """The case as two PoseTrack18 files; COCO judges every image, so all count as labelled."""
    images = [image | {"is_labeled": True} for image in case["gt"]["images"]]
    truth = posetrack18.parse(case["gt"] | {"images": images}, "video.json")
    detections = {
        "images": images,
        "annotations": case["pred"],
        "categories": case["gt"]["categories"],
    }
    if not case["expected"]["use_area"]:
        truth = replace(truth, area=np.full(truth.persons, np.nan))
    return truth, posetrack18.parse(detections, "video.json")
