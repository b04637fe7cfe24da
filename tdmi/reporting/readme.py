"""The README's summary: main figure, finding and short table, derived from a suite's results.

Everything is computed from `tables/runs.csv` and the comparison's costs, by the rules of
`tdmi.reporting.data.comparison`, so no run folder is needed.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import pandas as pd

from tdmi.core.errors import UserError
from tdmi.reporting.data import comparison
from tdmi.reporting.data.spec import Method, Reference, ReportSpec
from tdmi.reporting.tables import tables
from tdmi.reporting.tables.tables import Cell, Table

BEGIN = "<!-- summary: written by `python workflow/scripts/readme.py` from results -->"
END = "<!-- end of summary -->"
_NUMBERS = (
    "none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
)  # fmt: skip


def replace_between_markers(text: str, summary: str, path: Path) -> str:
    """Return `text` with what stands between the markers replaced; UserError names `path`."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise UserError(f"{path}: expected once each the lines {BEGIN!r} and {END!r}; add them")
    return f"{text[: text.index(BEGIN)]}{BEGIN}\n{summary}{text[text.index(END) :]}"


def readme_summary(spec: ReportSpec, folder: Path, link: str) -> str:
    """Return Markdown; `folder` holds a suite's results, `link` is its path from the README."""
    runs = folder / "tables" / "runs.csv"
    costs = folder / "tables" / f"comparison_{spec.box_protocols[0]}.csv"
    for path in (runs, costs):
        if not path.exists():
            raise UserError(f"{path}: no such file; make it with `snakemake --cores all`")
    measured, cost = pd.read_csv(runs), pd.read_csv(costs, index_col="method")
    by_protocol = {p: comparison.per_seed(measured, p) for p in spec.box_protocols}
    figure = f"![Mean AP of every method]({link}/figures/mean_ap.png)\n"
    finding = _finding(spec, by_protocol[spec.box_protocols[0]])
    return "\n".join([figure, finding, _table(spec, by_protocol, cost)])


def _table(spec: ReportSpec, by_protocol: dict[str, pd.DataFrame], cost: pd.DataFrame) -> str:
    first = by_protocol[spec.box_protocols[0]]
    summaries = [comparison.summary(values) for values in by_protocol.values()]
    changes = {r: comparison.differences(first, r.method.name) for r in _references(spec)}
    rows = []
    for method in spec.methods:
        row = [Cell(method.label)]
        for table in summaries:
            mean, std = tables.values_of(table, method, "mean", "std")
            row.append(tables.mean_cell(mean, std, best=mean == table["mean"].max()))
        for reference, table in changes.items():
            mean, std = tables.values_of(table, method, "mean", "std")
            holds, is_reference = table["holds"].get(method.name), method == reference.method
            row.append(tables.difference_cell(mean, std, holds, is_reference))
        (gflops,) = tables.values_of(cost, method, "gflops")
        done = int(summaries[0]["n"].get(method.name, 0))
        row += [Cell(tables.number(gflops, 2)), tables.seeds_cell(done, method)]
        rows.append(row)
    boxes = list(spec.protocols.values())
    caption = (
        f"Mean AP on {' and on '.join(boxes)}, in per cent, over seeds ± sample standard "
        f"deviation; differences on {boxes[0]}, paired by seed, * where their 95% interval "
        f"excludes zero (from {comparison.LEAST} on); GFLOPs per key frame."
    )
    headings = ["Method", *(f"AP, {name}" for name in boxes)]
    headings += [f"to {reference.words}" for reference in changes]
    headings += ["GFLOPs", "Seeds"]
    return tables.markdown(Table("summary", "", caption, headings, rows, pd.DataFrame(), 1))


def _references(spec: ReportSpec) -> list[Reference]:
    """Return the single frame and the strictest reference."""
    return list(dict.fromkeys((spec.references[0], spec.references[-1])))


def _finding(spec: ReportSpec, values: pd.DataFrame) -> str:
    """Return how many methods that see neighbouring frames beat the references, by rule."""
    controls = {reference.method for reference in spec.references}
    temporal = [
        method
        for method in spec.methods
        if method.name in values.index
        and method not in controls
        and method.family != spec.reference.family
    ]
    of, sentences = f" of {_count(len(temporal))} temporal methods", list[str]()
    for reference in _references(spec):
        if reference.method.name in values.index:
            change = comparison.differences(values, reference.method.name)
            sentences.append(_sentence(change, temporal, reference, "" if sentences else of))
    boxes = spec.boxes(spec.box_protocols[0])
    sentences.append(f"Counted are differences beyond the spread of seeds, on {boxes}.")
    return textwrap.fill(" ".join(sentences), 100, break_on_hyphens=False) + "\n"


def _sentence(change: pd.DataFrame, methods: list[Method], reference: Reference, of: str) -> str:
    """Return e.g. "Two of three temporal methods beat the single frame by 0.5-0.7 AP"."""
    means = change["mean"]
    holding = [method for method in methods if change["holds"][method.name]]
    ahead = [method for method in holding if means[method.name] > 0]
    behind = [method for method in holding if means[method.name] < 0]
    verb = "beat" if len(ahead) > 1 else "beats"
    text = f"{_count(len(ahead)).capitalize()}{of} {verb} {reference.description}"
    text += f" by {_span(ahead, means)}" if ahead else ""
    if behind:
        verb, names = "is" if len(behind) == 1 else "are", ", ".join(m.label for m in behind)
        text += f"; {_count(len(behind))} {verb} worse by {_span(behind, means)} ({names})"
    return text + "."


def _count(count: int) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def _span(methods: list[Method], means: pd.Series) -> str:
    sizes = [tables.number(size) for size in sorted(means[[m.name for m in methods]].abs())]
    return (sizes[0] if sizes[0] == sizes[-1] else f"{sizes[0]}-{sizes[-1]}") + " AP"
