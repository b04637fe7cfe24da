"""pyproject.toml, constraints.txt and environment.yml name the same packages and versions."""

import re
import tomllib

import yaml
from packaging.requirements import Requirement

from tests.support.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def declared() -> dict[str, Requirement]:
    extras = PROJECT["optional-dependencies"]
    lines = PROJECT["dependencies"] + [line for extra in extras.values() for line in extra]
    return {(r := Requirement(line)).name: r for line in lines}


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_constraints_hold_versions_only_and_lie_in_the_declared_ranges():
    text = (ROOT / "constraints.txt").read_text()
    assert not re.search(r"://|^-|@", text, re.MULTILINE)
    versions = {name.lower(): version for name, version in pinned().items()}
    for name, requirement in declared().items():
        if requirement.url or name == "pip":
            continue
        assert name.lower() in versions, f"{name} is declared but not pinned"
        assert requirement.specifier.contains(versions[name.lower()]), name


def test_environment_mirrors_the_declared_packages():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip[:2] == ["-c constraints.txt", "-e ."]
    mirrored = {(r := Requirement(line)).name: r for line in pip[2:]}
    wanted = {name: r for name, r in declared().items() if name != "pip"}
    assert mirrored == wanted
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    assert str(declared()["pip"]) in conda
    python = next(entry for entry in conda if entry.startswith("python="))
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(python[7:])


def test_packages_named_by_the_user_are_all_there():
    wanted = {"torch", "numpy", "pandas", "poseval", "xtcocotools", "dvc", "pytest", "matplotlib"}
    assert wanted | {"snakemake"} <= set(declared())
