"""No product code is there for tests alone: a user can reach every public definition.

Roots are the commands, the rules of the workflow, its scripts, the classes that YAML files name and
what the documents name in full (`tdmi.…`). From there names are followed through the imports.
Methods are followed by their bare names: one that no product code and no library calls is dead.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.support.paths import ROOT

Definition = tuple[str, str]
"""Module, and name in it; the name is empty for the code that runs when the module is imported."""
LIBRARY_CALLS = {
    # torch, Fabric, argparse, logging, json, io and ast call these by name.
    "forward", "train", "extra_repr", "state_dict", "load_state_dict", "format_help",
    "error", "emit", "filter", "default", "backward", "setup_context", "readable", "seekable",
    "readinto", "read", "seek", "close", "tell", "isatty",
}  # fmt: skip


@dataclass
class Module:
    name: str
    tree: ast.Module
    definitions: dict[str, ast.stmt] = field(default_factory=dict)
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """Local name -> (module, name in it), or (module, None) for a module itself."""


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@cache
def modules() -> dict[str, Module]:
    found = {}
    for path in tracked("tdmi/*.py", "baselines/*.py", "workflow/scripts/*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = Module(name, ast.parse(path.read_text(encoding="utf-8")))
    for module in found.values():
        for node in module.tree.body:
            for name in defined_names(node):
                module.definitions[name] = node
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    target = (full, None) if full in found else (node.module, alias.name)
                    module.imports[alias.asname or alias.name] = target
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    module.imports[alias.asname or alias.name.split(".")[0]] = (alias.name, None)
    return found


def defined_names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def resolve(module: str, name: str) -> Definition | None:
    """The definition that a name of a module stands for, through packages that pass it on."""
    found = modules().get(module)
    if found is None:
        return None
    if name in found.definitions:
        return module, name
    if name in found.imports:
        source, original = found.imports[name]
        return (source, "") if original is None else resolve(source, original)
    return (f"{module}.{name}", "") if f"{module}.{name}" in modules() else None


def references(module: str, node: ast.AST) -> Iterator[Definition]:
    """Definitions that a piece of code names, and the modules that it imports."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and (found := resolve(module, part.id)):
            yield found
        elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            source = resolve(module, part.value.id)
            if source and not source[1] and (found := resolve(source[0], part.attr)):
                yield found
        elif isinstance(part, ast.ImportFrom) and part.module in modules():
            yield part.module, ""
            yield from filter(None, (resolve(part.module, alias.name) for alias in part.names))


def roots() -> Iterator[Definition]:
    for name in modules():
        if name.startswith("tdmi.cli") or name.startswith("workflow.scripts"):
            yield name, ""
            yield from ((name, part) for part in ("run", "add_arguments", "main"))
    for path in tracked("*.smk", "Snakefile"):
        for source, names in re.findall(r"from (\S+) import ([\w, ]+)", path.read_text()):
            yield from ((source, name.strip()) for name in names.split(","))
    texts = [*tracked("workflow/*.yaml"), *tracked("README.md", "docs/*.md", "CONTRIBUTING.md")]
    for path in texts:
        for full in re.findall(r"\b(?:tdmi|baselines)(?:\.\w+)+", path.read_text(encoding="utf-8")):
            module, _, name = full.rpartition(".")
            yield module, name
        for source, names in re.findall(r"^from (\S+) import ([\w, ]+)", path.read_text(), re.M):
            yield from ((source, name.strip()) for name in names.split(","))


@cache
def reached() -> frozenset[Definition]:
    seen: set[Definition] = set()
    waiting = [found for module, name in roots() if (found := resolve(module, name) if name else (module, ""))]
    while waiting:
        found = waiting.pop()
        if found in seen or found[0] not in modules():
            continue
        seen.add(found)
        module = modules()[found[0]]
        waiting += [(found[0], ""), (found[0].rpartition(".")[0], "")]
        if found[1]:
            waiting += references(found[0], module.definitions[found[1]])
        else:
            for node in module.tree.body:
                if not isinstance(node, ast.FunctionDef | ast.ClassDef) and not defined_names(node):
                    waiting += references(found[0], node)
    return frozenset(seen)


def test_every_public_definition_is_reached():
    dead = [
        f"{module.name}.{name}"
        for module in modules().values()
        for name in module.definitions
        if not name.startswith("__") and (module.name, name) not in reached()
    ]
    assert dead == []


def test_every_module_is_reached():
    assert [name for name in modules() if (name, "") not in reached()] == []


def test_every_method_is_called():
    called = {
        part.attr
        for module in modules().values()
        for part in ast.walk(module.tree)
        if isinstance(part, ast.Attribute)
    }
    texts = "\n".join(p.read_text(encoding="utf-8") for p in tracked("*.smk", "*.jinja", "*.html"))
    called |= set(re.findall(r"\.(\w+)", texts))
    dead = [
        f"{module.name}.{node.name}.{method.name}"
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
        for method in node.body
        if isinstance(method, ast.FunctionDef)
        and not method.name.startswith("__")
        and method.name not in called | LIBRARY_CALLS
    ]
    assert dead == []
