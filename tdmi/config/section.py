"""Sections of settings: frozen dataclasses, read from YAML, checked, and written back.

A field holds type, default, limits and meaning of an option. The check of a file, the JSON schemas
and the values in the table of choices come from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import Any, ClassVar, Literal, Self, get_args, get_origin, get_type_hints

from tdmi.core.errors import UserError

Plain = dict[str, Any]
"""A mapping as YAML gives it."""

SHARE: Plain = {"minimum": 0, "maximum": 1}
"""Limits of a share or probability."""
_JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def option(
    default: Any = dataclasses.MISSING,
    text: str = "",
    *,
    key: str | None = None,
    keys: tuple[str, ...] | None = None,
    **limits: Any,
) -> Any:
    """Return a field of a `Section`.

    Args:
        text: its meaning, for the schema.
        key: its name in YAML where that is no name in Python.
        keys: of a section, the options that may be given, none of which is required.
        limits: keywords of JSON schema, e.g. `minimum`.
    """
    details = {"text": text, "key": key, "keys": keys, "limits": limits}
    return dataclasses.field(default=default, metadata=details)


class Section:
    """Base class of all parts of the settings."""

    rules: ClassVar[Plain] = {}
    """Further keywords of JSON schema for the whole section."""

    @classmethod
    def from_dict(cls, value: Any, place: str) -> Self:
        """Check a mapping and read it; UserError starts with `place` and names key and fault."""
        check(schema_of(cls), value, place, "top level")
        return cls.from_checked(value)

    @classmethod
    def from_checked(cls, value: Mapping[str, Any]) -> Self:
        """Read a mapping that is known to be right."""
        found = {key: (field, value[key]) for key, field in fields_of(cls).items() if key in value}
        hints = get_type_hints(cls)
        section = cls(**{f.name: _typed(hints[f.name], part) for f, part in found.values()})
        object.__setattr__(section, "_written", tuple(key for key in value if key in found))
        return section

    def to_dict(self) -> Plain:
        """The mapping as it was given: what it does not name is not written.

        A section made in Python gives what has no default or differs from it.
        """
        fields = fields_of(type(self))
        values = {key: getattr(self, field.name) for key, field in fields.items()}
        written = vars(self).get("_written")
        if written is None:
            written = [key for key, field in fields.items() if values[key] != field.default]
        return {key: _plain(values[key]) for key in written}


def fields_of(section: type[Section]) -> dict[str, dataclasses.Field[Any]]:
    """Fields of a section by their names in YAML."""
    fields = dataclasses.fields(section)  # type: ignore[arg-type]
    return {field.metadata.get("key") or field.name: field for field in fields}


def schema_of(section: type[Section], keys: tuple[str, ...] | None = None) -> Plain:
    """JSON schema of a section; with `keys`, of a part of it that holds some of these."""
    hints, known = get_type_hints(section), fields_of(section)
    schema: Plain = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            key: _schema_of_field(hints[field.name], field)
            for key, field in known.items()
            if keys is None or key in keys
        },
    }
    if keys is not None:
        return schema
    required = [key for key, field in known.items() if field.default is dataclasses.MISSING]
    return schema | ({"required": required} if required else {}) | section.rules


def check(schema: Plain, value: Any, place: str, whole: str) -> None:
    """Raise UserError for the first fault of `value`; `whole` names the value itself."""
    import jsonschema  # the evaluator, which reads records of runs, does without

    faults = jsonschema.Draft202012Validator(schema).iter_errors(value)
    error = jsonschema.exceptions.best_match(faults)
    if error is None:
        return
    where = "/".join(map(str, error.absolute_path)) or whole
    allowed = ""
    if error.validator == "additionalProperties" and "properties" in error.schema:
        allowed = f"; expected keys: {', '.join(error.schema['properties'])}"
    raise UserError(f"{place}: {where}: {error.message}{allowed}")


def _without_none(hint: Any) -> Any:
    """X of an annotation X | None."""
    parts = get_args(hint)
    return next(t for t in parts if t is not NoneType) if NoneType in parts else hint


def _schema_of_field(hint: Any, field: dataclasses.Field[Any]) -> Plain:
    details = field.metadata
    schema: Plain = _schema_of_type(_without_none(hint), details.get("keys"))
    schema |= details.get("limits", {})
    if isinstance(field.default, bool | int | float | str):
        schema |= {"default": field.default}
    text = details.get("text")
    return schema | ({"description": text} if text else {})


def _schema_of_type(hint: Any, keys: tuple[str, ...] | None) -> Plain:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        items = {"type": "array", "items": _schema_of_type(arguments[0], None)}
        fixed = () if arguments[-1] is ... else ("minItems", "maxItems")
        return items | dict.fromkeys(fixed, len(arguments))
    if origin is Mapping:
        values = arguments[1]
        inner = {} if values is Any else {"additionalProperties": _schema_of_type(values, keys)}
        return {"type": "object"} | inner
    if issubclass(hint, Section):
        return schema_of(hint, keys)
    return {"type": _JSON_TYPES[hint]}


def _typed(hint: Any, value: Any) -> Any:
    hint = _without_none(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if value is None:
        return None
    if origin is tuple:
        return tuple(_typed(arguments[0], item) for item in value)
    if origin is Mapping:
        return {key: _typed(arguments[1], item) for key, item in value.items()}
    if isinstance(hint, type) and issubclass(hint, Section):
        return hint.from_checked(value)
    return value


def flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested mappings with their dotted names, e.g. ``recipe.steps``."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Plain:
    """`base` with `changes`, mapping into mapping; any other value is replaced."""
    result = dict(base)
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            value = merged(result[key], value)
        result[key] = value
    return result


def _plain(value: Any) -> Any:
    if isinstance(value, Section):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
