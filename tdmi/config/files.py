"""Files of the workflow's configuration: found by name, read, checked by their schema."""

from __future__ import annotations

from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from typing import Any

import jsonschema
from referencing import Registry, Resource

from tdmi.core.errors import UserError
from tdmi.core.files import read_yaml

WORKFLOW = Path("workflow")
FOLDERS = {"suite": "config", "method": "config/methods", "grid": "config/grids"}


def read_config(
    kind: str, name: str, workflow: Path = WORKFLOW, source: Path | None = None
) -> tuple[Path, dict[str, Any]]:
    """Path and checked content of a "suite", "method" or "grid".

    `source`: the file that asks for it. Raises UserError for an unknown name or a fault in the
    file.
    """
    folder = workflow / FOLDERS[kind]
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(known_configs(kind, workflow)) or "none"
        place = f"{source}: " if source else ""
        raise UserError(f"{place}no {kind} {name!r} in {folder}; expected one of {known}")
    schema = workflow / "schemas" / f"{kind}.schema.yaml"
    return path, deepcopy(_checked(path, schema, path.stat().st_mtime_ns))


@cache
def _checked(path: Path, schema: Path, changed: int) -> Any:
    """Content of a file; one that has not `changed` is read once, for grids read it again."""
    content = read_yaml(path)
    check(content, schema, path)
    return content


def known_configs(kind: str, workflow: Path = WORKFLOW) -> list[str]:
    return sorted(path.stem for path in (workflow / FOLDERS[kind]).glob("*.yaml"))


def check(value: Any, schema_path: Path, path: Path, definition: str | None = None) -> None:
    """Validate against a JSON schema or one of its `$defs`; the first fault is a UserError.

    A schema may refer to others of its folder by their file names.
    """
    error = jsonschema.exceptions.best_match(_validator(schema_path, definition).iter_errors(value))
    if error is None:
        return
    place = "/".join(map(str, error.absolute_path)) or definition or "top level"
    allowed = ""
    if error.validator == "additionalProperties" and "properties" in error.schema:
        allowed = f"; expected keys: {', '.join(error.schema['properties'])}"
    raise UserError(f"{path}: {place}: {error.message}{allowed}")


@cache
def _validator(schema_path: Path, definition: str | None) -> jsonschema.Draft202012Validator:
    schema = read_yaml(schema_path)
    if definition is not None:
        schema = schema["$defs"][definition]
    others = Registry(retrieve=partial(_schema, schema_path.parent))
    return jsonschema.Draft202012Validator(schema, registry=others)


@cache
def _schema(folder: Path, name: str) -> Resource:
    return Resource.from_contents(read_yaml(folder / name))
