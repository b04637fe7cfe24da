"""Which release of a data set's labels a set of videos belongs to.

Results on PoseTrack18 are only comparable with the release stated: v0.2 has about 74 validation
videos, v0.45 has 170 (173 by some counts).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tdmi.core.checks import choose
from tdmi.core.files import read_yaml
from tdmi.data.annotations import Annotations

PUBLISHED: dict[str, dict[str, Any]] = read_yaml(Path(__file__).with_name("published.yaml"))
"""Per data set: ``releases`` and ``facts``, see the file."""

SUBSET = "subset"
UNKNOWN = "unknown"


def telling_split(dataset: str) -> str:
    """The split whose number of videos tells the releases apart."""
    return _known(dataset)["releases"][0]["split"]


def release_of(dataset: str, annotations_or_names: Annotations | Iterable[str]) -> str:
    """Name of the label release, from the videos of the validation split (HiEve: training split).

    Returns a release of the table, e.g. ``v0.45``; ``subset`` if the videos are fewer than those
    of the largest release and fit none; ``unknown`` if they are more, or none at all.
    The number of videos decides, by ranges: two releases' names of videos are not published.
    Raises UserError for an unknown data set.
    """
    releases = _known(dataset)["releases"]
    names = annotations_or_names
    if isinstance(names, Annotations):
        names = names.video_names
    count = len(set(names))
    for release in releases:
        low, high = release["videos"]
        if low <= count <= high:
            return release["name"]
    largest = max(release["videos"][1] for release in releases)
    return SUBSET if 0 < count < largest else UNKNOWN


def _known(dataset: str) -> dict[str, Any]:
    return PUBLISHED[choose("dataset", dataset, PUBLISHED)]
