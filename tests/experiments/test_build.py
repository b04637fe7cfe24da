"""From settings to objects: options of all methods are checked first, splits play their roles."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tdmi.cli.main import main
from tdmi.clips.order import SampleOrder
from tdmi.config.files import WORKFLOW
from tdmi.config.inputs import Crop
from tdmi.config.keys import SuiteKey
from tdmi.config.suite import Suite
from tdmi.config.suites import load_suite
from tdmi.core.errors import UserError
from tdmi.experiments.build import build_method, check_buildable, training_samples
from tdmi.experiments.plan import throughput
from tdmi.experiments.plan.counting import Job, count
from tdmi.experiments.train import fit
from tests.support import tiny_dataset

SUITES = sorted(path.stem for path in (WORKFLOW / "config").glob("*.yaml"))


def changed(suite: Suite, method: str, **options) -> Suite:
    """The suite with some options of a method replaced."""
    use = suite.methods[method]
    use = replace(use, options={**use.options, **options})
    return replace(suite, methods={**suite.methods, method: use})


@pytest.mark.parametrize("name", SUITES)
def test_methods_of_every_suite_of_the_workflow_can_be_built(name):
    check_buildable(load_suite(name))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"encoder": {"depths": [1, 2, 3, 4, 5]}}, "found .1, 2, 3, 4, 5., expected .* 1 to 4"),
        ({"window": [0]}, "option window: found 1 frame, expected 2 or more for differences"),
        ({"encoder": {"difference": "flow"}}, "expected one of consecutive, to_key, none"),
        ({"disentanglement": {"gate": "pixel"}}, "expected one of channel, complementary"),
        ({"mutual_information": {"estimator": "mine"}}, "expected one of none, legacy, vsd, vclub"),
        ({"spam": 1}, "found unknown 'spam', expected "),
    ],
)
def test_combinations_without_sense_are_refused_with_what_is_allowed(options, words):
    suite = changed(load_suite("smoke"), "tdmi", **options)
    with pytest.raises(UserError, match=f"suite smoke: methods/tdmi: .*{words}") as error:
        check_buildable(suite)
    assert "\n" not in str(error.value)


def test_the_first_run_stops_for_a_wrong_option_of_the_last_method(tmp_path, monkeypatch, capsys):
    suite = changed(load_suite("smoke"), "tdmi", fusion_blocks=0)
    monkeypatch.setattr("tdmi.config.suites.load_suite", lambda *_, **__: suite)
    arguments = ["train", "--suite", "smoke", "--method", "single_frame", "--runs", str(tmp_path)]
    assert main(arguments) == 2
    assert "methods/tdmi: option fusion_blocks: found 0" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_variant_of_a_grid_stops_for_a_wrong_option_of_another(tmp_path, monkeypatch, capsys):
    suite = changed(load_suite(SuiteKey("smoke", "components")), "all_stages", fusion_blocks=0)
    monkeypatch.setattr("tdmi.config.suites.load_suite", lambda *_, **__: suite)
    arguments = ["train", "--suite", "smoke", "--grid", "components", "--method", "split"]
    assert main([*arguments, "--runs", str(tmp_path)]) == 2
    assert "methods/all_stages: option fusion_blocks: found 0" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_run_trains_on_the_training_split_and_validates_on_the_other(tmp_path, monkeypatch):
    """With the order, the seed and the auxiliary input that its settings and method ask for."""
    tiny_dataset.write(tmp_path)
    content = tiny_dataset.settings(tmp_path, order="clips", lanes=2, batch_size=4, accumulate=2)
    content["method"] |= {
        "class": "baselines.flow_pooling.FlowPooling",
        "options": {"flow": {"where": "frame", "cache": str(tmp_path / "flow")}},
    }
    seen = {}

    def train(fabric, method, samples, validation, *_):
        seen.update(method=method, samples=samples, validation=validation)
        return {}

    monkeypatch.setattr("tdmi.experiments.train.train", train)
    fit(tiny_dataset.typed(content), tmp_path)
    samples, validation = seen["samples"], seen["validation"]
    assert samples.windows.annotations.video_names == ["900001_mpiinew_dots"]
    assert validation.windows.annotations.video_names == ["900002_mpiinew_dots"]
    assert samples.order == SampleOrder("clips", lanes=2, batch_size=2)
    assert samples.seed == 3 and samples.cue is seen["method"].frame_cue is not None
    assert samples.windows.crop == validation.windows.crop == Crop((64, 48), 1.5)


def test_what_the_plan_times_is_what_trains(tmp_path, monkeypatch):
    tiny_dataset.write(tmp_path)
    settings = tiny_dataset.typed(tiny_dataset.settings(tmp_path))
    made = []

    def samples(settings, method):
        made.append(training_samples(settings, method))
        return made[-1]

    monkeypatch.setattr("tdmi.experiments.plan.throughput.training_samples", samples)
    job, cpu = Job("tiny", "single_frame", [], settings), torch.device("cpu")
    assert throughput.timed(job, count(job), cpu).load > 0
    assert len(made) == 1
    lost = replace(job, settings=replace(settings, dataset=replace(settings.dataset, root="no")))
    assert throughput.timed(lost, count(lost), cpu).load is None


def test_class_that_does_not_exist_is_named(tmp_path):
    settings = tiny_dataset.settings(tmp_path)
    settings["method"]["class"] = "baselines.nowhere.Method"
    with pytest.raises(UserError, match=r"'baselines\.nowhere\.Method' cannot be imported"):
        build_method(tiny_dataset.typed(settings))
