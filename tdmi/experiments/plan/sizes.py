"""People of a suite's data set: counted if the data are there, else from what is published."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tdmi.clips.frames import FrameStore
from tdmi.config.inputs import ROLES
from tdmi.config.suite import Suite, SuiteDataset
from tdmi.data.annotations import Annotations
from tdmi.datasets.mocap.options import options_from
from tdmi.datasets.public.acquire.catalogue import read_catalogue
from tdmi.datasets.public.check.published import PUBLISHED
from tdmi.experiments.build import read_split
from tdmi.experiments.predict import boxes_of
from tdmi.prediction.predict import ground_truth_boxes


@dataclass(frozen=True)
class Sizes:
    """People to train on, to validate on and, for each box protocol, to predict; None: unknown.

    `source`, `data_source`: where the numbers of people and bytes are from. `data_bytes`: the data
    set on disk. `cache_bytes`: decoded frames that a training process keeps, of the training and of
    the validation split; an upper bound where the data set is not there.
    """

    train: int | None
    validation: int | None
    boxes: dict[str, int | None]
    source: str
    data_bytes: int | None
    data_source: str
    cache_bytes: int


def sizes(suite: Suite) -> Sizes:
    """Return the sizes of the data set that a suite names."""
    dataset = suite.dataset
    root = Path(dataset.root)
    if all(dataset.folder.annotations(split).is_dir() for split in dataset.splits):
        return _counted(suite, root)
    mocap = dataset.name == "mocap"
    (train, validation, test), source = _expected(dataset) if mocap else _published(dataset)
    boxes: dict[str, int | None] = dict.fromkeys(suite.inference.box_protocols, test)
    bound = 2 * FrameStore(root).cache_bytes
    return Sizes(train, validation, boxes, source, *_published_bytes(dataset.name), bound)


def _counted(suite: Suite, root: Path) -> Sizes:
    train, validation, test = (read_split(suite, role) for role in ROLES)
    path = suite.dataset.folder.boxes(suite.dataset.test)
    boxes: dict[str, int | None] = {
        protocol: len(boxes_of(suite, protocol, "test", test).frame)
        if protocol == "ground_truth_boxes" or path.exists()
        else None
        for protocol in suite.inference.box_protocols
    }
    files = [Path(folder, f) for folder, _, fs in os.walk(root, followlinks=True) for f in fs]
    return Sizes(
        train=_people(train),
        validation=_people(validation),
        boxes=boxes,
        source=f"{root}: counted",
        data_bytes=sum(file.stat().st_size for file in files),
        data_source=f"{root}: measured",
        cache_bytes=_cache_bytes(train, root) + _cache_bytes(validation, root),
    )


def _people(annotations: Annotations) -> int:
    return len(ground_truth_boxes(annotations).frame)


def _cache_bytes(annotations: Annotations, root: Path) -> int:
    """Return the bytes of a split's decoded frames, all of the size of the first, in the cache."""
    store, files = FrameStore(root), annotations.frame_file
    return min(store.cache_bytes, len(files) * store.read(files[0]).nbytes) if files else 0


def _expected(dataset: SuiteDataset) -> tuple[list[int | None], str]:
    """Return the mean numbers of people that the options of a mocap set make."""
    options = options_from(dataset.options)
    people = sum(share * (i + 1) for i, share in enumerate(options.people_shares))
    counts: list[int | None] = []
    for split in map(dataset.split, ROLES):
        labelled = sum(options.is_labelled(split, i) for i in range(options.frames[split]))
        counts.append(round(options.videos[split] * labelled * people))
    return counts, "mocap: expected from the data set's options, not rendered yet"


def _published(dataset: SuiteDataset) -> tuple[list[int | None], str]:
    """Divide the published people, of train and val together, by the videos of these splits."""
    name = dataset.name
    facts = PUBLISHED[name]["facts"] if name in PUBLISHED else []
    total = next((fact for fact in facts if fact["quantity"] == "people"), None)
    if total is None:
        return [None] * 3, f"{name}: not prepared, and the number of its people is not published"
    releases = (None, total.get("release"))
    videos = {
        fact["split"]: fact["value"]
        for fact in reversed(facts)
        if fact["quantity"] == "videos" and fact.get("release") in releases
    }
    train, val = videos["train"], videos["val"]
    counts: list[int | None] = [
        round(total["value"] * videos[dataset.split(role)] / (train + val)) for role in ROLES
    ]
    return counts, (
        f"{name}: not prepared; {total['value']:,} people are published for train and val together "
        f"({total['confidence']}: {total['source']}), divided by their {train} and {val} videos"
    )


def _published_bytes(name: str) -> tuple[int | None, str]:
    catalogue = read_catalogue()
    pieces = catalogue[name].fixed if name in catalogue else ()
    known = [size or 0 for piece in pieces for size in piece.files.values()]
    if known and all(known):
        return sum(known), f"{name}: published sizes of the archives, unpacked about the same"
    return None, f"{name}: not here, and no size is published"
