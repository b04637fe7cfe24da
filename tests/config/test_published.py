"""The published protocol: each method's own settings on a suite's data and backbone."""

from __future__ import annotations

import functools
import os
import subprocess
from dataclasses import replace

import pytest
import torch
import yaml

from tdmi.clips.crops import crop_regions
from tdmi.config.files import WORKFLOW
from tdmi.config.keys import SmallSize, SuiteKey
from tdmi.config.settings import Settings
from tdmi.config.suite import Suite
from tdmi.config.suites import load_suite, load_suites
from tdmi.core.errors import UserError
from tdmi.experiments.build import build_method
from tdmi.reporting.data.spec import ReportSpec
from tests.support.paths import ROOT

FULL_SCALE = ("posetrack17", "posetrack18", "posetrack21", "hieve")
METHODS = sorted(p.stem for p in (WORKFLOW / "config" / "methods").glob("*.yaml"))
PUBLISHED = [
    name
    for name in METHODS
    if "published" in yaml.safe_load((WORKFLOW / "config/methods" / f"{name}.yaml").read_text())
]


SMALL = SmallSize(width=4)


@functools.cache
def published_suite(name: str = "posetrack17", size: SmallSize = SmallSize()) -> Suite:  # noqa: B008
    """Read once."""
    return load_suite(SuiteKey(name, protocol="published", size=size))


def settings_of(
    method: str,
    suite: str = "posetrack17",
    size: SmallSize = SmallSize(),  # noqa: B008
) -> Settings:
    return published_suite(suite, size).settings(method, 0)


def schedule(method: str, suite: str = "posetrack17") -> tuple:
    recipe = settings_of(method, suite).recipe
    names = ("epochs", "batch_size", "learning_rate", "milestones", "milestone_factor")
    return tuple(getattr(recipe, name) for name in names)


@pytest.mark.parametrize("name", [*FULL_SCALE, "embedded", "smoke"])
def test_every_method_of_a_suite_resolves_into_what_training_takes(name):
    suite = published_suite(name)
    assert suite.name == f"{name}_published"
    shared = load_suite(name)
    for method in suite.methods:
        settings = suite.settings(method, 0)
        assert Settings.from_dict(settings.to_dict(), method) == settings
        for part in ("dataset", "backbone", "start_from"):
            assert getattr(settings, part) == getattr(shared.settings(method, 0), part)


@pytest.mark.parametrize("method", PUBLISHED)
def test_every_published_method_is_built_with_its_options(method):
    """At a small width; the options are the real ones."""
    built = build_method(settings_of(method, size=SMALL))
    assert built.start == "paper" or built.window == (0,)
    assert built.loss_foreground == 0


@pytest.mark.parametrize(
    ("method", "suite", "expected"),
    [
        ("single_frame", "posetrack17", (20, 96, 1e-4, (10, 15), 0.1)),
        ("simple_baseline", "posetrack17", (20, 128, 1e-4, (10, 15), 0.1)),
        # The released scheduler applies 4, 8, 12, 16 at the end of epochs 4, 8, ... counted from 0.
        ("dcpose", "posetrack17", (20, 64, 1e-3, (5, 9, 13, 17), 0.1)),
        ("dcpose", "posetrack18", (20, 64, 1e-4, (5, 9, 13, 17), 0.99)),
        ("posewarper", "posetrack17", (20, 64, 1e-4, (10, 15), 0.1)),
        ("fami_pose", "posetrack17", (21, 48, 1e-3, (8, 12, 16), 0.1)),
        ("tdmi", "posetrack17", (20, 24, 1e-3, (6, 12, 18), 0.1)),
        ("tdmi_st", "posetrack17", (20, 24, 1e-3, (6, 12, 18), 0.1)),
        ("tdmi_review", "posetrack17", (20, 24, 1e-3, (6, 12, 18), 0.1)),
    ],
)
def test_schedules_are_the_published_ones(method, suite, expected):
    assert schedule(method, suite) == expected
    recipe = settings_of(method, suite).recipe
    assert recipe.optimiser == "adam" and recipe.gradient_clip is None


@pytest.mark.parametrize(
    ("method", "factor"),
    [
        ("single_frame", 0.5),
        ("simple_baseline", 0.5),
        ("posewarper", 0.5),
        ("dcpose", 1.0),
        ("fami_pose", 1.0),
        ("tdmi", 1.0),
        ("tdmi_review", 1.0),
    ],
)
def test_loss_factors_are_the_published_ones(method, factor):
    assert build_method(settings_of(method, size=SMALL)).loss_factor == factor


@pytest.mark.parametrize("method", ["dcpose", "posewarper", "fami_pose"])
def test_released_deformable_methods_freeze_weights_but_not_statistics(method):
    built = build_method(settings_of(method, size=SMALL)).train()
    assert not any(
        p.requires_grad for p in [*built.backbone.parameters(), *built.head.parameters()]
    )
    norms = [m for m in built.backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert all(norm.training for norm in norms)
    assert not settings_of(method).inference.flip
    assert settings_of(method).inference.decoder == "quarter"


def test_in_tdmi_everything_learns_at_one_rate():
    settings = settings_of("tdmi_review", size=SMALL)
    assert settings.recipe.backbone_rate == 1.0
    built = build_method(settings)
    # With the paper's own head the 1x1 head is idle, so it is frozen.
    idle = {"head.weight", "head.bias"}
    assert {n for n, p in built.named_parameters() if not p.requires_grad} == idle
    assert built.mutual_information.estimator.__class__.__name__.startswith("Legacy")
    assert settings.inference.decoder == "dark" and settings.inference.flip_shift


def test_methods_with_nothing_published_keep_the_shared_settings():
    shared = load_suite("posetrack17")
    suite = published_suite()
    kept = [m for m in suite.methods if m not in PUBLISHED]
    assert "temporal_concatenation" in kept and "flow_pooling" in kept
    for method in kept:
        ours = replace(suite.settings(method, 0), suite="posetrack17")
        assert ours == shared.settings(method, 0)


def test_a_published_run_keeps_what_belongs_to_the_machine():
    recipe = load_suite("posetrack17").recipes["temporal"]
    ours = settings_of("dcpose").recipe
    for key in ("workers", "log_every", "checkpoint_every"):
        assert getattr(ours, key) == getattr(recipe, key)


def test_a_published_suite_at_a_small_size_has_a_name_of_its_own():
    suite = published_suite("posetrack18", SmallSize(4, 2))
    assert suite.name == "posetrack18_published_width4_steps2"
    settings = suite.settings("dcpose", 0)
    assert settings.start_from == "posetrack18_width4_steps2/single_frame/seed0"
    assert settings.recipe.steps == 2 and settings.recipe.epochs is None


def test_the_caption_says_whose_settings_are_published():
    suites = load_suites(SuiteKey("posetrack17", protocol="published"))
    note = ReportSpec.from_suites(suites).note
    own, shared = note.split("Published settings of their own: ")[1].split(". Settings of the ")
    assert "DCPose" in own and "TDMI" in own
    assert "Temporal concatenation" in shared and "DCPose" not in shared
    assert ReportSpec.from_suites(load_suites("posetrack17")).note == ""


def test_a_suite_that_starts_from_another_has_no_published_protocol():
    with pytest.raises(UserError, match=r"suite pose2sim: starts from runs of embedded"):
        published_suite("pose2sim")
    with pytest.raises(UserError, match=r"option protocol: found 'paper', expected one of shared"):
        load_suite(SuiteKey("smoke", protocol="paper"))


def test_the_box_is_enlarged_as_the_crop_says():
    box = torch.tensor([[10.0, 20.0, 30.0, 40.0]]).numpy()
    _, size = crop_regions(box, settings_of("single_frame").crop)
    assert size[0].tolist() == pytest.approx([30 * 1.15, 40 * 1.15])
    _, size = crop_regions(box, settings_of("tdmi").crop)
    assert size[0].tolist() == [37.5, 50.0]


def test_snakemake_plans_the_published_runs_from_the_suites_single_frame():
    """On the smoke suite, whose data rules need nothing by hand."""
    done = subprocess.run(
        ["snakemake", "-n", "--config", "suite=smoke", "protocol=published", "steps=2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed[-3000:]
    for run in published_suite("smoke", SmallSize(steps=2)).run_names:
        assert f"runs/{run}/checkpoint.pt" in printed
    assert "runs/smoke_steps2/single_frame/seed0/checkpoint.pt" in printed
    assert "results/smoke_published_steps2/index.html" in printed
