"""Options of the prepared data set."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tdmi.core.checks import build, mapping
from tdmi.core.errors import UserError
from tdmi.core.files import read_yaml

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Pose2simOptions:
    """Options of the data set; the defaults are choices of this project."""

    seed: int = 2023
    cameras: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {"train": ("cam01", "cam03"), "val": ("cam04",), "test": ("cam02",)}
    )
    """Train on a front and a back view; test on the view from the front that shows the person
    upright."""
    step: int = 2
    """Every n-th frame of the 60 a second: 2 makes neighbours 33 ms apart."""
    label_stride: dict[str, int] = field(default_factory=lambda: {"train": 1, "val": 1, "test": 1})
    """Every n-th kept frame is labelled. PoseTrack labels every fourth outside its training set;
    here that would leave 13 people to test on, so all frames keep their labels."""
    scale: float = 0.25
    """Size of the images; a quarter makes the person about 200 px high."""
    jpeg_quality: int = 92
    box_jitter: float = 0.06
    """Standard deviation of a simulated detection's centre and log size, in box sizes."""

    def __post_init__(self) -> None:
        for name in ("cameras", "label_stride"):
            if sorted(getattr(self, name)) != sorted(SPLITS):
                raise UserError(f"pose2sim option {name}: expected an entry for train, val, test")
        if not all(self.cameras.values()):
            raise UserError("pose2sim option cameras: expected at least one camera in each split")
        if min(self.step, *self.label_stride.values()) < 1:
            raise UserError("pose2sim options step, label_stride: expected numbers from 1")
        if not 0 < self.scale <= 1:
            raise UserError(f"pose2sim option scale is {self.scale}, expected above 0, at most 1")


def read_options(path: Path | None) -> Pose2simOptions:
    """Read options from a YAML mapping of overrides; the defaults where there is no file."""
    values = mapping(str(path), read_yaml(path)) if path else {}
    if "cameras" in values:
        values["cameras"] = {split: tuple(names) for split, names in values["cameras"].items()}
    return build(str(path), Pose2simOptions, values)
