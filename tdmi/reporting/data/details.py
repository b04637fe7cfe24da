"""The parts of metrics.json that `tdmi evaluate --curves --slices` adds, as rows of data frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tdmi.core.errors import UserError


def add_details(
    content: dict[str, Any], path: Path, key: dict[str, object], rows: dict[str, list]
) -> None:
    """Add each part that the content has to the rows of its name. UserError if it is broken."""
    for part, read in _PARTS.items():
        if part not in content:
            continue
        try:
            rows[part] += [key | row for row in read(content[part])]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{path}: {part}: found something else ({type(error).__name__}: {error}) than "
                "`tdmi evaluate --curves --slices` writes; evaluate this run again"
            ) from None


def _slices(content: dict[str, Any]) -> Iterator[dict[str, object]]:
    """Columns attribute, low, high (NaN where open), persons, few, ap."""
    for attribute, entry in content.items():
        for part in entry["bins"]:
            yield {
                "attribute": attribute,
                "low": _number(part["from"]),
                "high": _number(part["to"]),
                "persons": int(part["persons"]),
                "few": bool(part["few"]),
                "ap": _number(part["ap"]["total"]),
            }


def _pckh(content: dict[str, Any]) -> Iterator[dict[str, object]]:
    """Columns threshold, within: of all annotated joints, in per cent, mean of the joints."""
    for threshold, value in zip(content["thresholds"], content["annotated"]["total"], strict=True):
        yield {"threshold": _number(threshold), "within": _number(value)}


def _reliability(content: dict[str, Any]) -> Iterator[dict[str, object]]:
    """Columns low (of the bin), joints, mean_score, right (in per cent); empty bins left out."""
    lows = content["edges"][:-1]
    columns = (content["joints"], content["mean_score"], content["right"])
    for low, joints, mean_score, right in zip(lows, *columns, strict=True):
        if joints:
            yield {
                "low": _number(low),
                "joints": int(joints),
                "mean_score": _number(mean_score),
                "right": _number(right),
            }


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


_PARTS: dict[str, Callable[[dict[str, Any]], Iterator[dict[str, object]]]] = {
    "slices": _slices,
    "pckh": _pckh,
    "reliability": _reliability,
}
COLUMNS = {
    "slices": ["attribute", "low", "high", "persons", "few", "ap"],
    "pckh": ["threshold", "within"],
    "reliability": ["low", "joints", "mean_score", "right"],
}
