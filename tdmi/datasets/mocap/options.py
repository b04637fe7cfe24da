"""Everything that shapes the generated data set, in one frozen record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tdmi.core.checks import build, mapping
from tdmi.core.errors import UserError


@dataclass(frozen=True)
class MocapOptions:
    """Options of the `mocap` data set. Shares are of 1. Defaults are choices of this project:
    they make a set on which a small network learns in minutes and video still has something to add.
    """

    seed: int = 2023
    videos: dict[str, int] = field(default_factory=lambda: {"train": 240, "val": 60, "test": 100})
    frames: dict[str, int] = field(default_factory=lambda: {"train": 10, "val": 9, "test": 9})
    label_stride: dict[str, int] = field(default_factory=lambda: {"train": 1, "val": 4, "test": 2})
    """Every n-th frame is labelled; PoseTrack labels every fourth outside its training set. Test
    videos have three labelled frames, of which poseval's tracking score counts all but the last:
    two are the fewest between which a person can change identity."""
    label_margin: int = 2
    """Frames without labels at both ends of a video, so that every labelled frame has neighbours on
    both sides; PoseTrack also labels the middle of longer videos."""

    width: int = 320
    height: int = 240
    jpeg_quality: int = 92
    frame_seconds: float = 0.04  # 25 frames a second, the rate of most PoseTrack videos

    people_shares: tuple[float, ...] = (0.3, 0.35, 0.22, 0.13)
    """Shares of videos with one, two, ... people."""
    person_height: tuple[float, float] = (90.0, 150.0)
    """Standing height in px at the start of the video."""
    yaw_degrees: float = 63.0
    """People face the camera up to this angle at mid-video; all directions were too hard to learn
    for small networks in a few minutes."""
    from_behind_share: float = 0.1
    upright_share: float = 0.8  # Share of people whose motion is of an upright family
    mixed_arms_share: float = 0.4
    """Training only: share of people with the arms of one clip on the legs of another."""
    speed: tuple[float, float] = (0.8, 1.4)  # Factor on the speed of the recorded motion

    blur_share: float = 0.35  # Share of frames with a long exposure
    exposure: tuple[float, float] = (0.6, 1.0)  # Exposure of blurred frames, in frame intervals
    blur_samples: int = 7
    """Renders averaged for a blurred frame; odd, so that the labelled instant is one of them."""
    defocus_share: float = 0.25  # Share of frames out of focus
    defocus_sigma: tuple[float, float] = (2.5, 6.0)
    """Gaussian sigma of defocused frames in px. Crops of 64x48 shrink people about three times, so
    that a sigma of 1 to 2 px cannot be seen in them."""
    moving_camera_share: float = 0.6
    occluder_share: float = 0.45  # Share of videos with occluders
    moving_occluder_share: float = 0.6
    bystander_share: float = 0.15
    """Share of videos with unlabelled people far away, under an ignore region."""
    ignore_below: float = 0.15
    """People with a smaller visible fraction are not labelled but put under an ignore region."""

    box_jitter: float = 0.06
    """Standard deviation of a detection's centre and log size, in box sizes."""
    miss_rate: float = 0.05
    """Share of well visible people (visible fraction from 0.5) that the detector misses."""
    miss_rate_hidden: float = 0.25  # The same for less visible people
    false_positives: float = 0.2  # Mean number of false boxes in a frame

    def is_labelled(self, split: str, frame: int) -> bool:
        """Return whether frame `frame` (0-based) of every video of `split` carries labels."""
        last = self.frames[split] - 1 - self.label_margin
        position = frame - self.label_margin
        return position >= 0 and frame <= last and position % self.label_stride[split] == 0

    def __post_init__(self) -> None:
        if self.blur_samples < 3 or self.blur_samples % 2 == 0:
            raise UserError(f"mocap option blur_samples is {self.blur_samples}, expected odd >= 3")
        for name in ("videos", "frames", "label_stride"):
            if sorted(getattr(self, name)) != ["test", "train", "val"]:
                raise UserError(f"mocap option {name}: expected a number for train, val, test")
        if min(*self.videos.values(), *self.frames.values(), *self.label_stride.values()) < 1:
            raise UserError("mocap options videos, frames, label_stride: expected numbers from 1")
        if not 0 <= 2 * self.label_margin < min(self.frames.values()):
            raise UserError(
                f"mocap option label_margin is {self.label_margin}, expected less than half of the "
                f"frames of a video ({min(self.frames.values())})"
            )


def options_from(values: Mapping[str, Any] | None, place: str = "mocap options") -> MocapOptions:
    """Options from a mapping of overrides (lists become tuples); UserError for unknown names."""
    overrides = mapping(place, values).items()
    return build(
        place, MocapOptions, {k: tuple(v) if isinstance(v, list) else v for k, v in overrides}
    )
