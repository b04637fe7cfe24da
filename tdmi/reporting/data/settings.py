"""What a report is told: the resolved suite mapping, checked and turned into plain objects.

The mapping, as YAML::

    suite: embedded                     # runs are read from <runs>/<suite>/<method>/seed<k>/
    title: Embedded suite               # heading of the page
    summary: one or two sentences       # optional, below the heading
    dataset: {name: Mocap, root: data/mocap, split: test, labels: exact}
                                        # labels: exact, annotated (default) or pseudo
    methods:                            # order of rows and of panels
      - {name: single_frame, label: Single frame, family: single}
      - {name: tdmi, label: TDMI, family: difference, description: optional, seeds: [1]}
    seeds: [1, 2, 3]                    # of every method that names none of its own
    box_protocols: [ground_truth_boxes, detected_boxes]
    evaluation: poseval                 # optional: or posetrack21, hieve
    note: one sentence                  # optional, added to the captions of the comparisons
    reference: single_frame             # a method's name
    equal_compute: single_frame_equal_compute   # a method's name, or null
    equal_layers: key_frame_fusion      # optional: a method's name
    subject: tdmi                       # optional: the method the headline is about
    gallery_methods: [single_frame, tdmi]       # optional: default all methods
    real_video: {suite: embedded_video, root: data/pose2sim, split: test,
                 methods: [single_frame, tdmi], seeds: [1]} # or null; name and seeds optional
    ablation:                           # optional, for a grid of ablations
      comparisons: {previous: {b: a, c: b}, a: {b: a, c: a}}  # column -> method -> its counterpart
      left_out: {Label: why}            # variants that the suite cannot hold
    settings:                           # shown in the table of choices, nested mappings allowed;
      inference: {flip: false, decoder: dark}   # these two are named in the captions, too

A method's `description` is the one line that says what it is. Its runs are those of another suite
if `run_of: <suite>/<method>` says so. Unknown keys are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tdmi.core.errors import UserError
from tdmi.core.files import read_yaml

# How the text of captions names the judge of each protocol.
JUDGES = {
    "poseval": "the PoseTrack evaluator",
    "posetrack21": "PoseTrack21's evaluation kit",
    "hieve": "a local HiEve score, not its server's (mean of three thresholds)",
}
FAMILY_LABELS = {
    "single": "Single frame",
    "control": "Control",
    "flow": "Optical flow",
    "deformable": "Deformable convolution",
    "difference": "Temporal differences",
    "ablation": "Ablation",
}
LABEL_KINDS = {
    "exact": "ground truth (exact, from the renderer)",
    "annotated": "ground truth (annotated by people)",
    "pseudo": "pseudo-labels (not annotated by people)",
}


@dataclass(frozen=True)
class Method:
    name: str
    label: str
    family: str
    seeds: tuple[int, ...]
    description: str = ""
    run_of: str | None = None

    @property
    def family_label(self) -> str:
        return FAMILY_LABELS.get(self.family, self.family.capitalize())


@dataclass(frozen=True)
class Dataset:
    name: str
    root: Path
    split: str
    labels: str = "annotated"

    @property
    def label_kind(self) -> str:
        return LABEL_KINDS[self.labels]

    def boxes(self, protocol: str) -> str:
        """Name of a box protocol in captions; boxes of pseudo-labels are not called truth."""
        if protocol == "ground_truth_boxes":
            return "pseudo-label boxes" if self.labels == "pseudo" else "ground-truth boxes"
        return protocol.replace("_", " ")


@dataclass(frozen=True)
class RealVideo:
    """A second suite on real video; its labels are pseudo-labels, never called ground truth."""

    suite: str
    dataset: Dataset
    methods: tuple[Method, ...]


@dataclass(frozen=True)
class Ablation:
    """What a grid of ablations compares."""

    comparisons: Mapping[str, Mapping[str, str]]
    """"previous" or a reference's name -> method -> the method that it is compared with."""
    left_out: Mapping[str, str]
    """Label of a variant that the suite cannot hold -> why."""


@dataclass(frozen=True)
class Settings:
    """The resolved suite, as far as a report needs it."""

    suite: str
    title: str
    summary: str
    dataset: Dataset
    methods: tuple[Method, ...]
    seeds: tuple[int, ...]
    box_protocols: tuple[str, ...]
    reference: str
    equal_compute: str | None
    subject: str | None
    gallery_methods: tuple[str, ...]
    real_video: RealVideo | None
    settings: Mapping[str, Any]
    evaluation: str = "poseval"
    equal_layers: str | None = None
    ablation: Ablation | None = None
    note: str = ""

    @property
    def strictest(self) -> str:
        """The reference that leaves the least to explain a gain: equal layers, equal compute."""
        return self.equal_layers or self.equal_compute or self.reference

    @property
    def judge(self) -> str:
        return JUDGES[self.evaluation]

    def method(self, name: str) -> Method:
        return next(method for method in self.methods if method.name == name)

    def boxes(self, protocol: str) -> str:
        return self.dataset.boxes(protocol)

    @property
    def protocols(self) -> dict[str, str]:
        """Box protocols and their names in captions."""
        return {protocol: self.boxes(protocol) for protocol in self.box_protocols}


_REQUIRED = ("suite", "title", "dataset", "methods", "seeds", "box_protocols", "reference")
_OPTIONAL = (
    "summary", "equal_compute", "equal_layers", "subject", "gallery_methods", "real_video",
    "settings", "evaluation", "ablation", "note",
)  # fmt: skip


def load(path: Path | str) -> Settings:
    """Read and check a suite mapping. UserError names the file and the key."""
    return parse(read_yaml(path), Path(path))


def parse(value: Any, path: Path) -> Settings:
    """Check a suite mapping; `path` names where it comes from in errors."""
    value = _mapping(value, path, "the file", _REQUIRED, _OPTIONAL)
    seeds = _seeds(value["seeds"], path, "seeds")
    methods = tuple(
        _method(item, seeds, path, f"methods[{i}]")
        for i, item in enumerate(_list(value["methods"], path, "methods"))
    )
    names = [method.name for method in methods]
    if len(set(names)) != len(names):
        raise UserError(f"{path}: methods: a name stands twice in {names}; give each method once")
    for key in ("reference", "equal_compute", "equal_layers", "subject"):
        if value.get(key) is not None and value[key] not in names:
            raise UserError(f"{path}: {key}: {value[key]!r} is none of the methods {names}")
    evaluation = value.get("evaluation", "poseval")
    if evaluation not in JUDGES:
        raise UserError(f"{path}: evaluation: found {evaluation!r}, expected {list(JUDGES)}")
    gallery = value.get("gallery_methods")
    gallery = names if gallery is None else _list(gallery, path, "gallery_methods")
    _known(gallery, names, path, "gallery_methods")
    return Settings(
        suite=str(value["suite"]),
        title=str(value["title"]),
        summary=str(value.get("summary") or ""),
        dataset=_dataset(value["dataset"], path, "dataset"),
        methods=methods,
        seeds=seeds,
        box_protocols=tuple(_list(value["box_protocols"], path, "box_protocols")),
        reference=value["reference"],
        equal_compute=value.get("equal_compute"),
        equal_layers=value.get("equal_layers"),
        subject=value.get("subject"),
        gallery_methods=tuple(gallery),
        real_video=_real_video(value.get("real_video"), methods, path),
        settings=value.get("settings") or {},
        evaluation=evaluation,
        ablation=_ablation(value.get("ablation"), names, path),
        note=str(value.get("note") or ""),
    )


def _ablation(value: Any, names: list[str], path: Path) -> Ablation | None:
    if value is None:
        return None
    value = _mapping(value, path, "ablation", ("comparisons",), ("left_out",))
    for key, pairs in value["comparisons"].items():
        _known([*pairs, *pairs.values()], names, path, f"ablation.comparisons.{key}")
    return Ablation(value["comparisons"], value.get("left_out", {}))


def _real_video(value: Any, methods: tuple[Method, ...], path: Path) -> RealVideo | None:
    if value is None:
        return None
    required, optional = ("suite", "root", "split", "methods"), ("name", "seeds")
    value = _mapping(value, path, "real_video", required, optional)
    names = _list(value["methods"], path, "real_video.methods")
    _known(names, [method.name for method in methods], path, "real_video.methods")
    shown = tuple(method for method in methods if method.name in names)
    if "seeds" in value:
        seeds = _seeds(value["seeds"], path, "real_video.seeds")
        shown = tuple(replace(method, seeds=seeds) for method in shown)
    dataset = Dataset(
        value.get("name", str(value["suite"])), Path(value["root"]), str(value["split"]), "pseudo"
    )
    return RealVideo(str(value["suite"]), dataset, shown)


def _method(value: Any, seeds: tuple[int, ...], path: Path, place: str) -> Method:
    value = _mapping(
        value, path, place, ("name", "label", "family"), ("description", "seeds", "run_of")
    )
    own = _seeds(value["seeds"], path, f"{place}.seeds") if "seeds" in value else seeds
    return Method(**(value | {"seeds": own}))


def _seeds(value: Any, path: Path, place: str) -> tuple[int, ...]:
    seeds = _list(value, path, place)
    if not all(isinstance(seed, int) for seed in seeds):
        raise UserError(f"{path}: {place}: found {seeds}, expected whole numbers")
    return tuple(seeds)


def _dataset(value: Any, path: Path, place: str) -> Dataset:
    value = _mapping(value, path, place, ("name", "root", "split"), ("labels",))
    labels = value.get("labels", "annotated")
    if labels not in LABEL_KINDS:
        raise UserError(f"{path}: {place}.labels: found {labels!r}, expected {list(LABEL_KINDS)}")
    return Dataset(str(value["name"]), Path(value["root"]), str(value["split"]), labels)


def _mapping(value: Any, path: Path, place: str, required: tuple, optional: tuple) -> dict:
    if not isinstance(value, dict):
        raise UserError(f"{path}: {place}: found {type(value).__name__}, expected a mapping")
    missing = [key for key in required if key not in value]
    unknown = [key for key in value if key not in required + optional]
    if missing or unknown:
        raise UserError(
            f"{path}: {place}: missing keys {missing}, unknown keys {unknown}; "
            f"known are {list(required + optional)}"
        )
    return value


def _list(value: Any, path: Path, place: str) -> list:
    if not isinstance(value, list) or not value:
        raise UserError(f"{path}: {place}: found {value!r}, expected a list with entries")
    return value


def _known(chosen: list[str], names: list[str], path: Path, place: str) -> None:
    strangers = [name for name in chosen if name not in names]
    if strangers:
        raise UserError(f"{path}: {place}: {strangers} are none of the methods {names}")
