"""Probes of losses, networks and training: a few fixed steps, then whole recipes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tdmi.checkpoints.own import load_checkpoint
from tdmi.config.settings import Settings
from tdmi.config.suite import Suite
from tdmi.data.skeletons import JOINT_GROUPS, POSETRACK17
from tdmi.experiments.build import build_method
from tdmi.losses.heatmap import heatmap_loss
from tdmi.losses.mutual_information import ESTIMATORS, TERMS, MutualInformation
from tdmi.models.method import PoseMethod
from tdmi.models.tdmi import FEATURES
from tdmi.prediction.predict import WindowByWindow, detected_boxes, ground_truth_boxes, predict
from tdmi.prediction.tracking import track
from tests.regression.scoring import scores, tracking
from tests.regression.subjects import (
    Probes,
    all_methods,
    detections_of,
    fingerprint,
    frozen,
    inference_of,
    name_of,
    reference,
    shortened,
    subject,
    training_history,
    windows_of,
)

STEPS = 3
"""Length of the short trainings. Weights that start at zero learn from the second step on."""
CLIP = 0.01
"""Gradient norm limit of the short trainings; most of their gradients exceed it."""


def losses() -> Probes:
    """Measure every loss, its terms by name, and its gradient, on random features and maps."""
    generator = np.random.default_rng(0)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.from_numpy(generator.random(shape)).float()

    maps, target, weight = drawn(4, 17, 16, 12), drawn(4, 17, 16, 12), (drawn(4, 17) > 0.2).float()
    features = {name: drawn(4, 8, 16, 12).requires_grad_() for name in FEATURES}
    maps.requires_grad_()
    probes = {}
    for name, foreground in (("plain", 0.0), ("foreground", 9.0)):
        loss = heatmap_loss(maps, target, weight, foreground=foreground)
        probes[f"heatmap_{name}"] = loss.item()
    for estimator in ESTIMATORS:
        torch.manual_seed(0)
        head = nn.Conv2d(8, 17, 1)
        weights = dict.fromkeys(TERMS, 1.0)
        information = MutualInformation(8, estimator=estimator, weights=weights, scale=1.0)
        terms = information(features, maps, target, weight, head)
        leaves = [maps, *features.values()]
        found = torch.autograd.grad(sum(terms.values()), leaves, allow_unused=True)
        probes |= {f"{estimator}_{name}": value.item() for name, value in terms.items()}
        probes[f"{estimator}_gradient"] = fingerprint(
            [0.0 if g is None else g.norm().item() for g in found]
        )
    return probes


def models(suite: Suite) -> Probes:
    """Measure heatmaps of every method of the suite for the same two people.

    Every weight is moved away from its initial value, so that every part takes effect.
    """
    probes = {}
    for name, settings in all_methods(suite).items():
        torch.manual_seed(0)
        method = build_method(settings).eval()
        with torch.no_grad():
            for parameter in method.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
        windows = windows_of(settings, "test", method.window)
        test = windows.annotations
        rows = np.flatnonzero(test.frame_labelled[test.person_frame])[[0, -1]]
        source = WindowByWindow(method, windows, test.person_frame[rows], test.box[rows], True)
        with torch.inference_mode():
            maps, mirrored = source.heatmaps(np.arange(2), torch.device("cpu"))
        probes[name] = maps.square().mean().sqrt().item()
        probes[f"{name}_mirrored"] = fingerprint(mirrored.abs())
    return probes


def training(suite: Suite) -> Probes:
    """Train the reference for a few steps, then the subject from it with a frozen backbone."""
    probes: Probes = {}
    with tempfile.TemporaryDirectory() as root:
        first, second = Path(root) / "reference", Path(root) / "subject"
        for folder, settings, start in (
            (first, reference(suite, 0), None),
            (second, frozen(subject(suite, 0)), first / "checkpoint.pt"),
        ):
            for row in training_history(shortened(settings, STEPS, CLIP), folder, start):
                step = int(row.pop("step"))
                probes |= {f"{folder.name}/step{step}/{k}": v for k, v in row.items()}
        before, after = (load_checkpoint(f / "checkpoint.pt") for f in (first, second))
        probes["changed_in_frozen_backbone"] = len(_changed(before, after, "backbone."))
    return probes


def trained(suite: Suite, seed: int) -> Probes:
    """Train reference and subject by their recipes; measure losses, accuracy and changed norms."""
    probes: Probes = {}
    runs = [reference(suite, seed), subject(suite, seed)]
    first, second = (name_of(settings) for settings in runs)
    with tempfile.TemporaryDirectory() as root:
        start = None
        for settings in runs:
            folder = Path(root) / name_of(settings)
            last = training_history(settings, folder, start)[-1]
            method = build_method(settings)
            state = load_checkpoint(folder / "checkpoint.pt")
            method.load_state_dict(state)
            found = {k: v for k, v in last.items() if k != "step"} | _accuracy(settings, method)
            if start is not None:
                norms = [n for n, m in method.named_modules() if isinstance(m, nn.BatchNorm2d)]
                changed = _changed(load_checkpoint(start), state, "backbone.")
                moved = {tensor.rpartition(".")[0] for tensor in changed}
                found["changed_norms"] = len(moved.intersection(norms))
                found["changed_tensors"] = len(changed)
            start = folder / "checkpoint.pt"
            probes |= {f"{name_of(settings)}/{key}": value for key, value in found.items()}
    gains = {
        f"gain/{key}": probes[f"{second}/{key}"] - probes[f"{first}/{key}"]
        for key in found
        if "/" in key
    }
    return {f"trained/{key}": value for key, value in {**probes, **gains}.items()}


def _changed(
    before: Mapping[str, torch.Tensor], after: Mapping[str, torch.Tensor], prefix: str
) -> list[str]:
    return [n for n in before if n.startswith(prefix) and not torch.equal(before[n], after[n])]


def _accuracy(settings: Settings, method: PoseMethod) -> Probes:
    options = inference_of(settings)
    windows = windows_of(settings, "test", method.window)
    truth, detections = windows.annotations, detections_of(settings)
    probes = {}
    for protocol, boxes in (
        ("ground_truth_boxes", ground_truth_boxes(truth)),
        ("detected_boxes", detected_boxes(truth, detections, options.box_score_threshold)),
    ):
        people = predict(method, windows, boxes, options)
        ap = scores(truth, people).ap
        for group, joints in JOINT_GROUPS.items():
            slots = [POSETRACK17.index(joint) for joint in joints]
            probes[f"{protocol}/ap_{group}"] = ap[slots].mean()
        probes[f"{protocol}/ap_total"] = ap[-1]
        probes[f"{protocol}/mota"] = tracking(truth, track(people)).mota[-1]
        probes[f"{protocol}/joint_score"] = people.joint_score[people.present].mean()
    once = predict(method, windows, boxes, replace(options, flip=False))
    distance = np.linalg.norm(once.keypoints - people.keypoints, axis=2)[people.present]
    return probes | {"detected_boxes/flip_distance": distance.mean()}
