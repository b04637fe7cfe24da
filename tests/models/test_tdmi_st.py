"""TDMI-ST and the preset of the review-time code: alignment, start, gradients, sizes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from baselines.fami_pose import LocalAlignment
from baselines.single_frame import SingleFrame
from tdmi.config.suite import MethodFile
from tdmi.core.checks import build
from tdmi.core.errors import UserError
from tdmi.core.files import read_yaml
from tdmi.models.hrnet import HRNet
from tdmi.models.output import Target
from tdmi.models.tdmi import TDMI
from tdmi.models.tdmi_st import TDMIST, SequenceAlignment
from tests.support.paths import ROOT

WORKFLOW = ROOT / "workflow"
JOINTS = 5


def _backbone() -> HRNet:
    return HRNet(8, stages=3, modules=(1, 1), blocks=1, stem_width=8, stem_blocks=1)


def _method(**options) -> TDMIST:
    torch.manual_seed(0)
    return TDMIST(_backbone(), JOINTS, **{"disentanglement": {"hidden": 16}, **options})


def _clip(batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    frames = torch.randn(batch, 5, 3, 48, 32, generator=torch.Generator().manual_seed(3))
    return frames, torch.tensor([[-2, -1, 0, 1, 2]]).expand(batch, 5)


def _perturb(module: torch.nn.Module, amount: float = 0.05) -> None:
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += amount * torch.randn_like(parameter)


def _preset() -> dict:
    return read_yaml(WORKFLOW / "config" / "methods" / "tdmi_review.yaml")["options"]


def _size(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


# --- alignment --------------------------------------------------------------------------------


def _alignment(start="single_frame", **options) -> SequenceAlignment:
    torch.manual_seed(0)
    return SequenceAlignment(8, 5, 2, start, **options).eval()


@pytest.mark.parametrize("dilation", [1, 3])
def test_without_offsets_the_alignment_is_a_chain_of_dilated_convolutions(dilation):
    """Masks at 1: gather; combine and refine; two convolutions of what was gathered; fuse."""
    alignment = _alignment("paper", mask_activation="none", offset_dilation=dilation)
    _perturb(alignment)
    steps = [*alignment.refine, *alignment.align]
    for step in steps:
        for conv in (step.offset, step.mask):
            torch.nn.init.zeros_(conv.weight)
            torch.nn.init.zeros_(conv.bias)
        torch.nn.init.ones_(step.mask.bias)
    features = torch.randn(2, 5, 8, 7, 6)
    x = alignment.gather(features[:, [0, 1, 3, 4]].reshape(2, 32, 7, 6))
    for step in steps[2:]:
        deform = step.deform
        x = F.conv2d(x, deform.weight, deform.bias, padding=dilation, dilation=dilation)
    expected = alignment.fusion(x, features[:, 2])
    torch.testing.assert_close(alignment(features, features[:, 2]), expected, atol=1e-5, rtol=1e-5)


def test_alignment_is_the_local_alignment_of_fami_pose():
    """The same weights in the baseline, which is held to the released code's numbers."""
    ours = _alignment("paper", mask_activation="none")
    _perturb(ours, 0.1)
    theirs = LocalAlignment(8, 3, "paper").eval()
    parts = (ours.combine, ours.refine, ours.align)
    weights = [value for part in parts for value in part.state_dict().values()]
    theirs.load_state_dict(dict(zip(theirs.state_dict(), weights, strict=True)))
    features = torch.randn(2, 5, 8, 12, 9)
    key = features[:, 2]
    support = ours.gather(features[:, [0, 1, 3, 4]].flatten(1, 2))
    expected = ours.fusion(theirs(support, key), key)
    torch.testing.assert_close(ours(features, key), expected, atol=1e-6, rtol=1e-5)


def test_the_guidance_steers_where_features_are_read():
    alignment = _alignment()
    _perturb(alignment, 0.2)
    features = torch.randn(1, 5, 8, 7, 6)
    offsets = alignment.align[0].offset(alignment.combine(torch.randn(1, 16, 7, 6)))
    assert offsets.abs().max() > 0.1
    before = alignment(features, features[:, 2])
    torch.nn.init.zeros_(alignment.align[0].offset.weight)
    assert not torch.allclose(alignment(features, features[:, 2]), before, atol=1e-4)


@pytest.mark.parametrize("frame", [0, 1, 3, 4])
def test_every_neighbour_reaches_the_visual_feature(frame):
    alignment = _alignment()
    features = torch.randn(2, 5, 8, 7, 6).relu()
    changed = features.clone()
    changed[:, frame] += torch.randn(2, 8, 7, 6)
    key = features[:, 2]
    assert torch.equal(alignment(features, key), alignment(changed, key))
    _perturb(alignment)
    assert not torch.equal(alignment(features, key), alignment(changed, key))


# --- the method -------------------------------------------------------------------------------


def test_starts_as_the_single_frame_model_to_the_bit():
    torch.manual_seed(11)
    single = SingleFrame(_backbone(), JOINTS)
    frames, offsets = _clip()
    single.train()(frames[:, 2:3], offsets[:, 2:3])
    method = _method()
    method.load_single_frame(single.state_dict())
    expected = single.eval()(frames[:, 2:3], offsets[:, 2:3]).heatmaps
    output = method.eval()(frames, offsets)
    assert torch.equal(output.heatmaps, expected)
    assert torch.equal(output.terms["visual"], method.features(frames)[0][:, 2])
    _perturb(method.alignment)
    assert not torch.equal(method(frames, offsets).heatmaps, expected)


@pytest.mark.parametrize("start", ["single_frame", "paper"])
def test_gradient_reaches_every_part(start):
    method = _method(start=start)
    for name, part in method.named_children():
        if name not in ("backbone", "head"):
            _perturb(part)
    target = Target(torch.rand(4, JOINTS, 12, 8), torch.ones(4, JOINTS))
    losses = method.loss(method(*_clip(4)), target)
    assert all(torch.isfinite(value) for value in losses.values())
    sum(losses.values()).backward()
    dead = [
        name
        for name, p in method.named_parameters()
        if p.requires_grad and (p.grad is None or p.grad.abs().max() == 0)
    ]
    assert [name for name in dead if not name.startswith("backbone.")] == []


def test_the_objective_speaks_of_the_aligned_feature():
    method = _method(mutual_information={"weights": {"useful_visual": 1.0}})
    _perturb(method.alignment)
    output = method(*_clip(4))
    target = Target(torch.rand(4, JOINTS, 12, 8), torch.ones(4, JOINTS))
    method.loss(output, target)["mi_useful_visual"].backward()
    assert method.alignment.fusion.last.conv1.weight.grad.abs().max() > 0


def test_one_neighbour_is_enough():
    method = _method(window=(-1, 0)).eval()
    output = method(_clip()[0][:, :2], torch.tensor([[-1, 0]] * 2))
    assert output.heatmaps.shape == (2, JOINTS, 12, 8)


# --- the preset of the review-time code -------------------------------------------------------


@pytest.mark.parametrize("name", ["tdmi", "tdmi_st", "tdmi_review"])
def test_method_files_fit_their_schema(name):
    path = WORKFLOW / "config" / "methods" / f"{name}.yaml"
    MethodFile.from_dict(read_yaml(path), str(path))


def test_sizes_of_the_review_time_variant():
    """Counted from the layers at paper scale: encoder 1.66 M, gates 0.025 M, fusion and head
    0.16 M, alignment 1.02 M, on top of HRNet-W48's 63.6 M."""
    with torch.device("meta"):
        method = TDMIST(HRNet(48), 17, **_preset())
    assert _size(method.backbone) + _size(method.head) == 63_595_745
    assert _size(method.encoder) == 1_664_304
    assert _size(method.disentanglement) == 24_928
    assert _size(method.fusion) + _size(method.fused_head) == 157_793
    assert _size(method.alignment) == 1_016_688
    assert _size(method) == 63_595_745 + 2_863_713


def test_sizes_with_the_default_options():
    """The encoder has more blocks of other kinds than the review-time one: by hand, in weights.

    A block of C to C channels: 2 * 9 * C * C + 4 * C, with a 1x1 shortcut C * C + 2 * C more."""
    with torch.device("meta"):
        method = TDMIST(HRNet(48), 17)
    block = 2 * 9 * 48**2 + 4 * 48
    shortcut = 48**2 + 2 * 48
    wide_block = (9 + 1) * 96 * 48 + 9 * 48**2 + 6 * 48
    blocks = 2 * block
    guidance = 4 * (2 * (block + shortcut) - wide_block)
    accumulation = 4 * (9 * 48**2 + 2 * 48) - 3 * (block + shortcut)
    assert _size(method.encoder) == 1_664_304 + blocks + guidance + accumulation == 1_782_864
    assert _size(method.fusion) == 150_432 and method.output_head is method.head
    assert _size(method.alignment) == 1_016_688


def test_preset_trains_at_a_small_width():
    """The whole of it, backbone and norms included; two steps change every part."""
    torch.manual_seed(0)
    preset = _preset() | {"encoder": _preset()["encoder"] | {"depths": [1, 2, 3]}}
    method = TDMIST(_backbone(), JOINTS, **preset).train()
    before = {k: v.clone() for k, v in method.state_dict().items()}
    target = Target(torch.rand(2, JOINTS, 12, 8), torch.ones(2, JOINTS))
    optimiser = torch.optim.Adam(method.parameters(), 1e-3)
    for _ in range(2):
        losses = method.loss(method(*_clip()), target)
        assert len(losses) == 8
        optimiser.zero_grad()
        sum(losses.values()).backward()
        optimiser.step()
    moved = {
        k.split(".")[0] for k, v in method.state_dict().items() if not torch.equal(v, before[k])
    }
    assert moved == {"backbone", "encoder", "disentanglement", "fusion", "fused_head", "alignment"}
    assert not torch.equal(method.backbone.bn1.running_mean, before["backbone.bn1.running_mean"])


# --- options ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"alignment": {"offset_groups": 3}}, "alignment.offset_groups"),
        ({"alignment": {"mask_activation": "relu"}}, "alignment.mask_activation"),
        ({"alignment": {"offset_dilation": 0}}, "alignment.offset_dilation"),
        ({"alignment": {"groups": 3}}, "alignment.*groups"),
        (
            {"align": {}},
            "unknown 'align', expected alignment, window, encoder, .*, backbone_norm$",
        ),
        ({"window": (0,)}, "window"),
    ],
)
def test_bad_options_are_user_errors(options, named):
    with pytest.raises(UserError, match=named) as error:
        build("of method tdmi_st", TDMIST, options, backbone=_backbone(), joints=JOINTS)
    assert "\n" not in str(error.value)


def test_plain_tdmi_has_no_alignment():
    with pytest.raises(UserError, match="alignment"):
        build("of method tdmi", TDMI, {"alignment": {}}, backbone=_backbone(), joints=JOINTS)
