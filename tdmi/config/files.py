"""Files of the workflow's configuration: found by name, read and checked."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, Literal

from tdmi.config.section import Plain, Section, check, schema_of
from tdmi.config.suite import GridFile, MethodFile, SuiteFile
from tdmi.core.errors import UserError
from tdmi.core.files import read_yaml

WORKFLOW = Path("workflow")
"""The folder of this name in the current folder, or else in the checkout of this package."""
Kind = Literal["suite", "method", "grid"]
FOLDERS: dict[Kind, str] = {"suite": "config", "method": "config/methods", "grid": "config/grids"}
FORMS: dict[Kind, type[Section]] = {"suite": SuiteFile, "method": MethodFile, "grid": GridFile}


def locate(workflow: Path) -> Path:
    """Return the folder that `WORKFLOW` stands for; another one is returned as it is.

    Raises UserError if neither the current folder nor the package's checkout has it.
    """
    checkout = Path(__file__).resolve().parents[2] / WORKFLOW
    if workflow != WORKFLOW or workflow.is_dir():
        return workflow
    if (checkout / FOLDERS["suite"]).is_dir():
        return checkout
    raise UserError(
        f"{Path.cwd()}: found no folder {workflow} with suites, expected a checkout of tdmi-bench; "
        "change into one (the installed package alone has no suites)"
    )


def read_config(
    kind: Kind, name: str, workflow: Path = WORKFLOW, source: Path | None = None
) -> tuple[Path, Plain]:
    """Return path and checked content of a suite, method or grid.

    `source`: the file that asks for it. Raises UserError for an unknown name or a fault in the
    file.
    """
    folder = locate(workflow) / FOLDERS[kind]
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(known_configs(kind, workflow)) or "none"
        place = f"{source}: " if source else ""
        raise UserError(f"{place}no {kind} {name!r} in {folder}; expected one of {known}")
    return path, deepcopy(_checked(path, kind, path.stat().st_mtime_ns))


@cache
def _checked(path: Path, kind: Kind, changed: int) -> Any:
    """Content of a file; one that has not `changed` is read once, because grids read it again."""
    content = read_yaml(path)
    check(schema_of(FORMS[kind]), content, str(path), "top level")
    return content


def known_configs(kind: Kind, workflow: Path = WORKFLOW) -> list[str]:
    """Names of all suites, methods or grids, in alphabetical order."""
    return sorted(path.stem for path in (locate(workflow) / FOLDERS[kind]).glob("*.yaml"))
