"""PoseWarper against the released implementation's numbers; pairs, aggregation."""

import pytest
import torch

from baselines.posewarper import PoseWarper
from tdmi.checkpoints import convert, names
from tdmi.models.cost import cost
from tdmi.models.hrnet import HRNet
from tdmi.models.output import Target
from tests.support.golden_models import (
    Recorder,
    assert_equals_golden,
    assert_step_equals_golden,
    formula_input,
    read,
    reference_state,
    runs,
    step_buffers,
    steps,
    training_target,
)

SMALL = {"channels": 8, "blocks": 2, "dilations": (1, 3)}


def our_name(name: str) -> str:
    return names.posewarper(name)


def golden_model(name: str, dtype: torch.dtype) -> PoseWarper:
    model = PoseWarper(
        HRNet(48), start="paper", freeze_backbone=True, backbone_norm="updated", loss_factor=0.5
    ).to(dtype)
    model.load_state_dict(convert(reference_state(name)).tensors, strict=True)
    return model


def golden_frames(golden: dict, dtype: torch.dtype) -> list[torch.Tensor]:
    x = formula_input(golden["input"]["shapes"]["x"], golden["input"]["seed"])
    return list(x.to(dtype).split(3, dim=1))


def record(model: PoseWarper) -> Recorder:
    warper = model.warper
    return Recorder(
        {
            "final_layer": model.head,
            "offset_feats": warper.guide,
            **{f"offsets{i + 1}": layer for i, layer in enumerate(warper.offsets)},
            **{f"deform_conv{i + 1}": layer for i, layer in enumerate(warper.warps)},
        }
    )


@pytest.mark.golden
@pytest.mark.parametrize(("name", "run", "dtype"), runs("posewarper_train"))
def test_equals_released_pair(name, run, dtype):
    """The released pair warps the second frame's heatmaps to the first frame."""
    model = golden_model(name, dtype).eval()
    golden = read(name)["runs"][run]
    key, other = golden_frames(golden, dtype)
    recorder = record(model)
    with torch.no_grad():
        own, wanted = model.heatmaps(*model.features(torch.stack([other, key], dim=1))).unbind(
            dim=1
        )
        heatmaps = model.warper(own, wanted - own)
    assert_equals_golden(heatmaps, golden["outputs"]["heatmaps"])
    # Released: both key frames first, then both others; here each sample's other and key frame.
    (maps,) = recorder.calls["final_layer"]
    recorder.calls["final_layer"] = [torch.cat([maps[1::2], maps[::2]])]
    assert_parts_equal(recorder, golden["intermediates"])


def assert_parts_equal(recorder: Recorder, intermediates: dict) -> None:
    for key, wanted in intermediates.items():
        part, call = key.split("#")
        assert_equals_golden(recorder.calls[part][int(call)], wanted)


@pytest.mark.golden
@pytest.mark.parametrize(("name", "run", "dtype"), runs("posewarper_agg"))
def test_equals_released_aggregation(name, run, dtype):
    model = golden_model(name, dtype).eval()
    golden = read(name)["runs"][run]
    key, before, before2, after, after2 = golden_frames(golden, dtype)
    frames = torch.stack([before2, before, key, after, after2], dim=1)
    with torch.no_grad():
        output = model(frames, torch.tensor([model.window]))
    assert_equals_golden(output.heatmaps, golden["outputs"]["heatmaps"])


@pytest.mark.golden
@pytest.mark.usefixtures("reference_layout")
@pytest.mark.parametrize(("name", "dtype"), steps("posewarper_train", frames=2))
def test_equals_released_training_step(name, dtype):
    """With the released "frozen" backbone: no gradients, but norms in training mode."""
    model = golden_model(name, dtype).train()
    step = read(name, "train_step.json")
    recipe = step["input"]
    shape = (recipe["batch"], 6, recipe["h"], recipe["w"])
    key, other = formula_input(shape, recipe["seed"]).to(dtype).split(3, dim=1)
    heatmaps, weight = training_target(step)
    seed_that_draws_neighbours(len(key))
    output = model(torch.stack([other, other, key, other, other], dim=1), torch.zeros(len(key), 5))
    losses = model.loss(output, Target(heatmaps.to(dtype), weight.to(dtype)))
    assert list(losses) == ["heatmap"]
    losses["heatmap"].backward()
    trainable = [p for p in model.parameters() if p.requires_grad]
    assert sum(p.numel() for p in trainable) == step["float64"]["numel_requires_grad"] == 7558605
    assert len(trainable) == step["float64"]["with_grad"]
    assert all(p.grad is not None for p in trainable)
    parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    assert_step_equals_golden(
        step,
        losses["heatmap"],
        {name: parameters[our_name(name)].grad for name in step["float64"]["grads"]},
        {name: buffers[our_name(name)] for name in step_buffers(step)},
    )


def seed_that_draws_neighbours(batch: int) -> None:
    """Set one with which no sample's frame of the window of five is the key frame."""
    seed = 0
    while 2 in torch.randint(5, (batch,), generator=torch.Generator().manual_seed(seed)):
        seed += 1
    torch.manual_seed(seed)


@pytest.mark.slow
def test_cost_as_counted_elsewhere():
    """Released model: 71,154,350 parameters; 873.8924544 GFLOPs and 0.8989056 in the deformable
    convolutions. Kept offsets of the key frame do not lower a second count."""
    method = PoseWarper(HRNet(48), start="paper", freeze_backbone=True)
    for _ in range(2):
        found = cost(method, 384, 288)
        assert (found.parameters, found.trainable_parameters) == (71154350, 7558605)
        assert found.gflops == pytest.approx(873.8924544 + 0.8989056, rel=1e-5)


@pytest.mark.parametrize("name", ["offsets6.weight", "deform_conv1.bias", "classifier.weight"])
def test_unknown_names_have_no_counterpart(name):
    assert names.posewarper(name) is None


def small(**options) -> PoseWarper:
    torch.manual_seed(0)
    trunk = HRNet(8, 2, modules=(1,), blocks=1, stem_width=8, stem_blocks=1)
    method = PoseWarper(trunk, 3, **SMALL, **options)
    torch.nn.init.normal_(method.head.weight)
    return method


def moving(**options) -> PoseWarper:
    """One whose offsets are a few pixels."""
    method = small(**options)
    for layer in method.warper.offsets:
        torch.nn.init.normal_(layer.weight, std=0.3)
    for block in method.warper.guide:
        torch.nn.init.normal_(block.conv1.weight)
        torch.nn.init.normal_(block.bn2.bias)
    return method.eval()


def clip(batch: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, 5, 3, 48, 32, generator=generator)


def own_heatmaps(method: PoseWarper, frames: torch.Tensor) -> torch.Tensor:
    (features,) = method.backbone(frames.flatten(0, 1))
    return method.head(features).unflatten(0, frames.shape[:2])


def test_published_weights_of_the_five_frames():
    """The warper begins as the identity, so that the sum is one of the frames' own heatmaps."""
    method = small(start="paper").eval()
    with torch.no_grad():
        own = own_heatmaps(method, clip())
        found = method(clip(), torch.zeros(2, 5)).heatmaps
    a, b, c, d, e = own.unbind(dim=1)
    wanted = 0.1 * a + 0.25 * b + 0.3 * c + 0.25 * d + 0.1 * e
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_training_draws_every_frame_of_the_window_alike():
    method = small(start="paper").train()
    frames = clip(batch=1).expand(200, -1, -1, -1, -1)
    torch.manual_seed(3)
    with torch.no_grad():
        own = own_heatmaps(method, frames[:1])[0]
        found = method(frames, torch.zeros(200, 5)).heatmaps
    distance = (found[:, None] - own).abs().amax(dim=(2, 3, 4))
    assert distance.amin(dim=1).max() < 1e-4
    counts = torch.bincount(distance.argmin(dim=1), minlength=5)
    assert counts.min() > 20 and counts.max() < 60
    torch.manual_seed(3)
    with torch.no_grad():
        assert torch.equal(method(frames, torch.zeros(200, 5)).heatmaps, found)


def test_published_start_trains_the_warper_on_the_drawn_frame_alone():
    method = small(start="paper", freeze_backbone=True).train()
    output = method(clip(), torch.zeros(2, 5))
    target = Target(torch.rand(2, 3, 12, 8), torch.ones(2, 3))
    losses = method.loss(output, target)
    assert list(losses) == ["heatmap"]
    wanted = (output.heatmaps - target.heatmaps).square().mean()
    torch.testing.assert_close(losses["heatmap"], wanted)
    losses["heatmap"].backward()
    assert all(o.weight.grad.abs().sum() > 0 for o in method.warper.offsets)


def test_single_frame_start_adds_the_mean_error_of_the_warped_frames():
    method = moving(freeze_backbone=True)
    output = method(clip(), torch.zeros(2, 5))
    target = Target(torch.rand(2, 3, 12, 8), torch.tensor([[1.0, 0, 1], [1, 1, 1]]))
    weight = target.weight[:, None, :, None, None]
    error = (weight * (output.terms["warped"] - target.heatmaps[:, None])).square().mean()
    losses = method.loss(output, target)
    torch.testing.assert_close(losses["warped"], error)
    assert set(losses) == {"heatmap", "warped"}
    assert set(moving().loss(output, target)) == {"heatmap", "warped", "single_frame"}


def test_shared_offsets_of_the_key_frame_change_no_number():
    """Training mode computes them for every frame; norms are kept as they are for both."""
    method = moving(start="single_frame")
    torch.nn.init.normal_(method.weights)
    with torch.no_grad():
        shared = method(clip(), torch.zeros(2, 5)).terms["warped"]
        own = own_heatmaps(method, clip())
        apart = [method.warper(own[:, t], own[:, 2] - own[:, t]) for t in range(5)]
    assert (shared - own).abs().max() > 0.1
    torch.testing.assert_close(shared, torch.stack(apart, dim=1), rtol=1e-4, atol=1e-5)


def test_kept_offsets_follow_the_weights():
    method = moving(start="paper")
    other = {k: v + 0.1 * torch.rand_like(v) for k, v in method.state_dict().items() if v.ndim}

    def fresh() -> torch.Tensor:
        method.eval()
        return method(clip(), torch.zeros(2, 5)).heatmaps

    with torch.no_grad():
        first = method(clip(), torch.zeros(2, 5)).heatmaps
        method.load_state_dict(other, strict=False)
        loaded = method(clip(), torch.zeros(2, 5)).heatmaps
        assert not torch.allclose(loaded, first) and torch.equal(loaded, fresh())
        method.warper.guide[0].bn1.running_mean += 1
        changed = method(clip(), torch.zeros(2, 5)).heatmaps
        assert not torch.allclose(changed, loaded) and torch.equal(changed, fresh())
        smaller = clip()[..., :32, :]
        assert method(smaller, torch.zeros(2, 5)).heatmaps.shape == (2, 3, 8, 8)
        method.double()
        assert method(clip().double(), torch.zeros(2, 5)).heatmaps.dtype == torch.float64
