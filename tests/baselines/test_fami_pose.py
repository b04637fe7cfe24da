"""FAMI-Pose against the released implementation's numbers, plain formulations and hand values."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torchvision.ops import deform_conv2d

from baselines.fami_pose import FAMIPose, GlobalAlignment, LocalAlignment, translate
from baselines.fami_pose_information import TERMS, AlignmentInformation
from tdmi.checkpoints import convert, names
from tdmi.core.errors import UserError
from tdmi.losses.mutual_information import ESTIMATORS
from tdmi.losses.mutual_information_spatial import legacy_surrogate
from tdmi.models.hrnet import HRNet
from tdmi.models.output import Target
from tests.support.golden import assert_close
from tests.support.golden_models import (
    Recorder,
    assert_equals_golden,
    assert_step_equals_golden,
    formula_input,
    read,
    reference_keys,
    reference_state,
    runs,
    step_buffers,
    steps,
    training_target,
)

RELEASED_SIGNS = dict(zip(TERMS, (-1, 1, 1, -1, 1, -1), strict=True))
PUBLISHED = {"estimator": "legacy"}
BARE_TERMS = {"estimator": "legacy", "alpha": 1.0, "beta": 1.0}


def our_name(name: str) -> str:
    return names.fami_pose(name)


def golden_model(name: str, dtype: torch.dtype) -> FAMIPose:
    options = {"start": "paper", "backbone_norm": "updated", "mutual_information": BARE_TERMS}
    model = FAMIPose(HRNet(48), **options).to(dtype)
    model.load_state_dict(convert(reference_state(name)).tensors, strict=True)
    return model


def golden_frames(shape: list[int], seed: int) -> torch.Tensor:
    """The reference takes the key frame and the neighbours t-2, t-1, t+1, t+2 apart."""
    b, _, h, w = shape
    neighbours = formula_input((b, 12, h, w), seed + 1).split(3, dim=1)
    key = formula_input((b, 3, h, w), seed)
    return torch.stack([*neighbours[:2], key, *neighbours[2:]], dim=1)


def small_model(**options) -> FAMIPose:
    torch.manual_seed(0)
    backbone = HRNet(8, 2, modules=(1,), blocks=1, stem_width=8, stem_blocks=1)
    return FAMIPose(backbone, 4, **{"halvings": 2, "dilation": 1, **options})


def draw(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- against the released implementation --------------------------------------------------------


@pytest.mark.golden
@pytest.mark.parametrize("name", dict.fromkeys(case.values[0] for case in runs("fami_pose")))
def test_released_names_fit_one_to_one(name):
    shapes = {key: shape for key, shape, _ in reference_keys(name)}
    with torch.device("meta"):
        model = FAMIPose(HRNet(48), start="paper", freeze_backbone=True)
        released = {name: torch.empty(shape) for name, shape in shapes.items()}
    renamed, own = convert(released).tensors, model.state_dict()
    assert {n: v.shape for n, v in renamed.items()} == {n: v.shape for n, v in own.items()}
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 1059459


@pytest.mark.golden
@pytest.mark.parametrize(("name", "run", "dtype"), runs("fami_pose"))
def test_equals_released_outputs(name, run, dtype):
    model = golden_model(name, dtype).eval()
    run = read(name)["runs"][run]
    shape = run["input"]["shapes"]["kf_x"]
    frames = golden_frames(shape, run["input"]["seed"]).to(dtype)
    local = model.local_alignment
    recorder = Recorder(
        {
            "feat_global_offset_layers": model.global_alignment.regression,
            "sup_agg_block": model.merger,
            "combined_feat_layers": local.combination,
            **{f"dcn_offset_{i + 1}": step.offset for i, step in enumerate(local.convolutions)},
            **{f"dcn_mask_{i + 1}": step.mask for i, step in enumerate(local.convolutions)},
            **{f"dcn_{i + 1}": step.deform for i, step in enumerate(local.convolutions)},
            "init_feature_agg_block": model.fusion.chain,
        }
    )
    with torch.no_grad():
        output = model(frames, torch.tensor([model.window] * len(frames)))
        own_heatmaps = model.head(output.terms["key"])
        terms = released_terms(model.mutual_information, output, model.head)
    assert_equals_golden(output.heatmaps, run["outputs"]["heatmaps"])
    assert_equals_golden(own_heatmaps, run["outputs"]["key_frame_backbone_heatmaps"])
    # One call here for the four of the reference, neighbour by neighbour.
    (translations,) = recorder.calls["feat_global_offset_layers"]
    recorder.calls["feat_global_offset_layers"] = translations.view(shape[0], 4, 2).unbind(1)
    for key, wanted in run["intermediates"].items():
        part, call = key.split("#")
        assert_equals_golden(recorder.calls[part][int(call)], wanted)
    assert_terms_equal(terms, run["outputs"]["mi_terms"]["value_f64"])
    small = run["outputs"]["mi_label_and_feat_on_small_inputs"]
    assert_equals_golden(small_terms(model, run["input"]), small)


def small_terms(model: FAMIPose, recipe: dict) -> torch.Tensor:
    """[2]: the label and the feature estimator on a tenth of formula inputs."""
    dtype = model.head.weight.dtype
    feature, other, label = (
        0.1 * formula_input(shape, recipe["seed"] + i).to(dtype)
        for i, shape in enumerate(list(recipe["shapes"].values())[2:], 2)
    )
    with torch.no_grad():
        return torch.stack(
            [legacy_surrogate(model.head(feature), label), legacy_surrogate(feature, other)]
        )


def assert_terms_equal(terms: torch.Tensor, wanted: list[float]) -> None:
    """1e-9 in float64; 1 % in float32.

    Softmaxes at temperature 0.05 of maps in the hundreds are decided by a few near ties, which the
    maps' own float32 error turns. Ten times the stored error would be 0.16 % for the stored case;
    plain PyTorch in the reference's layout and with torchvision's operator misses the float64 value
    by 0.10 % with two threads and by 0.28 % with one, whatever the batch, with grid_sample by
    0.44 %, ours by 0.22 %. Terms in float64 of the same float32 maps are equally off. What the
    terms add up are probabilities, so their scale is 1.
    """
    assert_close(terms, wanted, 1e-9 if terms.dtype == torch.float64 else 0.01, scale=1)


def test_terms_that_cancel_are_equal_up_to_rounding():
    assert_terms_equal(torch.tensor([-1.9e-43, 0.5], dtype=torch.float64), [-1.900000005e-43, 0.5])
    for wrong in ([-1.9e-43, 0.5 + 1e-9], [1e-12, 0.5]):
        with pytest.raises(AssertionError):
            assert_terms_equal(torch.tensor(wrong, dtype=torch.float64), [-1.9e-43, 0.5])


def released_terms(objective: AlignmentInformation, output, head) -> torch.Tensor:
    """[6]: the released code's terms from those of an objective with all weights one."""
    weight = torch.ones(output.heatmaps.shape[:2])
    penalties = objective(output.terms, output.heatmaps, output.heatmaps, weight, head)
    return torch.stack([penalties[f"mi_{term}"] * sign for term, sign in RELEASED_SIGNS.items()])


@pytest.mark.golden
@pytest.mark.usefixtures("reference_layout")
@pytest.mark.parametrize(("name", "dtype"), steps("fami_pose", frames=5))
def test_equals_released_training_step(name, dtype):
    """The released "frozen" backbone has no gradients, but its norms are in training mode."""
    model = golden_model(name, dtype).train()
    model.backbone.requires_grad_(False)
    step = read(name, "train_step.json")
    recipe = step["input"]
    shape = [recipe["batch"], 3, recipe["h"], recipe["w"]]
    frames = golden_frames(shape, recipe["seed"]).to(dtype)
    heatmaps, weight = training_target(step)
    output = model(frames, torch.tensor([model.window] * len(frames)))
    losses = model.loss(output, Target(heatmaps.to(dtype), weight.to(dtype)))
    losses["heatmap"].backward()
    parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    assert_step_equals_golden(
        step,
        losses["heatmap"],
        {name: parameters[our_name(name)].grad for name in step["float64"]["grads"]},
        {name: buffers[our_name(name)] for name in step_buffers(step)},
    )
    assert sum(p.grad is not None for p in model.parameters()) == step["float64"]["with_grad"]
    terms = torch.stack([losses[f"mi_{t}"].detach() * sign for t, sign in RELEASED_SIGNS.items()])
    assert_terms_equal(terms, step["float64"]["extra"]["mi_terms"])


def test_unknown_names_have_no_counterpart():
    assert names.fami_pose("dcn_5.weight") is None


# --- alignment ----------------------------------------------------------------------------------


def test_translation_by_whole_pixels_is_a_shift_with_zeros_outside():
    x = draw(1, 2, 5, 7)
    moved = translate(x, torch.tensor([[2.0, -1.0]], dtype=x.dtype))
    wanted = torch.zeros_like(x)
    wanted[:, :, :-1, 2:] = x[:, :, 1:, :-2]
    torch.testing.assert_close(moved, wanted)


def test_translation_by_half_a_pixel_is_the_mean_of_two():
    x = draw(1, 1, 4, 6)
    moved = translate(x, torch.tensor([[0.5, 0.0]], dtype=x.dtype))
    torch.testing.assert_close(moved[..., 1:], (x[..., 1:] + x[..., :-1]) / 2)


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_each_neighbour_moves_by_its_own_translation(mode):
    torch.manual_seed(0)
    alignment = GlobalAlignment(4, 1, "paper").double().train(mode == "train")
    with torch.no_grad():
        for parameter in alignment.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    neighbours, key = draw(2, 3, 4, 8, 6), draw(2, 4, 8, 6, seed=2)
    moved = alignment(neighbours, key)
    for n in range(3):
        found = alignment.translation(neighbours[:, n] - key)
        assert found.abs().max() > 0.1
        torch.testing.assert_close(moved[:, n], translate(neighbours[:, n], found))


@pytest.mark.parametrize("size", [(5, 4), (16, 12), (96, 72)])
def test_maps_of_any_size_are_aligned(size):
    alignment = GlobalAlignment(4, 5, "paper").eval()
    assert alignment.translation(torch.randn(2, 4, *size)).shape == (2, 2)


def test_local_alignment_equals_torchvisions_operator_step_by_step():
    torch.manual_seed(0)
    module = LocalAlignment(8, 3, "paper").double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    support, key = draw(2, 8, 12, 9), draw(2, 8, 12, 9, seed=2)

    def plain(i: int, x: torch.Tensor, guide: torch.Tensor) -> torch.Tensor:
        step = module.convolutions[i]
        offset, mask = (
            F.conv2d(guide, layer.weight, layer.bias, padding=3, dilation=3)
            for layer in (step.offset, step.mask)
        )
        weight, bias = step.deform.weight, step.deform.bias
        return deform_conv2d(x, offset, weight, bias, padding=3, dilation=3, mask=mask)

    guide = module.combination(torch.cat([support, key], dim=1))
    guide = plain(1, plain(0, guide, guide), plain(0, guide, guide))
    aligned = plain(2, support, guide)
    torch.testing.assert_close(module(support, key), plain(3, aligned, aligned))


# --- mutual information -------------------------------------------------------------------------


def literal_total(terms: dict[str, torch.Tensor], heatmaps, head) -> torch.Tensor:
    """The released sum, with PyTorch's own divergence routine given what the release gives it."""

    def flat(x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(x.flatten(2) / 0.05, dim=-1)

    def divergence(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return F.kl_div(flat(a), flat(b), reduction="mean")

    z, s, fused = terms["key"], terms["support"], terms["fused"]
    return 0.5 * (
        -0.1 * divergence(head(fused), heatmaps)
        + 0.1 * divergence(z, fused)
        + divergence(head(s), heatmaps)
        - divergence(s, fused)
        + divergence(head(z), heatmaps)
        - divergence(z, fused)
    )


def small_case(seed: int = 3, common: float = 1.0):
    """Features and heatmaps with a common part, so that they tell something of each other."""
    shared = common * draw(2, 8, 6, 5, seed=10 * seed)

    def related(i: int, channels: int = 8) -> torch.Tensor:
        own = draw(2, channels, 6, 5, seed=10 * seed + i)
        return (0.1 * (shared[:, :channels] + own)).float().requires_grad_()

    features = {"key": related(1), "support": related(2), "fused": related(3)}
    heatmaps = related(4, channels=4)
    torch.manual_seed(seed)
    return features, heatmaps, torch.nn.Conv2d(8, 4, 1)


def penalties_of(options: dict, features, heatmaps, head) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    target = F.one_hot(torch.full((2, 4), 7), 30).reshape(2, 4, 6, 5).float()
    objective = AlignmentInformation(8, 4, **options)
    return objective(features, heatmaps, target, torch.ones(2, 4), head)


@pytest.mark.filterwarnings("ignore:reduction")
def test_legacy_terms_add_up_to_the_released_sum():
    features, heatmaps, head = small_case()
    penalties = penalties_of(PUBLISHED, features, heatmaps, head)
    wanted = literal_total(features, heatmaps, head)
    assert list(penalties) == [f"mi_{term}" for term in TERMS]
    torch.testing.assert_close(sum(penalties.values()), wanted, rtol=1e-5, atol=0)


def test_legacy_terms_teach_only_the_fused_feature_and_the_heatmaps():
    features, heatmaps, head = small_case()
    sum(penalties_of(PUBLISHED, features, heatmaps, head).values()).backward()
    assert features["key"].grad is None and features["support"].grad is None
    assert head.weight.grad is None
    assert features["fused"].grad.abs().sum() > 0 and heatmaps.grad.abs().sum() > 0


@pytest.mark.parametrize("estimator", [name for name in ESTIMATORS if name != "legacy"])
def test_proper_label_terms_teach_the_feature_and_not_the_label(estimator):
    """Over several cases, because penalties that are met have no gradient."""
    reached = {"support": 0.0, "fused": 0.0}
    for seed in range(6):
        features, heatmaps, head = small_case(seed, common=seed / 2)
        penalties = penalties_of({"estimator": estimator}, features, heatmaps, head)
        assert set(penalties) == {f"mi_{term}" for term in TERMS if term != "key_label"}
        sum(penalties.values()).backward()
        assert heatmaps.grad is head.weight.grad is features["key"].grad is None
        for name in reached:
            reached[name] += float(features[name].grad.abs().sum())
    assert min(reached.values()) > 0


def test_divergence_terms_by_identity():
    """What should grow costs nothing where both are the same; what should shrink costs the cap."""
    features, _, head = small_case()
    same = dict.fromkeys(features, features["key"])
    options = {"estimator": "vsd", "scale": 1.0, "weights": {"key_label": 1.0}}
    penalties = penalties_of(options, same, head(features["key"]).detach(), head)
    wanted = {"fused_label": 0, "fused_key": 0.05, "support_label": 0.5}
    wanted |= {"support_fused": 0, "key_label": 0.5, "key_fused": 0}
    assert {n: round(v.item(), 6) for n, v in penalties.items()} == {
        f"mi_{term}": value for term, value in wanted.items()
    }


def test_ground_truth_as_label():
    features, heatmaps, head = small_case()
    options = {"estimator": "vsd", "label_from": "ground_truth"}
    (penalties, other) = (
        penalties_of(options, features, maps, head) for maps in (heatmaps, 2 * heatmaps)
    )
    assert penalties == other
    assert penalties["mi_fused_label"] > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": (0,)}, "option window: found (0,)"),
        ({"halvings": -1}, "option halvings: found -1"),
        ({"dilation": 0}, "option dilation: found 0"),
        (
            {"mutual_information": {"estimator": "mine"}},
            "mutual_information.estimator: found 'mine'",
        ),
        ({"mutual_information": {"weights": {"label": 1}}}, "weights: found 'label'"),
        ({"mutual_information": {"alpha": -1}}, "mutual_information.alpha: found -1"),
        ({"mutual_information": {"beta": "big"}}, "mutual_information.beta: found 'big'"),
        ({"mutual_information": {"temperature": 0}}, "mutual_information.temperature: found 0"),
        ({"mutual_information": {"heat": 1}}, "found unknown 'heat'"),
        (
            {"mutual_information": {"estimator": "legacy", "label_from": "ground_truth"}},
            "label_from ground_truth",
        ),
    ],
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(UserError) as error:
        small_model(**options)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_backbones_whose_channels_make_no_groups_of_four_are_refused():
    with pytest.raises(UserError, match="10 channels"):
        FAMIPose(HRNet(10, 2, modules=(1,), blocks=1, stem_width=8, stem_blocks=1), 4)
