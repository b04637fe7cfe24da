"""TDMI as a whole: where it starts, what its loss reaches, and that it can learn."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from baselines.single_frame import SingleFrame
from tdmi.core.errors import UserError
from tdmi.models.hrnet import HRNet
from tdmi.models.output import PoseOutput, Target
from tdmi.models.tdmi import TDMI
from tdmi.training import gradient_norms

SMALL = {"encoder": {"offset_groups": 4}, "disentanglement": {"hidden": 16}}
JOINTS = 5


def _backbone() -> HRNet:
    return HRNet(8, stages=3, modules=(1, 1), blocks=1, stem_width=8, stem_blocks=1)


def _tdmi(seed=0, **options) -> TDMI:
    torch.manual_seed(seed)
    return TDMI(_backbone(), JOINTS, **{**SMALL, **options})


def _clip(batch=2, seed=3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randn(batch, 5, 3, 48, 32, generator=generator)
    return frames, torch.tensor([[-2, -1, 0, 1, 2]]).expand(batch, 5)


def _target(batch=2, seed=4) -> Target:
    """One blob of peak 1 per joint on a 12x8 map; the last joint is not labelled."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(2, 10, (batch, JOINTS, 1, 1), generator=generator)
    x = torch.randint(2, 6, (batch, JOINTS, 1, 1), generator=generator)
    square = (torch.arange(12)[:, None] - y) ** 2 + (torch.arange(8) - x) ** 2
    weight = torch.ones(batch, JOINTS)
    weight[:, -1] = 0
    return Target(torch.exp(-square / 2), weight)


def _perturb(method: TDMI) -> None:
    """Move every new parameter a little off its start, zeros included."""
    with torch.no_grad():
        for parameter in method.parameter_groups()["new"]:
            parameter += 0.05 * torch.randn_like(parameter)


def _fit_bounds(tdmi: TDMI) -> None:
    """Let learned bounds see their features; before, an upper bound may be negative and is cut."""
    networks = list(tdmi.mutual_information.parameters())
    optimiser = torch.optim.Adam(networks, lr=1e-2) if networks else None
    with torch.no_grad():
        output = tdmi(*_clip(4))
    for _ in range(30 if networks else 0):
        optimiser.zero_grad()
        sum(tdmi.loss(output, _target(4)).values()).backward()
        optimiser.step()


# --- the start --------------------------------------------------------------------------------


@pytest.mark.parametrize("gate", ["channel", "complementary", "softmax", "spatial", "none"])
def test_starts_as_the_single_frame_model_to_the_bit(gate):
    torch.manual_seed(11)
    single = SingleFrame(_backbone(), JOINTS)
    frames, offsets = _clip()
    single.train()(frames[:, 2:3], offsets[:, 2:3])
    mi = {"estimator": "none"}
    tdmi = _tdmi(disentanglement={"gate": gate, "hidden": 16}, mutual_information=mi)
    tdmi.load_single_frame(single.state_dict())
    expected = single.eval()(frames[:, 2:3], offsets[:, 2:3]).heatmaps
    assert torch.equal(tdmi.eval()(frames, offsets).heatmaps, expected)
    _perturb(tdmi)
    assert not torch.equal(tdmi(frames, offsets).heatmaps, expected)


def test_paper_start_is_another_model_with_a_head_of_its_own():
    tdmi = _tdmi(start="paper")
    frames, offsets = _clip()
    output = tdmi(frames, offsets)
    assert output.heatmaps.shape == (2, JOINTS, 12, 8)
    output.heatmaps.sum().backward()
    assert tdmi.head.weight.grad is None and tdmi.fused_head.weight.grad.abs().max() > 0
    assert tdmi.fused_head.kernel_size == (3, 3)


# --- forward ----------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [(-2, -1, 0, 1, 2), (-1, 0, 1), (-2, -1, 0)])
@pytest.mark.parametrize("depths", [(1, 2, 3), (3,), (1, 2)])
def test_terms_and_shapes(window, depths):
    tdmi = _tdmi(window=window, encoder={"offset_groups": 4, "depths": depths})
    frames = _clip()[0][:, : len(window)]
    output = tdmi(frames, torch.tensor([window]).expand(2, -1))
    assert output.heatmaps.shape == (2, JOINTS, 12, 8)
    maps = {"motion", "useful", "noisy", "visual", "fused"}
    assert set(output.terms) == maps | {"useful_mask", "noisy_mask"}
    assert all(output.terms[name].shape == (2, 8, 12, 8) for name in maps)
    (deepest,) = tdmi.features(frames)
    same = tdmi.eval()(frames, None).terms["visual"], tdmi.features(frames)[0][:, tdmi.key]
    assert deepest.shape[1] == len(window) and torch.equal(*same)


def test_samples_of_a_batch_do_not_touch():
    tdmi = _tdmi().eval()
    _perturb(tdmi)
    frames, offsets = _clip(3)
    together = tdmi(frames, offsets).heatmaps
    for i in range(3):
        alone = tdmi(frames[i : i + 1], offsets[i : i + 1]).heatmaps
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-5)


def test_first_stage_of_layer_1_reads_the_backbones_first_layer():
    tdmi = _tdmi(encoder={"first_stage": "layer1"}).eval()
    frames, _ = _clip()
    first, *_ = tdmi.features(frames, (0, 2, 3))
    x = torch.relu(tdmi.backbone.bn1(tdmi.backbone.conv1(frames[:, 1])))
    x = torch.relu(tdmi.backbone.bn2(tdmi.backbone.conv2(x)))
    torch.testing.assert_close(first[:, 1], tdmi.backbone.layer1(x), atol=1e-5, rtol=1e-5)
    assert first.shape == (2, 5, 32, 12, 8)
    seen = {}
    tdmi.encoder.register_forward_pre_hook(lambda _, given: seen.update(features=given[0]))
    tdmi(frames, None)
    assert torch.equal(seen["features"][0], first)


@pytest.mark.parametrize("gate", ["channel", "softmax", "spatial"])
def test_inference_drops_the_noisy_part_and_gives_the_same_heatmaps(gate):
    tdmi = _tdmi(disentanglement={"gate": gate, "hidden": 16}).eval()
    _perturb(tdmi)
    outputs, operations = [], []
    for mode in (torch.no_grad, torch.inference_mode):
        with mode(), FlopCounterMode(display=False) as counter:
            outputs.append(tdmi(*_clip()))
        operations.append(counter.get_total_flops())
    whole, dropped = outputs
    assert torch.equal(whole.heatmaps, dropped.heatmaps)
    assert set(whole.terms) - set(dropped.terms) == {"noisy", "noisy_mask"}
    places = 1 if gate != "spatial" else 12 * 8
    saved = 0 if gate == "softmax" else 2 * 2 * places * (8 * 16 + 16 * 8)
    assert operations[0] - operations[1] == saved


@pytest.mark.parametrize("gate", ["channel", "spatial"])
def test_inference_does_not_call_the_noisy_gate(gate):
    tdmi = _tdmi(disentanglement={"gate": gate, "hidden": 16}).eval()
    calls = []
    tdmi.disentanglement.noisy_gate.register_forward_hook(lambda *_: calls.append(1))
    with torch.inference_mode():
        tdmi(*_clip())
    assert not calls
    tdmi(*_clip())
    assert len(calls) == 1


# --- signs of collapse ------------------------------------------------------------------------


def test_monitor_tells_the_masks():
    tdmi = _tdmi().eval()
    output = tdmi(*_clip())
    values = tdmi.monitor(output)
    useful, noisy = (output.terms[f"{part}_mask"][:, :, 0, 0] for part in ("useful", "noisy"))
    assert values["mask_useful_mean"] == pytest.approx(useful.mean().item())
    assert values["mask_noisy_mean"] == pytest.approx(noisy.mean().item())
    assert values["mask_useful_spread"] == pytest.approx(
        sum(row.std(correction=0).item() for row in useful) / len(useful)
    )
    assert values["mask_distance"] == pytest.approx((useful - noisy).abs().mean().item())
    assert values["mask_useful_saturated"] == values["mask_noisy_saturated"] == 0


def test_monitor_tells_collapse():
    """A shut noisy gate, an open useful one, equal ones, and motion that has died."""
    tdmi = _tdmi()
    maps = torch.rand(2, 8, 12, 8)
    mask = torch.tensor([0.01, 0.04, 0.5, 0.5, 0.5, 0.5, 0.96, 0.99]).reshape(1, 8, 1, 1)

    def values(**terms):
        given = {"useful": maps, "visual": 2 * maps, "useful_mask": mask, "noisy_mask": mask}
        return tdmi.monitor(PoseOutput(maps, given | terms))

    assert values()["mask_useful_saturated"] == 0.5
    assert values()["mask_distance"] == 0
    assert values()["useful_over_visual"] == pytest.approx(0.5)
    collapsed = values(noisy_mask=0 * mask, useful=0 * maps)
    assert (collapsed["mask_noisy_mean"], collapsed["mask_noisy_spread"]) == (0, 0)
    assert collapsed["mask_noisy_saturated"] == 1
    assert collapsed["useful_over_visual"] == 0
    assert values(visual=0 * maps)["useful_over_visual"] > 1e6


def test_gradient_norm_is_told_part_by_part():
    tdmi = _tdmi(mutual_information={"estimator": "vclub"}, freeze_backbone=True)
    _perturb(tdmi)
    sum(tdmi.loss(tdmi(*_clip(4)), _target(4)).values()).backward()
    norms = gradient_norms(tdmi)
    parts = ("encoder", "disentanglement", "fusion", "mutual_information")
    assert set(norms) == {f"gradient_norm_{name}" for name in ("backbone", "new", *parts)}
    for name in parts:
        gradients = [p.grad.flatten() for p in getattr(tdmi, name).parameters()]
        assert norms[f"gradient_norm_{name}"] == pytest.approx(torch.cat(gradients).norm().item())
    total = sum(norms[f"gradient_norm_{name}"] ** 2 for name in parts)
    assert norms["gradient_norm_new"] ** 2 == pytest.approx(total)


# --- the loss ---------------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["single_frame", "paper"])
@pytest.mark.parametrize("estimator", ["none", "legacy", "vsd", "vclub", "cos", "hsic"])
def test_gradient_reaches_every_new_parameter(estimator, start):
    tdmi = _tdmi(start=start, mutual_information={"estimator": estimator})
    _perturb(tdmi)
    _fit_bounds(tdmi)
    losses = tdmi.loss(tdmi(*_clip(4)), _target(4))
    assert all(value.ndim == 0 and torch.isfinite(value) for value in losses.values())
    sum(losses.values()).backward()
    dead = [
        name
        for name, p in tdmi.named_parameters()
        if p.requires_grad and (p.grad is None or p.grad.abs().max() == 0)
    ]
    assert [name for name in dead if not name.startswith("backbone.")] == []


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_mixed_precision_keeps_terms_and_gradients_finite(dtype):
    weights = dict.fromkeys(("visual_label", "useful_visual"), 1.0)
    tdmi = _tdmi(mutual_information={"weights": weights})
    _perturb(tdmi)
    with torch.autocast("cpu", dtype):
        output = tdmi(*_clip(4))
        losses = tdmi.loss(output, _target(4))
    assert output.terms["useful"].dtype == dtype
    plain = tdmi.loss(tdmi(*_clip(4)), _target(4))
    for name, value in losses.items():
        torch.testing.assert_close(value, plain[name], rtol=0.1, atol=2e-5)
    sum(losses.values()).backward()
    gradients = [p.grad for p in tdmi.parameters() if p.grad is not None]
    assert gradients and all(torch.isfinite(gradient).all() for gradient in gradients)


def test_without_mi_the_loss_is_the_heatmap_error_of_the_base_class():
    tdmi = _tdmi(mutual_information={"estimator": "none"}, loss_factor=0.5)
    output, target = tdmi(*_clip()), _target()
    error = (target.weight[:, :, None, None] * (output.heatmaps - target.heatmaps)).square()
    losses = tdmi.loss(output, target)
    assert list(losses) == ["heatmap"]
    torch.testing.assert_close(losses["heatmap"], 0.5 * error.mean())


def test_frozen_backbone_gets_no_gradient_and_does_not_move():
    tdmi = _tdmi(freeze_backbone=True).train()
    before = {k: v.clone() for k, v in tdmi.backbone.state_dict().items()}
    optimiser = torch.optim.Adam([p for p in tdmi.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(2):
        optimiser.zero_grad()
        sum(tdmi.loss(tdmi(*_clip()), _target()).values()).backward()
        optimiser.step()
    assert all(torch.equal(v, before[k]) for k, v in tdmi.backbone.state_dict().items())
    assert all(p.grad is None for p in tdmi.backbone.parameters())


@pytest.mark.parametrize(
    "options",
    [
        {"estimator": "none"},
        {"estimator": "vsd"},
        {"estimator": "legacy", "scale": 12 * 8 / (96 * 72)},
    ],
)
def test_overfits_one_tiny_clip(options):
    """Legacy is a mean of a sum over positions, so small maps weigh it down to the published.

    One stage of three frames: enough to learn by, and a third of the time."""
    encoder = {"offset_groups": 4, "depths": (3,)}
    tdmi = _tdmi(
        mutual_information=options, backbone_norm="updated", encoder=encoder, window=(-1, 0, 1)
    ).train()
    frames, offsets = (x[:, 1:4] for x in _clip())
    target = _target()
    optimiser = torch.optim.Adam(tdmi.parameters(), lr=5e-3)
    errors = []
    for _ in range(20):
        losses = tdmi.loss(tdmi(frames, offsets), target)
        optimiser.zero_grad()
        sum(losses.values()).backward()
        torch.nn.utils.clip_grad_norm_(tdmi.parameters(), 1.0)
        optimiser.step()
        errors.append(losses["heatmap"].item())
    assert errors[-1] < 0.2 * errors[0]


def test_primary_term_spreads_the_gates():
    """Training the temporal part on min I(u; n) alone makes the two masks choose other channels."""
    weights = dict.fromkeys(("motion", "useful_label", "useful_fused", "visual_fused"), 0)
    tdmi = _tdmi(mutual_information={"weights": weights, "scale": 1.0}, freeze_backbone=True)
    frames, offsets = _clip(4)
    optimiser = torch.optim.Adam(tdmi.disentanglement.parameters(), lr=3e-2)

    def values():
        output = tdmi(frames, offsets)
        penalty = tdmi.loss(output, _target(4))["mi_primary"]
        masks = output.terms["useful_mask"] - output.terms["noisy_mask"]
        return penalty, masks.abs().mean()

    before, apart_before = values()
    for _ in range(20):
        optimiser.zero_grad()
        values()[0].backward()
        optimiser.step()
    after, apart_after = values()
    assert after < 0.8 * before
    assert apart_after > 3 * apart_before


# --- options ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"encoder": {"offset_groups": 12}}, "offset_groups"),
        ({"encoder": {"stages": 3}}, "encoder.*stages"),
        ({"encoder": {"start": "paper"}}, "encoder.*start"),
        ({"encoder": {"offset_groups": 4, "depths": (1, 4)}}, "depths"),
        ({"disentanglement": {"gates": "channel"}}, "gates"),
        ({"disentanglement": {"gate": "none"}}, "gate"),
        ({"mutual_information": {"estimator": "vsd", "sigma": 1}}, "sigma"),
        ({"mutual_information": {"channels": 3}}, "channels"),
        ({"disentanglement": {"hidden": 0}}, "hidden"),
        ({"fusion_blocks": 0}, "fusion_blocks"),
        ({"window": (0,)}, "window"),
        ({"window": 5}, "window is 5"),
        ({"window": "abc"}, "window is 'abc'"),
        ({"window": None}, "window is None"),
        ({"window": (0, 1.5)}, "whole numbers"),
        ({"window": (-1, 0, True)}, "whole numbers"),
        ({"start": "random"}, "start"),
        ({"freeze_backbone": "yes"}, "freeze_backbone: found 'yes', expected true or false"),
        ({"loss_factor": "x"}, "loss_factor: found 'x', expected a number"),
        ({"loss_foreground": -1.0}, "loss_foreground: found -1.0, .* of at least 0"),
        ({"encoder": 3}, "encoder: found 3, expected options by name"),
        ({"disentanglement": "channel"}, "disentanglement: found 'channel'"),
        ({"mutual_information": "none"}, "mutual_information: found 'none'"),
        ({"mutual_information": {"weights": 3}}, "weights: found 3"),
        ({"mutual_information": {"estimator": "vclub", "hidden": 0}}, "hidden: found 0"),
    ],
)
def test_bad_options_are_user_errors(options, named):
    with pytest.raises(UserError, match=named) as error:
        _tdmi(**options)
    assert "\n" not in str(error.value)
