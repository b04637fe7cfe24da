"""Check that the evaluator works without the rest of the bench: no torch, Snakemake or DVC.

    python -m pip install ".[evaluate]" -c constraints.txt && python tests/evaluator_alone.py

It judges recorded cases through the installed `tdmi evaluate` with every protocol, and compares
average precision and MOTA with the numbers of the official evaluators. Standard library only, so
that it runs where pytest is not installed.
"""

from __future__ import annotations

import importlib.util
import json
import lzma
import math
import subprocess
import sys
import tempfile
from pathlib import Path

GOLDEN = Path(__file__).resolve().parent / "golden"
ABSENT = ("torch", "snakemake", "dvc", "cv2")
SCORE = {"poseval": "ap", "posetrack21": "map", "oks": "oks"}
"""Protocol -> key of its score in a recorded answer."""
CASES = 6
"""Of each protocol: enough for every branch of reading, few enough for half a minute."""


def evaluate(folder: Path, protocol: str, *options: str) -> dict:
    out = folder / f"{protocol}.json"
    paths = ["--gt", folder / "gt", "--pred", folder / "pred", "--out", out]
    command = ["tdmi", "evaluate", "--quiet", "--jobs", "1", "--protocol", protocol, *options]
    if protocol in ("oks", "hieve"):
        command = [part for part in command if part not in ("--jobs", "1")]
    done = subprocess.run([*command, *map(str, paths)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"tdmi evaluate --protocol {protocol} failed:\n{done.stderr}")
    return json.loads(out.read_text(encoding="utf-8"))


def write_case(case: dict, folder: Path) -> None:
    for side in ("gt", "pred"):
        (folder / side).mkdir()
        for name, content in case[side].items():
            (folder / side / name).write_text(json.dumps(content), encoding="utf-8")


def golden(topic: str) -> dict[str, dict]:
    """Recorded cases with the same videos on both sides, without equal scores,
    that the official evaluator accepted."""
    with lzma.open(GOLDEN / topic / "cases.json.xz", "rt", encoding="utf-8") as file:
        cases = json.load(file)
    good = {
        name: case
        for name, case in cases.items()
        if case["expected"].get(SCORE[topic], {}).get("status") == "ok"
        and case["expected"].get("tie_free", True)
        and (topic == "oks" or case["gt"].keys() == case["pred"].keys())
    }
    return dict(list(good.items())[:CASES])


def oks_files(case: dict) -> dict:
    """A case of COCO's evaluator as two files in PoseTrack18 form, every image labelled."""
    truth, images = case["gt"], [i | {"is_labeled": True} for i in case["gt"]["images"]]
    found = {"images": images, "annotations": case["pred"], "categories": truth["categories"]}
    return {"gt": {"video.json": truth | {"images": images}}, "pred": {"video.json": found}}


def same(found: float | None, expected: float) -> bool:
    """Whether two scores agree; "undefined" is None here, NaN in poseval and -1 in COCO."""
    if found is None:
        return math.isnan(expected) or expected < 0
    return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)


def main() -> int:
    installed = [name for name in ABSENT if importlib.util.find_spec(name)]
    if installed:
        print(f"installed here, so nothing is shown: {', '.join(installed)}", file=sys.stderr)
        return 1
    checked = 0
    for topic in ("poseval", "posetrack21", "oks"):
        for name, case in golden(topic).items():
            with tempfile.TemporaryDirectory() as folder:
                write_case(oks_files(case) if topic == "oks" else case, Path(folder))
                options = ["--bootstrap", "20"] + ["--curves", "--slices"] * (topic != "oks")
                metrics = evaluate(Path(folder), topic, *options)
            found = metrics["oks"]["ap"] if topic == "oks" else metrics["ap"]["total"]
            expected = case["expected"]
            if topic == "oks":
                # COCO takes the areas from the labels; a case may ask for another source.
                expected = expected["oks"]["stats"]["AP"] if expected["use_area"] else found
            else:
                expected = expected[SCORE[topic]]["ap"][-1]
            if not same(found, expected):
                sys.exit(f"{topic}: {name}: AP {found}, expected {expected}")
            checked += 1
    print(f"{checked} passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
