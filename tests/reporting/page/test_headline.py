"""The answer in words follows the numbers."""

from dataclasses import replace

import pytest

from tdmi.reporting.data.runs import read_runs
from tdmi.reporting.data.spec import Method
from tdmi.reporting.page import headline
from tdmi.reporting.tables.results import comparison_table
from tests.support.report_suite import PROTOCOLS, joint_runs, write_joint_runs

BOXES = PROTOCOLS[0]


@pytest.mark.parametrize(
    ("own", "status"),
    [
        ([62.0, 62.1, 61.9], headline.AHEAD),  # +1.0 ± 0.1: half width 0.25
        ([60.0, 60.1, 59.9], headline.BEHIND),
        ([61.0, 62.0, 63.0], headline.OPEN),  # +1 ± 1: half width 2.5
        ([62.0, None, None], headline.ONE_SEED),
        ([None, None, None], headline.NOT_RUN),
    ],
)
def test_the_headline_says_what_holds_and_what_not(tmp_path, own, status):
    values = {"single": [61.0] * 3, "equal": [61.0] * 3, "flow": [55.0] * 3, "tdmi": own}
    runs, spec = joint_runs(tmp_path, values)
    found = {claim.question: claim for claim in headline.claims(runs, spec)}
    claim = found["over equal compute"]
    assert claim.status == status
    sentence = headline.sentence(runs, spec, list(found.values()))
    assert ("Beyond the spread" in sentence) == (
        status not in (headline.ONE_SEED, headline.NOT_RUN)
    )
    assert ("Within seed noise" in sentence) == (status == headline.OPEN)
    assert ("not been run" in sentence) == (status == headline.NOT_RUN)


def test_a_gain_that_layers_alone_explain_is_no_difference_to_them(tmp_path):
    """By hand: 2 ahead of the single frame, 0.1, -0.1 and 0 of equal layers."""
    values = {"single": [50.0] * 3, "equal": [50.0] * 3, "layers": [51.9, 52.1, 52.0]}
    runs, spec = joint_runs(tmp_path, values | {"tdmi": [52.0] * 3})
    table = comparison_table(runs, spec, BOXES)
    row = table.data.set_index("method").loc["tdmi"]
    assert row.vs_equal_layers_mean == pytest.approx(0, abs=1e-9)
    assert row.vs_single_frame_mean == pytest.approx(2)
    assert "vs equal layers" in table.headings
    found = {c.rival.name: c.status for c in headline.claims(runs, spec)}
    assert found["single"] == headline.AHEAD and found["layers"] == headline.OPEN
    assert spec.strictest.name == "layers"


def test_the_rival_of_a_family_is_its_best_member(tmp_path):
    values = {"single": [50.0] * 3, "equal": [50.0] * 3, "flow": [55.0] * 3, "tdmi": [56.0] * 3}
    runs, spec = joint_runs(tmp_path, values)
    better = Method("flow_two", "FLOW TWO", "flow", (1, 2, 3))
    write_joint_runs(tmp_path, {"flow_two": [55.5] * 3})
    methods = (*spec.methods[:3], better, spec.methods[3])
    spec = replace(spec, methods=methods)
    runs = read_runs(tmp_path, methods, spec.box_protocols)
    claim = headline.claims(runs, spec)[-1]
    assert (claim.question, claim.rival.name) == ("over optical flow (best)", "flow_two")
    assert claim.mean == pytest.approx(0.5)
