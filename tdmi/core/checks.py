"""Check named options before they build something: a wrong one is an error of one line."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar, Unpack, get_args, get_origin, get_type_hints

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
    name: str,
    constructor: Callable[..., T],
    options: Mapping[str, Any] | None,
    /,
    **fixed: Any,
) -> T:
    """Return `constructor(**fixed, **options)`.

    An option that the constructor does not know (see `keywords`), or that `fixed` already gives, is
    a UserError with `name`, the option, and the known ones. A constructor whose names cannot be
    listed gets every option, and checks them itself.
    """
    options = mapping(name, options)
    known = keywords(constructor)
    if known is not None:
        known = [keyword for keyword in known if keyword not in fixed]
    for option in options:
        if option in fixed or (known is not None and option not in known):
            expected = ", ".join(known or []) or "no options"
            raise UserError(f"option {name}: found unknown {option!r}, expected {expected}")
    return constructor(**fixed, **options)


def keywords(constructor: Callable[..., Any]) -> list[str] | None:
    """Return the names that `constructor` takes by keyword; None if they cannot be listed.

    `**options: Unpack[SomeTypedDict]` stands for that dictionary's keys. Any other `**options` of a
    class goes to the next base class with a constructor of its own, so its names are added.
    """
    calls: list[Callable[..., Any]] = [constructor]
    if isinstance(constructor, type):
        bases = constructor.__mro__[:-1]  # without `object`
        calls = [vars(base)["__init__"] for base in bases if "__init__" in vars(base)]
    names: list[str] = []
    for call in calls:
        parameters = inspect.signature(call).parameters.values()
        named = (p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
        names += [name for name in named if name != "self" and name not in names]
        rest = next((p.name for p in parameters if p.kind is p.VAR_KEYWORD), None)
        if rest is None:
            return names
        annotation = get_type_hints(call).get(rest)
        if get_origin(annotation) is Unpack:
            (options,) = get_args(annotation)
            return names + [name for name in options.__annotations__ if name not in names]
    return None if calls else []
