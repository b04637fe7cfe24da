"""The page: one HTML file with everything inside it, readable offline, on a phone and on paper."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

from tdmi.reporting.data import comparison
from tdmi.reporting.data.settings import Settings
from tdmi.reporting.figures import collapse, detail_drawings
from tdmi.reporting.figures.gallery import Picture, gallery_rule
from tdmi.reporting.page import html, published
from tdmi.reporting.page.content import Content
from tdmi.reporting.page.headline import AHEAD, BEHIND, NOT_RUN, OPEN, Claim, subject_of
from tdmi.reporting.tables.tables import Table, number, turned

RULE = (
    "Differences are taken seed by seed; a rival with a single run (the weights that all others "
    "start from) is subtracted from every seed. “Beyond the spread of seeds” means that the 95% "
    "Student interval of these differences (in brackets) excludes zero and that their mean is at "
    f"least {comparison.LEAST} AP; less is called not told apart, however small the spread, for it "
    "is of no use. The “best” of a family is chosen on these very results, which favours the rival."
)


def render(content: Content) -> str:
    """Lay out the page. Equal content gives equal bytes: nothing of the moment is written."""
    sections = [
        ("answer", "The answer", _answer(content)),
        ("accuracy", "Accuracy", _accuracy(content)),
        ("pictures", "To look at", _gallery(content)),
        ("real-video", "Real video", _real_video(content)),
        ("inside", "Inside the method", _inside(content)),
        ("training", "Training and time", _training(content)),
        ("data", "Data", _data(content)),
        ("choices", "Methods and choices", _choices(content.settings)),
        ("limits", "What this shows, and what not", _limits(content.settings)),
        ("provenance", "Provenance", _provenance(content)),
        ("published", "Published elsewhere", _published(content)),
    ]
    sections = [section for section in sections if section[2]]
    return html.document(
        content.settings.title,
        "Video human pose estimation · measured results",
        _introduction(content),
        sections,
        "<p>Made by <code>tdmi report</code> from run folders alone; a cell whose run does not "
        "exist is blank.</p>",
    )


def _introduction(content: Content) -> str:
    settings = content.settings
    release = f", labels {content.runs.release}" if content.runs.release else ""
    planned = sum(len(method.seeds) for method in settings.methods)
    done = len(content.runs.groups[["method", "seed"]].drop_duplicates())
    facts = [
        (settings.dataset.name, f"split “{settings.dataset.split}”{release}"),
        (str(len(settings.methods)), "methods"),
        (f"{done} of {planned}" if done < planned else str(done), "runs"),
        (_counts(content), "labelled people in the test split"),
    ]
    items = "".join(f"<li><b>{escape(b)}</b>{escape(text)}</li>" for b, text in facts if b)
    summary = f"<p>{escape(settings.summary)}</p>" if settings.summary else ""
    return f'{summary}<ul class="facts">{items}</ul>'


def _counts(content: Content) -> str:
    counts = content.runs.counts
    return "" if counts.empty else f"{int(counts.ground_truth_persons.iloc[0]):,}"


def _answer(content: Content) -> str:
    if content.ablations:
        return _ablation(content)
    if not content.claims:
        return _drawing(content, "mean_ap")
    subject = subject_of(content.settings).label
    against = content.settings.strictest
    return (
        f'<p class="lead">{escape(content.answer)}</p>'
        f"{_verdicts(content.claims, content.settings, subject)}"
        f'<p class="note">{escape(RULE)}</p>' + _drawing(content, f"difference_to_{against}")
    )


def _ablation(content: Content) -> str:
    said = "".join(f"<p>{escape(text)}</p>" for text in content.statements)
    parts = [
        _drawing(content, table.name) + f"<h3>{escape(table.title)}</h3>{html.table(table)}"
        for table in content.ablations
    ]
    return said + "".join(parts)


def _verdicts(claims: list[Claim], settings: Settings, subject: str) -> str:
    heads = [f"on {settings.boxes(protocol)}" for protocol in settings.box_protocols]
    rows = []
    for question in dict.fromkeys(claim.question for claim in claims):
        cells = "".join(
            f'<td data-head="{escape(head)}">{_verdict(claim)}</td>'
            for head, claim in zip(
                heads, (c for c in claims if c.question == question), strict=True
            )
        )
        rows.append(f'<tr><th scope="row">{escape(subject)} {escape(question)}</th>{cells}</tr>')
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    return (
        '<table class="verdicts"><thead><tr><th scope="col">Gain in mean AP</th>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _verdict(claim: Claim) -> str:
    if claim.status == NOT_RUN:
        return '<span class="badge unknown">not run</span>'
    kind = {AHEAD: "ahead", BEHIND: "behind", OPEN: "open"}.get(claim.status, "unknown")
    interval = f"[{number(claim.low, 1, True)}, {number(claim.high, 1, True)}], "
    interval = interval if claim.seeds > 1 else ""
    return (
        f"<b>{number(claim.mean, 1, True)}</b> "
        f'<span class="interval">{interval}{claim.seeds} seed{"s" if claim.seeds > 1 else ""}, '
        f"against {escape(claim.rival.label)}</span><br>"
        f'<span class="badge {kind}">{escape(claim.verdict)}</span>'
    )


def _accuracy(content: Content) -> str:
    parts = [_titled(table, content.settings) for table in content.comparisons]
    parts += [html.details(table.title, html.table(table)) for table in content.differences]
    names = [name for name in content.drawings if name.startswith("per_joint_")]
    details = [name for name in content.drawings if name.startswith(detail_drawings.NAMES)]
    shown = content.settings.strictest
    others = [
        name for name in content.drawings
        if name.startswith("difference_to_") and name != f"difference_to_{shown}"
    ]  # fmt: skip
    first = ["mean_ap"] if content.claims or content.ablations else []
    names = (*first, *others, *names, *details, "accuracy_against_cost")
    parts += [_drawing(content, name) for name in names]
    if content.headroom:
        parts.append(f"<h3>{escape(content.headroom.title)}</h3>{html.table(content.headroom)}")
    return "".join(parts)


def _titled(table: Table, settings: Settings) -> str:
    marked = [i for i, m in enumerate(settings.methods) if m.name == settings.subject]
    body = html.table(_mean_first(table), frozenset(marked), folded=True)
    return f"<h3>{escape(table.title)}</h3>{body}"


def _mean_first(table: Table) -> Table:
    """The columns that matter most beside the names, where a narrow screen shows them, too."""
    first = [i for i, text in enumerate(table.headings) if text.startswith(("Mean", "vs", "Seeds"))]
    order = [0, 1, *first, *(i for i in range(2, len(table.headings)) if i not in first)]
    return replace(
        table,
        headings=[table.headings[i] for i in order],
        cells=[[row[i] for i in order] for row in table.cells],
    )


def _drawing(content: Content, name: str) -> str:
    drawing = content.drawings.get(name)
    return html.drawing(drawing.path, drawing.alternative, drawing.caption) if drawing else ""


def _pictures(pictures: list[Picture]) -> str:
    return "".join(_picture(picture) for picture in pictures)


def _picture(picture: Picture) -> str:
    """What moves can be folded away."""
    shown = html.picture(picture.path, picture.alternative, picture.caption)
    return html.details("Moving picture", shown, opened=True) if picture.moving else shown


def _gallery(content: Content) -> str:
    if not content.gallery:
        return "<p>No predictions to show: not run.</p>"
    return f"<p>{escape(gallery_rule(content.settings))}</p>{_pictures(content.gallery)}"


def _real_video(content: Content) -> str:
    if content.settings.real_video is None:
        return ""
    video = content.settings.real_video.dataset
    words = (
        f"{video.name}, split “{video.split}”: frames of real video. Its labels are pseudo-labels, "
        "not annotated by people; agreement with them is no measure of truth. Shown are, moving, "
        "the successive frames on which the methods differ most, and the one such frame of each "
        "of some equal stretches."
    )
    body = "".join(
        f"<h3>{escape(table.title)}</h3>{html.table(_mean_first(table), folded=True)}"
        for table in content.real_tables
    )
    if content.real_gallery:
        body += f'<div class="pictures">{_pictures(content.real_gallery)}</div>'
    return f"<p>{escape(words)}</p>{body or '<p>Not run.</p>'}"


def _inside(content: Content) -> str:
    return _pictures(content.explanations)


def _training(content: Content) -> str:
    names = ("training_loss", "validation_ap", collapse.NAME)
    curves = "".join(_drawing(content, name) for name in names)
    return f"{curves}<h3>{escape(content.timing.title)}</h3>{html.table(content.timing)}"


def _data(content: Content) -> str:
    parts = [_pictures([content.data])] if content.data else []
    parts += [html.details(table.title, html.table(turned(table))) for table in content.videos]
    return "".join(parts)


def _choices(settings: Settings) -> str:
    methods = [(m.label, m.description or m.family_label) for m in settings.methods]
    choices = list(html.flat(dict(settings.settings)).items())
    return (
        "<p>All methods share trainer, boxes, crops, decoder and evaluator; a method differs by "
        f"its own file only.</p><h3>Methods</h3>{html.pairs(methods)}"
        f"<h3>Choices of this suite</h3>{html.pairs(choices)}"
    )


def _limits(settings: Settings) -> str:
    shows = [
        "How the methods compare on the same boxes, crops, decoder, training budget and evaluator.",
        "Which differences are larger than what another random seed would change.",
        "Every number comes from a run folder and can be traced to its code, data and seed.",
    ]
    hides = [
        "The spread over seeds covers the randomness of training alone. Other test videos would "
        "change the figures, too; only an interval over videos says by how much.",
        "Many differences are judged at once; where there is none, one interval in twenty excludes "
        "zero all the same.",
        "Sizes, input and training length are those in the table of choices. Where they are below "
        "a paper's, nothing here confirms or refutes that paper's figures.",
    ]
    if settings.dataset.labels == "exact":
        hides.append(
            "The pictures are rendered. How far an order of methods carries over to real video is "
            "not shown by them."
        )
    if settings.dataset.labels == "pseudo":
        hides.append("The labels are pseudo-labels: agreement with them is no measure of truth.")
    lists = ("".join(f"<li>{escape(text)}</li>" for text in texts) for texts in (shows, hides))
    return (
        f'<div class="columns"><div><h3>It shows</h3><ul>{next(lists)}</ul></div>'
        f"<div><h3>It does not show</h3><ul>{next(lists)}</ul></div></div>"
    )


def _provenance(content: Content) -> str:
    found, groups = {}, {}
    for runs in filter(None, (content.runs, content.real_runs)):
        for (method, seed), record in runs.provenance.items():
            name = f"{runs.folder.name}/{method}/seed{seed}"
            found[name] = html.flat(record)
            groups.setdefault(f"runs-{runs.folder.name}-{method}", []).append(name)
    if not found:
        return "<p>Not run.</p>"
    common, differing = shared(found)
    single = "".join(
        f'<div id="{group}">'
        + "".join(html.details(n, html.pairs(list(differing[n].items()))) for n in names)
        + "</div>"
        for group, names in groups.items()
    )
    several = content.runs.commits
    told = f"<p>The runs are of several commits: {escape(several)}.</p>" if several else ""
    return f"{told}<p>The same for all runs:</p>{html.pairs(list(common.items()))}" + html.details(
        "What differs from run to run", single
    )


def shared(runs: dict[str, dict[str, Any]]) -> tuple[dict, dict[str, dict]]:
    """Split flat mappings into the entries that all have alike, and the rest of each."""
    first = next(iter(runs.values()))
    common = {
        key: value
        for key, value in first.items()
        if all(key in run and run[key] == value for run in runs.values())
    }
    rest = {
        name: {key: value for key, value in run.items() if key not in common}
        for name, run in runs.items()
    }
    return common, rest


def _published(content: Content) -> str:
    return (
        "<p><strong>Nothing in this part was measured here.</strong> These are figures from papers "
        "and public notes, with other boxes, decoders, training data and flip settings; most rows "
        "cannot be compared with one another, and none with the tables above. Figures in italics "
        "are recalled and could not be checked.</p>" + published.page_part(content.published)
    )
