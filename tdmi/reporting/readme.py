"""The README's front: main figure, short table and finding, derived from a suite's results folder.

Everything is computed from `tables/runs.csv` and the comparison's costs, by the rules of
`tdmi.reporting.data.comparison`, so no run folder is needed.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import pandas as pd

from tdmi.core.errors import UserError
from tdmi.reporting.data import comparison
from tdmi.reporting.data.settings import Method, Settings
from tdmi.reporting.tables.tables import Cell, Table, markdown, number, seeds_text, with_spread

BEGIN = "<!-- front: written by `python workflow/scripts/readme_front.py` from results -->"
END = "<!-- end of front -->"


def put(text: str, front: str, path: Path) -> str:
    """`text` with what stands between the markers replaced; UserError names `path`."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise UserError(f"{path}: expected once each the lines {BEGIN!r} and {END!r}; add them")
    return f"{text[: text.index(BEGIN)]}{BEGIN}\n{front}{text[text.index(END) :]}"


def front(settings: Settings, folder: Path, link: str) -> str:
    """Markdown of the front; `folder` is a suite's results, `link` its path from the README."""
    runs, costs = _read(settings, folder)
    by_protocol = {p: comparison.per_seed(runs, p) for p in settings.box_protocols}
    protocol = settings.box_protocols[0]
    values = by_protocol[protocol]
    figure = f"![Mean AP of every method]({link}/figures/mean_ap.png)\n"
    finding = _finding(settings, values, protocol)
    return "\n".join([figure, finding, _table(settings, by_protocol, costs)])


def _read(settings: Settings, folder: Path) -> tuple[pd.DataFrame, pd.Series]:
    runs = folder / "tables" / "runs.csv"
    costs = folder / "tables" / f"comparison_{settings.box_protocols[0]}.csv"
    for path in (runs, costs):
        if not path.exists():
            raise UserError(f"{path}: no such file; make it with `snakemake --cores all`")
    return pd.read_csv(runs), pd.read_csv(costs, index_col="method")["gflops"]


def _table(settings: Settings, by_protocol: dict[str, pd.DataFrame], costs: pd.Series) -> str:
    protocol = settings.box_protocols[0]
    summaries = {p: comparison.summary(values) for p, values in by_protocol.items()}
    against = {
        name: comparison.differences(by_protocol[protocol], name)
        for name in _references(settings).values()
    }
    rows = []
    for method in settings.methods:
        row = [Cell(method.label)]
        for table in summaries.values():
            mean, std = _of(table, method, "mean"), _of(table, method, "std")
            row.append(Cell(with_spread(mean, std), best=mean == table["mean"].max()))
        for name, table in against.items():
            row.append(Cell("reference" if name == method.name else _difference(table, method)))
        done = int(summaries[protocol]["n"].get(method.name, 0))
        row += [Cell(number(costs.get(method.name), 2)), Cell(seeds_text(done, len(method.seeds)))]
        rows.append(row)
    boxes = " and ".join(f"on {settings.boxes(p)}" for p in summaries)
    return markdown(
        Table(
            name="front",
            title="",
            caption=(
                f"Mean AP {boxes}, in per cent, over seeds ± sample standard deviation; "
                f"differences on {settings.boxes(protocol)}, paired by seed, * where their 95% "
                "interval excludes zero (from 0.1 on); GFLOPs per key frame."
            ),
            headings=[
                "Method",
                *(f"AP, {settings.boxes(p)}" for p in summaries),
                *(f"to {words}" for words in _references(settings)),
                "GFLOPs",
                "Seeds",
            ],
            cells=rows,
            data=pd.DataFrame(),
            text_columns=1,
        )
    )


def _references(settings: Settings) -> dict[str, str]:
    found = {"single frame": settings.reference}
    return found | ({"equal layers": settings.equal_layers} if settings.equal_layers else {})


def _difference(table: pd.DataFrame, method: Method) -> str:
    text = with_spread(_of(table, method, "mean"), _of(table, method, "std"), sign=True)
    return text + ("*" if table["holds"].get(method.name) else "")


def _of(table: pd.DataFrame, method: Method, column: str) -> float:
    return float(table[column].get(method.name, float("nan")))


def _finding(settings: Settings, values: pd.DataFrame, protocol: str) -> str:
    """What the differences say of the methods that see neighbouring frames, by rule."""
    single = settings.method(settings.reference)
    controls = {settings.reference, settings.equal_compute, settings.equal_layers}
    temporal = [
        method
        for method in settings.methods
        if method.name in values.index
        and method.name not in controls
        and method.family != single.family
    ]
    changes = comparison.differences(values, single.name)
    text = (
        f"In short, on {settings.boxes(protocol)} and beyond the spread of seeds: of "
        f"{len(temporal)} methods that see neighbouring frames, {_split(changes, temporal)}, "
        f"measured against “{single.label}”."
    )
    if settings.equal_layers in values.index:
        control = settings.method(settings.equal_layers)
        text += (
            f" Against “{control.label}”, which sees the key frame alone "
            f"({_difference(changes, control).rstrip('*')} AP to the former), "
            f"{_split(comparison.differences(values, control.name), temporal)}."
        )
    return textwrap.fill(text, 100, break_on_hyphens=False) + "\n"


def _split(table: pd.DataFrame, methods: list[Method]) -> str:
    """How many are ahead, behind and neither, by how much, and which if they are few."""
    holds, means = table["holds"], table["mean"]
    ahead = [m for m in methods if holds[m.name] and means[m.name] > 0]
    behind = [m for m in methods if holds[m.name] and means[m.name] < 0]
    rest = len(methods) - len(ahead) - len(behind)
    parts = [_count(len(ahead), "ahead") + _which(ahead, means)]
    parts.append(_count(len(behind), "behind") + _which(behind, means))
    return f"{', '.join(parts)} and {_count(rest, 'not told apart')}"


def _count(count: int, words: str) -> str:
    return f"{count or 'none'} {'are' if count > 1 else 'is'} {words}"


def _which(methods: list[Method], means: pd.Series) -> str:
    if not methods:
        return ""
    sizes = [number(size) for size in sorted(means[[m.name for m in methods]].abs())]
    span = sizes[0] if sizes[0] == sizes[-1] else f"{sizes[0]} to {sizes[-1]}"
    names = "" if len(methods) > 3 else f": {', '.join(m.label for m in methods)}"
    return f" (by {span} AP{names})"
