import shutil
from pathlib import Path

import pytest
import yaml

from tdmi.config.files import WORKFLOW
from tdmi.config.keys import SmallSize, SuiteKey
from tdmi.config.suite import Resources
from tdmi.config.suites import load_suite, load_suites, with_seeds
from tdmi.core.errors import UserError

SUITES = sorted(p.stem for p in (WORKFLOW / "config").glob("*.yaml"))


@pytest.fixture
def workflow(tmp_path):
    shutil.copytree(WORKFLOW, tmp_path / "workflow")
    return tmp_path / "workflow"


published = {"recipe": "temporal", "initial_weights": "data/weights/published.pth"}


def change(workflow: Path, file: str, edit) -> None:
    path = workflow / "config" / file
    content = yaml.safe_load(path.read_text())
    edit(content)
    path.write_text(yaml.safe_dump(content))


@pytest.mark.parametrize("name", SUITES)
def test_every_shipped_suite_is_valid_and_every_run_resolves(name):
    suite = load_suite(name)
    runs = suite.run_names
    assert len(set(runs)) == len(runs)
    for method in suite.methods:
        for seed in suite.seeds_of(method):
            settings = suite.settings(method, seed)
            assert settings.seed == seed
            assert (settings.recipe.steps or settings.recipe.epochs) > 0


@pytest.mark.parametrize("name", SUITES)
def test_every_start_is_a_run_of_a_suite_that_the_main_job_includes(name):
    suites = load_suites(name)
    everything = {run for suite in suites.values() for run in suite.run_names}
    for suite in suites.values():
        if suite.base not in (None, *suites):
            everything |= set(load_suite(suite.base).run_names)
        for method in suite.methods:
            for seed in suite.seeds_of(method):
                start = suite.settings(method, seed).start_from
                assert start is None or start in everything


@pytest.mark.parametrize(
    ("file", "edit", "message"),
    [
        (
            "smoke.yaml",
            lambda c: c.update(sedes=[0]),
            r"smoke\.yaml: top level: .*'sedes'.*expected",
        ),
        (
            "smoke.yaml",
            lambda c: c["methods"].update(tdmy={"recipe": "temporal"}),
            r"smoke\.yaml: no method 'tdmy' .*expected one of .*tdmi",
        ),
        (
            "smoke.yaml",
            lambda c: c["methods"]["tdmi"].update(recipe="quick"),
            r"methods/tdmi/recipe: found 'quick', expected one of",
        ),
        (
            "smoke.yaml",
            lambda c: c["recipes"]["temporal"].update(steps=-1),
            r"smoke\.yaml: recipes/temporal/steps: -1 is less than",
        ),
        (
            "smoke.yaml",
            lambda c: c["recipes"].update(temporal={"steps": 1, "batch_size": 1}),
            r"smoke\.yaml: recipes/temporal: 'learning_rate' is a required",
        ),
        (
            "smoke.yaml",
            lambda c: c["methods"]["tdmi"].update(head_mapping="as_is"),
            r"methods/tdmi: 'initial_weights' is a dependency of 'head_mapping'",
        ),
        (
            "smoke.yaml",
            lambda c: c["methods"].update(
                dcpose={**published, "start_whole": True, "head_mapping": "as_is"}
            ),
            r"methods/dcpose: found start_whole and head_mapping, expected one",
        ),
        (
            "smoke.yaml",
            lambda c: c["recipes"].update(from_scratch={"steps": 0}),
            r"methods/single_frame: found a recipe of no steps, expected initial_weights",
        ),
        (
            "smoke.yaml",
            lambda c: c["methods"]["tdmi"].update(start_from="elsewhere/single_frame/seed0"),
            r"methods/tdmi/start_from: found 'elsewhere",
        ),
        ("smoke.yaml", lambda c: c.update(suite="other"), r"suite is 'other', expected 'smoke'"),
        ("methods/tdmi.yaml", lambda c: c.update(family="magic"), r"tdmi\.yaml: family: 'magic'"),
    ],
)
def test_faults_are_named_in_one_line(workflow, file, edit, message):
    change(workflow, file, edit)
    with pytest.raises(UserError, match=message) as caught:
        load_suite("smoke", workflow)
    assert "\n" not in str(caught.value)


def test_unknown_suite_and_broken_yaml(workflow):
    with pytest.raises(UserError, match=r"no suite 'nope' .*expected one of .*embedded"):
        load_suite("nope", workflow)
    (workflow / "config" / "smoke.yaml").write_text("suite: [smoke\n")
    with pytest.raises(UserError, match=r"smoke\.yaml: not valid YAML"):
        load_suite("smoke", workflow)


def test_unknown_method_of_a_suite():
    with pytest.raises(UserError, match="no method 'x'; expected one of single_frame"):
        load_suite("smoke").settings("x", 0)


def test_published_weights_and_what_becomes_of_their_head(workflow):
    untrained = {"initial_weights": "official.pth", "recipe": "untrained", "start_whole": True}

    def edit(content):
        content["recipes"]["untrained"] = {"steps": 0}
        content["methods"] |= {"dcpose": untrained, "tdmi": {**published, "head_mapping": "as_is"}}
        content["methods"]["temporal_concatenation"] = dict(published)

    change(workflow, "smoke.yaml", edit)
    suite = load_suite("smoke", workflow)
    dcpose = suite.settings("dcpose", 0)
    assert dcpose.recipe.to_dict() == {"steps": 0} and dcpose.start_whole
    assert suite.settings("tdmi", 0).head_mapping == "as_is"
    assert suite.settings("temporal_concatenation", 0).head_mapping == "by_joint_name"
    assert "head_mapping" not in suite.settings("single_frame", 0).to_dict()
    small = load_suite(SuiteKey("smoke", size=SmallSize(steps=2)), workflow)
    assert small.settings("dcpose", 0).recipe.steps == 0
    assert small.settings("tdmi", 0).recipe.steps == 2


def test_a_small_size_changes_only_width_steps_and_names():
    real = load_suite("posetrack18")
    small = load_suite(SuiteKey("posetrack18", size=SmallSize(12, 2)))
    assert small.name == "posetrack18_width12_steps2"
    narrow = real.backbone.to_dict() | {"width": 12, "stem_width": 12}
    assert small.backbone.to_dict() == narrow
    for name, recipe in real.recipes.items():
        kept = {k: v for k, v in recipe.to_dict().items() if k not in ("epochs", "milestones")}
        assert small.recipes[name].to_dict() == kept | {"steps": 2}
    for part in ("dataset", "crop", "augmentation", "inference", "report", "seeds"):
        assert getattr(small, part) == getattr(real, part)
    settings = small.settings("tdmi", 0)
    assert settings.start_from == "posetrack18_width12_steps2/single_frame/seed0"
    assert small.settings("single_frame", 0).initial_weights is None
    few = load_suite(SuiteKey("posetrack18", size=SmallSize(steps=2)))
    assert few.settings("single_frame", 0).initial_weights is not None


def test_a_small_size_reaches_companions():
    suites = load_suites(SuiteKey("embedded", size=SmallSize(steps=3)))
    assert list(suites) == ["embedded_steps3", "pose2sim_steps3"]
    start = suites["pose2sim_steps3"].settings("tdmi", 0).start_from
    assert start.split("/")[0] in suites


def test_box_protocols_of_a_companion_must_be_the_same(workflow):
    change(
        workflow,
        "pose2sim.yaml",
        lambda c: c["inference"].update(box_protocols=["ground_truth_boxes"]),
    )
    with pytest.raises(UserError, match="pose2sim: inference/box_protocols differ"):
        load_suites("embedded", workflow)


def test_full_scale_suites_share_the_published_settings():
    for name in ("posetrack17", "posetrack18", "posetrack21", "hieve"):
        suite = load_suite(name)
        recipe = suite.recipes["temporal"]
        assert suite.crop.size == (384, 288) and suite.crop.sigma == 3
        assert suite.backbone.width == 48 and suite.backbone.stages == 4
        assert (recipe.optimiser, recipe.learning_rate) == ("adam", 1e-3)
        assert (recipe.epochs, recipe.milestones) == (20, (6, 12, 18))
        assert recipe.batch_size == 24
        assert suite.dataset.root == f"data/{name}/prepared"


def test_seeds_leave_of_each_method_and_companion_what_is_asked_for(workflow):
    change(workflow, "embedded.yaml", lambda c: c["methods"]["tdmi"].update(seeds=[2, 5]))
    change(workflow, "pose2sim.yaml", lambda c: c.update(seeds=[0]))
    whole = load_suites("embedded", workflow)
    part = with_seeds(whole, [1, 2, 5])
    assert part["embedded"].seeds_of("tdmi") == (2, 5)
    assert part["embedded"].seeds_of("dcpose") == (1, 2)
    assert part["pose2sim"].run_names == []
    assert whole["embedded"].seeds_of("dcpose") == (0, 1, 2, 3, 4), "the suites stay as they are"
    with pytest.raises(UserError, match=r"embedded: no seed 7, 9; expected some of 0, 1, 2, 3, 4"):
        with_seeds(load_suites("embedded"), [9, 0, 7])


def test_jobs_of_the_full_scale_ask_for_a_gpu_and_those_of_a_small_size_for_nothing():
    for name in ("posetrack17", "posetrack18", "posetrack21", "hieve"):
        asked = load_suite(name).resources
        assert asked.train.gpu == asked.predict.gpu == 1
        assert load_suite(SuiteKey(name, "gate")).resources == asked
        assert load_suite(SuiteKey(name, size=SmallSize(width=4))).resources == Resources()


def test_unknown_resource_is_named(workflow):
    change(workflow, "smoke.yaml", lambda c: c.update(resources={"train": {"memory": 3}}))
    with pytest.raises(UserError, match=r"smoke\.yaml: resources/train: .*expected keys: gpu"):
        load_suite("smoke", workflow)


def test_a_file_that_has_changed_is_read_again(workflow):
    assert load_suite("smoke", workflow).seeds == (0,)
    change(workflow, "smoke.yaml", lambda c: c.update(seeds=[4]))
    assert load_suite("smoke", workflow).seeds == (4,)


def test_suites_are_found_from_another_folder(tmp_path, monkeypatch):
    here = load_suite("embedded")
    monkeypatch.chdir(tmp_path)
    assert load_suite("embedded") == here
    monkeypatch.setattr("tdmi.config.files.__file__", str(tmp_path / "tdmi/config/files.py"))
    with pytest.raises(UserError, match=r"found no folder workflow with suites, expected a check"):
        load_suite("embedded")
