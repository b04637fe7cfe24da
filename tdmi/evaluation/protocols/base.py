"""The interface of every protocol: a request for an evaluation and its outcome."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from tdmi.core.checks import choose
from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations
from tdmi.evaluation import PROTOCOLS, VIDEO_PROTOCOLS, inputs
from tdmi.evaluation.output import Content

T = TypeVar("T")

_ONLY = {
    "tracking": ("poseval",),
    "strict_poseval": ("poseval",),
    "curves": VIDEO_PROTOCOLS,
    "slices": VIDEO_PROTOCOLS,
    "attributes": VIDEO_PROTOCOLS,
    "jobs": VIDEO_PROTOCOLS,
}
"""Options that only some protocols know."""
_NO_SLICES = (
    "; hieve and oks pair people anew at each threshold, so that no prediction has one owner"
)


@dataclass(frozen=True)
class Request:
    """An evaluation to be made; UserError for options that do not go together."""

    truth: Path
    """Folder of ground-truth files, one for each video."""
    predictions: Path
    """Folder of prediction files of the same names."""
    protocol: str = "poseval"
    """One of PROTOCOLS."""
    tracking: bool = False
    """Also MOTA, MOTP, precision and recall of tracking."""
    strict_poseval: bool = False
    """UserError for whatever poseval cannot evaluate."""
    curves: bool = False
    """Also PCKh curves, quantiles of the error and calibration of the scores."""
    slices: bool = False
    """Also AP on parts of the people, by how hard they are to find."""
    attributes: Path | None = None
    """Table or folder of tables with more attributes for the slices."""
    bootstrap: int | None = None
    """Also the interval of AP from that many resamples of the videos."""
    seed: int = 0
    """Of the bootstrap."""
    jobs: int | None = None
    """Processes; by default as many as the size of the input is worth."""
    quiet: bool = True
    """Without progress bars."""

    def __post_init__(self) -> None:
        choose("protocol", self.protocol, PROTOCOLS)
        for option in _ONLY:
            if getattr(self, option):
                check_protocol(option, self.protocol, _ONLY[option])
        for option in ("jobs", "bootstrap"):
            value = getattr(self, option)
            if value is not None and value < 1:
                raise UserError(f"--{option}: found {value}, expected 1 or more; leave it out")
        if self.seed < 0:
            raise UserError(f"--seed: found {self.seed}, expected 0 or more; leave it out")
        if self.attributes and not self.slices:
            raise UserError("--attributes goes with --slices, which is missing; add it")

    def progress(self, items: Iterable[T], title: str, total: int) -> Iterable[T]:
        """Return the items, with a bar on standard error if it is a terminal."""
        shown: Iterable[T] = tqdm(
            items, desc=title, unit="video", total=total, disable=self.quiet or None
        )
        return shown


def check_protocol(option: str, protocol: str, known: Sequence[str]) -> None:
    """Raise UserError unless `protocol` is one of those that know the option."""
    if protocol not in known:
        raise UserError(
            f"--{option.replace('_', '-')} goes with --protocol {' or '.join(known)}, "
            f"found {protocol}{_NO_SLICES if option == 'slices' else ''}; leave it out"
        )


@dataclass
class Evaluation:
    """The outcome of a request."""

    content: Content
    """Content of ``metrics.json``."""
    tables: list[str]
    """The result as lines of text."""
    warnings: list[str] = field(default_factory=list)
    """Signs of a mistake in the files; one line each."""

    @property
    def notes(self) -> list[str]:
        """Return answers to input on which the official program ends, one line each."""
        notes: list[str] = self.content.get("notes", [])
        return notes


class Protocol(ABC):
    """One way to score predictions."""

    @abstractmethod
    def evaluate(self, request: Request, names: Sequence[str]) -> Evaluation:
        """Evaluate the videos of these names; UserError that names the file at fault."""


def read_sides(
    request: Request,
    names: Sequence[str],
    read_folder: Callable[[Path, Iterable[str]], Annotations],
) -> tuple[Annotations, Annotations]:
    """Read all videos of ground truth and predictions into memory.

    Raises UserError for a file that is too large, a score that is not finite, or a video that
    comes twice.
    """
    inputs.total_size(request.truth, request.predictions, names)
    folders = {"ground truth": request.truth, "predictions": request.predictions}
    truth, predictions = (
        read_folder(folder, request.progress(names, title, len(names)))
        for title, folder in folders.items()
    )
    inputs.check_scores_finite(predictions, request.predictions)
    for people, folder in zip((truth, predictions), folders.values(), strict=True):
        images = [inputs.images_of(people, video) for video in range(len(names))]
        inputs.check_not_repeated(names, images, folder)
    return truth, predictions
