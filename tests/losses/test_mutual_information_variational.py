"""The learned bounds against closed forms on Gaussians, and who learns from what."""

from __future__ import annotations

import math

import pytest
import torch

from tdmi.core.errors import UserError
from tdmi.losses.mutual_information import MutualInformation
from tdmi.losses.mutual_information_variational import (
    GaussianConditional,
    VariationalEstimator,
    club_bound,
    expected_positions,
    nce_gap,
)

SIZE = 3


def _correlated(rho: float, batch: int = 2000) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    a = torch.randn(batch, SIZE, generator=generator)
    noise = torch.randn(batch, SIZE, generator=generator)
    return a, rho * a + math.sqrt(1 - rho**2) * noise


def _true_log_conditional(a, b, rho):
    square = (b[None] - rho * a[:, None]).square().sum(-1)
    return -0.5 * (square / (1 - rho**2) + SIZE * math.log(1 - rho**2))


def _log_ratio(a, b, rho):
    """log p(b | a) / p(b) less its constant, the best critic there is."""
    return _true_log_conditional(a, b, rho) + 0.5 * b.square().sum(-1)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_bounds_enclose_the_information_of_gaussians(rho):
    """I = -D/2 log(1 - rho^2); CLUB with the true conditional is D rho^2 / (1 - rho^2)."""
    a, b = _correlated(rho)
    information = -SIZE / 2 * math.log(1 - rho**2)
    log_conditional = _true_log_conditional(a, b, rho)
    upper = club_bound(log_conditional).item()
    lower = math.log(len(a)) - nce_gap(_log_ratio(a, b, rho)).item()
    assert upper == pytest.approx(SIZE * rho**2 / (1 - rho**2), abs=0.1, rel=0.1)
    assert lower <= information + 0.1
    assert information <= upper + 0.1
    assert lower == pytest.approx(information, abs=0.1)


def test_lower_bound_stays_below_and_tightens_with_samples():
    """InfoNCE with the true density ratio: at most log B, and ever nearer to I as B grows."""
    a, b = _correlated(0.8, 4096)
    information = -SIZE / 2 * math.log(1 - 0.8**2)
    bounds = []
    for batch in (2, 8, 64, 512):
        found = [
            math.log(batch) - nce_gap(_log_ratio(x, y, 0.8)).item()
            for x, y in zip(a.split(batch), b.split(batch), strict=True)
        ]
        bounds.append(sum(found) / len(found))
        assert bounds[-1] <= math.log(batch)
    assert bounds == sorted(bounds)
    assert bounds[-1] < information + 0.05
    gaps = [information - bound for bound in bounds]
    assert gaps[0] > 0.8 and abs(gaps[-1]) < 0.1


def test_upper_bound_stays_above_and_its_spread_falls_with_samples():
    """vCLUB with the true conditional: on average (1 - 1/B) D rho^2 / (1 - rho^2), above I."""
    rho = 0.6
    a, b = _correlated(rho, 4096)
    information = -SIZE / 2 * math.log(1 - rho**2)
    spreads = []
    for batch in (8, 64, 512):
        found = torch.stack(
            [
                club_bound(_true_log_conditional(x, y, rho))
                for x, y in zip(a.split(batch), b.split(batch), strict=True)
            ]
        )
        expected = (1 - 1 / batch) * SIZE * rho**2 / (1 - rho**2)
        assert found.mean().item() == pytest.approx(expected, rel=0.1)
        assert found.mean() > information
        spreads.append(found.std().item())
    assert spreads[0] > 2 * spreads[1] > 4 * spreads[2]


@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_learned_bounds_enclose_the_information_on_fresh_samples(rho):
    """The estimator's own networks, fitted on some samples and judged on others."""
    torch.manual_seed(0)
    information = -SIZE / 2 * math.log(1 - rho**2)
    estimator = VariationalEstimator({"primary": SIZE}, {"motion": SIZE}, hidden=16)
    conditional, critic = estimator.conditionals["primary"], estimator.critics["motion"]
    (a, fresh_a), (b, fresh_b) = (x.split(1000) for x in _correlated(rho, 2000))
    optimiser = torch.optim.Adam(estimator.parameters(), lr=1e-2)
    for step in range(120):
        rows = slice(100 * (step % 10), 100 * (step % 10) + 100)
        fit = -conditional(a[rows], b[rows]).diagonal().mean()
        optimiser.zero_grad()
        (fit + nce_gap(critic(a[rows], b[rows]))).backward()
        optimiser.step()
    upper = club_bound(conditional(fresh_a, fresh_b)).item()
    lower = math.log(1000) - nce_gap(critic(fresh_a, fresh_b)).item()
    assert lower - 0.05 < information < upper + 0.05
    if rho == 0:
        assert abs(upper) < 0.1 and abs(lower) < 0.1
    else:
        assert upper < 1.2 * SIZE * rho**2 / (1 - rho**2)
        assert lower > 0.7 * information


def test_conditional_learns_a_gaussian():
    torch.manual_seed(0)
    a, b = _correlated(0.8, 600)
    (a, fresh_a), (b, fresh_b) = a.split(300), b.split(300)
    conditional = GaussianConditional(SIZE, 8)
    optimiser = torch.optim.Adam(conditional.parameters(), lr=1e-2)
    for _ in range(120):
        loss = -conditional(a, b).diagonal().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    found = club_bound(conditional(fresh_a, fresh_b)).item()
    assert found == pytest.approx(SIZE * 0.64 / 0.36, rel=0.3)


def test_expected_positions_of_single_pixels():
    maps = torch.zeros(1, 3, 5, 9)
    maps[0, 0, 0, 0] = maps[0, 1, 4, 8] = maps[0, 2, 2, 4] = 1.0
    x, y = expected_positions(maps, temperature=0.01).unflatten(1, (2, 3))[0]
    torch.testing.assert_close(x, torch.tensor([-1.0, 1.0, 0.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(y, torch.tensor([-1.0, 1.0, 0.0]), atol=1e-4, rtol=0)


def test_the_bound_trains_features_and_the_fit_trains_the_conditional():
    """One backward: the conditional gets the gradient of its likelihood alone."""
    torch.manual_seed(0)
    estimator = VariationalEstimator({"primary": SIZE}, {})
    a, b = (x.requires_grad_() for x in _correlated(0.9, 50))
    conditional = estimator.conditionals["primary"]
    value = estimator.feature_penalty("primary", a[..., None, None], b[..., None, None], True)
    assert value.item() == pytest.approx(max(0, club_bound(conditional(a, b)).item()), abs=1e-6)
    value.backward()
    got = [p.grad.clone() for p in conditional.parameters()]
    conditional.zero_grad()
    (-conditional(a.detach(), b.detach()).diagonal().mean()).backward()
    for p, grad in zip(conditional.parameters(), got, strict=True):
        torch.testing.assert_close(p.grad, grad)


def test_primary_term_alone_makes_two_dependent_features_independent():
    torch.manual_seed(0)
    weights = dict.fromkeys(("motion", "useful_label", "useful_fused", "visual_fused"), 0)
    objective = MutualInformation(SIZE, 2, "vclub", weights=weights, scale=1.0, hidden=16)
    a, b = _correlated(0.9, 100)
    mix = torch.eye(SIZE).requires_grad_()
    networks = torch.optim.Adam(objective.parameters(), lr=1e-2)
    features = torch.optim.Adam([mix], lr=1e-2)

    def correlation():
        residual = torch.corrcoef(torch.cat([a, b - a @ mix.detach() + a], 1).T)
        return residual[:SIZE, SIZE:].diagonal().abs().mean()

    before = correlation()
    for step in range(280):
        noisy = b - a @ mix + a
        maps = {"useful": a[..., None, None], "noisy": noisy[..., None, None]}
        loss = sum(objective(maps, None, None, None, None).values())
        networks.zero_grad()
        features.zero_grad()
        loss.backward()
        networks.step()
        if step >= 100:
            features.step()
    assert before > 0.85
    assert correlation() < 0.4


def test_all_terms_work_together_and_one_sample_has_nothing_to_contrast():
    torch.manual_seed(0)
    weights = {"visual_label": 1.0, "useful_visual": 1.0}
    objective = MutualInformation(SIZE, 2, "vclub", weights=weights)
    head = torch.nn.Conv2d(SIZE, 2, 1)
    for batch in (4, 1):
        names = ("motion", "useful", "noisy", "visual", "fused")
        maps = {k: torch.randn(batch, SIZE, 6, 4).requires_grad_() for k in names}
        heatmaps = torch.randn(batch, 2, 6, 4)
        terms = objective(maps, heatmaps, heatmaps, torch.ones(batch, 2), head)
        assert len(terms) == 7
        assert all(torch.isfinite(v) and v >= -1e-6 for v in terms.values())
        sum(terms.values()).backward()
        assert all(torch.isfinite(v.grad).all() for v in maps.values() if v.grad is not None)
        assert all(p.grad is not None for p in objective.parameters())
        if batch == 1:
            assert sum(terms.values()).item() == pytest.approx(0, abs=1e-6)


def _moved(objective, seed=0):
    """Which side gets a gradient in one step: (networks, features), and the terms' values."""
    torch.manual_seed(seed)
    names = ("motion", "useful", "noisy", "visual", "fused")
    maps = {k: torch.randn(6, SIZE, 6, 4).requires_grad_() for k in names}
    heatmaps, head = torch.randn(6, 2, 6, 4), torch.nn.Conv2d(SIZE, 2, 1)
    objective.zero_grad()
    terms = objective(maps, heatmaps, heatmaps, torch.ones(6, 2), head)
    sum(terms.values()).backward()

    def any_of(parameters):
        return any(p.grad is not None and p.grad.abs().max() > 0 for p in parameters)

    sides = any_of(objective.parameters()), any_of(maps.values())
    return sides, {name: value.item() for name, value in terms.items()}


def test_networks_and_features_take_turns_also_after_a_restart():
    torch.manual_seed(0)
    joint = MutualInformation(SIZE, 2, "vclub")
    turns = MutualInformation(SIZE, 2, "vclub", updates="alternating")
    turns.load_state_dict(joint.state_dict(), strict=False)
    both, values = _moved(joint)
    assert both == (True, True)
    assert _moved(turns) == ((True, False), pytest.approx(values))
    restarted = MutualInformation(SIZE, 2, "vclub", updates="alternating")
    restarted.load_state_dict(turns.state_dict())
    for objective in (turns, restarted):
        assert _moved(objective) == ((False, True), pytest.approx(values))
        assert _moved(objective)[0] == (True, False)


def test_turns_are_a_choice_of_the_learned_bounds_alone():
    with pytest.raises(UserError, match="updates: found 'odd', expected one of joint, alternating"):
        MutualInformation(SIZE, 2, "vclub", updates="odd")
    with pytest.raises(UserError, match="found unknown 'updates'"):
        MutualInformation(SIZE, 2, "vsd", updates="joint")
