"""From a run's settings to the objects they name: the model, one split's windows."""

from __future__ import annotations

import importlib
import zipfile
from pathlib import Path
from typing import Any

import torch

from tdmi.clips.frames import FrameStore, read_frame
from tdmi.clips.person_boxes import cleaned
from tdmi.clips.samples import CropOptions, Windows
from tdmi.config.suites import resolve, skeleton_of
from tdmi.core.checks import build, choose
from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations
from tdmi.data.integrity import check_split_unchanged
from tdmi.formats.posetrack18 import read_folder
from tdmi.models.hrnet import HRNet
from tdmi.models.method import Backbone, PoseMethod
from tdmi.models.resnet import PoseResNet

BACKBONES = {"hrnet": HRNet, "resnet": PoseResNet}
CHECKPOINT_FORMAT = 1
"""Rises when checkpoints and training states change so that older programs would misread them."""


def build_backbone(settings: dict[str, Any]) -> Backbone:
    options = dict(settings["backbone"])
    kind = choose("backbone.kind", options.pop("kind", "hrnet"), BACKBONES)
    return build("backbone", BACKBONES[kind], options)


def build_method(settings: dict[str, Any], backbone: Backbone | None = None) -> PoseMethod:
    """The untrained model of a run, with a backbone of its own or the one given. The class is found
    by its dotted name alone."""
    method = settings["method"]
    module_name, _, class_name = method["class"].rpartition(".")
    try:
        constructor = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"method {method['name']}: class {method['class']!r} cannot be imported ({error}); "
            "give the dotted name of a PoseMethod"
        ) from None
    joints = len(skeleton_of(settings))
    backbone = build_backbone(settings) if backbone is None else backbone
    fixed = {"backbone": backbone, "joints": joints}
    model = build(f"of method {method['name']}", constructor, method["options"], **fixed)
    # A quarter faster than the default layout for these convolutions on CPU, and on tensor cores.
    return model.to(memory_format=torch.channels_last)


def check_buildable(suite: dict[str, Any]) -> None:
    """Build every method of a suite without room for its weights, on one backbone where they share
    it; UserError names the first that fails. What another suite owns is left to that suite."""
    backbones: dict[str, Backbone] = {}
    for method in [name for name, use in suite["methods"].items() if "run_of" not in use]:
        settings = resolve(suite, method, 0)
        key = str(settings["backbone"])
        try:
            with torch.device("meta"):
                if key not in backbones:
                    backbones[key] = build_backbone(settings)
                build_method(settings, backbones[key])
        except UserError as error:
            raise UserError(f"suite {suite['suite']}: methods/{method}: {error}") from None


def crop_options(settings: dict[str, Any]) -> CropOptions:
    crop = settings["crop"]
    return CropOptions(**{**crop, "size": tuple(crop["size"])})


def read_split(settings: dict[str, Any], split: str) -> Annotations:
    """Annotations of ``train``, ``validation`` or ``test``, by the names the settings give them.

    Boxes are cleaned as ``crop.box_cleaning`` says. UserError if the files of the split, where its
    record tells their hash, have changed since they were made.
    """
    dataset = settings["dataset"]
    root = Path(dataset["root"])
    folder = root / "annotations" / dataset[split]
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder; make the data set with `tdmi data` (README, Data)"
        )
    annotations = read_folder(folder)
    check_split_unchanged(root, dataset[split], annotations.frame_file, read_frame)
    if annotations.skeleton != skeleton_of(settings):
        raise UserError(
            f"{folder}: joints are {annotations.skeleton.name}, expected "
            f"{skeleton_of(settings).name}, the suite's dataset/skeleton"
        )
    return cleaned(annotations, crop_options(settings).box_cleaning, dataset["root"])


def split_windows(
    settings: dict[str, Any], annotations: Annotations, window: tuple[int, ...]
) -> Windows:
    store = FrameStore(settings["dataset"]["root"])
    return Windows(annotations, store, window, crop_options(settings))


def check_not_flipped(path: Path | str) -> None:
    """zipfile.BadZipFile unless every checksum in a file of `torch.save` fits: torch reads none."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(damaged)


def load_checkpoint(path: Path | str) -> dict[str, torch.Tensor]:
    """State dictionary of a finished run's ``checkpoint.pt``."""
    try:
        check_not_flipped(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
        state, found = content["model"], content.get("format", 1)
    except FileNotFoundError:
        raise UserError(f"{path}: no such checkpoint; train that run first") from None
    except Exception as error:
        raise UserError(
            f"{path}: not a checkpoint of this project ({type(error).__name__}); "
            "delete it and train that run again"
        ) from None
    if found > CHECKPOINT_FORMAT:
        raise UserError(
            f"{path}: written by a newer version (format {found}, this one reads up to "
            f"{CHECKPOINT_FORMAT}); use that version, or train the run again"
        )
    return state
