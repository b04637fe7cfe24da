"""Grids of ablations: a suite turned into another one whose methods are variants of one method.

A grid (``workflow/config/grids/<grid>.yaml``) lists what each variant changes. On a suite it gives
the suite ``<suite>_<grid>``: same data, crops, recipes and start, other methods. A variant that
changes nothing is a run of the suite itself, which is shared and not trained again (`run_of`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from tdmi.config.files import WORKFLOW, read_config
from tdmi.config.keys import RunName
from tdmi.config.section import Plain, check, flat, merged, schema_of
from tdmi.config.suite import GridFile
from tdmi.config.training import Recipe
from tdmi.core.errors import UserError

DEFAULTS = {"window": [-2, -1, 0, 1, 2], "freeze_backbone": False}
"""Options of every temporal method that names none."""
SHARED_OPTIONS = ("window", "start", "backbone_norm", "freeze_backbone", "loss_factor",
                  "loss_foreground")  # fmt: skip
"""Options that a method from outside the suite inherits from the one that is varied."""
PAPER_PLACES = 96 * 72
"""Places of a heatmap at paper scale."""


def with_grid(suite: Plain, name: str, workflow: Path = WORKFLOW) -> Plain:
    """Return the suite with the variants of a grid as its methods.

    It has two more keys: ``grid`` (`tdmi.config.suite.Grid`), and in a method that is shared
    ``run_of``, the suite, method, label and family under which its run is kept.

    Raises UserError, naming the grid's file, for a variant that makes no sense on this suite.
    """
    path, content = read_config("grid", name, workflow)
    grid = GridFile.from_checked(content)
    if grid.base not in suite["methods"]:
        raise UserError(
            f"{path}: base: found {grid.base!r}, expected a method of suite {suite['suite']}: "
            f"{', '.join(suite['methods'])}"
        )
    names = [variant.name for variant in grid.variants]
    if len(set(names)) < len(names):
        raise UserError(f"{path}: variants: a name stands twice in {', '.join(names)}")
    for reference in grid.references:
        if reference not in names:
            raise UserError(
                f"{path}: references: found {reference!r}, expected one of {', '.join(names)}"
            )
    methods, recipes, left_out = {}, {}, {}
    for variant in content["variants"]:
        own = _method(suite, grid.base, variant, path, workflow)
        if variant.get("stages", 1) > (depths := _depths(own, suite)):
            left_out[variant["label"]] = f"the backbone of {suite['suite']} has {depths} stages"
            continue
        use, recipe = _varied(suite, grid.base, own, variant)
        check(schema_of(Recipe), recipe, str(path), "recipe")
        if "run_of" in use:
            use["seeds"] = _shared_seeds(suite, grid.base, use, list(grid.seeds))
        methods[variant["name"]], recipes[use["recipe"]] = use, recipe
    _check_different(methods, recipes, suite, path)
    references = [name for name in grid.references if name in methods]
    comparisons = _comparisons(list(methods), references, grid.ladder)
    if not comparisons:
        raise UserError(
            f"{path}: nothing is left to compare on suite {suite['suite']}, expected a ladder or "
            "a reference, and two variants that the suite can hold"
        )
    return {
        **{key: value for key, value in suite.items() if key != "companions"},
        "title": f"{suite['title']}: {grid.title}",
        "base": suite["suite"],
        "seeds": list(grid.seeds),
        "recipes": recipes,
        "methods": methods,
        "report": {
            "reference": next(iter([*references, *methods])),
            "equal_compute": None,
            "labels": suite["report"].get("labels", "annotated"),
        },
        "grid": {
            "title": grid.title,
            "question": grid.question,
            "comparisons": comparisons,
            "left_out": left_out,
        },
    }


def _method(suite: Plain, subject: str, variant: Plain, path: Path, workflow: Path) -> Plain:
    """Return a variant's method as the suite uses it, before the variant's changes."""
    name = variant.get("method", subject)
    if name in suite["methods"]:
        return {"method": name, **suite["methods"][name]}
    _, description = read_config("method", name, workflow, path)
    base = suite["methods"][subject]
    options = {key: base["options"][key] for key in SHARED_OPTIONS if key in base["options"]}
    taken = {key: base[key] for key in ("recipe", "start_from", "initial_weights") if key in base}
    return {"method": name, **description, **taken} | {
        "options": merged(options, description.get("options", {}))
    }


def _varied(suite: Plain, subject: str, own: Plain, variant: Plain) -> tuple[Plain, Plain]:
    """Return a variant as a method of a suite, and its recipe."""
    changes = dict(variant.get("options", {}))
    if "stages" in variant:
        every = list(range(1, _depths(own, suite) + 1))
        deepest = every[-variant["stages"] :]
        if own["options"].get("encoder", {}).get("depths", every) != deepest:
            changes = merged(changes, {"encoder": {"depths": deepest}})
    height, width = (side // 4 for side in suite["crop"]["size"])
    if variant.get("scale_by_map_size") and height * width != PAPER_PLACES:
        scale = height * width / PAPER_PLACES
        changes = merged(changes, {"mutual_information": {"scale": scale}})
    options = merged(own["options"], changes)

    usual = suite["recipes"][own["recipe"]]
    recipe_changes = dict(variant.get("recipe", {}))
    if variant.get("equal_frames"):
        frames = _frames(suite["methods"][subject]["options"]), _frames(options)
        recipe_changes["batch_size"] = round(usual["batch_size"] * frames[0] / frames[1])
    # A length of the variant's own replaces the suite's, with its milestones.
    own_length = recipe_changes.keys() & {"steps", "epochs"}
    dropped = ("steps", "epochs", "milestones") if own_length else ()
    recipe = {key: value for key, value in usual.items() if key not in dropped} | recipe_changes

    use = {key: value for key, value in own.items() if key not in ("method", "seeds")}
    use |= {"label": variant["label"], "options": options}
    if own["method"] == subject:
        use["family"] = "ablation"
    same = DEFAULTS | options == DEFAULTS | own["options"] and recipe == usual
    if same and own["method"] in suite["methods"]:
        kept = {key: own[key] for key in ("method", "label", "family")}
        use |= {"options": own["options"], "run_of": {"suite": suite["suite"], **kept}}
    if recipe != usual:
        use["recipe"] = f"{own['recipe']}_{variant['name']}"
    if changes or recipe_changes:
        use["description"] = f"{own['label']} with {in_words({**changes, **recipe_changes})}"
        use.pop("source", None)
    return use, recipe


def _depths(use: Plain, suite: Plain) -> int:
    backbone: Plain = use.get("backbone") or suite["backbone"]
    return int(backbone.get("stages", 4))


def _frames(options: Plain) -> int:
    return len(options.get("window", DEFAULTS["window"]))


def _shared_seeds(suite: Plain, subject: str, use: Plain, seeds: list[int]) -> list[int]:
    """Seeds of a shared method: the grid's; of the run that all others start from, its own."""
    if start := suite["methods"][subject].get("start_from"):
        run = RunName.parse(start)
        if run[:2] == (suite["suite"], use["run_of"]["method"]) and run.seed.isdecimal():
            return [int(run.seed)]
    return seeds


def _check_different(methods: Plain, recipes: Plain, suite: Plain, path: Path) -> None:
    def settings(use: Plain) -> str:
        keys = ("class", "options", "backbone", "start_from", "initial_weights")
        what = {key: use.get(key) for key in keys} | {"recipe": recipes[use["recipe"]]}
        return json.dumps(what, sort_keys=True)

    for one, other in combinations(methods, 2):
        if settings(methods[one]) == settings(methods[other]):
            raise UserError(
                f"{path}: variants {one} and {other} are the same on suite {suite['suite']}, "
                "expected different ones; leave one out"
            )


def _comparisons(names: list[str], references: list[str], ladder: bool) -> Plain:
    """ "previous" (in a ladder) and each reference -> variant -> what it is compared with."""
    previous = {"previous": dict(zip(names[1:], names, strict=False))} if ladder else {}
    found = previous | {
        reference: {name: reference for name in names if name != reference}
        for reference in references
    }
    return {key: pairs for key, pairs in found.items() if pairs}


def in_words(changes: Mapping[str, Any]) -> str:
    """Nested changes in one line: ``encoder.depths [2, 3], mutual_information.estimator none``."""
    return ", ".join(f"{name} {value}" for name, value in flat(changes))
