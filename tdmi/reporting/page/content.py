"""What a page shows, gathered before it is laid out."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from tdmi.reporting.data.runs import Runs
from tdmi.reporting.data.settings import Settings
from tdmi.reporting.figures.gallery import Picture
from tdmi.reporting.page.headline import Claim
from tdmi.reporting.tables.tables import Table


@dataclass
class Content:
    """Tables and pictures by name; what could not be made is left out."""

    settings: Settings
    runs: Runs
    published: pd.DataFrame
    claims: list[Claim]
    answer: str
    comparisons: list[Table]
    """One per box protocol, in the order of the settings."""
    differences: list[Table]
    """With their intervals, one per box protocol; none for a grid of ablations."""
    videos: list[Table]
    """One per box protocol."""
    timing: Table
    headroom: Table | None = None
    """What the window holds when motion is known exactly."""
    ablations: list[Table] = field(default_factory=list)
    """Of a grid, one per box protocol."""
    statements: list[str] = field(default_factory=list)
    """What a grid's comparisons say."""
    drawings: dict[str, Picture] = field(default_factory=dict)
    data: Picture | None = None
    gallery: list[Picture] = field(default_factory=list)
    real_tables: list[Table] = field(default_factory=list)
    real_runs: Runs | None = None
    real_gallery: list[Picture] = field(default_factory=list)
    explanations: list[Picture] = field(default_factory=list)
    """The subject's inner maps, on the data set and on real video."""
