"""Every option has its row in a table of choices, and every row is an option."""

from __future__ import annotations

import inspect
import re
import runpy
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from tdmi.clips.targets import DECODERS
from tdmi.clips.windows import WINDOW_ENDS
from tdmi.config.inference import Decoder, Inference, Precision
from tdmi.config.inputs import Crop, WindowEnds
from tdmi.config.training import Backbone
from tdmi.core.checks import keywords
from tdmi.experiments.build import BACKBONES
from tdmi.losses.mutual_information import ESTIMATORS, MutualInformation
from tdmi.models.disentanglement import Disentanglement
from tdmi.models.tdmi import TDMI
from tdmi.models.tdmi_st import SequenceAlignment
from tdmi.models.temporal_difference import TemporalDifferenceEncoder
from tdmi.prediction.predict import PRECISIONS
from tests.support.paths import ROOT

PARTS = {
    "encoder": [TemporalDifferenceEncoder],
    "alignment": [SequenceAlignment],
    "disentanglement": [Disentanglement],
    "mutual_information": [MutualInformation, *ESTIMATORS.values()],
}
GIVEN = {
    "self", "backbone", "joints", "channels", "frames", "key", "stem_channels", "shrink", "grow",
    "options",
}  # fmt: skip
"""What the code hands to the parts; no choice of a user."""
NO_CHOICE = {"size", "sigma", "batch_size"}
"""Sizes."""


def options_of_tdmi() -> set[str]:
    names = {n for n in keywords(TDMI) if n not in PARTS}
    for part, kinds in PARTS.items():
        for kind in kinds:
            own = set(inspect.signature(kind.__init__).parameters) - GIVEN
            names |= {
                f"{part}.{name}" for name in own if part == "mutual_information" or name != "start"
            }
    return names - GIVEN


def rows(path: Path) -> set[str]:
    """Names in the first cells of the tables, `.x` after `a.b` standing for `a.x`."""
    found = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("| "):
            continue
        last = ""
        for name in re.findall(r"`([^`]+)`", line.split("|")[1]):
            if name.startswith("."):
                name = last.rpartition(".")[0] + name
            last = name
            found.add(name)
    return found


def test_every_option_of_tdmi_has_a_row_and_every_row_is_an_option():
    table = rows(ROOT / "tdmi" / "models" / "README.md")
    options = options_of_tdmi()
    assert options - table == set()
    dotted = {name for name in table if name.partition(".")[0] in PARTS}
    assert dotted - options == set()


@pytest.mark.parametrize(("part", "kind"), [("crop", Crop), ("inference", Inference)])
def test_every_shared_choice_has_a_row(part, kind):
    table = rows(ROOT / "docs" / "choices.md")
    wanted = {f"{part}.{field.name}" for field in fields(kind) if field.name not in NO_CHOICE}
    assert wanted - table == set()


def test_schemas_and_table_of_choices_are_as_their_script_writes_them():
    script = runpy.run_path(str(ROOT / "workflow" / "scripts" / "write_schemas.py"))
    for path, text in script["texts"]().items():
        assert (ROOT / path).read_text(encoding="utf-8") == text, path


@pytest.mark.parametrize(
    ("name", "found", "expected"),
    [
        ("window_ends", WINDOW_ENDS, WindowEnds),
        ("decoder", DECODERS, Decoder),
        ("precision", PRECISIONS, Precision),
        ("kind", BACKBONES, get_type_hints(Backbone)["kind"]),
    ],
)
def test_what_can_be_chosen_is_what_the_code_can_do(name, found, expected):
    assert tuple(found) == get_args(expected), name
