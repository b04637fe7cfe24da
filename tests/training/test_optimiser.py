"""Rates of the optimiser and its schedules, by hand."""

import math

import pytest
import torch

from tdmi.config.training import Recipe
from tdmi.experiments.build import build_method
from tdmi.training.optimiser import make_optimiser, make_schedule
from tests.support import tiny_dataset

RUN = "tiny/single_frame/seed3"


def test_rates_and_schedules(tmp_path):
    settings = tiny_dataset.settings(tmp_path)
    settings["method"]["class"] = "baselines.temporal_concatenation.TemporalConcatenation"
    method = build_method(tiny_dataset.typed(settings))
    recipe = Recipe(
        learning_rate=1.0, backbone_rate=0.25, steps=10, milestones=(2, 3), milestone_factor=0.1
    )
    optimiser = make_optimiser(method, recipe)
    assert [group["lr"] for group in optimiser.param_groups] == [0.25, 1.0]
    schedule = make_schedule(optimiser, recipe)
    rates = []
    for _ in range(4):
        rates.append(optimiser.param_groups[1]["lr"])
        optimiser.step()
        schedule.step()
    assert rates == pytest.approx([1.0, 1.0, 0.1, 0.01])


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 6, 10])
def test_one_cycle_of_any_length_ends_near_nothing(steps):
    optimiser = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], 2.0)
    schedule = make_schedule(optimiser, Recipe(schedule="one_cycle", steps=steps))
    for _ in range(steps - 1):
        optimiser.step()
        schedule.step()
    assert steps == 1 or optimiser.param_groups[0]["lr"] < 0.01


def test_cosine_schedule_falls_from_the_whole_rate_to_nothing():
    optimiser = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], 2.0)
    schedule = make_schedule(optimiser, Recipe(schedule="cosine", steps=10))
    rates = []
    for _ in range(11):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert rates == pytest.approx([1 + math.cos(math.pi * step / 10) for step in range(11)])


def test_epochs_become_steps():
    recipe = Recipe(epochs=20, batch_size=24, milestones=(6, 12), learning_rate=1.0)
    steps = recipe.in_steps(24 * 10 + 5)
    assert steps == Recipe(steps=200, milestones=(60, 120), batch_size=24, learning_rate=1.0)
    assert recipe.in_steps(3).steps == 20
    assert steps.in_steps(99) is steps
