"""What every method must do: start, freezing, gradients, batches, learning, cost."""

import pytest
import torch

from baselines.dcpose import DCPose
from baselines.fami_pose import FAMIPose
from baselines.flow_fusion import FlowFusion
from baselines.flow_motion import FlowMotion
from baselines.flow_pooling import FlowPooling
from baselines.posewarper import PoseWarper
from baselines.single_frame import SingleFrame
from baselines.temporal_concatenation import TemporalConcatenation
from tdmi.core.errors import UserError
from tdmi.models.cost import cost
from tdmi.models.hrnet import HRNet
from tdmi.models.method import PoseMethod
from tdmi.models.output import Target

JOINTS = 4
TEMPORAL = {
    "temporal_concatenation": (TemporalConcatenation, {}),
    "flow_pooling": (FlowPooling, {}),
    "flow_fusion": (FlowFusion, {}),
    "flow_motion": (FlowMotion, {}),
    "dcpose": (DCPose, {"channels": 8, "dilations": (1, 3)}),
    "posewarper": (PoseWarper, {"channels": 8, "blocks": 2, "dilations": (1, 3)}),
    "fami_pose": (FAMIPose, {"halvings": 2, "dilation": 1}),
}
METHODS = {"single_frame": (SingleFrame, {}), **TEMPORAL}


def trunk() -> HRNet:
    return HRNet(8, 3, modules=(1, 1), blocks=1, stem_width=8, stem_blocks=1)


def build(name: str, seed: int = 0, **options) -> PoseMethod:
    torch.manual_seed(seed)
    cls, small = METHODS[name]
    return cls(trunk(), JOINTS, **(small | options))


def clip(method: PoseMethod, batch: int = 2, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randn(batch, len(method.window), 3, 64, 48, generator=generator)
    return frames, torch.tensor([method.window] * batch)


def target(batch: int = 2, seed: int = 2) -> Target:
    """One Gaussian blob of deviation 1.5 px for each joint."""
    generator = torch.Generator().manual_seed(seed)
    centre = 3 + torch.rand(batch, JOINTS, 2, 1, 1, generator=generator) * torch.tensor(
        [[[6.0]], [[10.0]]]
    )
    x, y = torch.arange(12.0), torch.arange(16.0)[:, None]
    squared = (x - centre[:, :, 0]) ** 2 + (y - centre[:, :, 1]) ** 2
    return Target(torch.exp(-squared / (2 * 1.5**2)), torch.ones(batch, JOINTS))


def trained_single_frame(steps: int = 3) -> SingleFrame:
    """A single-frame model whose weights and statistics are not those of a fresh one."""
    model = build("single_frame", seed=11)
    torch.nn.init.normal_(model.head.weight, std=0.3)
    frames, offsets = clip(model)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        model.loss(model(frames, offsets), target())["heatmap"].backward()
        optimizer.step()
    return model.eval()


def bytes_of(module: torch.nn.Module) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in module.state_dict().items()}


def total(method: PoseMethod, frames, offsets, wanted: Target) -> torch.Tensor:
    return sum(method.loss(method(frames, offsets), wanted).values())


@pytest.mark.parametrize("name", TEMPORAL)
def test_starts_as_the_single_frame_model(name):
    single = trained_single_frame()
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


@pytest.mark.parametrize("name", TEMPORAL)
@pytest.mark.parametrize("start", ["single_frame", "paper"])
def test_gradients_reach_every_trainable_parameter(name, start):
    """In evaluation mode, because batch statistics cancel biases before a norm. Narrow layers may
    be dead for one perturbation (ReLU): gradients are gathered over several."""
    method = build(name, start=start).eval()
    method.load_single_frame(trained_single_frame().state_dict())
    fresh = {key: value.clone() for key, value in method.state_dict().items()}
    for seed in range(4):
        torch.manual_seed(seed)
        method.load_state_dict(fresh)
        with torch.no_grad():
            for parameter in method.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
        total(method, *clip(method), target()).backward()
    dead = [
        name
        for name, p in method.named_parameters()
        if p.requires_grad and (p.grad is None or not p.grad.abs().sum() > 0)
    ]
    assert dead == []


@pytest.mark.parametrize("name", METHODS)
def test_batch_equals_single_samples(name):
    method = build(name).eval().double()
    with torch.no_grad():
        for parameter in method.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
        frames, offsets = clip(method, batch=3)
        frames = frames.double()
        offsets[1] = offsets[1].clamp_max(0)
        together = method(frames, offsets).heatmaps
        alone = [method(frames[i : i + 1], offsets[i : i + 1]).heatmaps for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", TEMPORAL)
def test_frozen_backbone_keeps_every_byte(name):
    method = build(name, freeze_backbone=True)
    method.load_single_frame(trained_single_frame().state_dict())
    before, whole = bytes_of(method.backbone), bytes_of(method)
    frames, offsets = clip(method)
    optimizer = torch.optim.AdamW(method.parameters(), 1e-2, weight_decay=0.1)
    for _ in range(2):
        method.train()
        optimizer.zero_grad()
        total(method, frames, offsets, target()).backward()
        optimizer.step()
    assert bytes_of(method.backbone) == before
    assert bytes_of(method) != whole
    assert not method.features(frames)[0].requires_grad


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
    method.load_single_frame(trained_single_frame().state_dict())
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
    assert bool(groups["new"]) == (name != "single_frame")


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
