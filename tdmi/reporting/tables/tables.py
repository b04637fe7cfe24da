"""Tables of a suite: the comparison per box protocol, the single videos, all runs, and timing.

A table is made once, as cells for people and as a data frame for machines; `write` then gives CSV,
Markdown and LaTeX. Formats are fixed and nothing of the moment is written, so that equal runs give
equal bytes; what differs from run to run of the same seed stands in the timing table alone.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tdmi.core.files import write_text
from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import GROUPS, Runs
from tdmi.reporting.data.settings import Dataset, Method, Settings

NOT_RUN = "not run"
_LATEX = str.maketrans(
    {sign: "\\" + sign for sign in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"±": r"$\pm$", "\N{MINUS SIGN}": "$-$", "×": r"$\times$"}
)

DIFFERENCES_CAPTION = (
    "Differences are paired by seed (a reference with a single run is subtracted from all); "
    f"* marks those of at least {comparison.LEAST} whose 95% Student interval excludes zero. "
)
_MOTA_CAPTION = (
    " MOTA: the evaluator's tracking accuracy, mean of the joints, of the sure part of the same "
    "predictions, joined to tracks by one tracker for all methods."
)


@dataclass(frozen=True)
class Cell:
    """What people read, what a column is sorted by, and whether it is the best of its column."""

    text: str = ""
    value: float | str | None = None
    best: bool = False


@dataclass(frozen=True)
class Table:
    """`data` is the machine-readable form: one row per row of `cells`, spreads in own columns."""

    name: str
    title: str
    caption: str
    headings: list[str]
    cells: list[list[Cell]]
    data: pd.DataFrame
    text_columns: int = 2
    """The first columns hold words and stand left; all others hold numbers and stand right."""
    section_ends: tuple[int, ...] = ()
    """Rows after which another family begins."""
    sources: tuple[str, ...] = ()
    """`anchor` of the runs that gave the numbers of each row."""


def number(value: float | None, digits: int = 1, sign: bool = False) -> str:
    """Fixed decimals with a real minus sign; blank for NaN and None."""
    if value is None or math.isnan(value):
        return ""
    text = f"{value:{'+' if sign else ''}.{digits}f}"
    if float(text) == 0:
        text = text.replace("-", "+" if sign else "")
    return text.replace("-", "\N{MINUS SIGN}")


def with_spread(mean: float, std: float, digits: int = 1, sign: bool = False) -> str:
    text = number(mean, digits, sign)
    spread = number(std, digits)
    return f"{text} ± {spread}" if text and spread else text


def heading(column: str) -> str:
    return {"total": "Mean", "mota": "MOTA"}.get(column, column.capitalize())


def comparison_table(
    runs: Runs,
    settings: Settings,
    protocol: str,
    methods: tuple[Method, ...],
    dataset: Dataset,
    prefix: str = "",
) -> Table:
    """AP per joint group, differences to the references, size and cost, one row a method.

    The mean is the evaluator's: the plain mean of all joints, not of the seven groups. `prefix`
    goes before the table's name.
    """
    release = f" (labels {runs.release})" if runs.release else ""
    values = {group: comparison.per_seed(runs.groups, protocol, group) for group in GROUPS}
    summaries = {group: comparison.summary(values[group]) for group in GROUPS}
    if ((runs.groups.measure == "mota") & (runs.groups.protocol == protocol)).any():
        tracked = comparison.per_seed(runs.groups, protocol, measure="mota")
        summaries["mota"] = comparison.summary(tracked)
    best = {column: table["mean"].max() for column, table in summaries.items()}
    references = []
    if settings.ablation is None:  # whose differences have a table of their own
        references.append(("single_frame", settings.reference, "vs single frame"))
    if settings.equal_compute:
        references.append(("equal_compute", settings.equal_compute, "vs equal compute"))
    if settings.equal_layers:
        references.append(("equal_layers", settings.equal_layers, "vs equal layers"))
    changes = {key: comparison.differences(values["total"], name) for key, name, _ in references}
    cost = runs.cost.set_index("method")
    rows, data = [], []
    for method in methods:
        cells = [Cell(method.label, method.label), Cell(method.family_label, method.family_label)]
        record = {"method": method.name, "label": method.label, "family": method.family}
        for column, table in summaries.items():
            mean, std = _row(table, method.name, ("mean", "std"))
            cells.append(Cell(with_spread(mean, std), mean, mean == best[column]))
            record |= {f"{_key(column)}_mean": mean, f"{_key(column)}_std": std}
        for key, name, _ in references:
            cell, entries = _difference(changes[key], method.name, name, key)
            cells.append(cell)
            record |= entries
        parameters, gflops = _row(cost, method.name, ("parameters", "gflops"))
        cells += [Cell(number(parameters / 1e6, 2), parameters), Cell(number(gflops, 2), gflops)]
        (n,) = _row(summaries["total"], method.name, ("n",))
        done = 0 if math.isnan(n) else int(n)
        cells.append(Cell(seeds_text(done, len(method.seeds)), done))
        record |= {"parameters": parameters, "gflops": gflops}
        record |= {"seeds": done, "seeds_planned": len(method.seeds)}
        record |= {"runs": source(runs, method)}
        rows.append(cells)
        data.append(record)
    headings = ["Method", "Family", *(heading(column) for column in summaries)]
    headings += [text for _, _, text in references] + ["Params (M)", "GFLOPs", "Seeds"]
    return Table(
        name=f"{prefix}comparison_{protocol}",
        title=f"Comparison on {dataset.boxes(protocol)}",
        caption=(
            f"{dataset.name}{release}, split {dataset.split}, labels: {dataset.label_kind}. "
            f"Average precision of {settings.judge} in per cent, mean over seeds ± sample standard "
            "deviation. "
            + (DIFFERENCES_CAPTION if references else "")
            + "Params: whole model. GFLOPs: per key frame, two operations per multiply-add."
            + (_MOTA_CAPTION if "mota" in summaries else "")
            + (f" {settings.note}" if settings.note else "")
            + (f" Runs of several commits: {runs.commits}." if runs.commits else "")
        ),
        headings=headings,
        cells=rows,
        data=pd.DataFrame(data).astype({"parameters": "Int64"}),
        section_ends=section_ends(methods),
        sources=tuple(anchor(runs, method) for method in methods),
    )


def per_video_table(runs: Runs, settings: Settings, protocol: str) -> Table:
    """Mean AP of every video, averaged over seeds, one row a method."""
    chosen = runs.videos[runs.videos.protocol == protocol]
    means = chosen.groupby(["method", "video"]).ap_total.mean().astype(float)
    videos = sorted(chosen.video.unique())
    rows, data = [], []
    for method in settings.methods:
        numbers = [means.get((method.name, video), float("nan")) for video in videos]
        rows.append([Cell(method.label, method.label)] + [Cell(number(x), x) for x in numbers])
        record = {"method": method.name} | dict(zip(videos, numbers, strict=True))
        data.append(record | {"runs": source(runs, method)})
    return Table(
        name=f"videos_{protocol}",
        title=f"Single videos, {settings.boxes(protocol)}",
        caption="Mean AP of each video in per cent, averaged over seeds.",
        headings=["Method", *videos],
        cells=rows,
        data=pd.DataFrame(data),
        text_columns=1,
        section_ends=section_ends(settings.methods),
        sources=tuple(anchor(runs, method) for method in settings.methods),
    )


def timing_table(runs: Runs, settings: Settings) -> Table:
    """Training time and speed of prediction: of this machine and moment, not reproducible."""
    timing = runs.timing.set_index("method") if len(runs.timing) else pd.DataFrame()
    columns = {
        "train_seconds": ("Training (s)", 0),
        "train_samples_per_second": ("Training (samples/s)", 1),
        "predict_ms_per_person": ("Prediction (ms/person)", 1),
    }
    rows, data = [], []
    for method in settings.methods:
        own = timing.loc[[method.name]] if method.name in timing.index else pd.DataFrame()
        cells, record = [Cell(method.label, method.label)], {"method": method.name}
        device = ", ".join(sorted({str(x) for x in own["device"]})) if "device" in own else ""
        cells.append(Cell(device, device))
        for key, (_, digits) in columns.items():
            numbers = own[key].astype(float) if key in own else pd.Series(dtype=float)
            mean, std = numbers.mean(), numbers.std(ddof=1)
            cells.append(Cell(with_spread(mean, std, digits), mean))
            record |= {f"{key}_mean": mean, f"{key}_std": std}
        cells.append(Cell(seeds_text(len(own), len(method.seeds)), len(own)))
        rows.append(cells)
        record |= {"device": device, "seeds": len(own), "runs": source(runs, method)}
        data.append(record)
    return Table(
        name="timing",
        title="Time",
        caption=(
            "Wall time, mean over seeds ± sample standard deviation. It depends on the machine "
            "and on what else it did; it is no part of what a repeated run must reproduce."
        ),
        headings=["Method", "Device", *(text for text, _ in columns.values()), "Seeds"],
        cells=rows,
        data=pd.DataFrame(data),
        section_ends=section_ends(settings.methods),
        sources=tuple(anchor(runs, method) for method in settings.methods),
    )


def runs_frame(runs: Runs) -> pd.DataFrame:
    """Every measured number of every run with the run's folder, long: the base of all tables."""
    joined = pd.concat([runs.groups, runs.joints], ignore_index=True)
    order = ["method", "seed", "protocol", "measure", "joint"]
    joined = joined.sort_values(order, kind="stable", ignore_index=True)
    joined["run"] = joined.set_index(["method", "seed"]).index.map(runs.names)
    return joined


def anchor(runs: Runs, method: Method) -> str:
    """Id of the part of the page that tells the provenance of a method's runs; "" without any."""
    told = any(name == method.name for name, _ in runs.provenance)
    return f"runs-{runs.folder.name}-{method.name}" if told else ""


def source(runs: Runs, method: Method) -> str:
    """The run folders behind a row, below the folder of all runs."""
    return " ".join(runs.names_of(method.name))


def write(table: Table, folder: Path) -> None:
    """Write `<name>.csv`, `.md` and `.tex` into `folder`."""
    write_text(folder / f"{table.name}.csv", csv(table.data))
    write_text(folder / f"{table.name}.md", markdown(table))
    write_text(folder / f"{table.name}.tex", latex(table))


def turned(table: Table) -> Table:
    """A table of videos with a row per video and a column per method: there may be many videos."""
    names, *columns = zip(*table.cells, strict=True)
    heads = [[Cell(heading, heading)] for heading in table.headings[1:]]
    return Table(
        name=table.name,
        title=table.title,
        caption=table.caption,
        headings=["Video", *(cell.text for cell in names)],
        cells=[[*head, *column] for head, column in zip(heads, columns, strict=True)],
        data=table.data,
        text_columns=1,
    )


def csv(data: pd.DataFrame) -> str:
    return data.to_csv(index=False, float_format="%.6g", lineterminator="\n")


def markdown(table: Table) -> str:
    lines = ["| " + " | ".join(table.headings) + " |"]
    lines.append("|" + "|".join([":--"] * table.text_columns + _right(table, "--:")) + "|")
    for row in table.cells:
        texts = (f"**{cell.text}**" if cell.best else cell.text for cell in row)
        lines.append("| " + " | ".join(texts) + " |")
    return f"{chr(10).join(lines)}\n\n{table.caption.replace('*', chr(92) + '*')}\n"


def latex(table: Table) -> str:
    """A `table` environment that needs the package booktabs."""
    columns = "l" * table.text_columns + "".join(_right(table, "r"))
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_escaped(table.caption)}}}",
        rf"\label{{tab:{table.name.replace('_', '-')}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(_escaped(text) for text in table.headings) + r" \\",
        r"\midrule",
    ]
    for index, row in enumerate(table.cells):
        texts = (rf"\textbf{{{_escaped(c.text)}}}" if c.best else _escaped(c.text) for c in row)
        lines.append(" & ".join(texts) + r" \\")
        if index in table.section_ends:
            lines.append(r"\midrule")
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def _right(table: Table, mark: str) -> list[str]:
    return [mark] * (len(table.headings) - table.text_columns)


def _escaped(text: str) -> str:
    return text.translate(_LATEX)


def _key(group: str) -> str:
    return "mean_ap" if group == "total" else group


def _row(table: pd.DataFrame, name: str, columns: tuple[str, ...]) -> list[float]:
    if name not in table.index:
        return [float("nan")] * len(columns)
    return [float(table.loc[name, column]) for column in columns]


def seeds_text(done: int, planned: int) -> str:
    if done == 0:
        return NOT_RUN
    return str(done) if done == planned else f"{done} of {planned}"


def _difference(table: pd.DataFrame, name: str, against: str, key: str) -> tuple[Cell, dict]:
    mean, std, low, high = _row(table, name, ("mean", "std", "low", "high"))
    holds = table["holds"].get(name)
    entries = {f"vs_{key}_mean": mean, f"vs_{key}_std": std}
    entries |= {f"vs_{key}_low": low, f"vs_{key}_high": high}
    if name == against:
        return Cell("reference" if not math.isnan(mean) else "", mean), entries
    return Cell(with_spread(mean, std, sign=True) + ("*" if holds else ""), mean), entries


def section_ends(methods: tuple[Method, ...]) -> tuple[int, ...]:
    pairs = enumerate(itertools.pairwise(methods))
    return tuple(i for i, (one, other) in pairs if one.family != other.family)
