"""Statistics over seeds: means, spreads, paired differences, and which of them hold.

Differences are paired by seed, because run k of every method starts from the same single-frame
weights and sees the same samples in the same order; seeds that one side lacks are left out. A
reference with a single run (the weights that all others start from) is subtracted from every run;
its own spread is then not in the differences.

A difference is said to hold if the two-sided 95% Student interval of the paired differences
excludes zero (choice of this project: the usual interval for few repetitions) and it is at least
`LEAST` in size. The interval covers the randomness of training alone, not the choice of the videos.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

CONFIDENCE = 0.95
LEAST = 0.1
"""Points of AP below which no difference holds, whatever its spread: the tables show one decimal
(choice of this project)."""


def per_seed(
    groups: pd.DataFrame, protocol: str, joint: str = "total", measure: str = "ap"
) -> pd.DataFrame:
    """Return the value of every run: rows method, columns seed, in per cent; NaN where not run."""
    chosen = groups[
        (groups.protocol == protocol) & (groups.joint == joint) & (groups.measure == measure)
    ]
    return chosen.pivot(index="method", columns="seed", values="value").astype(float)


def summary(values: pd.DataFrame) -> pd.DataFrame:
    """Return mean, sample standard deviation (NaN for one seed), and number of seeds per method."""
    return pd.DataFrame(
        {
            "mean": values.mean(axis=1),
            "std": values.std(axis=1, ddof=1),
            "n": values.notna().sum(axis=1),
        }
    )


def paired(values: pd.DataFrame, against: str) -> pd.DataFrame:
    """Return each run minus that of `against` with the same seed; NaN where one is missing.

    If `against` has a single run, that run is subtracted from all.
    """
    if against not in values.index:
        return values * float("nan")
    reference = values.loc[against].dropna()
    return values - (reference.iloc[0] if len(reference) == 1 else reference)


def differences(values: pd.DataFrame, against: str) -> pd.DataFrame:
    """Return per method mean, std, n, low, high, holds of the paired differences to `against`.

    `holds` is True, False, or None: for fewer than two pairs, and for `against` itself.
    """
    result = summary(paired(values, against))
    # Below two pairs there is no deviation, so no interval.
    quantile = stats.t.ppf(0.5 + CONFIDENCE / 2, result["n"].sub(1).clip(lower=1))
    half = quantile * result["std"] / np.sqrt(result["n"])
    result["low"], result["high"] = result["mean"] - half, result["mean"] + half
    result["holds"] = [
        None if method == against or np.isnan(row.low) else beyond(row["mean"], row.low, row.high)
        for method, row in result.iterrows()
    ]
    return result


def beyond(mean: float, low: float, high: float) -> bool:
    """Return whether a difference with this interval holds."""
    return (low > 0 or high < 0) and round(abs(mean), 6) >= LEAST
