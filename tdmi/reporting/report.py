"""A suite's whole report: made in a fresh folder from run folders, then put in place at once."""

from __future__ import annotations

import os
import shutil
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from pandas import DataFrame

from tdmi.core.errors import UserError
from tdmi.core.files import write_json, write_text
from tdmi.core.locks import exclusive_writer
from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import Runs, read_runs
from tdmi.reporting.data.settings import Settings
from tdmi.reporting.figures import ablation as ablation_figure
from tdmi.reporting.figures import accuracy as figures
from tdmi.reporting.figures import collapse, detail_drawings, explanation, gallery, style
from tdmi.reporting.figures.gallery import Picture
from tdmi.reporting.page import headline, page, published
from tdmi.reporting.page.content import Content
from tdmi.reporting.tables import ablation, tables
from tdmi.reporting.tables import oracle as headroom
from tdmi.reporting.tables.ablation import Contrast
from tdmi.reporting.tables.differences import differences_table

CONTENTS = ("index.html", "metrics.json", "provenance.json", "tables", "figures", "gallery")
WRITTEN = "README.md"
"""A reading of the results written by hand, which every new report keeps."""


def make_report(settings: Settings, runs_folder: Path, out: Path, published_file: Path) -> None:
    """Write `out` anew: page, tables, figures, gallery, metrics, provenance; its README.md stays.

    An interrupted report leaves the former one as it was. UserError if `out` holds anything else
    that no report writes, for it would be lost.
    """
    with exclusive_writer(out):
        _make_report(settings, runs_folder, out, published_file)


def _make_report(settings: Settings, runs_folder: Path, out: Path, published_file: Path) -> None:
    known = {*CONTENTS, WRITTEN}
    strangers = sorted({p.name for p in out.iterdir()} - known) if out.is_dir() else []
    if strangers:
        raise UserError(
            f"{out}: holds {', '.join(strangers)}, which no report writes; choose another --out"
        )
    fresh = out.with_name(f".{out.name}.{os.getpid()}.part")
    former = out.with_name(f".{out.name}.{os.getpid()}.former")
    try:
        build(settings, runs_folder, fresh, published_file)
        if (out / WRITTEN).exists():
            shutil.copy2(out / WRITTEN, fresh)
        if out.exists():
            out.rename(former)
        fresh.rename(out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(former, ignore_errors=True)


def build(settings: Settings, runs_folder: Path, folder: Path, published_file: Path) -> None:
    """Read the runs and write all files of the report into `folder`."""
    facts = published.read(published_file)
    runs = read_runs(runs_folder / settings.suite, settings.methods, settings.box_protocols)
    claims = headline.claims(runs, settings)
    content = Content(
        settings=settings,
        runs=runs,
        published=facts,
        claims=claims,
        answer=headline.sentence(runs, settings, claims),
        comparisons=[
            tables.comparison_table(runs, settings, protocol, settings.methods, settings.dataset)
            for protocol in settings.box_protocols
        ],
        differences=[
            differences_table(runs, settings, protocol)
            for protocol in settings.box_protocols
            if settings.ablation is None
        ],
        videos=[tables.per_video_table(runs, settings, p) for p in settings.box_protocols],
        timing=tables.timing_table(runs, settings),
    )
    content.data = gallery.contact_sheet(settings.dataset, folder / "gallery" / "data.jpg")
    content.gallery = gallery.method_gallery(settings, runs.folder, folder / "gallery")
    _add_real_video(content, runs_folder, folder)
    if settings.ablation is None:
        content.headroom = headroom.headroom_table(runs, settings)
    contrasts = _add_ablations(content)
    _add_drawings(content, folder / "figures", contrasts)
    content.explanations = explanation.explain_report(settings, runs_folder, folder / "figures")
    made = [content.ablations, content.comparisons, content.differences, content.videos]
    made += [[content.headroom]] if content.headroom else []
    for table in (*chain.from_iterable(made), *content.real_tables, content.timing):
        tables.write(table, folder / "tables")
    write_text(folder / "tables" / "runs.csv", tables.csv(tables.runs_frame(runs)))
    write_json(folder / "metrics.json", metrics_summary(runs, settings))
    write_json(folder / "provenance.json", _provenance(runs))
    write_text(folder / "index.html", page.render(content))


def metrics_summary(runs: Runs, settings: Settings) -> dict[str, Any]:
    """Mean AP over seeds per box protocol and method: the numbers to compare between revisions."""
    result: dict[str, Any] = {}
    for protocol in settings.box_protocols:
        summary = comparison.summary(comparison.per_seed(runs.groups, protocol))
        result[protocol] = {
            method.name: round(float(summary.loc[method.name, "mean"]), 6)
            for method in settings.methods
            if method.name in summary.index and summary.loc[method.name, "n"] > 0
        }
    return result


def _provenance(runs: Runs) -> dict[str, Any]:
    return {f"{method}/seed{seed}": value for (method, seed), value in runs.provenance.items()}


def _add_real_video(content: Content, runs_folder: Path, folder: Path) -> None:
    settings, video = content.settings, content.settings.real_video
    if video is None:
        return
    runs = read_runs(runs_folder / video.suite, video.methods, settings.box_protocols)
    content.real_runs = runs
    for protocol in settings.box_protocols:
        if protocol in set(runs.groups.protocol):
            content.real_tables.append(
                tables.comparison_table(
                    runs, settings, protocol, video.methods, video.dataset, "real_video_"
                )
            )
    content.real_gallery = gallery.real_video_gallery(settings, runs.folder, folder / "gallery")


def _add_ablations(content: Content) -> dict[str, list[Contrast]]:
    """Tables and statements of a grid; returns its comparisons by box protocol."""
    settings, found = content.settings, {}
    if settings.ablation is not None:
        for protocol in settings.box_protocols:
            found[protocol] = ablation.contrasts(content.runs, settings, protocol)
            content.ablations.append(
                ablation.ablation_table(content.runs, settings, protocol, found[protocol])
            )
            content.statements += ablation.statements(found[protocol], settings)
    return found


def _add_drawings(content: Content, folder: Path, contrasts: dict[str, list[Contrast]]) -> None:
    settings, runs = content.settings, content.runs
    methods, protocols = settings.methods, settings.protocols

    def add(name: str, figure: Figure, data: DataFrame, caption: str, conditions: str) -> None:
        style.save(figure, data, folder, name)
        content.drawings[name] = Picture(
            folder / f"{name}.svg", f"{caption} {conditions}", f"{caption} Numbers: {name}.csv."
        )

    everywhere = conditions_of(settings, " and ".join(protocols.values()))
    seeds = "Small dots: seeds; large marks: their mean."
    data = figures.mean_ap_data(runs, protocols, None)
    add(
        "mean_ap", figures.mean_ap(data, methods, protocols, None), data,
        f"Mean average precision of every method. {seeds}", everywhere,
    )  # fmt: skip
    for protocol, found in contrasts.items():
        data = ablation_figure.ablation_data(runs, protocol, found)
        add(
            f"ablation_{protocol}", ablation_figure.ablation(data, settings), data,
            ablation_figure.caption(settings, protocol),
            conditions_of(settings, settings.boxes(protocol)),
        )  # fmt: skip
    references = (settings.reference, settings.equal_compute, settings.equal_layers)
    for name in dict.fromkeys(references):
        if name is not None and settings.ablation is None:
            against = settings.method(name)
            data = figures.mean_ap_data(runs, protocols, name)
            add(
                f"difference_to_{name}", figures.mean_ap(data, methods, protocols, against), data,
                f"Difference in mean AP to “{against.label}”, seed by seed. {seeds}", everywhere,
            )  # fmt: skip
    for protocol, boxes in protocols.items():
        data = figures.per_joint_data(runs, protocol)
        add(
            f"per_joint_{protocol}", figures.per_joint(data, methods), data,
            f"Average precision per joint group on {boxes}, in per cent. "
            "Whiskers: standard deviation over seeds.",
            conditions_of(settings, boxes),
        )  # fmt: skip
    data = figures.cost_data(runs, protocols)
    add(
        "accuracy_against_cost", figures.accuracy_against_cost(data, methods, protocols), data,
        "Mean AP against the cost of one key frame (two operations per multiply-add). Whiskers: "
        "standard deviation over seeds.", everywhere,
    )  # fmt: skip
    if settings.ablation is None:
        detail_drawings.add_details(runs, settings, add, partial(conditions_of, settings))
    _add_curves(runs, settings, add)


def _add_curves(runs: Runs, settings: Settings, add) -> None:
    drawn = "Thin lines: seeds; grey: the means of all other methods."
    where = f"{settings.dataset.name}."
    own = "loss_heatmap" in runs.history and runs.history.loss_heatmap.notna().all()
    column, label = ("loss_heatmap", "Heatmap loss") if own else ("loss", "Training loss")
    data = figures.history_data(runs, column)
    add(
        "training_loss", figures.training_curves(data, settings.methods, label, True), data,
        f"{label} over training. {drawn}", where,
    )  # fmt: skip
    data = figures.history_data(runs, "val_ap")
    if len(data):
        figure = figures.training_curves(data, settings.methods, "Validation AP (%)", False)
        add("validation_ap", figure, data, f"Validation AP over training. {drawn}", where)
    data = collapse.collapse_data(runs)
    if len(data):
        add(collapse.NAME, collapse.collapse(data, settings.methods), data, collapse.CAPTION, where)


def conditions_of(settings: Settings, boxes: str) -> str:
    """Under what conditions a figure's numbers were measured, for its caption."""
    inference = settings.settings.get("inference") or {}
    words = [f"{settings.dataset.name}, split {settings.dataset.split}", boxes]
    if "decoder" in inference:
        words.append(f"decoder {inference['decoder']}")
    if "flip" in inference:
        words.append("flip averaging " + ("on" if inference["flip"] else "off"))
    words.append("seeds " + ", ".join(str(seed) for seed in settings.seeds))
    return "; ".join(words) + "."
