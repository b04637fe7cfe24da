"""Write the schemas of the workflow's files and the table of choices from the classes of settings.

    python workflow/scripts/write_schemas.py [DIR]

DIR is the checkout to write to, by default the current folder. Call it after an option was added or
changed; a test compares the files with it. Editors check and complete YAML with the schemas.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args, get_type_hints

import yaml

from tdmi.config.files import FORMS
from tdmi.config.inference import Inference
from tdmi.config.inputs import Augmentation, Crop
from tdmi.config.section import Choice, Section, fields_of, schema_of
from tdmi.config.suite import MethodEntry
from tdmi.config.training import Recipe
from tdmi.core.files import write_text

SECTIONS: dict[str, type[Section]] = {
    "crop.": Crop,
    "augmentation.": Augmentation,
    "recipe.": Recipe,
    "": MethodEntry,
    "inference.": Inference,
}
"""Sections with choices, by what stands before an option's name."""
NO_OPTION = {
    "protocol": Choice(
        "`shared`: one recipe, crop, augmentation and inference for all",
        "`published`: each method's own (`tdmi/config/published.py`)",
        "the shared one compares methods, the published one compares with papers",
    ),
    "boxes of PoseTrack2017 people": Choice(
        "extent of the joints enlarged by 30 % (poseval's conversion)",
        why="these labels have no boxes",
    ),
    "joint score": Choice("heatmap maximum × box score", why="DCPose, TDMI"),
    "backbone norms in temporal training: `backbone_norm`": Choice(
        "`frozen`", "`updated`", "released code calls backbones frozen whose statistics drift"
    ),
    "first weights: `start_from`, `initial_weights`": Choice(
        "a single-frame run on the same data, itself from COCO weights",
        "COCO weights alone (`initial_weights`)",
        "equal start for all methods",
    ),
    "training data of PoseTrack18 and 21": Choice(
        "the set's own training split",
        "another suite's run as `start_from` (a suite with `base`): fine-tuning",
        "joint training on several sets is not offered",
    ),
    "loss from scratch": Choice(
        "squared error weighted by 1 + 9 · target",
        "plain (`loss_foreground: 0`)",
        "plain error stays at a mean pose within a small budget; temporal training uses the plain "
        "one",
    ),
    "PoseTrack21 scores": Choice(
        "cut to whole numbers in frames whose coordinates are all written as integers, with a "
        "warning",
        why="its kit does",
    ),
    "predictions that MOTA is measured on": Choice(
        "their confident part (`tracking` in a suite), joined to tracks by one tracker",
        why="MOTA punishes every doubtful joint, AP does not",
    ),
    "false positives in a slice": Choice(
        "shared among the slices by their people",
        why="one slice with everybody is then exactly the whole AP",
    ),
    "HiEve's head size": Choice(
        "a tenth of the longer side of the person box", why="its labels have no head box"
    ),
    "AP ties, odd input": Choice(
        "as the official evaluator; where it crashes, a stated answer", why="`tdmi/evaluation`"
    ),
}
"""Choices that are made in the code, or by the options of methods."""
HEAD = """\
# Choices

Where the paper, the authors' code and good sense disagree, the answer is a named option. TDMI's own
are tabled in [tdmi/models/README.md](../tdmi/models/README.md). Those that all methods share stand
here. This file is written by `python workflow/scripts/write_schemas.py`.

| Choice | Default | Alternatives | Why |
|---|---|---|---|
"""


class _Dumper(yaml.SafeDumper):
    """Writes equal parts out each time."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def schema_text(kind: str) -> str:
    """Content of ``workflow/schemas/<kind>.schema.yaml``."""
    form = FORMS[kind]
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": (form.__doc__ or "").removesuffix("."),
    }
    text = yaml.dump(
        head | schema_of(form),
        Dumper=_Dumper,
        sort_keys=False,
        width=100,
        allow_unicode=True,
        default_flow_style=None,
    )
    return f"# Written by `python workflow/scripts/write_schemas.py`.\n{text}"


def choices_text() -> str:
    """Content of ``docs/choices.md``."""
    rows = [row for prefix, section in SECTIONS.items() for row in _rows(prefix, section)]
    rows += [(name, choice) for name, choice in NO_OPTION.items()]
    lines = [f"| {name} | {c.default} | {c.alternatives} | {c.why} |\n" for name, c in rows]
    return HEAD + "".join(lines)


def _rows(prefix: str, section: type[Section]) -> list[tuple[str, Choice]]:
    hints, rows = get_type_hints(section), []
    for name, field in fields_of(section).items():
        choice = field.metadata.get("choice")
        if choice is None:
            continue
        others = [f"`{value}`" for value in get_args(hints[field.name]) if value != field.default]
        words = ", ".join(others) if isinstance(field.default, str) else ""
        default = choice.default or f"`{field.default}`"
        rows.append(
            (f"`{prefix}{name}`", Choice(default, choice.alternatives or words, choice.why))
        )
    return rows


def texts() -> dict[str, str]:
    """Content of all files, by their paths in a checkout."""
    schemas = {f"workflow/schemas/{kind}.schema.yaml": schema_text(kind) for kind in FORMS}
    return schemas | {"docs/choices.md": choices_text()}


if __name__ == "__main__":
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    for path, text in texts().items():
        write_text(root / path, text)
