"""The shape of the house: which package may import which, and tests beside what they test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

LAYERS = (
    "core", "data", "config", "formats", "clips", "datasets", "losses", "models", "checkpoints",
    "prediction", "evaluation", "training", "experiments", "reporting", "cli",
)  # fmt: skip
"""Packages of `tdmi`, in the order in which data passes them: each may import those before it."""
HEAVY = {"torch", "torchvision", "lightning", "pandas", "matplotlib", "cv2", "snakemake", "dvc"}
WITHOUT_SOURCE = {"support", "golden", "integration", "benchmarks", "faults", "regression", "cases"}
"""Folders of tests that stand for no package."""


def imports(path: Path) -> Iterator[str]:
    """Dotted names of the modules that a file imports when it runs, wherever in the file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_every_package_has_a_layer():
    packages = {path.parent.name for path in (ROOT / "tdmi").glob("*/__init__.py")}
    assert packages == set(LAYERS)
    assert [path.name for path in (ROOT / "tdmi").glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize("layer", LAYERS)
def test_no_import_climbs(layer):
    above = LAYERS[LAYERS.index(layer) + 1 :]
    climbing = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / "tdmi" / layer).rglob("*.py")
        for name in imports(path)
        if name.startswith("baselines") or any(f"{name}.".startswith(f"tdmi.{a}.") for a in above)
    ]
    assert climbing == []


@pytest.mark.parametrize("layer", ["core", "data", "formats", "evaluation"])
def test_the_evaluator_needs_no_heavy_library(layer):
    """At import; a function that opens pictures may import OpenCV itself."""
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / "tdmi" / layer).rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
        if name.split(".")[0] in HEAVY
    ]
    assert found == []


def test_tests_lie_where_their_source_lies():
    folders = {
        path.parent.relative_to(ROOT / "tests").as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
        if path.relative_to(ROOT / "tests").parts[0] not in WITHOUT_SOURCE
    }
    assert {
        folder
        for folder in folders
        if not (ROOT / "tdmi" / folder).is_dir() and not (ROOT / folder).is_dir()
    } <= {"."}


def test_no_test_imports_another_test():
    guilty = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / "tests").rglob("*.py")
        for name in imports(path)
        if name.rpartition(".")[2].startswith("test_")
    ]
    assert guilty == []
