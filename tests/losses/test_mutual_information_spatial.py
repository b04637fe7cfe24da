"""Values of the two spatial measures: by hand, by identity, and by their documented flaws."""

from __future__ import annotations

import math

import pytest
import torch

from tdmi.losses.mutual_information_spatial import (
    DivergenceEstimator,
    legacy_surrogate,
    spatial_kl,
    standardised,
)

CHANNELS = 6


def _maps(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, CHANNELS, 8, 6, generator=generator)


# --- the legacy surrogate ---------------------------------------------------------------------


def test_legacy_by_hand():
    """Two positions at temperature 1: s = (3/4, 1/4), t = (1/5, 4/5), mean over 2 elements."""
    first = torch.tensor([math.log(3), 0.0]).reshape(1, 1, 1, 2)
    second = torch.tensor([0.0, math.log(4)]).reshape(1, 1, 1, 2)
    by_hand = (0.2 * (math.log(0.2) - 0.75) + 0.8 * (math.log(0.8) - 0.25)) / 2
    assert legacy_surrogate(first, second, temperature=1.0).item() == pytest.approx(by_hand)


def test_legacy_is_no_divergence():
    """The documented flaw: negative, and the same for equal maps as for unrelated ones."""
    a, b = 0.05 * _maps(0), 0.05 * _maps(1)
    equal, unrelated = legacy_surrogate(a, a), legacy_surrogate(b, a)
    assert equal < 0 and unrelated < 0
    assert abs(equal - unrelated) < 0.02 * abs(equal)
    assert spatial_kl(b, a, 0.05).mean() > 100 * spatial_kl(a, a, 0.05).abs().mean()


def test_legacy_minimised_flattens_its_second_argument():
    second = (0.05 * _maps(1)).requires_grad_()

    def entropy(maps):
        p = torch.softmax(maps.flatten(2) / 0.05, -1)
        return -(p * p.log()).sum(-1).mean()

    legacy_surrogate(_maps(0), second).backward()
    assert entropy(second - 0.1 * second.grad) > entropy(second)


# --- the divergence ---------------------------------------------------------------------------


def test_divergence_by_hand():
    first = torch.tensor([math.log(3), 0.0]).reshape(1, 1, 1, 2)
    second = torch.tensor([0.0, math.log(4)]).reshape(1, 1, 1, 2)
    by_hand = 0.75 * math.log(0.75 / 0.2) + 0.25 * math.log(0.25 / 0.8)
    assert spatial_kl(first, second).item() == pytest.approx(by_hand)


def test_divergence_is_zero_exactly_for_equal_maps():
    a, b = _maps(0).double(), _maps(1).double()
    assert spatial_kl(a, a).abs().max() == 0
    torch.testing.assert_close(spatial_kl(a, a + 3), torch.zeros(3, CHANNELS).double())
    assert spatial_kl(a, b).min() > 0
    assert spatial_kl(a, a + 1e-3 * b).min() > 0


def test_unrelated_maps_are_one_nat_apart():
    """The documented meaning of the default cap."""
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 8, 16, 96, 72, generator=generator).double()
    assert spatial_kl(first, second).mean().item() == pytest.approx(1.0, abs=0.02)
    assert DivergenceEstimator().cap == 1.0


def test_standardising_takes_out_the_scale_of_a_sample_only():
    maps = _maps(0).double()
    scale = torch.tensor([0.01, 1.0, 500.0]).double()[:, None, None, None]
    torch.testing.assert_close(standardised(scale * maps), standardised(maps))
    deviation = standardised(maps).std(dim=(1, 2, 3), correction=0)
    torch.testing.assert_close(deviation, torch.ones(3).double())
    ratio = standardised(maps) / maps
    torch.testing.assert_close(ratio, ratio[:, :1, :1, :1].expand_as(ratio))
    zero = torch.zeros(1, 2, 3, 3, requires_grad=True)
    standardised(zero).sum().backward()
    assert standardised(zero).abs().max() == 0 and torch.isfinite(zero.grad).all()


@pytest.mark.parametrize("apart", [False, True])
def test_cap_bounds_the_reward_for_being_apart(apart):
    """Below the cap the penalty falls with the divergence; above, neither value nor gradient."""
    estimator = DivergenceEstimator(cap=0.5)
    first = _maps(0)
    second = (-first if apart else first + 0.1 * _maps(1)).requires_grad_()
    divergence = spatial_kl(standardised(first), standardised(second))
    penalty = estimator.feature_penalty("primary", first, second, shrink=True)
    torch.testing.assert_close(penalty, (0.5 - divergence).clamp(min=0).mean())
    penalty.backward()
    if apart:
        assert divergence.min() > 0.5
        assert penalty == 0 and second.grad.abs().max() == 0
    else:
        assert divergence.max() < 0.5
        assert 0 < penalty < 0.5 and second.grad.abs().max() > 0
