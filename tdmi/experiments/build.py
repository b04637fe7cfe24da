"""From a run's settings to the objects they name: model, windows, samples, validation."""

from __future__ import annotations

import importlib
from pathlib import Path

import torch

from tdmi.checkpoints.own import load_checkpoint
from tdmi.clips.frames import FrameStore, read_frame
from tdmi.clips.order import SampleOrder
from tdmi.clips.person_boxes import clean
from tdmi.clips.samples import TrainingSamples, Windows
from tdmi.config.inputs import Role
from tdmi.config.settings import Settings
from tdmi.config.suite import Suite
from tdmi.config.training import Backbone as BackboneOptions
from tdmi.core.checks import build
from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations
from tdmi.data.integrity import check_split_unchanged
from tdmi.experiments.folder import RunFolder
from tdmi.formats.posetrack18 import read_folder
from tdmi.models.hrnet import HRNet
from tdmi.models.method import Backbone, PoseMethod
from tdmi.models.resnet import PoseResNet

BACKBONES = {"hrnet": HRNet, "resnet": PoseResNet}


def build_backbone(options: BackboneOptions) -> Backbone:
    return build("backbone", BACKBONES[options.kind], options.options)


def build_method(settings: Settings, backbone: Backbone | None = None) -> PoseMethod:
    """Build the untrained model of a run, with a backbone of its own or the one given.

    The class is found by its dotted name.
    """
    method = settings.method
    module_name, _, class_name = method.class_path.rpartition(".")
    try:
        constructor = getattr(importlib.import_module(module_name), class_name)
    except (Exception, SystemExit) as error:  # of whatever a module does when it is imported
        detail = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(
            f"method {method.name}: class {method.class_path!r} cannot be imported ({detail}); "
            "give the dotted name of a PoseMethod"
        ) from None
    if not (isinstance(constructor, type) and issubclass(constructor, PoseMethod)):
        raise UserError(
            f"method {method.name}: class {method.class_path!r} is no PoseMethod, expected a class "
            "derived from tdmi.models.method.PoseMethod; nothing of it was called"
        )
    joints = len(settings.skeleton)
    backbone = build_backbone(settings.backbone) if backbone is None else backbone
    fixed = {"backbone": backbone, "joints": joints}
    model = build(f"of method {method.name}", constructor, method.options, **fixed)
    # A quarter faster than the default layout for these convolutions on CPU, and on tensor cores.
    return model.to(memory_format=torch.channels_last)


def trained_method(settings: Settings, run: RunFolder) -> PoseMethod:
    """Build the model of a run with its trained weights."""
    state = load_checkpoint(run.checkpoint)
    method = build_method(settings)
    try:
        method.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(
            f"{run.checkpoint}: does not fit the model of config.yaml beside it "
            f"({str(error).splitlines()[0]}); train that run again"
        ) from None
    return method


def check_buildable(suite: Suite) -> None:
    """Build every method on the meta device; raise UserError for the first that fails.

    Methods share backbones where they are the same. Methods of another suite are skipped.
    """
    backbones: dict[BackboneOptions, Backbone] = {}
    for method in [name for name, use in suite.methods.items() if use.run_of is None]:
        settings = suite.settings(method, 0)
        try:
            with torch.device("meta"):
                if settings.backbone not in backbones:
                    backbones[settings.backbone] = build_backbone(settings.backbone)
                build_method(settings, backbones[settings.backbone])
        except UserError as error:
            raise UserError(f"suite {suite.name}: methods/{method}: {error}") from None


def read_split(settings: Settings | Suite, role: Role) -> Annotations:
    """Read the annotations of the split that plays a role.

    Boxes are cleaned as ``crop.box_cleaning`` says. UserError if the files of the split have
    changed since their record was written.
    """
    dataset, split = settings.dataset, settings.dataset.split(role)
    folder = dataset.folder.annotations(split)
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder; make the data set with `tdmi data` (README, Data)"
        )
    annotations = read_folder(folder)
    check_split_unchanged(Path(dataset.root), split, annotations.frame_file, read_frame)
    if annotations.skeleton != dataset.joints:
        raise UserError(
            f"{folder}: joints are {annotations.skeleton.name}, expected {dataset.joints.name}, "
            "the suite's dataset/skeleton"
        )
    return clean(annotations, settings.crop.box_cleaning, dataset.root)


def split_windows(settings: Settings, annotations: Annotations, window: tuple[int, ...]) -> Windows:
    store = FrameStore(settings.dataset.root)
    return Windows(annotations, store, window, settings.crop)


def training_samples(settings: Settings, method: PoseMethod) -> TrainingSamples:
    """Make the samples that a run trains on, in their order and with any auxiliary input.

    Raises UserError if there are none.
    """
    recipe = settings.recipe
    samples = TrainingSamples(
        split_windows(settings, read_split(settings, "train"), method.window),
        settings.augmentation,
        settings.seed,
        cue=method.frame_cue,
        order=SampleOrder(recipe.order, recipe.lanes, recipe.batch_size // recipe.accumulate),
    )
    if not len(samples):
        raise UserError(f"{settings.dataset.root}: no annotated person in the training split")
    return samples


def validation_windows(settings: Settings, window: tuple[int, ...]) -> Windows:
    """Windows of the validation split, cropped as they are for prediction."""
    return split_windows(settings, read_split(settings, "validation"), window)
