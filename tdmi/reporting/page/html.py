"""Pieces of the page: escaped text, sortable tables, pictures as data, drawings as inline SVG."""

from __future__ import annotations

import base64
import re
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from tdmi.reporting.figures import style
from tdmi.reporting.tables.tables import NOT_RUN, Cell, Table

_THEMED = {style.INK: "var(--ink)", style.MUTED: "var(--muted)", style.RULE: "var(--rule)"}
_THEMED["#ffffff"] = "var(--paper)"


def document(
    title: str, eyebrow: str, introduction: str, sections: list[tuple[str, str, str]], footer: str
) -> str:
    """The whole page; a section is (id, title, body). Title and eyebrow are text, the rest HTML."""
    first, heading, _ = sections[0]
    return Template(_file("page.html")).substitute(
        title=escape(title),
        eyebrow=escape(eyebrow),
        first=first,
        skip=escape(f"Skip to {heading[0].lower()}{heading[1:]}"),
        introduction=introduction,
        navigation="".join(f'<a href="#{key}">{escape(text)}</a>' for key, text, _ in sections),
        sections="\n".join(
            f'<section id="{key}"{_class(key)}><h2>{escape(text)}</h2>{body}</section>'
            for key, text, body in sections
        ),
        footer=footer,
        css=_file("page.css").strip(),
        script=_file("page.js").strip(),
    )


def _file(name: str) -> str:
    return (resources.files("tdmi.reporting.page") / "templates" / name).read_text(encoding="utf-8")


def _class(key: str) -> str:
    return ' class="elsewhere"' if key == "published" else ""


def table(source: Table, marked_rows: frozenset[int] = frozenset(), folded: bool = False) -> str:
    """A table that scrolls within itself; each heading is a button that sorts by its column.

    Every measured number leads to the provenance of its runs, if the table knows where that stands.
    `folded` puts the second column as a second line into the first, which saves width.
    """
    heads = "".join(
        f'<th scope="col"{_side(source, i)}><button type="button">{escape(text)}</button></th>'
        for i, text in enumerate(source.headings)
        if not (folded and i == 1)
    )
    body = []
    for index, row in enumerate(source.cells):
        classes = ["end"] if index in source.section_ends else []
        classes += ["marked"] if index in marked_rows else []
        under = row[1].text if folded else ""
        target = source.sources[index] if source.sources else ""
        cells = _cell(source, 0, row[0], under) + "".join(
            _cell(source, i, row[i], target=target) for i in range(2 if folded else 1, len(row))
        )
        body.append(
            f'<tr class="{" ".join(classes)}">{cells}</tr>' if classes else f"<tr>{cells}</tr>"
        )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(source.title)}">'
        f'<table class="sortable" aria-describedby="about-{source.name}"><thead><tr>{heads}</tr>'
        f"</thead><tbody>{''.join(body)}</tbody></table></div>"
        f'<p class="note" id="about-{source.name}">{escape(source.caption)}</p>'
    )


def _side(source: Table, index: int) -> str:
    return "" if index < source.text_columns else ' class="number"'


def _cell(source: Table, index: int, cell: Cell, under: str = "", target: str = "") -> str:
    main, _, spread = cell.text.partition(" ± ")
    star = "*" if spread.endswith("*") else ""
    text = escape(main + star)
    if cell.best:
        text = f"<strong>{text}</strong>"
    elif cell.text == NOT_RUN:
        text = f"<em>{text}</em>"
    if target and text and isinstance(cell.value, float):
        text = f'<a href="#{target}">{text}</a>'
    if spread or under:
        text += f"<small>{escape('± ' + spread.rstrip('*') if spread else under)}</small>"
    value = "" if cell.value is None or cell.value != cell.value else escape(str(cell.value))
    tag = 'th scope="row"' if index == 0 else "td"
    return f'<{tag}{_side(source, index)} data-value="{value}">{text}</{tag.split()[0]}>'


def pairs(rows: list[tuple[str, Any]]) -> str:
    """A two-column table of names and values."""
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(_plain(value))}</td></tr>'
        for name, value in rows
    )
    return f'<div class="scroll"><table class="pairs"><tbody>{body}</tbody></table></div>'


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one level: {"a": {"b": 1}} -> {"a · b": 1}."""
    if not isinstance(value, dict):
        return {prefix: value}
    result: dict[str, Any] = {}
    for name, inner in value.items():
        result |= flat(inner, f"{prefix} · {name}" if prefix else str(name))
    return result


def _plain(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(entry) for entry in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def picture(path: Path, alternative: str, caption: str) -> str:
    kind = path.suffix[1:].replace("jpg", "jpeg")
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return (
        f'<figure><div class="scroll" tabindex="0"><img alt="{escape(alternative)}" '
        f'src="data:image/{kind};base64,{data}"></div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def drawing(path: Path, alternative: str, caption: str) -> str:
    """A saved SVG put into the page: ids made its own, ink and rules following the page's theme."""
    text = path.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{path.stem}-", text)
    for colour, variable in _THEMED.items():
        text = text.replace(colour, variable)
    label = f'<svg role="img" aria-label="{escape(alternative)}"'
    return (
        f'<figure><div class="scroll" tabindex="0">{text.replace("<svg", label, 1)}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def details(summary: str, content: str, opened: bool = False) -> str:
    attribute = " open" if opened else ""
    return f"<details{attribute}><summary>{escape(summary)}</summary>{content}</details>"
