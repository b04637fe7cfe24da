"""Repeat a recorded run (training, prediction, evaluation) and compare it with the record.

All comes from the run's config.yaml; weights that it started from are those of the recorded run.
On the same machine with the same code and packages a repeated run has the same bits; elsewhere the
differences are listed, and the exit status is 1 if a metric differs. The comparison is also written
to reproduction.json in the new folder. An interrupted repetition goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tdmi.experiments.reproduce import Comparison

_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=Path, metavar="RUN", help="a finished run, e.g. runs/embedded/tdmi/seed0"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of runs to repeat it in"
    )
    parser.add_argument(
        "--runs",
        type=Path,
        metavar="DIR",
        help="folder of the run it started from (default: the one that holds RUN)",
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of torch (default 1)")


def run(args: argparse.Namespace) -> None:
    from tdmi.core.threads import use_threads

    use_threads(args.threads)
    from tdmi.core.files import read_json, sha256_of, write_json
    from tdmi.experiments.reproduce import compare, evaluations, repeat
    from tdmi.experiments.verify import read_run

    wanted = evaluations(args.folder)
    folder = repeat(args.folder, args.out, args.runs)
    comparisons = []
    for path, options in wanted:
        _evaluate(folder / path, options)
        pair = [read_json(one / path) for one in (args.folder, folder)]
        comparisons.append(compare(path.as_posix(), *pair))
    _, record = read_run(args.folder)
    same_bits = sha256_of(folder / "checkpoint.pt") == record["checkpoint_sha256"]
    print(f"checkpoint: {'the same bits' if same_bits else 'other bits'}")
    for comparison in comparisons:
        print("\n".join(lines(comparison)))
    content = {
        "checkpoint_equal": same_bits,
        "metrics": {
            one.name: {"numbers": one.numbers, "differing": one.differing} for one in comparisons
        },
    }
    write_json(folder / "reproduction.json", content)
    if any(one.differing for one in comparisons):
        sys.exit(1)


def _evaluate(out: Path, options: list[str]) -> None:
    from tdmi.cli import evaluate
    from tdmi.experiments.folder import evaluated_folder

    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    options = [*options, "--pred", str(evaluated_folder(out)), "--out", str(out), "--quiet"]
    if out.name == "tracking.json":
        options.append("--tracking")
    evaluate.run(parser.parse_args(options))


def lines(comparison: Comparison) -> list[str]:
    if not comparison.differing:
        return [f"{comparison.name}: {comparison.numbers} numbers equal to the last digit"]
    count = len(comparison.differing)
    largest = "" if comparison.largest is None else f", by at most {comparison.largest:.6g}"
    result = [f"{comparison.name}: {count} of {comparison.numbers} numbers differ{largest}"]
    for place, (before, after) in list(comparison.differing.items())[:_SHOWN]:
        result.append(f"  {place}: recorded {_shown(before)}, repeated {_shown(after)}")
    if count > _SHOWN:
        result.append(f"  … and {count - _SHOWN} more, in reproduction.json")
    return result


def _shown(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.6g}"
