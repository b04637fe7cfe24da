"""Damaged data sets: every check ends in a report that can be printed and written."""

import json
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tdmi.data.skeletons import HIEVE, POSETRACK17, POSETRACK18
from tdmi.datasets.public.check import check
from tdmi.datasets.public.check.images import inspect
from tdmi.evaluation.protocols.base import Request
from tdmi.evaluation.run import evaluate_folders
from tdmi.formats import posetrack17, posetrack17_matlab, posetrack18
from tdmi.formats.hieve import annolist
from tests.support.check_trees import draw, video
from tests.support.mutations import mutated_bytes, mutated_json

SEEDS = st.integers(0, 2**32 - 1)
TREES = {
    "posetrack17": ("annotations/val", "images/bonn/v", POSETRACK17, posetrack17.write_folder),
    "posetrack17 matlab": (
        "annotations/val", "images/bonn/v", POSETRACK17, posetrack17_matlab.write_folder,
    ),
    "posetrack18": ("annotations/val", "images/val/v", POSETRACK18, posetrack18.write_folder),
    "posetrack21": ("posetrack_data/val", "images/val/v", POSETRACK18, posetrack18.write_folder),
    "hieve": ("HIE20/labels/train/track2&3", "images/1", HIEVE, annolist.write_folder),
}  # fmt: skip


@pytest.fixture(scope="module", params=list(TREES))
def tree(request, tmp_path_factory):
    """Data set, root, label file and one image, with the bytes that they have undamaged."""
    root = tmp_path_factory.mktemp("tree")
    labels, folder, skeleton, write = TREES[request.param]
    files = [f"{folder}/{k:06d}.jpg" for k in range(3)]
    draw(root, files)
    write(video("1", files, skeleton), root / labels)
    label_file = next((root / labels).iterdir())
    image = root / files[1]
    return request.param.split()[0], root, label_file, label_file.read_bytes(), image


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    root = tmp_path_factory.mktemp("image")
    draw(root, ["a.jpg"])
    return root / "a.jpg"


@settings(max_examples=30, derandomize=True, deadline=None, database=None)
@given(seed=SEEDS)
@example(seed=770)  # scipy's reader crashes on this MATLAB file
def test_damaged_trees_end_in_a_report(tree, seed):
    dataset, root, label_file, data, image = tree
    rng = random.Random(seed)
    picture = image.read_bytes()
    try:
        if label_file.suffix == ".json" and rng.random() < 0.8:
            label_file.write_bytes(mutated_json(json.loads(data), seed))
        else:
            label_file.write_bytes(mutated_bytes(data, seed))
        if rng.random() < 0.3:
            image.write_bytes(mutated_bytes(picture, seed))
        report = check(dataset, root)
        if report.clean and label_file.suffix == ".json":  # then an evaluation takes it
            protocol = "hieve" if dataset == "hieve" else "poseval"
            evaluate_folders(Request(label_file.parent, label_file.parent, protocol))
    finally:
        label_file.write_bytes(data)
        image.write_bytes(picture)
    report.as_text().encode("utf-8")
    json.dumps(report.as_json(), allow_nan=False)
    for finding in report.findings:
        assert finding.count >= len(finding.examples) > 0
        assert all(example.isprintable() for example in finding.examples)
    unread = [f for f in report.findings if f.kind == "labels-unreadable"]
    assert all(label_file.name in example for f in unread for example in f.examples)
    assert sum(count.videos for count in report.counts.values()) == 1 - len(unread)


@settings(max_examples=30, derandomize=True, deadline=None, database=None)
@given(seed=SEEDS)
def test_an_image_that_is_cut_off_anywhere_is_never_taken_for_a_whole_one(image, seed):
    whole = image.read_bytes()
    try:
        image.write_bytes(whole[: random.Random(seed).randrange(len(whole))])
        picture = inspect(str(image))
    finally:
        image.write_bytes(whole)
    assert picture.kind in ("image-truncated", "image-unreadable")
    assert inspect(str(image)).kind == ""
