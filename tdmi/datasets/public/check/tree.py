"""Check a data set on disk: every label file against the images, itself and published sizes.

No text of a label file is used as a path: images are listed first, then looked up by name.
"""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from tdmi.core.checks import choose
from tdmi.core.errors import UserError
from tdmi.core.files import read_json
from tdmi.data.annotations import Annotations
from tdmi.datasets.public.check import published
from tdmi.datasets.public.check.findings import SHOWN, Findings
from tdmi.datasets.public.check.frames import check_frames
from tdmi.datasets.public.check.images import Pictures, inspect_tree
from tdmi.datasets.public.check.labels import Labels, read_labels
from tdmi.datasets.public.check.people import check_people, place
from tdmi.datasets.public.check.published import PUBLISHED, release_of
from tdmi.datasets.public.check.report import Counts, Report
from tdmi.datasets.public.check.swaps import beyond_chance, exchanged, steps
from tdmi.datasets.public.layout import LAYOUTS, Layout, label_files


class Video(NamedTuple):
    """The results of one label file's check that concern the whole data set."""

    name: str
    counts: Counts
    folders: set[str]
    """Image folders that it names."""
    compared: int
    """Steps of tracks that `swaps.steps` compares."""
    reversed: int
    """Those in which left and right change over."""
    reversals: list[str]
    """The first places of these."""


def check(dataset: str, root: Path | str, deep: bool = False) -> Report:
    """Check the data set `dataset` (posetrack17, posetrack18, posetrack21 or hieve) in `root`.

    `deep` decodes every image instead of reading its header and end. Damaged label files and images
    are findings; UserError is raised only if there is no such folder or no label file in it.
    """
    choose("dataset", dataset, LAYOUTS)
    root = Path(root)
    files = label_files(dataset, root)
    findings = Findings()
    pictures = inspect_tree(root, deep)
    for folder, names in pictures.items():
        for name, picture in names.items():
            if picture.kind:
                findings.add(picture.kind, [f"{folder}/{name}: {picture.detail}"])
    videos = _check_labels(dataset, root, files, pictures, findings)
    every = [video for split in videos.values() for video in split]
    stems = {path.stem for paths in files.values() for path in paths}
    _check_folders(stems, every, pictures, findings)
    _check_swaps(every, findings)

    folders = LAYOUTS[dataset].label_folders
    empty = [split for split, paths in files.items() if not paths]
    findings.add("split-without-labels", [f"{split}: {folders[split]}" for split in empty])
    counts = {
        split: Counts(*map(sum, zip(*(astuple(video.counts) for video in part), strict=True)))
        for split, part in videos.items()
        if files[split]
    }
    releases = PUBLISHED[dataset]["releases"]
    release = release_of(dataset, [video.name for video in videos.get(releases[0]["split"], [])])
    recorded = _recorded_release(root)
    known = {entry["name"] for entry in releases}
    if {release, recorded} <= known and release != recorded:
        findings.add("release-contradiction", [f"found {release}, recorded {recorded}"])
    facts = published.facts_of(dataset, release)
    published.compare(counts, facts, findings)
    return Report(
        dataset=dataset,
        root=str(root),
        deep=deep,
        release=release,
        recorded_release=recorded,
        counts=counts,
        published=published.lines(list(counts), facts),
        findings=findings.listed(),
    )


def _check_labels(
    dataset: str,
    root: Path,
    files: dict[str, list[Path]],
    pictures: Pictures,
    findings: Findings,
) -> dict[str, list[Video]]:
    """Check every label file that can be read; videos by split."""
    videos: dict[str, list[Video]] = {split: [] for split in files}
    todo = [(split, path) for split, paths in files.items() for path in paths]
    for split, path in tqdm(todo, desc="labels", disable=None):
        try:
            labels = read_labels(dataset, path)
        except (UserError, OSError) as error:
            findings.add("labels-unreadable", [str(error)])
            continue
        film = dataset == "hieve" and _has_film(root, path.stem)
        # HiEve's validation videos lie among the training labels.
        judged = split != "train" or dataset == "hieve"
        label_file = path.relative_to(root).as_posix()
        # Damaged labels hold numbers that overflow; comparing with infinity is what is meant.
        with np.errstate(over="ignore", invalid="ignore"):
            _check_video(labels, LAYOUTS[dataset], label_file, film, pictures, judged, findings)
            videos[split].append(_summary(path.stem, labels.annotations))
    return videos


def _has_film(root: Path, video: str) -> bool:
    """Return whether the film of a HiEve video is there, to extract its frames."""
    folder = root / "HIE20" / "videos"
    return any(path.is_file() for path in (folder / f"{video}.mp4", folder / f"train/{video}.mp4"))


def _recorded_release(root: Path) -> str | None:
    """The label version that the record of the download states; None without a readable one."""
    try:
        version = read_json(root / "acquired.json")["labels"]
    except (UserError, KeyError, TypeError):
        return None
    return version if isinstance(version, str) else None


def _check_video(
    labels: Labels,
    layout: Layout,
    label_file: str,
    film: bool,
    pictures: Pictures,
    judged: bool,
    findings: Findings,
) -> None:
    annotations, unknown = labels.annotations, labels.unknown_joints
    if annotations.skeleton not in layout.skeletons:
        findings.add("other-joint-set", [f"{label_file}: {annotations.skeleton.name}"])
        unknown = []
    findings.add("joint-unknown", [f"{label_file}: {joint}" for joint in unknown])
    if labels.left_out:
        text = f"{label_file}: {labels.left_out} without a joint list"
        findings.add("person-without-joints", [text], labels.left_out)
    if not annotations.frames:
        findings.add("labels-empty", [label_file])
    sizes = check_frames(annotations, pictures, label_file, findings, film, layout.lists_all_frames)
    check_people(annotations, sizes, judged, findings)
    findings.add("repeated", [f"{label_file}: {one}" for one in labels.repeated])
    text = exchanged(annotations)
    findings.add("sides-exchanged", [f"{label_file}: {text}"] if text else [])


def _summary(name: str, annotations: Annotations) -> Video:
    turns = steps(annotations)
    return Video(
        name,
        Counts(
            videos=1,
            frames=annotations.frames,
            labelled_frames=int(annotations.frame_labelled.sum()),
            people=int(annotations.present.any(axis=1).sum()),
            joints=int(annotations.present.sum()),
        ),
        {file.rpartition("/")[0] for file in annotations.frame_file},
        turns.compared,
        len(turns.reversed),
        [place(annotations, person) for person in turns.reversed[:SHOWN]],
    )


def _check_folders(
    stems: set[str], videos: list[Video], pictures: Pictures, findings: Findings
) -> None:
    """Find image folders that two label files name, or none; unreadable files may name some."""
    named: dict[str, str] = {}
    for video in videos:
        for folder in sorted(video.folders):
            other = named.setdefault(folder, video.name)
            if other != video.name:
                findings.add("folder-labelled-twice", [f"{folder}: {video.name} after {other}"])
    bare = [folder for folder in pictures if folder not in named]
    findings.add("folder-without-labels", [f for f in bare if f.rpartition("/")[2] not in stems])


def _check_swaps(videos: list[Video], findings: Findings) -> None:
    compared, turned = ([v.compared for v in videos], [v.reversed for v in videos])
    for row in np.flatnonzero(beyond_chance(compared, turned)):
        video = videos[row]
        part = f"{video.reversed} of {video.compared} steps of tracks in {video.name}"
        places = [f"{place} ({part})" for place in video.reversals]
        findings.add("swapped-left-right", places, video.reversed)
