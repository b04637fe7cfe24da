"""TDMI as a whole: where it starts, what its loss reaches, and that it can learn."""

from __future__ import annotations

import pytest
import torch

from baselines.single_frame import SingleFrame
from tdmi.errors import UserError
from tdmi.models.hrnet import HRNet
from tdmi.models.output import Target
from tdmi.models.tdmi import TDMI

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


@pytest.mark.parametrize("gate", ["channel", "complementary", "none"])
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


def test_monitor_tells_the_masks():
    tdmi = _tdmi().eval()
    output = tdmi(*_clip())
    values = tdmi.monitor(output)
    assert set(values) == {
        f"mask_{part}_{kind}" for part in ("useful", "noisy") for kind in ("mean", "spread")
    }
    mask = output.terms["useful_mask"][:, :, 0, 0]
    assert values["mask_useful_mean"] == pytest.approx(mask.mean().item())
    assert values["mask_useful_spread"] == pytest.approx(
        sum(row.std(correction=0).item() for row in mask) / len(mask)
    )


# --- the loss ---------------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["single_frame", "paper"])
@pytest.mark.parametrize("estimator", ["none", "legacy", "vsd", "vclub"])
def test_gradient_reaches_every_new_parameter(estimator, start):
    tdmi = _tdmi(start=start, mutual_information={"estimator": estimator})
    _perturb(tdmi)
    _fit_bounds(tdmi)
    losses = tdmi.loss(tdmi(*_clip(4)), _target(4))
    assert all(value.ndim == 0 and torch.isfinite(value) for value in losses.values())
    sum(losses.values()).backward()
    dead = {
        name
        for name, p in tdmi.named_parameters()
        if p.requires_grad and (p.grad is None or p.grad.abs().max() == 0)
    }
    idle = {"head.weight", "head.bias"} if start == "paper" else set()
    if estimator == "none":
        idle |= {n for n, _ in tdmi.named_parameters() if "noisy_gate" in n}
    hidden = {n for n in dead if n.startswith("backbone.")}
    assert dead - hidden == idle


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
    """Legacy is a mean of a sum over positions, so small maps weigh it down to the published."""
    tdmi = _tdmi(mutual_information=options, backbone_norm="updated").train()
    frames, offsets = _clip()
    target = _target()
    optimiser = torch.optim.Adam(tdmi.parameters(), lr=5e-3)
    errors = []
    for _ in range(50):
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
    optimiser = torch.optim.Adam(tdmi.disentanglement.parameters(), lr=1e-2)

    def values():
        output = tdmi(frames, offsets)
        penalty = tdmi.loss(output, _target(4))["mi_primary"]
        masks = output.terms["useful_mask"] - output.terms["noisy_mask"]
        return penalty, masks.abs().mean()

    before, apart_before = values()
    for _ in range(40):
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
        ({"window": (0,)}, "window"),
        ({"start": "random"}, "start"),
    ],
)
def test_bad_options_are_user_errors(options, named):
    with pytest.raises(UserError, match=named) as error:
        _tdmi(**options)
    assert "\n" not in str(error.value)
