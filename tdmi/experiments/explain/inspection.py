"""Intermediate results of a trained TDMI for one person: differences, motion, masks, heatmaps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tdmi.clips.crops import normalise, transform
from tdmi.clips.samples import Windows
from tdmi.clips.targets import decode
from tdmi.config.inference import Inference
from tdmi.config.inputs import Role
from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations
from tdmi.data.skeletons import Skeleton
from tdmi.experiments.build import read_split, split_windows, trained_method
from tdmi.experiments.folder import RunFolder
from tdmi.models.tdmi import TDMI

SHOWN_HEIGHT = 192
"""Least height in px of the crops to look at; the network's own may be no more than 64."""


@dataclass(frozen=True)
class Inspection:
    """All maps have the heatmaps' size [h, w]; of features the root mean square over channels.

    Positions are heatmap pixels of the crop.
    """

    crops: np.ndarray
    """[T, H, W, 3] uint8 RGB, the network's crops at a higher resolution."""
    offsets: tuple[int, ...]
    """Frame distances from the key frame, of all T crops."""
    key: int
    difference: str
    """Kind of the `differences`, the encoder's option of that name."""
    depths: tuple[int, ...]
    differences: np.ndarray
    """[S, D, h, w] per depth, in the order of time."""
    modulated: np.ndarray
    """[S, h, w] each depth's motion after its deformable convolution."""
    motion: np.ndarray
    useful: np.ndarray
    noisy: np.ndarray
    """[h, w] before the split and its two parts."""
    useful_mask: np.ndarray
    noisy_mask: np.ndarray
    """In 0..1: [C] for gates per channel, [C, h, w] for a gate per place."""
    heatmaps: np.ndarray
    """[J, h, w]"""
    skeleton: Skeleton
    predicted: np.ndarray
    """[J, 2]"""
    labels: np.ndarray
    """[J, 2]"""
    labelled: np.ndarray
    """[J] bool"""


@dataclass(frozen=True)
class Subject:
    """A trained TDMI and the split whose people it can be asked about."""

    method: TDMI
    windows: Windows
    options: Inference
    labels: str
    """Name of the true positions in pictures."""

    @property
    def annotations(self) -> Annotations:
        return self.windows.annotations


class NoDifferences(UserError):
    """A run of a method that has no temporal differences to look at."""


def open_subject(run: Path, split: Role = "test") -> Subject:
    """Read a run folder (config.yaml, checkpoint.pt) and a split (train, validation or test).

    NoDifferences if the run is of another method than TDMI and TDMI-ST.
    """
    settings = RunFolder(run).settings()
    method = trained_method(settings, RunFolder(run))
    if not isinstance(method, TDMI):
        raise NoDifferences(
            f"{run}: found a run of {type(method).__name__}, expected TDMI or TDMI-ST, whose "
            "differences and masks can be shown; give another run"
        )
    windows = split_windows(settings, read_split(settings, split), method.window)
    labels = "Pseudo-labels" if settings.dataset.name == "pose2sim" else "Labels"
    return Subject(method.eval(), windows, settings.inference, labels)


def inspect(subject: Subject, person: int) -> Inspection:
    """Run the model once, without flip averaging, on the box of `person` (a row)."""
    method, windows, annotations = subject.method, subject.windows, subject.annotations
    frame, box = int(annotations.person_frame[person]), annotations.box[person : person + 1]
    matrix = windows.matrices(box)[0]
    frames, offsets = windows.crop_window(frame, matrix)
    with torch.no_grad(), _stages(method) as (differences, modulated):
        output = method(normalise(frames[None]), torch.from_numpy(offsets[None]))
    heatmaps = output.heatmaps[0].numpy()
    terms = {name: value[0] for name, value in output.terms.items()}
    predicted, _ = decode(heatmaps[None], subject.options.decoder, subject.options.blur_kernel)
    return Inspection(
        crops=_enlarged(windows, frame, box),
        offsets=tuple(offsets.tolist()),
        key=method.key,
        difference=method.encoder.difference,
        depths=method.encoder.depths,
        differences=np.stack(
            [_strength(x[0].unflatten(0, (-1, method.backbone.channels))) for x in differences]
        ),
        modulated=np.stack([_strength(x[0]) for x in modulated]),
        motion=_strength(terms["motion"]),
        useful=_strength(terms["useful"]),
        noisy=_strength(terms["noisy"]),
        useful_mask=_mask(terms["useful_mask"]),
        noisy_mask=_mask(terms["noisy_mask"]),
        heatmaps=heatmaps,
        skeleton=annotations.skeleton,
        predicted=predicted[0],
        labels=windows.geometry.to_heatmap(transform(annotations.keypoints[person], matrix)),
        labelled=annotations.present[person],
    )


@contextmanager
def _stages(method: TDMI) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
    """Context in which the encoder's stages leave what they read and what they give, per depth.

    First [B, D * C, h, w], what the residual chain reads, then [B, C, h, w], what the deformable
    convolution gives.
    """
    differences: list[Tensor] = []
    modulated: list[Tensor] = []
    hooks = [
        chain.register_forward_pre_hook(lambda _, given: differences.append(given[0]))
        for chain in method.encoder.intra_stage
    ] + [
        part.register_forward_hook(lambda _, given, result: modulated.append(result))
        for part in method.encoder.modulation
    ]
    try:
        yield differences, modulated
    finally:
        for hook in hooks:
            hook.remove()


def _strength(feature: Tensor) -> np.ndarray:
    """Root mean square over channels, [..., C, h, w] -> [..., h, w]."""
    return feature.square().mean(dim=-3).sqrt().numpy()


def _mask(mask: Tensor) -> np.ndarray:
    return mask[:, 0, 0].numpy() if mask.shape[1:] == (1, 1) else mask.numpy()


def _enlarged(windows: Windows, frame: int, box: np.ndarray) -> np.ndarray:
    """The crops of `box` [1, 4] at a whole multiple of their size, for people to look at."""
    factor = math.ceil(SHOWN_HEIGHT / windows.crop.size[0])
    height, width = windows.crop.size
    larger = replace(windows, crop=replace(windows.crop, size=(factor * height, factor * width)))
    return larger.crop_window(frame, larger.matrices(box)[0])[0]
