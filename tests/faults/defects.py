"""Inject defects, and write a table of whether the regression check and the unit tests see them.

    python tests/faults/defects.py --out tests/faults/defects.md

Each defect is one small change of a fresh copy of the tracked files, on which the check and the
unit tests named with it run. Then the unchanged program is checked with seeds that the record does
not hold, on one and two threads: no difference may be reported. `data/mocap_smoke` has to be there.
Takes about eight minutes of processor time.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.paths import ROOT

CLEAN_SEEDS = range(100, 110)


@dataclass(frozen=True)
class Defect:
    """A change of `file`: the text `old`, which it holds once, becomes `new`."""

    name: str
    file: str
    old: str
    new: str
    tests: str
    """Unit test files below ``tests``, without ``.py``."""


DEFECTS = (
    Defect("mirrored maps keep left and right", "tdmi/clips/targets.py",
           "heatmaps[:, flip_order, :, ::-1]", "heatmaps[:, :, :, ::-1]", "clips/test_targets"),
    Defect("flip pairs do not change places", "tdmi/data/skeletons.py",
           "order[[left, right]] = right, left", "order[[left, right]] = left, right",
           "data/test_skeletons"),
    Defect("neighbours in reverse order", "tdmi/clips/samples.py",
           "for i, row in enumerate(rows):", "for i, row in enumerate(rows := rows[::-1]):",
           "clips/test_samples"),
    Defect("missing neighbours before, not after, the existing ones", "tdmi/clips/windows.py",
           "existing + [0] * (len(wanted) - len(existing))",
           "[0] * (len(wanted) - len(existing)) + existing", "clips/test_windows"),
    Defect("crops half a pixel off", "tdmi/clips/crops.py",
           "/ 2 - 0.5", "/ 2", "clips/test_crops"),
    Defect("targets three eighths of a cell off", "tdmi/clips/crops.py",
           "(points + 0.5) / stride - 0.5", "points / stride", "clips/test_targets"),
    Defect("box not enlarged", "tdmi/clips/crops.py",
           "        return size * factor", "        return size", "clips/test_crops"),
    Defect("decoder a quarter of a cell off", "tdmi/clips/targets.py",
           "result = cells.copy()\n    # Far", "result = cells + 0.25\n    # Far",
           "clips/test_targets"),
    Defect("loss halved", "tdmi/losses/heatmap.py",
           "return factor * error.mean()", "return 0.5 * factor * error.mean()",
           "losses/test_heatmap"),
    Defect("sign of information to grow", "tdmi/losses/mutual_information_spatial.py",
           "if shrink else divergence.mean()", "if shrink else -divergence.mean()",
           "losses/test_mutual_information"),
    Defect("statistics of the frozen backbone drift", "tdmi/models/method.py",
           "norm.eval()", "norm.train(mode)", "models/test_method_contract"),
    Defect("weights of the frozen backbone learn", "tdmi/models/method.py",
           'self.freeze_backbone = yes_or_no("freeze_backbone", freeze_backbone)',
           "self.freeze_backbone = freeze_backbone = False", "models/test_method_contract"),
    Defect("backbone at the whole rate", "tdmi/training/optimiser.py",
           "recipe.learning_rate * recipe.backbone_rate", "recipe.learning_rate",
           "training/test_optimiser"),
    Defect("gradients not clipped", "tdmi/training/loop.py",
           "torch.nn.utils.clip_grad_norm_(clipped, clip)", "pass", "training/test_loop"),
    Defect("differences to the wrong frame", "tdmi/models/temporal_difference.py",
           "features[:, 1:] - features[:, :-1]", "features[:, 1:] - features[:, :1]",
           "models/test_temporal_difference"),
    Defect("joint score without the box score", "tdmi/prediction/predict.py",
           "scores = maxima * boxes.score[:, None]", "scores = maxima", "prediction/test_predict"),
    Defect("suppression keeps duplicates", "tdmi/prediction/oks_nms.py",
           "sigmas) <= threshold]", "sigmas) <= 2 * threshold]", "prediction/test_oks_nms"),
    Defect("neck and nose exchanged", "tdmi/data/skeletons.py",
           '"left_wrist", "head_bottom", "nose", "head_top",',
           '"left_wrist", "nose", "head_bottom", "head_top",',
           "data/test_annotations formats/test_posetrack17"),
    Defect("augmentation leaks into validation", "tdmi/clips/crops.py",
           "crop_matrix(centre, width, crop.size, geometry=geometry_of(crop))",
           "crop_matrix(centre, width, crop.size, 10.0, geometry=geometry_of(crop))",
           "clips/test_crops"),
    Defect("validation on the training split", "tdmi/experiments/build.py",
           'read_split(settings, "validation")', 'read_split(settings, "train")',
           "experiments/test_build"),
    Defect("joints hit within 0.6 head sizes", "tdmi/evaluation/matching/assignment.py",
           "HIT_DISTANCE = 0.5", "HIT_DISTANCE = 0.6",
           "evaluation/protocols/test_poseval evaluation/analysis/test_curves"),
    Defect("MOTA counts the last frame", "tdmi/evaluation/tracking/mota.py",
           "last = max(frames - 1, 0)", "last = frames", "evaluation/tracking/test_mota"),
)  # fmt: skip


def copy_checkout(folder: Path) -> None:
    """Copy the tracked files to `folder`, and link the data."""
    subprocess.run(["git", "checkout-index", "-a", f"--prefix={folder}/"], cwd=ROOT, check=True)
    (folder / "data").symlink_to(ROOT / "data")


def inject(defect: Defect, folder: Path) -> None:
    path = folder / defect.file
    text = path.read_text()
    assert text.count(defect.old) == 1, f"{defect.file} does not hold {defect.old!r} once"
    path.write_text(text.replace(defect.old, defect.new))


def run_module(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run a Python module that imports from `folder`; return its exit status and output."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def run_check(folder: Path, *options: str) -> tuple[int, str]:
    return run_module(folder, "tdmi.cli.main", "check-regression", "--suite", "smoke", *options)


def run_tests(folder: Path, names: list[str]) -> int:
    files = [f"tests/{name}.py" for name in names]
    return run_module(folder, "pytest", "-x", "-q", "-p", "no:cacheprovider", *files)[0]


def defect_row(defect: Defect) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_checkout(folder)
        inject(defect, folder)
        status, output = run_check(folder)
        first = re.search(r"^  (\S+): (found .*)$", output, re.MULTILINE)
        count = re.search(r"^(\d+) of \d+ probes differ", output, re.MULTILINE)
        part = re.search(r"^most likely part: (\w+)", output, re.MULTILINE)
        failed = run_tests(folder, defect.tests.split())
    return {
        "Defect": defect.name,
        "In": f"`{defect.file}`",
        "Check": "red" if status else "green",
        "Probes": count[1] if count else "",
        "First difference": f"`{first[1]}` {first[2]}" if first else output.strip()[-60:] * status,
        "Likely part": part[1] if part else "",
        "Unit tests": ("red" if failed else "green") + f": {defect.tests}",
    }


def clean_row(seed: int) -> dict[str, str]:
    threads = 1 + seed % 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_checkout(folder)
        status, output = run_check(folder, "--seed", str(seed), "--threads", str(threads))
    differences = re.findall(r"^  (\S+: found .*)$", output, re.MULTILINE)
    return {
        "Seed": seed,
        "Threads": threads,
        "Check": "red" if status else "green",
        "What differed": "; ".join(differences),
    }


def table(rows: list[dict[str, str]]) -> str:
    frame = pd.DataFrame(rows).astype(str)
    lines = [frame.columns, ["---"] * len(frame.columns), *frame.values]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--only", metavar="TEXT", help="defects whose name holds this")
    args = parser.parse_args()
    rows = []
    for defect in [d for d in DEFECTS if not args.only or args.only in d.name]:
        rows.append(defect_row(defect))
        print(rows[-1], flush=True)
    clean = []
    for seed in [] if args.only else CLEAN_SEEDS:
        clean.append(clean_row(seed))
        print(clean[-1], flush=True)
    red = sum("red" in row["Check"] + row["Unit tests"] for row in rows)
    alarms = sum(row["Check"] == "red" for row in clean)
    args.out.write_text(
        "# Defects that the regression check sees\n\nWritten by `tests/faults/defects.py`.\n\n"
        f"{red} of {len(rows)} injected defects turn the check or their unit tests red:\n\n"
        f"{table(rows)}\n\nThe unchanged program, trained with seeds that the record does not "
        f"hold, raises {alarms} false alarms in {len(clean)} checks:\n\n"
        f"{table(clean) if clean else ''}\n"
    )


if __name__ == "__main__":
    main()
