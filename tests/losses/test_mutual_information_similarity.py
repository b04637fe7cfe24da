"""Squared cosine and HSIC: by definition, by invariance, and on variables with known dependence."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from tdmi.core.errors import UserError
from tdmi.losses.mutual_information_similarity import (
    CosineEstimator,
    HSICEstimator,
    centred_kernel,
    hsic,
    squared_cosine,
)


def _normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _correlated(rho: float, n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    a, noise = _normal(2, n, 3, seed=seed)
    return a, rho * a + math.sqrt(1 - rho**2) * noise


# --- squared cosine ---------------------------------------------------------------------------


def test_cosine_by_hand():
    first = torch.tensor([[3.0, 4.0], [1.0, 0.0], [1.0, 2.0], [0.0, 0.0]])
    second = torch.tensor([[1.0, 0.0], [0.0, 5.0], [-2.0, -4.0], [1.0, 1.0]])
    torch.testing.assert_close(squared_cosine(first, second), torch.tensor([0.36, 0.0, 1.0, 0.0]))


def test_cosine_is_bounded_and_blind_to_scale_and_sign():
    a, b = _normal(200, 5), _normal(200, 5, seed=1)
    value = squared_cosine(a, b)
    assert (value >= 0).all() and (value <= 1).all() and value.min() < 0.01 < 0.9 < value.max()
    torch.testing.assert_close(squared_cosine(-300 * a, 0.01 * b), value)
    torch.testing.assert_close(squared_cosine(b, a), value)


def test_cosine_of_unrelated_features_falls_with_their_size():
    """Two independent random directions in N dimensions: E[cos^2] = 1 / N."""
    for size in (10, 1000):
        value = squared_cosine(_normal(500, size), _normal(500, size, seed=1)).mean()
        assert value.item() == pytest.approx(1 / size, rel=0.2)


def test_cosine_of_two_parts_is_zero_exactly_where_they_share_no_channel():
    motion = _normal(2, 4, 5, 3).relu()
    mask = torch.tensor([1.0, 0.0, 1.0, 0.0]).reshape(1, 4, 1, 1)
    estimator = CosineEstimator()
    assert estimator.feature_penalty("primary", mask * motion, (1 - mask) * motion, True) == 0
    assert estimator.feature_penalty("primary", motion, 0.1 * motion, True) == pytest.approx(1)
    assert estimator.feature_penalty("motion", motion, 0.1 * motion, False) == pytest.approx(0)
    partly = estimator.feature_penalty("primary", motion, mask * motion, True)
    assert 0.1 < partly < 0.9


def test_unlabelled_joints_play_no_part():
    label, other = _normal(2, 3, 5, 4), _normal(2, 3, 5, 4)
    other[:, 1] = 7 * _normal(2, 5, 4, seed=5)
    weight = torch.tensor([[1.0, 0.0, 1.0]] * 2)
    projected = _normal(2, 3, 5, 4, seed=3)
    for estimator in (CosineEstimator(), HSICEstimator()):
        value = estimator.label_penalty("useful_label", projected, label, weight)
        assert value == estimator.label_penalty("useful_label", projected, other, weight)
        everything = estimator.label_penalty("useful_label", projected, other, weight**0)
        assert value != everything
        nothing = estimator.label_penalty("useful_label", projected, label, 0 * weight)
        assert nothing.item() == pytest.approx(0, abs=1e-12)


# --- HSIC -------------------------------------------------------------------------------------


def test_hsic_is_the_u_statistic_of_its_definition():
    """Mean over all quadruples of different samples of K_ij (L_ij + L_qr - 2 L_iq)."""
    n = 6
    samples = _normal(2, n, 3)

    def kernel(x):
        squared = (x[:, None] - x).square().sum(-1)
        return torch.exp(-squared / (2 * squared.sum() / (n * (n - 1))))

    def statistic(k, m):
        terms = [
            k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q])
            for i, j, q, r in itertools.permutations(range(n), 4)
        ]
        return sum(terms) / len(terms)

    k, m = kernel(samples[0]), kernel(samples[1])
    centred = [centred_kernel(x) for x in samples]
    product = (centred[0] * centred[1]).sum() / (n * (n - 3))
    torch.testing.assert_close(product, statistic(k, m), atol=1e-11, rtol=1e-9)
    expected = statistic(k, m) / (statistic(k, k) * statistic(m, m)).sqrt()
    torch.testing.assert_close(hsic(*samples), expected, atol=1e-9, rtol=1e-9)


def test_centred_kernel_has_no_diagonal_and_its_rows_sum_to_zero():
    kernel = centred_kernel(_normal(9, 4))
    assert kernel.diagonal().abs().max() == 0
    assert kernel.sum(dim=0).abs().max() < 1e-12
    assert torch.equal(kernel, kernel.T)


def test_hsic_does_not_change_with_shift_rotation_scale_or_order():
    a, b = _correlated(0.7, 60)
    rotation = torch.linalg.qr(_normal(3, 3, seed=9)).Q
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    value = hsic(a, b)
    assert 0.1 < value < 0.9
    for other in (
        hsic(b, a),
        hsic(a + 100, b),
        hsic(a @ rotation, b),
        hsic(1000 * a, 0.01 * b),
        hsic(a[order], b[order]),
    ):
        torch.testing.assert_close(other, value, atol=1e-8, rtol=1e-8)
    assert abs(hsic(a[order], b)) < 0.5 * value


def test_hsic_of_a_thing_with_itself_is_one():
    a = _normal(30, 5)
    assert hsic(a, a).item() == pytest.approx(1)
    assert hsic(a, 3 - 2 * a).item() == pytest.approx(1)


@pytest.mark.parametrize("size", [2, 40])
def test_independent_samples_have_none_and_more_samples_tell_it_better(size):
    """The estimator is unbiased: about zero at any dimension, of either sign."""
    spread = {}
    for n in (12, 48):
        values = torch.stack(
            [
                hsic(_normal(n, size, seed=2 * i), _normal(n, size, seed=2 * i + 1))
                for i in range(99)
            ]
        )
        assert abs(values.mean()) < 3 * values.std() / math.sqrt(99)
        assert values.min() < 0 < values.max()
        spread[n] = values.std()
    assert spread[48] < 0.4 * spread[12]


def test_hsic_grows_with_the_information_of_gaussians():
    values = [hsic(*_correlated(rho, 300)).item() for rho in (0.0, 0.3, 0.6, 0.9, 1.0)]
    assert values == sorted(values)
    assert abs(values[0]) < 0.02 and values[-1] == pytest.approx(1)


def test_hsic_sees_dependence_that_correlation_does_not():
    x = _normal(400, 1)
    bent = x.square() - 1
    assert squared_cosine(x[:, 0], bent[:, 0]) < 0.02
    assert hsic(x, bent) > 0.2
    assert abs(hsic(x, _normal(400, 1, seed=4).square())) < 0.03


def test_single_precision_is_enough():
    a, b = _correlated(0.5, 500)
    assert hsic(a.float(), b.float()).item() == pytest.approx(hsic(a, b).item(), abs=1e-5)


def test_a_dead_feature_shares_nothing_and_gets_no_gradient():
    dead = torch.zeros(2, 4, 8, 6, requires_grad=True)
    other = _normal(2, 4, 8, 6).float().requires_grad_()
    for estimator in (CosineEstimator(), HSICEstimator()):
        value = estimator.feature_penalty("primary", dead, other, True)
        value.backward()
        assert value.item() == pytest.approx(0, abs=0.01)
        assert torch.isfinite(other.grad).all() and dead.grad.abs().max() < 1e-6


def test_three_samples_tell_nothing():
    a = _normal(3, 2).requires_grad_()
    value = hsic(a, _normal(3, 2, seed=1))
    value.backward()
    assert value == 0 and a.grad.abs().max() == 0


def test_grid_averages_larger_maps_and_leaves_smaller_ones():
    maps = _normal(2, 3, 4, 6)
    pooled = maps.unflatten(2, (2, 2)).unflatten(4, (3, 2)).mean(dim=(3, 5))
    other = _normal(2, 3, 2, 3, seed=1)
    small = HSICEstimator(grid=[2, 3])
    value = small.similarity(maps, maps.square())
    expected = hsic(*(x.permute(0, 2, 3, 1).reshape(12, 3) for x in (pooled, pooled)))
    assert small.similarity(maps, pooled) == pytest.approx(expected.item())
    assert value < 1
    assert HSICEstimator(grid=[9, 9]).similarity(other, other) == pytest.approx(1)


@pytest.mark.parametrize("options", [{"grid": 4}, {"grid": [0, 3]}, {"bandwidth": 0}])
def test_bad_options_are_user_errors(options):
    with pytest.raises(UserError, match=r"mutual_information\.(grid|bandwidth)"):
        HSICEstimator(**options)
