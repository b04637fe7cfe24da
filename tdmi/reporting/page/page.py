"""The page: one HTML file with everything inside it, readable offline, on a phone and on paper.

Its layout is `templates/page.html`; this module prepares values for it. Everything is escaped by
the templates' autoescape; only drawings, style and script are inserted as they are.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import GROUPS, Runs
from tdmi.reporting.data.selection import MINIMUM_JOINTS
from tdmi.reporting.data.spec import Record, ReportSpec, flat
from tdmi.reporting.figures import style
from tdmi.reporting.figures.gallery import Picture
from tdmi.reporting.page.headline import Claim
from tdmi.reporting.page.published import VALUES
from tdmi.reporting.tables.tables import Cell, Table, heading, number, transposed

_THEMED = {
    style.INK: "var(--ink)",
    style.MUTED: "var(--muted)",
    style.RULE: "var(--rule)",
    "#ffffff": "var(--paper)",
}
"""Colours of drawings that follow the page's theme."""


@dataclass
class Content:
    """Tables and pictures of a report; what could not be made is left out."""

    spec: ReportSpec
    runs: Runs
    published: pd.DataFrame
    claims: list[Claim]
    answer: str
    comparisons: list[Table]
    """One per box protocol, in the order of the spec; so are the next three."""
    differences: list[Table]
    videos: list[Table]
    ablations: list[Table]
    timing: Table
    oracle: Table | None = None
    statements: list[str] = field(default_factory=list)
    """Statements on a grid's comparisons."""
    drawings: dict[str, dict[str, Picture]] = field(default_factory=dict)
    """By section of the page, then by name."""
    data: Picture | None = None
    gallery: list[Picture] = field(default_factory=list)
    real_tables: list[Table] = field(default_factory=list)
    real_runs: Runs | None = None
    real_gallery: list[Picture] = field(default_factory=list)
    explanations: list[Picture] = field(default_factory=list)
    """The subject's inner maps, on the data set and on real video."""

    @property
    def tables(self) -> list[Table]:
        """All tables, to be written to files."""
        result = [*self.ablations, *self.comparisons, *self.differences, *self.videos]
        result += [self.oracle] if self.oracle else []
        return [*result, *self.real_tables, self.timing]


def render(content: Content) -> str:
    """Lay out the page. Equal content gives equal bytes: nothing of the moment is written."""
    environment = Environment(
        loader=PackageLoader("tdmi.reporting.page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "number": number, "heading": heading, "cell": _cell_parts, "plain": _plain,
        "inline": _inline_drawing, "encoded": _data_url, "transposed": transposed,
        "mean_first": _mean_first,
    }  # fmt: skip
    template = environment.get_template("page.html")
    folder = resources.files("tdmi.reporting.page") / "templates"
    source = {n: Markup((folder / f"page.{n}").read_text("utf-8").strip()) for n in ("css", "js")}
    page = template.render(
        content=content,
        spec=content.spec,
        runs=content.runs,
        least=comparison.LEAST,
        groups=GROUPS,
        published_values=VALUES,
        minimum_joints=MINIMUM_JOINTS,
        provenance=provenance(content),
        **source,
    )
    return re.sub(r">\n\s*<", "><", page)  # the templates' own line breaks


def _cell_parts(cell: Cell) -> tuple[str, str, str]:
    """Return a cell's text, its spread, and the value to sort by; "" for none."""
    main, _, spread = cell.text.partition(" ± ")
    star = "*" if spread.endswith("*") else ""
    value = "" if cell.value is None or cell.value != cell.value else str(cell.value)
    return main + star, f"± {spread.rstrip('*')}" if spread else "", value


def _plain(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(entry) for entry in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _data_url(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f"data:image/{path.suffix[1:].replace('jpg', 'jpeg')};base64,{data}"


def _inline_drawing(path: Path, label: str) -> Markup:
    """Return a saved SVG for the page: ids of its own, ink and rules of the page's theme."""
    text = path.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    for size in ("width", "height"):
        text = re.sub(rf'(<svg[^>]*?) {size}="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{path.stem}-", text)
    for colour, variable in _THEMED.items():
        text = text.replace(colour, variable)
    start = Markup('<svg role="img" aria-label="{}"').format(label)
    return Markup(text.replace("<svg", start, 1))


def _mean_first(table: Table) -> Table:
    """Move the columns that matter most beside the names, in sight on a narrow screen."""
    first = [i for i, text in enumerate(table.headings) if text.startswith(("Mean", "vs", "Seeds"))]
    order = [0, 1, *first, *(i for i in range(2, len(table.headings)) if i not in first)]
    return replace(
        table,
        headings=[table.headings[i] for i in order],
        cells=[[row[i] for i in order] for row in table.cells],
    )


def provenance(content: Content) -> tuple[Record, dict[str, dict[str, Record]]]:
    """Return what the records of all runs share, and the rest by method (its anchor) and run."""
    records, groups = {}, dict[str, list[str]]()
    for runs in filter(None, (content.runs, content.real_runs)):
        for (method, seed), record in runs.provenance.items():
            name = f"{runs.folder.name}/{method}/seed{seed}"
            records[name] = flat(record)
            groups.setdefault(f"runs-{runs.folder.name}-{method}", []).append(name)
    common, rest = shared(records)
    return common, {group: {name: rest[name] for name in own} for group, own in groups.items()}


def shared(runs: dict[str, Record]) -> tuple[Record, dict[str, Record]]:
    """Split flat mappings into the entries that are the same in all, and the rest of each."""

    def without(run: Record, left_out: set[str]) -> Record:
        return {key: value for key, value in run.items() if key not in left_out}

    first: Record = next(iter(runs.values()), {})
    differing = {k for k in first for run in runs.values() if k not in run or run[k] != first[k]}
    common = without(first, differing)
    return common, {name: without(run, {*common}) for name, run in runs.items()}
