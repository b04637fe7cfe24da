"""Options of all methods of a suite are checked before its first run trains."""

from __future__ import annotations

import pytest

from tdmi.cli.main import main
from tdmi.config.suites import WORKFLOW, load_suite
from tdmi.core.errors import UserError
from tdmi.experiments.build import check_buildable

SUITES = sorted(path.stem for path in (WORKFLOW / "config").glob("*.yaml"))


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
    suite = load_suite("smoke")
    suite["methods"]["tdmi"]["options"] |= options
    with pytest.raises(UserError, match=f"suite smoke: methods/tdmi: .*{words}") as error:
        check_buildable(suite)
    assert "\n" not in str(error.value)


def test_the_first_run_stops_for_a_wrong_option_of_the_last_method(tmp_path, monkeypatch, capsys):
    suite = load_suite("smoke")
    suite["methods"]["tdmi"]["options"] |= {"fusion_blocks": 0}
    monkeypatch.setattr("tdmi.config.suites.load_suite", lambda *_, **__: suite)
    arguments = ["train", "--suite", "smoke", "--method", "single_frame", "--runs", str(tmp_path)]
    assert main(arguments) == 2
    assert "methods/tdmi: option fusion_blocks: found 0" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_variant_of_a_grid_stops_for_a_wrong_option_of_another(tmp_path, monkeypatch, capsys):
    suite = load_suite("smoke", grid="components")
    suite["methods"]["all_stages"]["options"] |= {"fusion_blocks": 0}
    monkeypatch.setattr("tdmi.config.suites.load_suite", lambda *_, **__: suite)
    arguments = ["train", "--suite", "smoke", "--grid", "components", "--method", "split"]
    assert main([*arguments, "--runs", str(tmp_path)]) == 2
    assert "methods/all_stages: option fusion_blocks: found 0" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
