"""Published sizes of the data sets: recognise a label release, and compare counts with them.

Results on PoseTrack18 are only comparable with the release stated: v0.2 has about 74 validation
videos, v0.45 has 170 (173 by some counts).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tdmi.core.checks import choose
from tdmi.core.files import read_yaml
from tdmi.datasets.public.check.findings import Findings
from tdmi.datasets.public.check.report import Counts

Fact = dict[str, Any]
"""One published number; see `published.yaml`."""
PUBLISHED: dict[str, dict[str, list[dict[str, Any]]]] = read_yaml(
    Path(__file__).with_name("published.yaml")
)
SUBSET = "subset"
UNKNOWN = "unknown"
_DOUBT = {"confirmed": "", "recalled": ", recalled", "unsure": ", unsure"}


def release_of(dataset: str, videos: Iterable[str]) -> str:
    """Return the label release, from the names of the videos of the release's own split.

    That is the validation split (HiEve: training split). Returns a release of the table, e.g.
    ``v0.45``; ``subset`` if the videos are fewer than those of the largest release and fit none;
    ``unknown`` if they are more, or none at all. The number of videos decides, because no release
    publishes their names. Raises UserError for an unknown data set.
    """
    releases = PUBLISHED[choose("dataset", dataset, PUBLISHED)]["releases"]
    count = len(set(videos))
    for release in releases:
        low, high = release["videos"]
        if low <= count <= high:
            return str(release["name"])
    largest = max(release["videos"][1] for release in releases)
    return SUBSET if 0 < count < largest else UNKNOWN


def facts_of(dataset: str, release: str) -> list[Fact]:
    """Return the facts that hold for `release`; all if the release is not one of the table."""
    releases = [entry["name"] for entry in PUBLISHED[dataset]["releases"]]
    return [
        fact
        for fact in PUBLISHED[dataset]["facts"]
        if release not in releases or fact.get("release", release) == release
    ]


def compare(counts: dict[str, Counts], facts: list[Fact], findings: Findings) -> None:
    """Find the splits that are subsets, and compare the sizes of the complete ones with `facts`."""
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


def lines(splits: list[str], facts: list[Fact]) -> list[str]:
    """Return the facts that concern `splits` as text, one per line, with their sources."""
    return [
        f"{fact['split']}: {_numbers([fact])} {_name(fact)} [{fact['source']}]"
        for fact in facts
        if set(fact["split"].split("+")) <= set(splits)
    ]


def _agrees(value: int, fact: Fact) -> bool:
    low, high = fact.get("whole", [fact["value"]] * 2)
    return bool(low <= value <= high)


def _name(fact: Fact) -> str:
    return str(fact["quantity"]).replace("_", " ")


def _numbers(facts: list[Fact]) -> str:
    """E.g. ``170 (v0.45) or 74 (v0.2)``, with a remark where a number is not confirmed."""
    texts = []
    for fact in facts:
        remarks = (fact.get("release", "") + _DOUBT[fact["confidence"]]).removeprefix(", ")
        texts.append(f"{fact['value']:,}" + (f" ({remarks})" if remarks else ""))
    return " or ".join(texts)
