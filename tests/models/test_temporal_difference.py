"""The encoder of temporal differences and the gates, on features alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tdmi.core.errors import UserError
from tdmi.models.disentanglement import Disentanglement
from tdmi.models.fusion import Fusion
from tdmi.models.temporal_difference import (
    SpatialModulation,
    TemporalDifferenceEncoder,
    temporal_differences,
)

REVIEW_CODE = {
    "start": "paper",
    "blocks": (2, 2, 2, 2),
    "guidance": "key_and_difference",
    "mask_activation": "none",
    "accumulation": "residual",
}


def _count(*modules) -> int:
    return sum(p.numel() for m in modules for p in m.parameters())


def _sequence(batch=2, frames=5, channels=8, depths=3, size=(6, 5)):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(batch, frames, channels, *size, generator=generator) for _ in range(depths)]


def _encoder(**options) -> TemporalDifferenceEncoder:
    torch.manual_seed(0)
    options = {"depths": (1, 2, 3), "blocks": (2, 1, 1), "offset_groups": 4, **options}
    return TemporalDifferenceEncoder(8, 5, 2, **options)


# --- differences ------------------------------------------------------------------------------


def test_differences_by_hand():
    values = torch.tensor([1.0, 4.0, 9.0, 16.0, 30.0]).reshape(1, 5, 1, 1, 1)
    for kind, expected in {
        "consecutive": [3, 5, 7, 14],
        "to_key": [-8, -5, 7, 21],
        "none": [1, 4, 9, 16, 30],
    }.items():
        assert temporal_differences(values, kind).flatten().tolist() == expected
    assert temporal_differences(values, "to_key", key=4).flatten().tolist() == [-29, -26, -21, -14]


def test_unknown_difference_is_a_user_error():
    with pytest.raises(UserError, match="consecutive"):
        temporal_differences(torch.zeros(1, 2, 1, 1, 1), "flow")


@pytest.mark.parametrize("kind", ["consecutive", "to_key"])
def test_a_still_clip_moves_nothing(kind):
    """Without motion the encoder cannot know what is in the picture."""
    encoder = _encoder(difference=kind).eval()
    first, second = (
        [x[:, :1].expand_as(x).contiguous() for x in (a * _sequence()[0], *_sequence()[1:])]
        for a in (1, -3)
    )
    assert all(temporal_differences(x, kind).abs().max() == 0 for x in first)
    assert torch.equal(encoder(first, first[-1][:, 2]), encoder(second, second[-1][:, 2]))
    raw = _encoder(difference="none").eval()
    assert not torch.equal(raw(first, first[-1][:, 2]), raw(second, second[-1][:, 2]))


# --- modulation -------------------------------------------------------------------------------


@pytest.mark.parametrize(("activation", "bias", "opening"), [("none", 1.0, 1), ("sigmoid", 0, 0.5)])
def test_zero_offsets_and_constant_masks_make_a_plain_convolution(activation, bias, opening):
    torch.manual_seed(0)
    modulation = SpatialModulation("encoder", 8, 8, "single_frame", 4, activation, 3, "separate")
    for conv in (modulation.offset, modulation.mask):
        torch.nn.init.zeros_(conv.weight)
    torch.nn.init.constant_(modulation.mask.bias, bias)
    motion = torch.randn(2, 8, 7, 6)
    deform = modulation.deform
    expected = F.conv2d(motion, deform.weight, deform.bias, padding=1)
    plain = F.conv2d(motion, opening * deform.weight, deform.bias, padding=1)
    torch.testing.assert_close(modulation(motion, motion), plain, atol=1e-5, rtol=1e-5)
    assert torch.equal(plain, expected) == (opening == 1)


def test_masks_begin_as_documented():
    """Near 0.88 with a sigmoid; without one near 1, or near 0 as published."""
    guidance = torch.randn(2, 8, 7, 6)
    for activation, start, expected in [
        ("sigmoid", "single_frame", 2.0),
        ("sigmoid", "paper", 2.0),
        ("none", "single_frame", 1.0),
        ("none", "paper", 0.0),
    ]:
        torch.manual_seed(0)
        modulation = SpatialModulation("encoder", 8, 8, start, 4, activation, 3, "separate")
        mask = modulation.mask(modulation.mask_block(guidance))
        offset = modulation.offset(modulation.offset_block(guidance))
        assert (mask - expected).abs().max() < 0.1 and 0 < offset.abs().max() < 0.1


# --- encoder ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"guidance": "key_and_difference", "mask_activation": "none", "accumulation": "residual"},
        {"depths": (2,), "difference": "none"},
        {"depths": (1, 3), "difference": "to_key", "offset_dilation": 1, "start": "paper"},
        {"guidance_blocks": "shared", "offset_groups": 1},
        {"guidance": "key_and_difference", "guidance_blocks": "separate", "start": "paper"},
    ],
)
def test_every_parameter_and_every_depth_reaches_the_motion(options):
    encoder = _encoder(**options)
    features = [x.requires_grad_() for x in _sequence(depths=len(encoder.depths))]
    visual = torch.randn(2, 8, 6, 5, requires_grad=True)
    motion = encoder(features, visual)
    assert motion.shape == (2, 8, 6, 5)
    (motion * torch.randn_like(motion)).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name
    assert all(x.grad.abs().sum(dim=(0, 2, 3, 4)).min() > 0 for x in features)
    assert (visual.grad is not None) == (options.get("guidance") == "key_and_difference")


def test_frames_keep_their_order():
    """Reversed time is other input: the sign of motion is seen."""
    encoder = _encoder().eval()
    features = _sequence()
    backwards = [x.flip(1) for x in features]
    visual = features[-1][:, 2]
    assert not torch.allclose(encoder(features, visual), encoder(backwards, visual))


def test_offsets_come_for_groups_of_four_channels():
    for channels, groups in ((48, 12), (8, 2)):
        encoder = TemporalDifferenceEncoder(channels, 5, 2, depths=(1,), blocks=(1,))
        (modulation,) = (m for m in encoder.modules() if hasattr(m, "deform"))
        assert modulation.offset.out_channels == 18 * groups


def test_visual_feature_is_read_only_by_its_guidance():
    features, other = _sequence(), torch.randn(2, 8, 6, 5)
    for guidance, reads in (("difference", False), ("key_and_difference", True)):
        encoder = _encoder(guidance=guidance).eval()
        same = torch.equal(encoder(features, features[-1][:, 2]), encoder(features, other))
        assert same is not reads


def test_stages_add_up_from_shallow_to_deep():
    """Each accumulation reads the one before plus its own stage, whichever stages there are."""
    features, visual = _sequence(), torch.randn(2, 8, 6, 5)
    for depths in [(1,), (1, 2), (1, 2, 3)]:
        encoder = _encoder(depths=depths).eval()
        used = features[: len(depths)]
        total = torch.zeros(2, 8, 6, 5)
        for x, chain, modulate, merge in zip(
            used, encoder.intra_stage, encoder.modulation, encoder.accumulation, strict=True
        ):
            stage = chain((x[:, 1:] - x[:, :-1]).reshape(2, 32, 6, 5))
            total = merge(total + modulate(stage, stage))
        assert torch.equal(encoder(used, visual), total)
        assert len(encoder.intra_stage) == len(depths)


@pytest.mark.parametrize("frames", [2, 3, 5, 7])
def test_maps_follow_the_span(frames):
    """A window of T frames gives T - 1 differences, or T features without subtraction."""
    for difference, maps in (("consecutive", frames - 1), ("to_key", frames - 1), ("none", frames)):
        encoder = TemporalDifferenceEncoder(
            8, frames, frames // 2, depths=(1,), blocks=(1,), difference=difference
        )
        assert encoder.intra_stage[0][0].conv1.in_channels == 8 * maps
        (features,) = _sequence(frames=frames, depths=1)
        assert encoder([features], features[:, 0]).shape == (2, 8, 6, 5)


def test_offsets_and_masks_have_one_block_or_two():
    """Separate blocks have their own weights; the default follows where the guidance is from."""
    for guidance, blocks, separate in [
        ("difference", None, True),
        ("difference", "shared", False),
        ("key_and_difference", None, False),
        ("key_and_difference", "separate", True),
    ]:
        encoder = _encoder(guidance=guidance, guidance_blocks=blocks)
        assert all((m.mask_block is not None) == separate for m in encoder.modulation)


@pytest.mark.parametrize("difference", ["consecutive", "none"])
def test_first_stage_of_layer_1_is_reduced_before_the_differences(difference):
    plain = _encoder(difference=difference).eval()
    torch.manual_seed(0)
    encoder = TemporalDifferenceEncoder(
        8,
        5,
        2,
        stem_channels=12,
        depths=(1, 2, 3),
        blocks=(2, 1, 1),
        offset_groups=4,
        first_stage="layer1",
        difference=difference,
    ).eval()
    assert (plain.backbone_depths, encoder.backbone_depths) == ((1, 2, 3), (0, 2, 3))
    assert set(encoder.state_dict()) - set(plain.state_dict()) == {"reduction.weight"}
    plain.load_state_dict(
        {k: v for k, v in encoder.state_dict().items() if k != "reduction.weight"}
    )
    wide = torch.randn(2, 5, 12, 6, 5)
    rest = _sequence()[1:]
    reduced = torch.einsum("oc,btchw->btohw", encoder.reduction.weight[:, :, 0, 0], wide)
    visual = rest[-1][:, 2]
    torch.testing.assert_close(
        encoder([wide, *rest], visual), plain([reduced, *rest], visual), atol=1e-5, rtol=1e-5
    )


def test_parameter_counts_of_the_review_time_variant():
    """TDE 1.66 M, gates 0.025 M, fusion and head 0.16 M, published to that precision."""
    encoder = TemporalDifferenceEncoder(48, 5, 2, **REVIEW_CODE)
    assert _count(encoder) == pytest.approx(1.66e6, rel=0.005)
    assert _count(Disentanglement(48)) == pytest.approx(0.025e6, rel=0.02)
    head = nn.Conv2d(48, 17, 3)
    assert _count(Fusion(48, 48, 3, "paper"), head) == pytest.approx(0.16e6, rel=0.02)


def test_finite_at_full_size():
    """384x288 with HRNet-W48: features 48x96x72 at four depths, one sample."""
    torch.manual_seed(0)
    encoder = TemporalDifferenceEncoder(48, 5, 2).eval()
    features = [torch.randn(1, 5, 48, 96, 72) for _ in range(4)]
    with torch.no_grad():
        motion = encoder(features, features[-1][:, 2])
        parts = Disentanglement(48)(motion)
        fused = Fusion(48, 48).eval()(parts.useful, features[-1][:, 2].relu())
    assert motion.shape == fused.shape == (1, 48, 96, 72)
    assert torch.isfinite(motion).all() and torch.isfinite(fused).all()
    assert motion.abs().max() > 0


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"offset_groups": 12}, "offset_groups"),
        ({"offset_groups": 0}, "offset_groups"),
        ({"guidance": "flow"}, "guidance"),
        ({"mask_activation": "relu"}, "mask_activation"),
        ({"accumulation": "sum"}, "accumulation"),
        ({"difference": "flow"}, "difference"),
        ({"depths": (2, 1)}, "depths"),
        ({"depths": ()}, "depths"),
        ({"depths": (1, 4)}, "blocks"),
        ({"depths": (1, 2, 3, 4, 5), "blocks": (1,) * 5}, "depths.*1 to 4"),
        ({"depths": (0, 1)}, "depths"),
        ({"depths": 3}, "depths"),
        ({"blocks": 2}, "blocks"),
        ({"blocks": (2, 1.5, 1)}, "blocks"),
        ({"offset_dilation": 0}, "offset_dilation"),
        ({"guidance_blocks": "none"}, "guidance_blocks"),
        ({"first_stage": "layer2"}, "first_stage"),
        ({"first_stage": "layer1", "depths": (2, 3)}, "first_stage"),
    ],
)
def test_bad_options_are_user_errors(options, named):
    with pytest.raises(UserError, match=named):
        _encoder(**options)


def test_one_frame_has_no_differences():
    with pytest.raises(UserError, match="window"):
        TemporalDifferenceEncoder(8, 1, 0, offset_groups=4)


# --- gates ------------------------------------------------------------------------------------


def test_channel_gates_by_hand():
    """GAP -> linear -> ReLU -> linear -> sigmoid, the same mask at every position."""
    torch.manual_seed(0)
    gates = Disentanglement(4, hidden=3)
    motion = torch.randn(2, 4, 5, 3)
    parts = gates(motion)
    for gate, mask, part in (
        (gates.useful_gate, parts.useful_mask, parts.useful),
        (gates.noisy_gate, parts.noisy_mask, parts.noisy),
    ):
        first, _, last = gate
        pooled = motion.mean(dim=(2, 3))
        hidden = F.relu(F.linear(pooled, first.weight[:, :, 0, 0], first.bias))
        expected = F.linear(hidden, last.weight[:, :, 0, 0], last.bias).sigmoid()
        torch.testing.assert_close(mask[:, :, 0, 0], expected)
        torch.testing.assert_close(part, expected[:, :, None, None] * motion)


def test_complementary_parts_sum_to_the_motion():
    motion = torch.randn(2, 4, 5, 3)
    parts = Disentanglement(4, gate="complementary")(motion)
    torch.testing.assert_close(parts.useful + parts.noisy, motion)
    assert (parts.useful_mask + parts.noisy_mask == 1).all()


def test_softmax_gates_compete():
    """mask_u = exp(u) / (exp(u) + exp(n)) of the two MLPs' outputs; the masks sum to 1."""
    torch.manual_seed(0)
    gates = Disentanglement(4, gate="softmax", hidden=3)
    motion = torch.randn(2, 4, 5, 3)
    parts = gates(motion)
    pooled = motion.mean(dim=(2, 3), keepdim=True)
    u, n = gates.useful_gate(pooled), gates.noisy_gate(pooled)
    torch.testing.assert_close(parts.useful_mask, u.exp() / (u.exp() + n.exp()))
    torch.testing.assert_close(parts.useful_mask + parts.noisy_mask, torch.ones(2, 4, 1, 1))
    torch.testing.assert_close(parts.useful + parts.noisy, motion)


@pytest.mark.parametrize("gate", ["channel", "complementary", "softmax", "spatial", "none"])
def test_useful_part_is_the_same_without_the_noisy_one(gate):
    torch.manual_seed(0)
    gates, motion = Disentanglement(4, gate=gate), torch.randn(2, 4, 5, 3)
    both, alone = gates(motion), gates(motion, noisy=False)
    assert torch.equal(both.useful, alone.useful)
    assert torch.equal(both.useful_mask, alone.useful_mask)
    assert alone.noisy is None and alone.noisy_mask is None


def test_spatial_gates_see_each_position_by_itself():
    gates = Disentanglement(4, gate="spatial")
    motion = torch.randn(1, 4, 5, 3)
    changed = motion.clone()
    changed[..., 2, 1] += 1
    moved = (gates(motion).useful_mask != gates(changed).useful_mask).any(dim=1)[0]
    assert moved.nonzero().tolist() == [[2, 1]]


def test_no_gate_passes_everything_on():
    motion = torch.randn(2, 4, 5, 3)
    parts = Disentanglement(4, gate="none")(motion)
    assert torch.equal(parts.useful, motion) and parts.noisy.abs().max() == 0


def test_gates_need_a_width():
    with pytest.raises(UserError, match="hidden"):
        Disentanglement(4, hidden=0)


def test_unknown_gate_is_a_user_error():
    with pytest.raises(UserError, match="complementary"):
        Disentanglement(4, gate="hard")
