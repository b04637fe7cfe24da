"""A suite's whole report: made in a fresh folder from run folders, then moved into place."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tdmi.core.errors import UserError
from tdmi.core.files import write_json, write_text
from tdmi.core.locks import exclusive_writer
from tdmi.reporting.data import comparison
from tdmi.reporting.data.runs import Runs, read_runs
from tdmi.reporting.data.spec import ReportSpec
from tdmi.reporting.figures import catalogue, explanation, gallery
from tdmi.reporting.page import headline, published
from tdmi.reporting.page.page import Content, render
from tdmi.reporting.tables import ablation, oracle, results, tables

CONTENTS = ("index.html", "metrics.json", "provenance.json", "tables", "figures", "gallery")
WRITTEN = "README.md"
"""A reading of the results written by hand, which every new report keeps."""


def make_report(spec: ReportSpec, runs_folder: Path, out: Path, published_file: Path) -> None:
    """Write `out` anew: page, tables, figures, gallery, metrics, provenance; its README.md stays.

    An interrupted report leaves the former one as it was.

    Raises:
        UserError: `out` holds anything that no report writes and that would be lost.
    """
    with exclusive_writer(out):
        known = {*CONTENTS, WRITTEN}
        unknown = sorted({p.name for p in out.iterdir()} - known) if out.is_dir() else []
        if unknown:
            raise UserError(
                f"{out}: holds {', '.join(unknown)}, which no report writes; choose another --out"
            )
        fresh = out.with_name(f".{out.name}.{os.getpid()}.part")
        former = out.with_name(f".{out.name}.{os.getpid()}.former")
        try:
            build(spec, runs_folder, fresh, published_file)
            if (out / WRITTEN).exists():
                shutil.copy2(out / WRITTEN, fresh)
            if out.exists():
                out.rename(former)
            fresh.rename(out)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.rmtree(former, ignore_errors=True)


def build(spec: ReportSpec, runs_folder: Path, folder: Path, published_file: Path) -> None:
    """Read the runs and write all files of the report into `folder`."""
    facts = published.read(published_file)
    runs = read_runs(runs_folder / spec.suite, spec.methods, spec.box_protocols)
    claims = headline.claims(runs, spec)
    is_grid, protocols = spec.is_grid, spec.box_protocols
    contrasts = {p: ablation.contrasts(runs, spec, p) for p in protocols if is_grid}
    content = Content(
        spec=spec,
        runs=runs,
        published=facts,
        claims=claims,
        answer=headline.sentence(runs, spec, claims),
        comparisons=[results.comparison_table(runs, spec, p) for p in protocols],
        differences=[results.differences_table(runs, spec, p) for p in protocols if not is_grid],
        videos=[results.videos_table(runs, spec, p) for p in protocols],
        ablations=[ablation.ablation_table(runs, spec, *found) for found in contrasts.items()],
        timing=results.timing_table(runs, spec),
        oracle=None if is_grid else oracle.oracle_table(runs, spec),
        statements=[s for own in contrasts.values() for s in ablation.statements(own, spec)],
        data=gallery.contact_sheet(spec.dataset, folder / "gallery" / "data.jpg"),
        gallery=gallery.method_gallery(spec, runs.folder, folder / "gallery"),
    )
    _add_real_video(content, runs_folder, folder)
    found = [contrast for own in contrasts.values() for contrast in own]
    for section in catalogue.SECTIONS:
        content.drawings[section] = {}
    for figure in catalogue.figures(runs, spec, found):
        content.drawings[figure.section][figure.name] = figure.write(spec, folder / "figures")
    content.explanations = explanation.explain_report(spec, runs_folder, folder / "figures")
    for table in content.tables:
        tables.write(table, folder / "tables")
    write_text(folder / "tables" / "runs.csv", tables.csv(runs.frame))
    write_json(folder / "metrics.json", metrics_summary(runs, spec))
    records = {f"{method}/seed{seed}": record for (method, seed), record in runs.provenance.items()}
    write_json(folder / "provenance.json", records)
    write_text(folder / "index.html", render(content))


def metrics_summary(runs: Runs, spec: ReportSpec) -> dict[str, dict[str, float]]:
    """Return mean AP over seeds per box protocol and method, to compare between revisions."""
    names = [method.name for method in spec.methods]
    means = {p: comparison.per_seed(runs.groups, p).mean(axis=1) for p in spec.box_protocols}
    kept = {protocol: own.reindex(names).dropna() for protocol, own in means.items()}
    return {p: {name: round(float(x), 6) for name, x in own.items()} for p, own in kept.items()}


def _add_real_video(content: Content, runs_folder: Path, folder: Path) -> None:
    spec = content.spec.real_video
    if spec is None:
        return
    runs = content.real_runs = read_runs(runs_folder / spec.suite, spec.methods, spec.box_protocols)
    content.real_tables = [
        results.comparison_table(runs, spec, protocol, prefix="real_video_")
        for protocol in spec.box_protocols
        if protocol in set(runs.groups.protocol)
    ]
    content.real_gallery = gallery.real_video_gallery(spec, runs.folder, folder / "gallery")
