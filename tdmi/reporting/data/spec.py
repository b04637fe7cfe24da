"""The spec of a report: its methods, references and data sets, taken from the suites it covers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tdmi.config.published import PARTS, settings_note
from tdmi.config.suite import MethodUse, Suite
from tdmi.core.errors import UserError

Record = dict[str, Any]
"""A JSON object with entries that are not known in advance, e.g. a run's provenance."""
QUESTION = (
    "On the same boxes, with the same decoder, training budget and official evaluator: what do "
    "temporal differences with mutual-information disentanglement gain over optical flow, over "
    "deformable convolution, and over a single frame?"
)
EVALUATORS = {
    "poseval": "the PoseTrack evaluator",
    "posetrack21": "PoseTrack21's evaluation kit",
    "hieve": "a local HiEve score, not its server's (mean of three thresholds)",
}
"""Names of the evaluators in captions, by protocol."""
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
_REFERENCES = (
    ("reference", "single frame", "the {label}"),
    ("equal_compute", "equal compute", "a single frame of equal compute"),
    ("equal_layers", "equal layers", "a single-frame control with the same number of layers"),
)
"""Key in a suite's report, words in headings, and description in sentences; the strictest last."""
_CHOICES = ("seeds", "crop", "augmentation", "backbone", "recipes", "inference")
"""Parts of a suite in the page's table of choices."""


@dataclass(frozen=True)
class Method:
    name: str
    label: str
    family: str
    seeds: tuple[int, ...]
    description: str = ""
    run_of: str | None = None
    """Folder below all runs, ``<suite>/<method>``, if its runs belong to another suite."""

    @property
    def family_label(self) -> str:
        return FAMILY_LABELS.get(self.family, self.family.capitalize())


@dataclass(frozen=True)
class Reference:
    """A method that all others are compared with."""

    words: str
    """Its name in headings, e.g. "equal layers"."""
    method: Method
    description: str
    """Its name in sentences, e.g. "a single frame of equal compute"."""

    @property
    def key(self) -> str:
        """Its name in columns of files."""
        return self.words.replace(" ", "_")


@dataclass(frozen=True)
class Dataset:
    name: str
    root: Path
    split: str
    labels: str = "annotated"
    """A key of LABEL_KINDS."""

    @property
    def label_kind(self) -> str:
        return LABEL_KINDS[self.labels]

    def boxes(self, protocol: str) -> str:
        """Name of a box protocol in captions; boxes of pseudo-labels are not called truth."""
        if protocol == "ground_truth_boxes":
            return "pseudo-label boxes" if self.labels == "pseudo" else "ground-truth boxes"
        return protocol.replace("_", " ")


@dataclass(frozen=True)
class Ablation:
    """The comparisons of a grid of ablations; none for a suite that is no grid."""

    comparisons: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """"previous" or a reference's name -> method -> the method that it is compared with."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Label of a variant that the suite cannot hold -> why."""


@dataclass(frozen=True)
class ReportSpec:
    """A suite as far as its report needs it."""

    suite: str
    """Runs are read from ``<runs>/<suite>/<method>/seed<k>``."""
    title: str
    dataset: Dataset
    methods: tuple[Method, ...]
    seeds: tuple[int, ...]
    box_protocols: tuple[str, ...]
    references: tuple[Reference, ...]
    """At least the single frame; the last leaves the least to explain a gain."""
    subject: Method | None = None
    """The method that the headline is about."""
    summary: str = ""
    evaluation: str = "poseval"
    real_video: ReportSpec | None = None
    """The same for a suite on real video, whose labels are pseudo-labels, never ground truth."""
    ablation: Ablation = Ablation()
    note: str = ""
    """Sentence added to the captions of the comparisons."""
    decoding: tuple[str, ...] = ()
    """How predictions are decoded, for captions."""
    choices: Mapping[str, Any] = field(default_factory=dict)
    """Table of choices: name, its levels joined by " · ", and value."""

    @property
    def reference(self) -> Method:
        """The plain reference: the single frame."""
        return self.references[0].method

    @property
    def is_grid(self) -> bool:
        return bool(self.ablation.comparisons)

    @property
    def strictest(self) -> Method:
        return self.references[-1].method

    @property
    def evaluator(self) -> str:
        return EVALUATORS[self.evaluation]

    @property
    def protocols(self) -> dict[str, str]:
        """Box protocols and their names in captions."""
        return {protocol: self.boxes(protocol) for protocol in self.box_protocols}

    def method(self, name: str) -> Method:
        return next(method for method in self.methods if method.name == name)

    def boxes(self, protocol: str) -> str:
        return self.dataset.boxes(protocol)

    def conditions(self, boxes: str | None = None) -> str:
        """Return the conditions of numbers on these boxes (default: all), for a caption."""
        words = [f"{self.dataset.name}, split {self.dataset.split}"]
        words += [boxes or " and ".join(self.protocols.values()), *self.decoding]
        words.append("seeds " + ", ".join(str(seed) for seed in self.seeds))
        return "; ".join(words) + "."

    @classmethod
    def from_suites(cls, suites: Mapping[str, Suite]) -> ReportSpec:
        """Return the report on the first of `suites`, whose others are its companions.

        `suites` are as `tdmi.config.suites.load_suites` returns them. The first companion with
        pseudo-labels becomes the real video.

        Raises:
            UserError: a reference or subject that is not among the suite's methods.
        """
        main, *companions = suites.values()
        report, grid, inference = main.report, main.grid, main.inference
        methods = {
            name: Method(
                name,
                use.label,
                use.family,
                main.seeds_of(name),
                f"{use.description}. {use.source or ''}".strip(),
                f"{use.run_of.suite}/{use.run_of.method}" if use.run_of else None,
            )
            for name, use in main.methods.items()
        }
        for key in (*(key for key, *_ in _REFERENCES), "subject"):
            if getattr(report, key) is not None and getattr(report, key) not in methods:
                raise UserError(
                    f"suite {main.name}: report/{key}: found {getattr(report, key)!r}, expected "
                    f"one of the methods {', '.join(methods)}"
                )
        content = main.to_dict()
        shown = {name: _method_choices(use) for name, use in main.methods.items()}
        spec = cls(
            suite=main.name,
            title=main.title,
            dataset=_dataset(main),
            methods=tuple(methods.values()),
            seeds=main.seeds,
            box_protocols=inference.box_protocols,
            references=tuple(
                Reference(words, method, description.format(label=method.label.lower()))
                for key, words, description in _REFERENCES
                if (method := methods.get(getattr(report, key)))
            ),
            subject=methods.get(report.subject or ""),
            summary=grid.question if grid else QUESTION if report.subject else "",
            evaluation=main.evaluation,
            ablation=Ablation(grid.comparisons, grid.left_out) if grid else Ablation(),
            note=settings_note(main),
            decoding=(
                f"decoder {inference.decoder}",
                f"flip averaging {'on' if inference.flip else 'off'}",
            ),
            choices=flat({key: content[key] for key in _CHOICES} | {"methods": shown}),
        )
        for suite in companions:
            if suite.report.labels == "pseudo":
                return replace(spec, real_video=_on_real_video(spec, suite))
        return spec


def _dataset(suite: Suite) -> Dataset:
    data = suite.dataset
    return Dataset(data.name, Path(data.root), data.test, suite.report.labels)


def _on_real_video(spec: ReportSpec, suite: Suite) -> ReportSpec:
    methods = [method for method in spec.methods if method.name in suite.methods]
    shown = tuple(replace(method, seeds=suite.seeds) for method in methods)
    return replace(spec, suite=suite.name, dataset=_dataset(suite), methods=shown)


def _method_choices(use: MethodUse) -> Record:
    """Recipe, start, and options of one method, and the parts of the suite that it replaces."""
    content = use.to_dict()
    chosen = {key: content[key] for key in ("recipe", "start_from", *PARTS) if key in content}
    return chosen | content["options"]


def flat(value: Any, prefix: str = "") -> Record:
    """Return nested mappings as one level: {"a": {"b": 1}} -> {"a · b": 1}."""
    if not isinstance(value, dict):
        return {prefix: value}
    result: Record = {}
    for name, inner in value.items():
        result |= flat(inner, f"{prefix} · {name}" if prefix else str(name))
    return result
