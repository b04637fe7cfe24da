"""Specs of reports, made from the suites of the workflow."""

from dataclasses import replace

import pytest
import yaml

from tdmi.config.keys import SuiteKey
from tdmi.config.suites import load_suites
from tdmi.core.errors import UserError
from tdmi.reporting.data.spec import ReportSpec
from tests.support.paths import ROOT

SUITES = ROOT / "workflow" / "config"


@pytest.mark.parametrize("path", sorted(SUITES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_suite_of_the_workflow_can_be_reported(path):
    spec = ReportSpec.from_suites(load_suites(path.stem, SUITES.parent))
    mapping = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert [method.name for method in spec.methods] == list(mapping["methods"])
    assert spec.method("single_frame").seeds == tuple(
        mapping["methods"]["single_frame"].get("seeds", mapping["seeds"])
    )
    assert spec.dataset.labels == mapping["report"].get("labels", "annotated")
    assert (spec.real_video is not None) == bool(mapping.get("companions"))


def test_a_grid_of_the_workflow_can_be_reported():
    spec = ReportSpec.from_suites(load_suites(SuiteKey("embedded", grid="stages")))
    assert spec.suite == "embedded_stages" and spec.subject is None
    assert spec.summary.startswith("What do differences of shallower stages add")
    assert [m.run_of for m in spec.methods] == [None, None, "embedded/tdmi"]
    assert {m.family for m in spec.methods} == {"ablation"}
    assert spec.ablation.comparisons["previous"] == {
        "stages2": "stages1",
        "stages3": "stages2",
    }
    assert list(spec.ablation.left_out) == ["Four stages"]


def test_references_stand_from_the_plain_one_to_the_strictest():
    spec = ReportSpec.from_suites(load_suites("embedded"))
    assert [(reference.key, reference.method.name) for reference in spec.references] == [
        ("single_frame", "single_frame"),
        ("equal_compute", "single_frame_equal_compute"),
        ("equal_layers", "key_frame_fusion"),
    ]
    assert spec.reference == spec.method("single_frame")
    assert spec.strictest == spec.method("key_frame_fusion")
    assert spec.subject == spec.method("tdmi")
    assert spec.choices["inference · decoder"] == "dark"
    assert "decoder dark; flip averaging on; seeds 0, 1, 2, 3, 4." in spec.conditions()


@pytest.mark.parametrize("key", ["reference", "equal_layers", "subject"])
def test_a_method_that_the_suite_lacks_is_named(key):
    suites = load_suites("embedded")
    main = suites["embedded"]
    suites["embedded"] = replace(main, report=replace(main.report, **{key: "nobody"}))
    with pytest.raises(UserError, match=rf"suite embedded: report/{key}: found 'nobody'"):
        ReportSpec.from_suites(suites)
