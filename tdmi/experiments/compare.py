"""Compare two methods on the same videos: difference of AP, its interval and a test, in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tdmi.core.errors import UserError
from tdmi.evaluation.output import Content
from tdmi.evaluation.protocols.base import Request
from tdmi.evaluation.run import EVALUATORS
from tdmi.evaluation.statistics.interval import LEVEL, interval
from tdmi.evaluation.statistics.significance import Difference, content, difference
from tdmi.experiments.evaluate import checked_statistics

ALPHA = 0.05


def compare_folders(
    truth: Path,
    folders: dict[str, Sequence[Path]],
    protocol: str,
    resamples: int,
    seed: int,
    quiet: bool = True,
) -> Content:
    """Return the content of the command's JSON file, with the result in words as "verdict".

    Args:
        folders: of methods "a" and "b", the predictions of each run.

    Raises:
        UserError: a folder that is missing or given twice, or predictions that cannot be evaluated.
    """
    for method, given in folders.items():
        _check_folders(method, given)
    a, b = (
        [checked_statistics(Request(truth, run, protocol, quiet=quiet)) for run in runs]
        for runs in folders.values()
    )
    undefined = EVALUATORS[protocol].never_annotated
    found = difference(a, b, resamples, seed, undefined, quiet)
    videos = len(a[0])
    record: Content = {
        "protocol": protocol,
        "verdict": sentence(found, videos, [len(a), len(b)]),
    }
    for name, runs in folders.items():
        record[name] = {"runs": len(runs), "predictions": list(map(str, runs))}
    return record | content(found, videos, seed)


def sentence(found: Difference, videos: int, runs: list[int]) -> str:
    """Return the result in words: a difference only where interval and test both show one."""
    low, high = interval(found.replicates[:, -1], videos)
    by, p = found.estimate[-1], found.p_value
    verdict = (
        "no difference between a and b is shown",
        "undecided between a and b (interval and test do not agree)",
        "a is better than b" if by > 0 else "b is better than a",
    )[int(p < ALPHA) + int(low > 0 or high < 0)]
    level = f"{LEVEL:.0%} interval {low:+.2f} to {high:+.2f}, p = {p:.2g}"
    drawn = f"{videos} videos"
    if max(runs) > 1:
        drawn += f", {runs[0]} and {runs[1]} runs"
    if min(runs) == 1:
        drawn += "; a single run says nothing of how training varies"
    if 2 / 2**videos >= ALPHA:
        drawn += f"; with so few videos p cannot be below {2 / 2**videos:.3g}"
    return (
        f"{verdict}: AP {found.a[-1]:.2f} and {found.b[-1]:.2f}, a minus b {by:+.2f} points "
        f"({level}; {drawn})"
    )


def table(result: Content) -> str:
    """Return the differences by column with their intervals."""
    lines = [f"{'a minus b':<10}{'points':>8}{'from':>8}{'to':>8}"]
    for name, by in result["difference"].items():
        cells = [by, *(result["interval"]["difference"][name] or (None, None))]
        shown = "".join("     ---" if cell is None else f"{cell:+8.2f}" for cell in cells)
        lines.append(f"{name:<10}{shown}")
    return "\n".join(lines)


def _check_folders(method: str, folders: Sequence[Path]) -> None:
    resolved = [folder.resolve() for folder in folders]
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"--{method}: {folder}: no such folder, expected predictions")
        if resolved.count(folder.resolve()) > 1:
            raise UserError(
                f"--{method}: {folder}: given twice, expected another folder for every run; "
                "leave one out"
            )
