"""Write the schemas of the workflow's files and the table of choices from the classes of settings.

    python workflow/scripts/write_schemas.py [DIR]

DIR is the checkout to write to, by default the current folder. Call it after an option was added or
changed; a test compares the files with it. Editors check and complete YAML with the schemas.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml

from tdmi.config.files import FORMS
from tdmi.config.inference import Inference
from tdmi.config.inputs import Augmentation, Crop
from tdmi.config.section import Section, fields_of, schema_of
from tdmi.config.suite import MethodEntry
from tdmi.config.training import Recipe
from tdmi.core.files import read_yaml, write_text

SECTIONS: dict[str, type[Section]] = {
    "crop": Crop,
    "augmentation": Augmentation,
    "recipe": Recipe,
    "": MethodEntry,
    "inference": Inference,
}
"""Sections with choices, by the name before the dot of an option."""
CHOICES = Path(__file__).with_name("choices.yaml")
HEAD = """\
# Choices

Where the paper, the authors' code and good sense disagree, the answer is a named option. TDMI's own
are tabled in [tdmi/models/README.md](../tdmi/models/README.md). Those that all methods share stand
here. This file is written by `python workflow/scripts/write_schemas.py`.

| Choice | Default | Alternatives | Why |
|---|---|---|---|
"""


def schema_text(kind: str) -> str:
    """Content of ``workflow/schemas/<kind>.schema.yaml``."""
    form = FORMS[kind]
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": (form.__doc__ or "").removesuffix("."),
    }
    # Through JSON, so that YAML sees no part twice and writes no references.
    content = json.loads(json.dumps(head | schema_of(form)))
    style: dict[str, Any] = {"width": 100, "allow_unicode": True, "default_flow_style": None}
    text = yaml.safe_dump(content, sort_keys=False, **style)
    return f"# Written by `python workflow/scripts/write_schemas.py`.\n{text}"


def choices_text() -> str:
    """Content of ``docs/choices.md``."""
    rows = [_values(row["option"]) | row if "option" in row else row for row in read_yaml(CHOICES)]
    keys = ("choice", "default", "alternatives", "why")
    return HEAD + "".join(f"| {' | '.join(row.get(key, '') for key in keys)} |\n" for row in rows)


def _values(choice: str) -> dict[str, str]:
    """Name, default and alternatives of an option of the settings, as its section has them."""
    prefix, _, name = choice.rpartition(".")
    field = fields_of(SECTIONS[prefix])[name]
    values = get_args(get_type_hints(SECTIONS[prefix])[field.name])
    others = [f"`{v}`" for v in values if isinstance(field.default, str) and v != field.default]
    return {
        "choice": f"`{choice}`",
        "default": f"`{field.default}`",
        "alternatives": ", ".join(others),
    }


def texts() -> dict[str, str]:
    """Content of all files, by their paths in a checkout."""
    schemas = {f"workflow/schemas/{kind}.schema.yaml": schema_text(kind) for kind in FORMS}
    return schemas | {"docs/choices.md": choices_text()}


if __name__ == "__main__":
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    for path, text in texts().items():
        write_text(root / path, text)
