"""Releases are recognised, and complete splits compared with published sizes."""

import pytest

from tdmi.core.errors import UserError
from tdmi.core.files import write_json
from tdmi.datasets.public.check import check, release_of
from tdmi.datasets.public.check import published as comparison
from tdmi.datasets.public.check.findings import Findings
from tdmi.datasets.public.check.published import PUBLISHED
from tdmi.datasets.public.check.report import Counts
from tests.support.check_trees import (
    found,
)


@pytest.mark.parametrize(
    ("dataset", "videos", "release"),
    [
        ("posetrack18", 170, "v0.45"),
        ("posetrack18", 173, "v0.45"),
        ("posetrack18", 74, "v0.2"),
        ("posetrack18", 75, "v0.2"),
        ("posetrack18", 3, "subset"),
        ("posetrack18", 120, "subset"),
        ("posetrack18", 301, "unknown"),
        ("posetrack18", 0, "unknown"),
        ("posetrack17", 50, "v0.75"),
        ("posetrack17", 49, "subset"),
        ("posetrack21", 170, "v0.1"),
        ("hieve", 4, "HIE20"),
    ],
)
def test_release_is_told_by_the_number_of_videos(dataset, videos, release):
    assert release_of(dataset, [f"{k:06d}_mpii_test" for k in range(videos)]) == release


def test_release_of_an_unknown_data_set_is_refused():
    with pytest.raises(UserError, match=r"found 'posetrack19', expected one of posetrack17"):
        release_of("posetrack19", [])


@pytest.mark.parametrize(("recorded", "errors"), [("v0.2", 1), ("v0.45", 0), ("mmpose", 0)])
def test_record_of_the_download_against_what_was_found(recorded, errors, tmp_path):
    root = tmp_path / "posetrack18"
    write_json(root / "acquired.json", {"name": "posetrack18", "labels": recorded})
    for k in range(170):
        name = f"{k:06d}_mpii_test"
        image = {"file_name": f"images/val/{name}/000000.jpg", "id": k + 1}
        category = {"name": "person", "keypoints": PT18_JOINTS}
        content = {"images": [image], "annotations": [], "categories": [category]}
        write_json(root / f"annotations/val/{name}.json", content, indent=None)
    report = check("posetrack18", root)
    assert report.release == "v0.45" and report.recorded_release == recorded
    assert f"says {recorded}" in report.as_text()
    assert found(report).get("release-contradiction", 0) == errors
    # A complete split without its 8,923 labelled frames is worth a look; there is no train split.
    differs = next(f for f in report.findings if f.kind == "differs-from-published")
    assert differs.severity == "warning"
    assert differs.examples == ["val: 0 labelled frames, published 8,923 (v0.45)"]


PT18_JOINTS = [
    "nose", "head_bottom", "head_top", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee",
    "right_knee", "left_ankle", "right_ankle",
]  # fmt: skip


def compared(dataset, release, **counts):
    findings = Findings()
    facts = comparison.facts_of(dataset, release)
    comparison.compare({split: Counts(*row) for split, row in counts.items()}, facts, findings)
    return {f.kind: f.examples for f in findings.listed()}


def test_complete_set_of_published_size_says_nothing():
    counts = {"train": (593, 0, 0, 100000, 0), "val": (170, 0, 8923, 53615, 0)}
    assert compared("posetrack18", "v0.45", **counts) == {}


def test_doubtful_published_numbers_stay_doubtful():
    counts = {"train": (593, 0, 0, 1, 0), "val": (170, 0, 8923, 2, 0)}
    assert compared("posetrack18", "v0.45", **counts) == {
        "differs-from-recalled": ["train+val: 3 people, published 153,615 (v0.45, unsure)"]
    }


def test_totals_of_a_subset_are_not_compared():
    counts = {"train": (592, 0, 0, 1, 0), "val": (170, 0, 8923, 2, 0)}
    assert compared("posetrack18", "v0.45", **counts) == {
        "subset": ["train: 592 videos, published 593"]
    }


def test_either_published_size_of_posetrack17_is_complete():
    assert compared("posetrack17", "v0.75", train=(250, 0, 0, 0, 0)) == {}
    assert compared("posetrack17", "v0.75", train=(292, 0, 0, 0, 0)) == {}
    assert compared("posetrack17", "v0.75", train=(300, 0, 0, 0, 0)) == {
        "more-than-published": ["train: 300 videos, published 250 or 292 (recalled)"]
    }


def test_table_of_published_sizes_is_in_form():
    for dataset, table in PUBLISHED.items():
        assert len({release["split"] for release in table["releases"]}) == 1, dataset
        names = {release["name"] for release in table["releases"]}
        for fact in table["facts"]:
            assert set(fact) <= {
                "split", "quantity", "value", "whole", "release", "confidence", "source",
            }  # fmt: skip
            assert fact["confidence"] in ("confirmed", "recalled", "unsure") and fact["source"]
            assert hasattr(Counts(), fact["quantity"]) and fact.get("release") in {None, *names}
