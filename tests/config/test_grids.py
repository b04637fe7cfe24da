"""Grids of ablations: what each makes of a suite, what is shared, what is refused."""

import inspect
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from tdmi.config.files import WORKFLOW, known_configs
from tdmi.config.grids import DEFAULTS, in_words
from tdmi.config.keys import SmallSize, SuiteKey
from tdmi.config.section import merged
from tdmi.config.suite import Suite
from tdmi.config.suites import load_suite, load_suites
from tdmi.core.errors import UserError
from tdmi.experiments.build import build_method, check_buildable
from tdmi.models.method import PoseMethod
from tdmi.models.output import Target
from tdmi.models.tdmi import TDMI

GRIDS = known_configs("grid")
SUITES = ("embedded", "posetrack17")


@pytest.fixture
def workflow(tmp_path):
    shutil.copytree(WORKFLOW, tmp_path / "workflow")
    return tmp_path / "workflow"


def write(workflow: Path, **content) -> None:
    content = {"title": "a grid", "question": "Is it?", "ladder": True} | content
    path = workflow / "config" / "grids" / "own.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def model_of(suite: Suite, method: str):
    with torch.device("meta"):
        return build_method(suite.settings(method, 0))


@pytest.mark.parametrize("name", SUITES)
@pytest.mark.parametrize("grid", GRIDS)
def test_every_grid_resolves_on_small_and_full_scale(name, grid):
    plain, suite = load_suite(name), load_suite(SuiteKey(name, grid))
    assert suite.name == f"{name}_{grid}" and suite.base == name
    runs = suite.run_names
    assert len(set(runs)) == len(runs)
    found = [suite.settings(m, 0).to_dict() for m in suite.methods]
    found = [str(s | {"method": [s["method"][k] for k in ("class", "options")]}) for s in found]
    assert len(set(found)) == len(found)
    for method in suite.methods:
        for seed in suite.seeds_of(method):
            settings, owner = suite.settings(method, seed), suite.run_name(method, seed)
            if owner.startswith(f"{name}/"):
                assert settings == plain.settings(owner.split("/")[1], seed)
            else:
                assert owner == f"{name}_{grid}/{method}/seed{seed}"
                start = seed if name == "embedded" else 0
                assert settings.start_from == f"{name}/single_frame/seed{start}"
            for key in ("dataset", "crop", "augmentation", "inference"):
                assert getattr(settings, key) == getattr(plain.settings("tdmi", 0), key)


@pytest.mark.parametrize("grid", GRIDS)
def test_every_variant_of_the_embedded_grids_learns_something_finite(grid):
    suite = load_suite(SuiteKey("embedded", grid, size=SmallSize(width=4)))
    generator = torch.Generator().manual_seed(0)
    for method, use in suite.methods.items():
        if use.run_of:
            continue
        torch.manual_seed(0)
        model = build_method(suite.settings(method, 0))
        frames = torch.randn(2, len(model.window), 3, 64, 48, generator=generator)
        output = model(frames, torch.tensor([model.window] * 2))
        maps = torch.rand(output.heatmaps.shape, generator=generator)
        loss = sum(model.loss(output, Target(maps, torch.ones(2, 17))).values())
        loss.backward()
        assert torch.isfinite(loss)
        grown = [p.grad for p in model.parameter_groups()["new"] if p.grad is not None]
        assert sum(float(g.abs().sum()) for g in grown) > 0


@pytest.mark.parametrize("grid", GRIDS)
def test_every_variant_of_the_full_scale_grids_can_be_built(grid):
    check_buildable(load_suite(SuiteKey("posetrack17", grid, size=SmallSize(width=12))))


def test_components_add_one_part_after_the_other():
    for name, depths in (("embedded", (1, 2, 3)), ("posetrack17", (1, 2, 3, 4))):
        suite = load_suite(SuiteKey(name, "components", size=SmallSize(width=4)))
        assert list(suite.methods)[:3] == ["single_frame", "equal_compute", "equal_layers"]
        ladder = {m: model_of(suite, m) for m in ("one_stage", "all_stages", "split", "tdmi")}
        assert [m.encoder.depths for m in ladder.values()] == [depths[-1:], *[depths] * 3]
        assert [m.disentanglement.gate for m in ladder.values()] == ["none"] * 2 + ["channel"] * 2
        terms = [len(m.mutual_information.weights) for m in ladder.values()]
        assert terms[:3] == [0, 0, 0] and terms[3] == 5
        assert suite.grid.comparisons["previous"]["one_stage"] == "equal_layers"
        single = {"single_frame", "equal_compute"}
        assert set(suite.grid.comparisons["equal_layers"]) == {*single, *ladder}


def test_what_changes_nothing_is_the_suites_own_run():
    suite = load_suite(SuiteKey("embedded", "components"))
    assert suite.run_name("tdmi", 2) == "embedded/tdmi/seed2"
    assert suite.run_name("equal_compute", 1) == "embedded/single_frame_equal_compute/seed1"
    # Each seed starts from its own single-frame model; where all start from one, further seeds of
    # it would say nothing.
    assert suite.seeds_of("single_frame") == (0, 1, 2)
    assert load_suite(SuiteKey("posetrack17", "components")).seeds_of("single_frame") == (0,)
    backbone = load_suite(SuiteKey("embedded", "backbone"))
    assert backbone.run_name("frozen", 0) == "embedded/tdmi/seed0"
    full = load_suite(SuiteKey("posetrack17", "backbone"))
    assert full.run_name("tenth", 0) == "posetrack17/tdmi/seed0"
    assert full.run_name("frozen", 0) == "posetrack17_backbone/frozen/seed0"


def test_references_are_what_their_labels_say():
    suites = {grid: load_suite(SuiteKey("posetrack17", grid)) for grid in GRIDS}
    tdmi = model_of(suites["gate"], "channel")
    assert tdmi.disentanglement.gate == "channel"
    assert tdmi.encoder.difference == "consecutive" and tdmi.encoder.guidance == "difference"
    assert tdmi.window == (-2, -1, 0, 1, 2)
    assert type(tdmi.mutual_information.estimator).__name__ == "DivergenceEstimator"
    same = {
        "difference": "consecutive", "span": "span2", "frames": "frames5", "estimator": "vsd",
        "mi_terms": "default", "accumulation": "conv", "guidance": "difference_separate",
        "stages": "stages4",
    }  # fmt: skip
    for grid, variant in same.items():
        assert suites[grid].run_name(variant, 0) == "posetrack17/tdmi/seed0"


def test_defaults_are_those_of_the_class():
    classes = (PoseMethod, TDMI)
    parameters = {k: p for c in classes for k, p in inspect.signature(c).parameters.items()}
    assert {key: parameters[key].default for key in DEFAULTS} == DEFAULTS | {
        "window": tuple(DEFAULTS["window"])
    }


def test_stages_are_the_deepest_and_what_the_backbone_lacks_is_left_out():
    small, full = (load_suite(SuiteKey(name, "stages")) for name in SUITES)
    assert small.grid.left_out == {"Four stages": "the backbone of embedded has 3 stages"}
    assert "stages4" not in small.methods and full.grid.left_out == {}
    assert [model_of(full, m).encoder.depths for m in full.methods] == [
        (4,), (3, 4), (2, 3, 4), (1, 2, 3, 4)
    ]  # fmt: skip
    assert model_of(small, "stages2").encoder.depths == (2, 3)
    rungs = small.grid.comparisons["previous"]
    assert rungs == {"stages2": "stages1", "stages3": "stages2"}


def test_frames_of_a_step_stay_the_same_to_half_a_window():
    for name, expected in (("embedded", (27, 16, 11)), ("posetrack17", (40, 24, 17))):
        suite = load_suite(SuiteKey(name, "frames"))
        recipes = [suite.recipes[use.recipe] for use in suite.methods.values()]
        assert tuple(recipe.batch_size for recipe in recipes) == expected
        for windows, frames in zip(expected, (3, 5, 7), strict=True):
            assert abs(windows * frames - expected[1] * 5) <= frames / 2


def test_the_review_time_estimator_weighs_on_small_maps_what_it_weighs_on_large_ones():
    def weights(name):
        return load_suite(SuiteKey(name, "estimator")).methods["legacy"].options

    assert weights("embedded")["mutual_information"]["scale"] == pytest.approx(16 * 12 / (96 * 72))
    assert "scale" not in weights("posetrack17")["mutual_information"]


def test_a_method_that_the_suite_lacks_takes_recipe_and_start_from_the_base(workflow):
    write(workflow, variants=[
        {"name": "tdmi", "label": "TDMI"}, {"name": "flow", "label": "F", "method": "flow_motion"},
    ])  # fmt: skip
    settings = load_suite(SuiteKey("smoke", "own"), workflow).settings("flow", 0)
    assert settings.method.class_path == "baselines.flow_motion.FlowMotion"
    assert settings.method.family == "flow" and settings.method.options == {}
    base = load_suite("smoke", workflow).settings("tdmi", 0)
    assert (settings.recipe, settings.start_from) == (base.recipe, base.start_from)


def test_a_variant_of_training_gets_a_recipe_of_its_own():
    suite = load_suite(SuiteKey("embedded", "backbone"))
    usual = load_suite("embedded").recipes["temporal"]
    assert suite.settings("full", 0).recipe == replace(usual, backbone_rate=1.0)
    assert suite.settings("frozen_norms_updated", 0).recipe == usual
    assert suite.methods["full"].description == "TDMI with freeze_backbone False, backbone_rate 1.0"


def test_a_length_replaces_the_suites(workflow):
    write(workflow, variants=[
        {"name": "long", "label": "Long"},
        {"name": "short", "label": "Short", "recipe": {"steps": 7}},
    ])  # fmt: skip
    recipe = load_suite(SuiteKey("posetrack17", "own"), workflow).settings("short", 0).recipe
    assert recipe.steps == 7 and recipe.epochs is None and recipe.milestones == ()


def test_a_grid_at_a_small_size_keeps_to_its_suite_at_that_size():
    suite = load_suite(SuiteKey("posetrack17", "components", size=SmallSize(4, 2)))
    assert suite.name == "posetrack17_components_width4_steps2"
    start = suite.settings("split", 0).start_from
    assert start == "posetrack17_width4_steps2/single_frame/seed0"
    assert suite.run_name("tdmi", 0) == "posetrack17_width4_steps2/tdmi/seed0"
    plain = load_suite(SuiteKey("posetrack17", size=SmallSize(4, 2)))
    assert suite.settings("tdmi", 0) == plain.settings("tdmi", 0)
    check_buildable(suite)


def test_a_grid_has_no_companions():
    assert list(load_suites(SuiteKey("embedded", "gate"))) == ["embedded_gate"]


TWO = [{"name": "a", "label": "A"}, {"name": "b", "label": "B", "stages": 1}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"variants": TWO, "base": "tdmy"}, r"own\.yaml: base: found 'tdmy', expected a method of"),
        ({"variants": TWO, "references": ["c"]}, r"references: found 'c', expected one of a, b"),
        ({"variants": [TWO[0], TWO[0]]}, r"own\.yaml: variants: a name stands twice"),
        ({"variants": [TWO[0], {"name": "c", "label": "C"}]}, r"variants a and c are the same on"),
        ({"variants": TWO, "ladder": False}, r"own\.yaml: nothing is left to compare on suite"),
        ({"variants": [{**TWO[1], "stages": 5}, TWO[0]]}, r"variants/0/stages: 5 is greater than"),
        ({"variants": [{**TWO[1], "gates": 1}, TWO[0]]}, r"'gates' was unexpected.*keys: name"),
        (
            {"variants": [{**TWO[1], "recipe": {"stepz": 5}}, TWO[0]]},
            r"own\.yaml: recipe: .*'stepz' was unexpected\); expected keys: steps",
        ),
        (
            {"variants": [{**TWO[1], "method": "nope"}, TWO[0]]},
            r"own\.yaml: no method 'nope' .*expected one of .*dcpose",
        ),
    ],
)
def test_faults_of_a_grid_are_named_in_one_line(workflow, content, message):
    write(workflow, **content)
    with pytest.raises(UserError, match=message) as caught:
        load_suite(SuiteKey("smoke", "own"), workflow)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"encodre": {}},
            r"methods/b: option of method b: found unknown 'encodre', expected .*enc",
        ),
        ({"encoder": {"difference": "flow"}}, r"found 'flow', expected one of consecutive, to_key"),
        ({"disentanglement": {"gate": "none"}}, r"found none with the primary term"),
        ({"window": [0]}, r"option window: found 1 frame, expected 2 or more"),
    ],
)
def test_options_without_sense_are_refused_before_anything_is_trained(workflow, options, message):
    write(workflow, variants=[TWO[0], {"name": "b", "label": "B", "options": options}])
    suite = load_suite(SuiteKey("smoke", "own"), workflow)
    with pytest.raises(UserError, match=message) as caught:
        check_buildable(suite)
    assert str(caught.value).startswith("suite smoke_own: methods/b: ")


def test_an_unknown_grid_is_named_with_those_there_are():
    with pytest.raises(UserError, match=r"no grid 'nope' in .*grids; expected one of accumulation"):
        load_suite(SuiteKey("smoke", "nope"))


def test_mappings_are_merged_deeply_and_told_in_one_line():
    base = {"a": {"b": 1, "c": {"d": 2}}, "e": [1]}
    changes = {"a": {"c": {"d": 3}, "f": 4}, "e": [5, 6]}
    assert merged(base, changes) == {"a": {"b": 1, "c": {"d": 3}, "f": 4}, "e": [5, 6]}
    assert base == {"a": {"b": 1, "c": {"d": 2}}, "e": [1]}
    assert in_words(changes) == "a.c.d 3, a.f 4, e [5, 6]"
