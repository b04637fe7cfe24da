"""Counts that were found against published ones, which hold for complete splits only."""

from __future__ import annotations

from typing import Any

from tdmi.datasets.public.check.release import PUBLISHED
from tdmi.datasets.public.check.report import Counts, Findings

_DOUBT = {"confirmed": "", "recalled": ", recalled", "unsure": ", unsure"}


def facts_of(dataset: str, release: str) -> list[dict[str, Any]]:
    """Facts that hold for `release`; all of them if the release is not one of the table."""
    releases = [entry["name"] for entry in PUBLISHED[dataset]["releases"]]
    return [
        fact
        for fact in PUBLISHED[dataset]["facts"]
        if release not in releases or fact.get("release", release) == release
    ]


def compare(counts: dict[str, Counts], facts: list[dict[str, Any]], findings: Findings) -> None:
    """Say which splits are subsets; compare the sizes of the complete ones with `facts`."""
    complete = set()
    for split, found in counts.items():
        videos = [fact for fact in facts if (fact["split"], fact["quantity"]) == (split, "videos")]
        if any(_agrees(found.videos, fact) for fact in videos):
            complete.add(split)
        elif videos:
            few = found.videos < max(fact["value"] for fact in videos)
            text = f"{split}: {found.videos} videos, published {_numbers(videos)}"
            findings.add("subset" if few else "more-than-published", [text])
    for fact in facts:
        splits = fact["split"].split("+")
        if fact["quantity"] == "videos" or not complete.issuperset(splits):
            continue
        value = sum(getattr(counts[split], fact["quantity"]) for split in splits)
        if not _agrees(value, fact):
            certain = fact["confidence"] == "confirmed"
            findings.add(
                "differs-from-published" if certain else "differs-from-recalled",
                [f"{fact['split']}: {value:,} {_name(fact)}, published {_numbers([fact])}"],
            )


def lines(splits: list[str], facts: list[dict[str, Any]]) -> list[str]:
    """The facts that concern `splits`, one per line, with their sources."""
    return [
        f"{fact['split']}: {_numbers([fact])} {_name(fact)} [{fact['source']}]"
        for fact in facts
        if set(fact["split"].split("+")) <= set(splits)
    ]


def _agrees(value: int, fact: dict[str, Any]) -> bool:
    low, high = fact.get("whole", [fact["value"]] * 2)
    return low <= value <= high


def _name(fact: dict[str, Any]) -> str:
    return fact["quantity"].replace("_", " ")


def _numbers(facts: list[dict[str, Any]]) -> str:
    """E.g. ``170 (v0.45) or 74 (v0.2)``; doubt is said."""
    texts = []
    for fact in facts:
        remarks = (fact.get("release", "") + _DOUBT[fact["confidence"]]).removeprefix(", ")
        texts.append(f"{fact['value']:,}" + (f" ({remarks})" if remarks else ""))
    return " or ".join(texts)
