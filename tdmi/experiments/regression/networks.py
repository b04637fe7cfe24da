"""Probes of losses, networks and training: a few of the same steps each time, and whole recipes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from tdmi.checkpoints.own import load_checkpoint
from tdmi.config.settings import Settings
from tdmi.config.suite import Suite
from tdmi.data.detections import read_detections
from tdmi.data.skeletons import JOINT_GROUPS, POSETRACK17
from tdmi.experiments.build import build_method, read_split, split_windows
from tdmi.experiments.regression.fixed import Probes, fingerprint, scores, tracking
from tdmi.experiments.train import fit
from tdmi.losses.heatmap import heatmap_loss
from tdmi.losses.mutual_information import ESTIMATORS, FEATURE_TERMS, LABEL_TERMS, MutualInformation
from tdmi.models.tdmi import FEATURES
from tdmi.prediction.predict import (
    WindowByWindow,
    detected_boxes,
    ground_truth_boxes,
    predict,
)
from tdmi.prediction.tracking import track

STEPS = 3
"""Of the short trainings: the first new weights after zero ones learn in the second step."""
CLIP = 0.01
"""Norm that gradients of the short trainings are clipped to, which is most of them."""


def losses() -> Probes:
    """Every loss, its terms by name, and its gradient, for features and maps drawn at random."""
    generator = np.random.default_rng(0)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.from_numpy(generator.random(shape)).float()

    maps, target, weight = drawn(4, 17, 16, 12), drawn(4, 17, 16, 12), (drawn(4, 17) > 0.2).float()
    features = {name: drawn(4, 8, 16, 12).requires_grad_() for name in FEATURES}
    maps.requires_grad_()
    probes = {}
    for name, options in (
        ("plain", {}),
        ("foreground", {"foreground": 9.0}),
        ("hardest", {"hardest": 8}),
    ):
        probes[f"heatmap_{name}"] = heatmap_loss(maps, target, weight, **options).item()
    for estimator in ESTIMATORS:
        torch.manual_seed(0)
        head = nn.Conv2d(8, 17, 1)
        weights = dict.fromkeys((*FEATURE_TERMS, *LABEL_TERMS), 1.0)
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
    """Heatmaps of every method of the suite for the same two people, every weight moved away from
    where it starts, so that no part is silent."""
    probes = {}
    for name in suite.methods:
        settings = suite.settings(name, 0)
        torch.manual_seed(0)
        method = build_method(settings).eval()
        with torch.no_grad():
            for parameter in method.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
        test = read_split(settings, "test")
        windows = split_windows(settings, test, method.window)
        rows = np.flatnonzero(test.frame_labelled[test.person_frame])[[0, -1]]
        source = WindowByWindow(method, windows, test.person_frame[rows], test.box[rows], True)
        with torch.inference_mode():
            maps, mirrored = source.heatmaps(np.arange(2), torch.device("cpu"))
        probes[name] = maps.square().mean().sqrt().item()
        probes[f"{name}_mirrored"] = fingerprint(mirrored.abs())
    return probes


def training(suite: Suite) -> Probes:
    """The first steps of the reference and, its backbone frozen, of the subject from it."""
    probes = {}
    with tempfile.TemporaryDirectory() as folder:
        reference, subject = Path(folder) / "reference", Path(folder) / "subject"
        single = suite.settings(suite.report.reference, 0)
        temporal = suite.settings(suite.report.subject, 0)
        options = {**temporal.method.options, "freeze_backbone": True}
        temporal = replace(temporal, method=replace(temporal.method, options=options))
        for folder, settings, start in (
            (reference, single, None),
            (subject, temporal, reference / "checkpoint.pt"),
        ):
            recipe = replace(
                settings.recipe, steps=STEPS, log_every=1, gradient_clip=CLIP, validate_every=None
            )
            for row in _trained(replace(settings, recipe=recipe), folder, start):
                step = int(row.pop("step"))
                probes |= {f"{folder.name}/step{step}/{k}": v for k, v in row.items()}
        before, after = (load_checkpoint(f / "checkpoint.pt") for f in (reference, subject))
        probes["changed_in_frozen_backbone"] = len(_changed(before, after, "backbone."))
    return probes


def trained(suite: Suite, seed: int) -> Probes:
    """Reference and subject trained as their recipes say: losses, accuracy with every kind of
    boxes, and what may not change in the backbone."""
    probes = {}
    names = suite.report.reference, suite.report.subject
    with tempfile.TemporaryDirectory() as runs:
        start = None
        for name in names:
            settings, folder = suite.settings(name, seed), Path(runs) / name
            last = _trained(settings, folder, start)[-1]
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
            probes |= {f"{name}/{key}": value for key, value in found.items()}
    gains = {
        f"gain/{key}": probes[f"{names[1]}/{key}"] - probes[f"{names[0]}/{key}"]
        for key in found
        if "/" in key
    }
    return {f"trained/{key}": value for key, value in {**probes, **gains}.items()}


def _trained(settings: Settings, folder: Path, start: Path | None) -> list[dict[str, float]]:
    """Rows of the history; ``checkpoint.pt`` lies in `folder`."""
    folder.mkdir()
    fit(settings, folder, start)
    return pd.read_csv(folder / "history.csv").drop(columns="epoch").to_dict("records")


def _changed(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str) -> list[str]:
    return [n for n in before if n.startswith(prefix) and not torch.equal(before[n], after[n])]


def _accuracy(settings: Settings, method: Any) -> Probes:
    options = settings.inference
    truth = read_split(settings, "test")
    windows = split_windows(settings, truth, method.window)
    detections = read_detections(settings.dataset.folder.boxes(settings.dataset.test))
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
    way = np.linalg.norm(once.keypoints - people.keypoints, axis=2)[people.present]
    return probes | {"detected_boxes/flip_distance": way.mean()}
