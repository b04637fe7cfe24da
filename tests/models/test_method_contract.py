"""What every method must do: start, freezing, batches, learning, cost; gradients elsewhere."""

import pytest
import torch

from baselines.single_frame import SingleFrame
from tdmi.core.errors import UserError
from tdmi.models.cost import cost
from tdmi.models.hrnet import HRNet
from tests.support.methods import (
    METHODS,
    TEMPORAL,
    build,
    bytes_of,
    clip,
    method_cases,
    move_weights,
    target,
    total,
    trained_single_frame,
)

CASES = method_cases()
SIZE = (32, 32)


@pytest.mark.parametrize("name", TEMPORAL)
def test_starts_as_the_single_frame_model(name):
    single = trained_single_frame(name)
    method = build(name, seed=5)
    method.load_single_frame(single.state_dict())
    method.eval()
    frames, offsets = clip(method)
    offsets[0, 0] = 0
    with torch.no_grad():
        ours = method(frames, offsets).heatmaps
        wanted = single(frames[:, method.key, None], torch.zeros(2, 1)).heatmaps
    assert wanted.std() > 0.05
    torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_batch_equals_single_samples(name):
    method = CASES[name].build().eval().double()
    move_weights(method)
    frames, offsets = clip(method, batch=3, size=SIZE)
    frames = frames.double()
    offsets[1] = offsets[1].clamp_max(0)
    with torch.no_grad():
        together = method(frames, offsets).heatmaps
        singles = [method(frames[i : i + 1], offsets[i : i + 1]).heatmaps for i in range(3)]
    torch.testing.assert_close(together, torch.cat(singles), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_frozen_backbone_keeps_every_byte(name):
    """Weights and statistics of norms; with weight decay, which moves whatever is not frozen."""
    method = CASES[name].build(freeze_backbone=True, backbone_norm="frozen")
    before, whole = bytes_of(method.backbone), bytes_of(method)
    frames, offsets = clip(method, size=SIZE)
    optimizer = torch.optim.AdamW(method.parameters(), 1e-2, weight_decay=0.1)
    for _ in range(2):
        method.train()
        optimizer.zero_grad()
        total(method, frames, offsets, target(size=SIZE)).backward()
        optimizer.step()
    assert bytes_of(method.backbone) == before
    assert bytes_of(method) != whole
    assert not method.features(frames)[0].requires_grad


@pytest.mark.parametrize("name", CASES)
def test_cost_is_counted(name):
    method = CASES[name].build()
    found = cost(method, *SIZE)
    assert found.parameters == sum(
        p.numel()
        for p in method.state_dict(keep_vars=True).values()
        if isinstance(p, torch.nn.Parameter)
    )
    groups = method.parameter_groups()
    assert found.trainable_parameters == sum(p.numel() for g in groups.values() for p in g)
    assert (found.frames, found.input) == (len(method.window), SIZE)
    trunk = cost(SingleFrame(method.backbone, method.joints), *SIZE)
    assert found.gflops >= trunk.gflops > 0


@pytest.mark.parametrize("name", TEMPORAL)
def test_frozen_backbone_may_update_its_norm_statistics(name):
    """The released behaviour, by name: no weight moves, all statistics do."""
    method = build(name, freeze_backbone=True, backbone_norm="updated")
    weights = [p.detach().clone() for p in method.backbone.parameters()]
    norms = [m for m in method.backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    before = [norm.running_mean.clone() for norm in norms]
    total(method.train(), *clip(method), target()).backward()
    assert all(p.grad is None for p in method.backbone.parameters())
    assert all(
        torch.equal(p, w) for p, w in zip(method.backbone.parameters(), weights, strict=True)
    )
    assert not any(torch.equal(n.running_mean, b) for n, b in zip(norms, before, strict=True))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("policy", ["frozen", "updated"])
def test_backbone_norm_policy(name, policy):
    method = build(name, backbone_norm=policy)
    norms = [m for m in method.backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    before = [bytes_of(norm) for norm in norms]
    optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], 1e-2)
    torch.nn.init.normal_(method.head.weight, std=0.3)
    convolution = method.backbone.conv1.weight.clone()
    method.eval()
    method.train()
    total(method, *clip(method), target()).backward()
    optimizer.step()
    unchanged = [bytes_of(norm) == old for norm, old in zip(norms, before, strict=True)]
    assert all(unchanged) if policy == "frozen" else not any(unchanged)
    assert not torch.equal(method.backbone.conv1.weight, convolution)


@pytest.mark.parametrize("name", TEMPORAL)
def test_learns_one_clip(name):
    method = build(name)
    method.load_single_frame(trained_single_frame(name).state_dict())
    frames, offsets = clip(method)
    wanted = target(seed=9)
    optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], 1e-2)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = method.loss(method(frames, offsets), wanted)
        losses.append(loss["heatmap"].item())
        sum(loss.values()).backward()
        optimizer.step()
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("name", METHODS)
def test_parameter_groups(name):
    method = build(name)
    groups = method.parameter_groups()
    trainable = {id(p) for p in method.parameters() if p.requires_grad}
    ids = [id(p) for group in groups.values() for p in group]
    assert len(ids) == len(set(ids)) and set(ids) == trainable
    shared = {id(p) for p in [*method.backbone.parameters(), *method.head.parameters()]}
    assert {id(p) for p in groups["backbone"]} == shared & trainable
    assert bool(groups["new"]) == (name in TEMPORAL)


@pytest.mark.parametrize("name", METHODS)
def test_same_seed_same_result(name):
    a, b = build(name, seed=3), build(name, seed=3)
    frames, offsets = clip(a)
    assert bytes_of(a) == bytes_of(b)
    assert torch.equal(a(frames, offsets).heatmaps, b(frames, offsets).heatmaps)


def test_loading_is_strict():
    state = build("single_frame").state_dict()
    method = build("dcpose")
    before = bytes_of(method)
    wrong = {k: v for k, v in state.items() if k != "backbone.conv1.weight"}
    wrong["backbone.stage9.weight"] = torch.zeros(1)
    wrong["head.bias"] = torch.zeros(9)
    with pytest.raises(UserError) as error:
        method.load_single_frame(wrong)
    message = str(error.value)
    assert "\n" not in message
    for part in ("backbone.conv1.weight", "backbone.stage9.weight", "head.bias (9,) for (4,)"):
        assert part in message
    assert bytes_of(method) == before
    old = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    method.load_single_frame(old)
    assert torch.equal(method.head.weight, state["head.weight"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"start": "zero"}, "option start: found 'zero'"),
        ({"backbone_norm": "off"}, "option backbone_norm: found 'off'"),
        ({"window": (1, 2)}, "window is"),
        ({"pooling": "median"}, "option pooling: found 'median'"),
        ({"flow": {"preset": "slow"}}, "option flow.preset: found 'slow'"),
        ({"start": "paper", "window": (-1, 0, 1)}, "(-2, -1, 0, 1, 2)"),
    ],
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(UserError) as error:
        build("flow_pooling", **options)
    assert words in str(error.value)


def test_cost_of_a_hand_countable_model():
    method = build("single_frame")
    method.backbone = torch.nn.Sequential()

    def one_convolution(x, depths=None):
        return [torch.nn.functional.conv2d(x, torch.zeros(8, 3, 3, 3), stride=4, padding=1)]

    method.backbone.forward = one_convolution
    found = cost(method.train(), 64, 48)
    places = 16 * 12
    assert found.gflops * 1e9 == 2 * places * (8 * 3 * 9 + 4 * 8)
    assert (found.parameters, found.input, found.frames) == (4 * 8 + 4, (64, 48), 1)
    assert method.training


def test_cost_of_hrnet_w32_as_counted_elsewhere():
    """figures for 256x192: 15.290007552 GFLOPs, 28,536,113 parameters (official model, counted)."""
    found = cost(SingleFrame(HRNet(32)), 256, 192)
    assert found.parameters == found.trainable_parameters == 28536113
    assert found.gflops == pytest.approx(15.290007552, rel=1e-12)
