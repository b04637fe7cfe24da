"""The evaluators' recorded answers in `tests/golden/{poseval,posetrack21,oks}`."""

from __future__ import annotations

import functools
import json
import lzma
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


@functools.cache
def cases(topic: str, name: str = "cases") -> dict[str, dict]:
    with lzma.open(FOLDER / topic / f"{name}.json.xz", "rt", encoding="utf-8") as file:
        return json.load(file)


def write_back(case: dict, folder: Path) -> tuple[Path, Path]:
    """Write the files of a case again; gives the ground-truth and prediction folders."""
    for side in ("gt", "pred"):
        (folder / side).mkdir(parents=True)
        for name, content in case[side].items():
            (folder / side / name).write_text(json.dumps(content), encoding="utf-8")
    return folder / "gt", folder / "pred"
