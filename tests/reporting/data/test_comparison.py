"""Statistics over seeds."""

import pytest

from tdmi.reporting.data import comparison


@pytest.mark.parametrize(
    ("mean", "low", "high", "holds"),
    [
        (0.04, 0.03, 0.05, False),
        (-0.04, -0.05, -0.03, False),
        (0.1, 0.05, 0.15, True),
        (-0.1, -0.15, -0.05, True),
        (1.0, -0.1, 2.1, False),
    ],
)
def test_a_difference_holds_beyond_its_interval_and_from_a_tenth_on(mean, low, high, holds):
    assert comparison.beyond(mean, low, high) is holds
