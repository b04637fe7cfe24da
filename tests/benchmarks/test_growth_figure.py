"""The figure of growth: what was measured, and the line of what is in proportion to the data."""

import pandas as pd
import pytest

from tests.benchmarks.growth_figure import growth


def test_line_of_proportion_starts_from_the_smallest_size():
    table = pd.DataFrame(
        [
            ("loading", 16, 40.0, 5.0),
            ("loading", 2, 3.0, 4.0),
            ("training", 2, 1.0, 0.0),
            ("training", 16, 8.0, 0.0),
        ],
        columns=["job", "times", "seconds", "memory_mb"],
    )
    panels = growth(table).axes
    assert [axes.get_title(loc="left") for axes in panels] == ["Loading", "Training", "", ""]
    lines = [[line.get_xydata().tolist() for line in axes.lines] for axes in panels]
    assert lines[0] == [[[0, 0], [16, 24]], [[2, 3], [16, 40]]]
    assert lines[1][0] == [[0, 0], [16, 8]]
    assert lines[2] == [[[0, 0], [16, 32]], [[2, 4], [16, 5]]]
    assert all(axes.get_ylim()[0] == 0 for axes in panels)
    assert panels[0].get_ylim()[1] == pytest.approx(42, rel=0.1)
