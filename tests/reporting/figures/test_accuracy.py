"""Axes that outliers do not flatten, and labels that do not overlap."""

import pandas as pd
import pytest

from tdmi.reporting.data.spec import Method
from tdmi.reporting.figures import accuracy
from tdmi.reporting.figures.axis_clipping import outlying
from tests.support.report_suite import made_spec


def test_one_method_far_away_is_off_the_axis_and_none_among_even_ones():
    near = {f"m{k}": (k / 10, k / 10 + 0.05) for k in range(8)}
    assert outlying(near) == set()
    assert outlying(near | {"far": (-12.4, -12.4)}) == {"far"}
    # Half of the methods are no outliers, and nor is one that merely doubles the axis.
    assert outlying(near | {f"f{k}": (-12.0, -12.0) for k in range(8)}) == set()
    assert outlying(near | {"double": (1.5, 1.5)}) == set()
    assert outlying({}) == set()


def test_the_axis_of_differences_ends_at_the_others_and_an_arrow_shows_the_value():
    near = [Method(f"m{k}", f"M{k}", "flow", (1,)) for k in range(5)]
    methods = (*near, Method("far", "Far", "single", (1,)))
    values = pd.DataFrame(
        [
            ("boxes", m.name, 1, -12.44 if m.name == "far" else k / 10)
            for k, m in enumerate(methods)
        ],
        columns=["protocol", "method", "seed", "value"],
    )
    figure = accuracy.mean_ap(values, made_spec(methods, "boxes"))
    (panel,) = figure.axes
    assert panel.get_xlim()[0] > -1
    assert "\N{MINUS SIGN}12.4, off the axis" in [text.get_text() for text in panel.texts]


def test_labels_are_moved_apart_about_their_middle():
    assert accuracy.spaced([9.0, 5.0, 5.0, 1.0], 1.0) == [9.0, 5.5, 4.5, 1.0]
    # The pair 5, 5 spreads to 5.5, 4.5 and meets 4.1: three about 4.7.
    assert accuracy.spaced([5.0, 5.0, 4.1], 1.0) == pytest.approx([5.7, 4.7, 3.7])
