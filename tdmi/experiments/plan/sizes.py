"""How many people a suite's data set holds: read if it is there, else from what is published."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tdmi.clips.frames import FrameStore
from tdmi.config.suite import Suite
from tdmi.data.annotations import Annotations
from tdmi.data.detections import read_detections
from tdmi.datasets.mocap.options import options_from
from tdmi.datasets.public.acquire.catalogue import read_catalogue
from tdmi.datasets.public.check.release import PUBLISHED
from tdmi.experiments.build import read_split
from tdmi.prediction.predict import detected_boxes, ground_truth_boxes


@dataclass(frozen=True)
class Sizes:
    """People to train on, to validate on and to predict; None: neither there nor published.

    `boxes`: people to predict for each box protocol. `source`: where the numbers are from.
    `data_bytes`: the data set on disk, `data_source`: where that is from. `cache_bytes`: decoded
    frames that a training process keeps, of the training and of the validation split; their bound
    where the data is not there.
    """

    train: int | None
    validation: int | None
    boxes: dict[str, int | None]
    source: str
    data_bytes: int | None
    data_source: str
    cache_bytes: int


def sizes(suite: Suite) -> Sizes:
    """Sizes of the data set that a suite names."""
    dataset = suite.dataset
    root = Path(dataset.root)
    if all(dataset.folder.annotations(split).is_dir() for split in dataset.splits):
        return _read(suite, root)
    data_bytes, data_source = _published_bytes(dataset.name)
    people = _expected(suite) or _published(suite)
    protocols = suite.inference.box_protocols
    if people is None:
        nothing = f"{dataset.name}: not prepared, and the number of its people is not published"
        people = [None] * 3, nothing
    (train, validation, test), source = people
    boxes, bound = dict.fromkeys(protocols, test), 2 * FrameStore(root).cache_bytes
    return Sizes(train, validation, boxes, source, data_bytes, data_source, bound)


def _read(suite: Suite, root: Path) -> Sizes:
    split = {key: read_split(suite, key) for key in ("train", "validation", "test")}
    test = split["test"]
    boxes = {}
    for protocol in suite.inference.box_protocols:
        path = suite.dataset.folder.boxes(suite.dataset.test)
        if protocol == "ground_truth_boxes":
            boxes[protocol] = len(ground_truth_boxes(test).frame)
        elif path.exists():
            threshold = suite.inference.box_score_threshold
            boxes[protocol] = len(detected_boxes(test, read_detections(path), threshold).frame)
        else:
            boxes[protocol] = None
    return Sizes(
        train=len(ground_truth_boxes(split["train"]).frame),
        validation=len(ground_truth_boxes(split["validation"]).frame),
        boxes=boxes,
        source=f"{root}: counted",
        data_bytes=_bytes_below(root),
        data_source=f"{root}: measured",
        cache_bytes=sum(_cached(split[key], root) for key in ("train", "validation")),
    )


def _cached(annotations: Annotations, root: Path) -> int:
    """Bytes of the decoded frames of a split that its store keeps, at the size of the first."""
    store = FrameStore(root)
    if not annotations.frames:
        return 0
    return min(store.cache_bytes, annotations.frames * store.read(annotations.frame_file[0]).nbytes)


def _expected(suite: Suite) -> tuple[list[int], str] | None:
    """Of a mocap set that is not rendered yet: what its options make on average."""
    if suite.dataset.name != "mocap":
        return None
    options = options_from(suite.dataset.options)
    people = sum(share * (i + 1) for i, share in enumerate(options.people_shares))
    counts = []
    for key in ("train", "validation", "test"):
        split = suite.dataset.split(key)
        labelled = sum(options.is_labelled(split, i) for i in range(options.frames[split]))
        counts.append(round(options.videos[split] * labelled * people))
    return counts, "mocap: expected from the data set's options, not rendered yet"


def _published(suite: Suite) -> tuple[list[int], str] | None:
    """People of both splits together, which is what is published, shared out by their videos."""
    facts = PUBLISHED.get(suite.dataset.name, {}).get("facts", [])
    people = [fact for fact in facts if fact["quantity"] == "people"]
    if not people:
        return None
    total = people[0]
    videos = {
        split: next(
            fact["value"]
            for fact in facts
            if (fact["split"], fact["quantity"]) == (split, "videos")
            and fact.get("release") in (None, total.get("release"))
        )
        for split in ("train", "val")
    }
    share = {key: suite.dataset.split(key) for key in ("train", "validation", "test")}
    counts = [
        round(total["value"] * videos[split] / sum(videos.values())) for split in share.values()
    ]
    source = (
        f"{suite.dataset.name}: not prepared; {total['value']:,} people are published for "
        f"train and val together ({total['confidence']}: {total['source']}), shared out here by "
        f"their {videos['train']} and {videos['val']} videos"
    )
    return counts, source


def _published_bytes(name: str) -> tuple[int | None, str]:
    catalogue = read_catalogue()
    if name in catalogue:
        parts = [part for piece in catalogue[name].fixed for part in piece.files]
        known = [part.exact or part.about for part in parts]
        if known and all(known):
            return sum(known), f"{name}: published sizes of the archives, unpacked about the same"
    return None, f"{name}: not here, and no size is published"


def _bytes_below(root: Path) -> int:
    """Bytes of all files; a link to a folder of pictures counts with its content."""
    return sum(
        os.stat(os.path.join(folder, name)).st_size
        for folder, _, names in os.walk(root, followlinks=True)
        for name in names
    )
