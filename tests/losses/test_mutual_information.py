"""The mutual-information objective: published sum, signs, gradients and options."""

from __future__ import annotations

import json
import math
import zlib

import numpy as np
import pytest
import torch
from torch import nn

from tdmi.core.errors import UserError
from tdmi.losses.mutual_information import FEATURE_TERMS, LABEL_TERMS, MutualInformation
from tdmi.losses.mutual_information_spatial import legacy_surrogate, spatial_kl
from tests.support.golden import OWN

CHANNELS, JOINTS, HEIGHT, WIDTH = 6, 4, 8, 6
NAMES = ("motion", "useful", "noisy", "visual", "fused")


def _maps(seed: int, channels: int = CHANNELS, batch: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, channels, HEIGHT, WIDTH, generator=generator)


def _features() -> dict[str, torch.Tensor]:
    return {name: _maps(i).requires_grad_() for i, name in enumerate(NAMES)}


def _head() -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(CHANNELS, JOINTS, 1)


def _terms(objective, features, heatmaps=None, target=None, weight=None, head=None):
    heatmaps = _maps(10, JOINTS).requires_grad_() if heatmaps is None else heatmaps
    target = _maps(11, JOINTS) if target is None else target
    weight = torch.ones(3, JOINTS) if weight is None else weight
    return objective(features, heatmaps, target, weight, head or _head())


# --- the published sum ------------------------------------------------------------------------


def _reference_case():
    case = json.loads((OWN / "mutual_information" / "fami_pose.json").read_text())

    def tensor(name):
        b, c, h, w = case["input"][name]["shape"]
        generator = np.random.Generator(np.random.PCG64(case["input"][name]["seed"]))
        coarse = generator.standard_normal((b, c, h // 32, w // 32))
        fine = generator.standard_normal((b, c, h, w))
        x = 1.5 * coarse.repeat(32, 2).repeat(32, 3) + 0.5 * fine
        return torch.from_numpy(case["input"]["factor"] * x.astype(np.float32).astype(np.float64))

    head = nn.Conv2d(48, 17, 1).double()
    for part in ("weight", "bias"):
        key, shape = case["head"][part]["key"], case["head"][part]["shape"]
        generator = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode())))
        z = generator.standard_normal(math.prod(shape))
        factor = case["head"]["gain"] * math.sqrt(2 / 48) if part == "weight" else 0.1
        value = (factor * z).astype(np.float32).reshape(shape)
        getattr(head, part).data = torch.from_numpy(value).double()
    return case, {name: tensor(name) for name in ("feat", "feat2", "label")}, head


def test_legacy_equals_the_released_estimators_of_the_same_group():
    """FAMI-Pose's release computes the same form, for features and through the head for labels."""
    case, inputs, head = _reference_case()
    label, feature = case["label_and_feat_f64"]
    assert legacy_surrogate(inputs["feat"], inputs["feat2"]).item() == pytest.approx(
        feature, rel=1e-12
    )
    objective = MutualInformation(
        48, estimator="legacy", weights=dict.fromkeys(FEATURE_TERMS, 0) | {"visual_label": 0}
    )
    terms = objective(
        {"useful": inputs["feat"]}, inputs["label"], inputs["label"], torch.ones(2, 17), head
    )
    assert terms["mi_useful_label"].item() == pytest.approx(label, rel=1e-12)


def test_legacy_sum_is_the_review_time_formula():
    features, heatmaps, head = _features(), _maps(10, JOINTS), _head()
    u, n, m, a, f = (features[k] for k in ("useful", "noisy", "motion", "visual", "fused"))

    def K(first, second):
        return legacy_surrogate(first, second)

    expected = 2 * K(u, n) - K(m, u) + (K(u, a) - K(u, f) - K(a, f))
    expected = expected + (K(head(u), heatmaps) - K(u, f) + K(head(a), heatmaps) - K(a, f))
    total = sum(
        _terms(
            MutualInformation(CHANNELS, JOINTS, "legacy"), features, heatmaps, head=head
        ).values()
    )
    torch.testing.assert_close(total, expected)


def test_unlabelled_joints_stay_out_of_label_terms():
    objective = MutualInformation(CHANNELS, JOINTS, "vsd", label_from="ground_truth", cap=50.0)
    weight = torch.ones(3, JOINTS)
    weight[:, 2] = 0
    target, other = _maps(11, JOINTS), _maps(11, JOINTS)
    other[:, 2] = 7 * _maps(12, JOINTS)[:, 2]
    a = _terms(objective, _features(), target=target, weight=weight)["mi_useful_label"]
    b = _terms(objective, _features(), target=other, weight=weight)["mi_useful_label"]
    everything = _terms(objective, _features(), target=other)["mi_useful_label"]
    assert a == b and a != everything


# --- signs ------------------------------------------------------------------------------------


def _descend(objective, features, free, steps=150, rate=0.3, **labels):
    """Plain gradient descent on `free`; returns the features after it."""
    features = {k: v.detach().clone().requires_grad_(k in free) for k, v in features.items()}
    for _ in range(steps):
        loss = sum(_terms(objective, features, **labels).values())
        grads = torch.autograd.grad(loss, [features[k] for k in free])
        with torch.no_grad():
            for name, grad in zip(free, grads, strict=True):
                features[name] -= rate * grad / grad.norm().clamp(min=1e-12)
    return features


def _only(estimator, term, **options):
    weights = dict.fromkeys([*FEATURE_TERMS, *LABEL_TERMS], 0.0) | {term: 1.0}
    return MutualInformation(CHANNELS, JOINTS, estimator, weights=weights, **options)


def test_primary_term_drives_the_parts_apart_until_the_cap():
    base = _maps(0)
    features = {"useful": base, "noisy": base + 0.1 * _maps(1)}
    objective = _only("vsd", "primary", cap=0.5, scale=1.0)
    after = _descend(objective, features, ["useful", "noisy"])
    before = spatial_kl(features["useful"], features["noisy"])
    divergence = spatial_kl(after["useful"], after["noisy"])
    assert before.max() < 0.1
    assert 0.45 < divergence.mean() < 1
    assert _terms(objective, after)["mi_primary"] < 0.05


@pytest.mark.parametrize("term", ["motion", "useful_fused", "visual_fused"])
def test_terms_to_grow_pull_the_second_feature_towards_the_first(term):
    first, second, shrink = FEATURE_TERMS[term]
    assert not shrink
    features = _features()
    after = _descend(_only("vsd", term), features, [second])
    assert (
        spatial_kl(after[first], after[second]).mean()
        < 0.2 * spatial_kl(features[first], features[second]).mean()
    )


def test_label_term_takes_the_pose_out_of_the_feature():
    head = _head()
    features = {"useful": _maps(0)}
    label = head(features["useful"] + 0.2 * _maps(1)).detach()
    before = spatial_kl(label, head(features["useful"])).mean()
    objective = _only("vsd", "useful_label", label_from="ground_truth", label_temperature=1.0)
    after = _descend(objective, features, ["useful"], target=label, head=head)
    assert spatial_kl(label, head(after["useful"])).mean() > 5 * before


# --- gradients --------------------------------------------------------------------------------

LABEL_IS_REFERENCE = {
    "primary": {"useful", "noisy"},
    "motion": {"useful"},
    "useful_fused": {"fused"},
    "visual_fused": {"fused"},
    "useful_visual": {"visual"},
    "useful_label": {"useful"},
    "visual_label": {"visual"},
}
FEATURE_IS_REFERENCE = LABEL_IS_REFERENCE | {
    "useful_label": {"heatmaps"},
    "visual_label": {"heatmaps"},
}
REACHED = {
    (estimator, term): reached
    for estimator in ("vsd", "legacy", "vclub", "cos", "hsic")
    for term, reached in (
        FEATURE_IS_REFERENCE if estimator == "legacy" else LABEL_IS_REFERENCE
    ).items()
}


def _tensors() -> dict[str, torch.Tensor]:
    """Features that share something, so that no bound is cut off, and heatmaps."""
    tensors = {k: _maps(0) + 0.5 * _maps(i + 1) for i, k in enumerate(NAMES)}
    tensors["heatmaps"] = _head()(tensors["useful"]).detach() + 0.5 * _maps(10, JOINTS)
    return {k: v.requires_grad_() for k, v in tensors.items()}


def _reached(tensors) -> set[str]:
    return {k for k, v in tensors.items() if v.grad is not None and v.grad.abs().max() > 0}


def _fitted(estimator, term, tensors, **options) -> MutualInformation:
    """The objective of one term, its networks fitted if it has some."""
    torch.manual_seed(0)
    objective = _only(estimator, term, **options)
    networks = list(objective.parameters())
    optimiser = torch.optim.Adam(networks, lr=0.03) if networks else None
    for _ in range(60 if networks else 0):
        optimiser.zero_grad()
        sum(_terms(objective, tensors, tensors["heatmaps"]).values()).backward()
        optimiser.step()
    for leaf in (*networks, *tensors.values()):
        leaf.grad = None
    return objective


@pytest.mark.parametrize(("estimator", "term"), REACHED)
def test_which_tensors_receive_gradients(estimator, term):
    tensors = _tensors()
    objective = _fitted(estimator, term, tensors, **({"cap": 100.0} if estimator == "vsd" else {}))
    head = _head()
    terms = _terms(objective, tensors, tensors["heatmaps"], head=head)
    assert list(terms) == [f"mi_{term}"]
    terms[f"mi_{term}"].backward()
    assert _reached(tensors) == REACHED[estimator, term]
    assert head.weight.grad is None


@pytest.mark.parametrize("stop_gradient", ["none", "symmetric"])
@pytest.mark.parametrize("estimator", ["vsd", "legacy", "cos", "hsic"])
def test_both_sides_learn_where_neither_or_each_in_turn_is_held(estimator, stop_gradient):
    options = {"cap": 100.0} if estimator == "vsd" else {}
    for term in [*FEATURE_TERMS, *LABEL_TERMS]:
        tensors = _tensors()
        objective = _only(estimator, term, stop_gradient=stop_gradient, **options)
        sum(_terms(objective, tensors, tensors["heatmaps"]).values()).backward()
        pair = {*FEATURE_TERMS[term][:2]} if term in FEATURE_TERMS else {LABEL_TERMS[term]}
        assert _reached(tensors) == (pair if len(pair) == 2 else pair | {"heatmaps"})


def test_symmetric_is_the_mean_of_two_orders_each_with_its_reference_held():
    tensors, head = _tensors(), _head()
    u, f, y = (tensors[k] for k in ("useful", "fused", "heatmaps"))
    fused = {"useful": f, "fused": u}

    def terms(estimator, term, features, **options):
        objective = _only(estimator, term, scale=1.0, **options)
        return _terms(objective, features, y, head=head)[f"mi_{term}"]

    both = terms("vsd", "useful_fused", tensors, stop_gradient="symmetric")
    one, other = terms("vsd", "useful_fused", tensors), terms("vsd", "useful_fused", fused)
    torch.testing.assert_close(both, (one + other) / 2)
    got = torch.autograd.grad(both, [u, f])
    torch.testing.assert_close(got[0], torch.autograd.grad(other, u)[0] / 2)
    torch.testing.assert_close(got[1], torch.autograd.grad(one, f)[0] / 2)

    projected = head(u)
    both = terms("legacy", "useful_label", tensors, stop_gradient="symmetric")
    orders = [legacy_surrogate(projected.detach(), y), legacy_surrogate(y.detach(), projected)]
    torch.testing.assert_close(both, sum(orders) / 2)
    for got, wanted in zip(
        torch.autograd.grad(both, [u, y]), torch.autograd.grad(sum(orders), [u, y]), strict=True
    ):
        torch.testing.assert_close(got, wanted / 2)


# --- an own head for the label terms ----------------------------------------------------------


def test_own_heads_learn_the_label_and_price_the_feature_as_they_stand():
    torch.manual_seed(0)
    tensors = _tensors()
    objective = _only("cos", "useful_label", label_head="own", scale=1.0)
    own = objective.label_heads["useful_label"]
    assert own.kernel_size == (3, 3) and list(objective.label_heads) == ["useful_label"]
    given = _head()
    (value,) = _terms(objective, tensors, tensors["heatmaps"], head=given).values()
    label = tensors["heatmaps"].detach()
    similarity = torch.cosine_similarity(own(tensors["useful"]).flatten(2), label.flatten(2), -1)
    torch.testing.assert_close(value, similarity.square().mean())
    value.backward()
    assert _reached(tensors) == {"useful"} and given.weight.grad is None
    error = (own(tensors["useful"].detach()) - label).square().mean()
    torch.testing.assert_close(own.weight.grad, torch.autograd.grad(error, own.weight)[0])


def test_own_head_finds_out_what_the_given_head_does_not_see():
    """The pose lies in a channel that the given head ignores; the learned one prices it."""
    torch.manual_seed(0)
    useful = _maps(0)
    label = torch.roll(useful[:, :JOINTS], 1, dims=3).detach()
    blind = _head()
    torch.nn.init.zeros_(blind.weight)
    features = {"useful": useful}
    found = {}
    for kind in ("single_frame", "own"):
        objective = _only("cos", "useful_label", label_head=kind, scale=1.0)
        optimiser = torch.optim.Adam(objective.parameters(), lr=0.03) if kind == "own" else None
        for _ in range(150 if optimiser else 0):
            optimiser.zero_grad()
            _terms(objective, features, label, head=blind)["mi_useful_label"].backward()
            optimiser.step()
        found[kind] = _terms(objective, features, label, head=blind)["mi_useful_label"].item()
    assert found["single_frame"] < 0.05
    assert found["own"] > 0.7


# --- precision --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("estimator", ["vsd", "legacy", "vclub", "cos", "hsic"])
def test_finite_in_half_precision(estimator, dtype):
    """Values near the largest float16 overflow when divided by 0.05 or squared, unless widened."""
    features = {k: (3e4 * _maps(i)).clamp(-6e4, 6e4).to(dtype) for i, k in enumerate(NAMES)}
    features = {k: v.requires_grad_() for k, v in features.items()}
    heatmaps = _maps(10, JOINTS).to(dtype).requires_grad_()
    weights = dict.fromkeys([*FEATURE_TERMS, *LABEL_TERMS], 1.0)
    objective = MutualInformation(
        CHANNELS, JOINTS, estimator, weights, stop_gradient="none", label_head="own"
    )
    terms = _terms(objective, features, heatmaps, head=_head().to(dtype))
    assert set(terms) == {f"mi_{term}" for term in weights}
    assert all(v.dtype == torch.float32 and torch.isfinite(v) for v in terms.values())
    sum(terms.values()).backward()
    assert all(torch.isfinite(v.grad).all() for v in (*features.values(), heatmaps))
    assert all(torch.isfinite(p.grad).all() for p in objective.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("estimator", ["vsd", "legacy", "vclub", "cos", "hsic"])
def test_mixed_precision_changes_nothing(estimator, dtype):
    """Under autocast matrix products and convolutions would be done in half precision."""
    torch.manual_seed(0)
    objective = MutualInformation(CHANNELS, JOINTS, estimator, label_head="own")
    plain = _terms(objective, _tensors())
    with torch.autocast("cpu", dtype):
        mixed = _terms(objective, _tensors())
    assert all(torch.equal(mixed[name], plain[name]) for name in plain)


# --- options ----------------------------------------------------------------------------------


def test_weights_and_scale_multiply():
    features = _features()
    plain = _terms(MutualInformation(CHANNELS, JOINTS, "vsd", scale=1.0), features)
    scaled = _terms(
        MutualInformation(CHANNELS, JOINTS, "vsd", scale=0.5, weights={"motion": 3.0}), features
    )
    torch.testing.assert_close(scaled["mi_motion"], 1.5 * plain["mi_motion"])
    torch.testing.assert_close(scaled["mi_primary"], 0.5 * plain["mi_primary"])


def test_none_has_no_terms():
    assert _terms(MutualInformation(CHANNELS, JOINTS, "none"), _features()) == {}


@pytest.mark.parametrize(
    "options",
    [
        {"estimator": "kl"},
        {"weights": {"secondary": 1.0}},
        {"estimator": "legacy", "cap": 1.0},
        {"estimator": "none", "temperature": 1.0},
        {"temperature": 0.0},
        {"temperature": "warm"},
        {"scale": "small"},
        {"weights": {"motion": "much"}},
        {"weights": {"motion": math.nan}},
        {"estimator": "vclub", "weights": {"motion": -1.0}},
        {"estimator": "vclub", "stop_gradient": "symmetric"},
        {"stop_gradient": "first"},
        {"label_head": "backbone"},
        {"estimator": "cos", "temperature": 1.0},
        {"estimator": "hsic", "grid": 3},
        {"label_from": "annotation"},
        {"estimator": "legacy", "label_from": "ground_truth"},
    ],
)
def test_bad_options_are_user_errors(options):
    with pytest.raises(UserError, match="mutual_information") as error:
        MutualInformation(CHANNELS, JOINTS, **options)
    assert "\n" not in str(error.value)
