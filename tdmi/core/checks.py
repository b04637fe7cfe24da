"""Check named options before they build something: a wrong one is an error of one line."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from tdmi.core.errors import UserError

T = TypeVar("T")


def choose(name: str, value: str, allowed: Collection[str]) -> str:
    """Return `value` if it is one of `allowed`; otherwise raise UserError naming the option."""
    if value not in allowed:
        raise UserError(f"option {name}: found {value!r}, expected one of {', '.join(allowed)}")
    return value


def at_least(name: str, value: int, least: int) -> int:
    """Return `value` if it is a whole number >= `least`; otherwise raise UserError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UserError(
            f"option {name}: found {value!r}, expected a whole number of at least {least}"
        )
    return value


def number(name: str, value: float, least: float = -math.inf) -> float:
    """Return `value` as a float if it is a finite number >= `least`; otherwise raise UserError."""
    whole = isinstance(value, int | float) and not isinstance(value, bool)
    if not whole or not math.isfinite(value) or value < least:
        bound = "" if least == -math.inf else f" of at least {least:g}"
        raise UserError(f"option {name}: found {value!r}, expected a number{bound}")
    return float(value)


def yes_or_no(name: str, value: bool) -> bool:
    """Return `value` if it is True or False; otherwise raise UserError."""
    if not isinstance(value, bool):
        raise UserError(f"option {name}: found {value!r}, expected true or false")
    return value


def mapping(name: str, value: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a copy of `value`, empty for None; UserError if it is no mapping."""
    if value is not None and not isinstance(value, Mapping):
        raise UserError(f"option {name}: found {value!r}, expected options by name")
    return dict(value or {})


def build(
    name: str, constructor: Callable[..., T], options: Mapping[str, Any] | None, *fixed: Any
) -> T:
    """Call `constructor(*fixed, **options)`; an unknown option is a UserError that names `name`.

    A constructor with `**options` of its own gets what it does not name, and checks it.
    """
    options = mapping(name, options)
    parameters = inspect.signature(constructor).parameters
    names = list(parameters)[len(fixed) :]
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    taken = list(parameters)[: len(fixed)]
    for option in options:
        if option in taken or (option not in names and not open_ended):
            expected = ", ".join(names) or "no options"
            raise UserError(f"option {name}: found unknown {option!r}, expected {expected}")
    return constructor(*fixed, **options)
