"""Read suites: merged with their methods, under a protocol, as a grid, at a small size.

A suite (``workflow/config/<suite>.yaml``) names the data, the input, the backbone, the recipes and
the methods; a method (``workflow/config/methods/<method>.yaml``) names its class and what it is.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tdmi.config.files import WORKFLOW, read_config
from tdmi.config.grids import with_grid
from tdmi.config.keys import RunName, SmallSize, SuiteKey
from tdmi.config.published import published
from tdmi.config.section import Plain
from tdmi.config.suite import Suite
from tdmi.core.errors import UserError


def load_suite(key: SuiteKey | str, workflow: Path = WORKFLOW) -> Suite:
    """Read and check a suite, by its key or by the name of its file.

    Raises UserError for an unknown suite, grid, method, recipe or key, with the file and the place.
    """
    key = SuiteKey(key) if isinstance(key, str) else key
    path, suite = read_config("suite", key.name, workflow)
    if suite["suite"] != key.name:
        raise UserError(
            f"{path}: suite is {suite['suite']!r}, expected {key.name!r}, the file's name"
        )
    for method, use in suite["methods"].items():
        _, description = read_config("method", method, workflow, path)
        _check_method(suite, method, path)
        options = description.get("options", {}) | use.get("options", {})
        suite["methods"][method] = description | use | {"options": options}
    if key.protocol == "published":
        if key.grid:
            raise UserError(
                f"{path}: found grid {key.grid} with the published protocol, expected one of them: "
                "variants are compared under the shared protocol"
            )
        suite = published(suite)
    if key.grid:
        suite = with_grid(suite, key.grid, workflow)
    if key.size != SmallSize():
        suite = shrink(suite, key.size)
    return Suite.from_checked(suite | {"suite": key.folder, "key": key})


def load_suites(key: SuiteKey | str, workflow: Path = WORKFLOW) -> dict[str, Suite]:
    """Return a suite and its companions, by name, the suite itself first.

    Grids and the published protocol have no companions.
    """
    main = load_suite(key, workflow)
    companions = [
        load_suite(SuiteKey(name, size=main.key.size), workflow) for name in main.companions
    ]
    for companion in companions:
        if companion.inference.box_protocols != main.inference.box_protocols:
            raise UserError(
                f"suite {companion.name}: inference/box_protocols differ from those of "
                f"{main.name}, which includes it; give both the same"
            )
    return {suite.name: suite for suite in (main, *companions)}


def _check_method(suite: Plain, method: str, path: Path) -> None:
    """Raise UserError unless recipe, start and weights of a suite's method fit together."""
    use, place = suite["methods"][method], f"{path}: methods/{method}"
    if use["recipe"] not in suite["recipes"]:
        raise UserError(
            f"{place}/recipe: found {use['recipe']!r}, expected one of "
            f"{', '.join(suite['recipes'])}"
        )
    start = use.get("start_from")
    if start and RunName.parse(start).suite not in (suite["suite"], suite.get("base")):
        raise UserError(
            f"{place}/start_from: found {start!r}, expected <suite>/<method>/seed<k> of this "
            "suite or its base"
        )
    if start and "initial_weights" in use:
        raise UserError(f"{place}: found start_from and initial_weights, expected one")
    if use.get("start_whole") and "head_mapping" in use:
        raise UserError(
            f"{place}: found start_whole and head_mapping, expected one: a whole model keeps its "
            "head as it is"
        )
    untrained = suite["recipes"][use["recipe"]].get("steps") == 0
    if untrained and not start and "initial_weights" not in use:
        raise UserError(
            f"{place}: found a recipe of no steps, expected initial_weights or start_from beside it"
        )


def shrink(suite: Plain, size: SmallSize) -> Plain:
    """Return the suite at a small size; its runs and those that it starts from are renamed.

    No published weights fit another width, so with one the methods start without them.
    `trial_options` shrink what does not scale with the width. Jobs ask for no resources.
    """
    title = f"{suite['title']} (a trial at a small size: its numbers mean nothing)"
    changed = suite | {"title": title}
    changed.pop("resources", None)
    if size.width is not None:
        changed["backbone"] = _narrow(suite["backbone"], size.width)
    if size.steps is not None:
        changed["recipes"] = {
            name: {k: v for k, v in recipe.items() if k not in ("epochs", "milestones")}
            | {"steps": 0 if recipe.get("steps") == 0 else size.steps}
            for name, recipe in suite["recipes"].items()
        }
    changed["methods"] = {name: _shrink_use(use, size) for name, use in suite["methods"].items()}
    return changed


def _shrink_use(use: Plain, size: SmallSize) -> Plain:
    use = dict(use)
    if "start_from" in use:
        start = RunName.parse(use["start_from"])
        use["start_from"] = str(start._replace(suite=start.suite + size.suffix))
    if "run_of" in use:
        use["run_of"] = use["run_of"] | {"suite": use["run_of"]["suite"] + size.suffix}
    if size.width is not None:
        use.pop("initial_weights", None)
        use["options"] = use["options"] | use.get("trial_options", {})
        if "backbone" in use:
            use["backbone"] = _narrow(use["backbone"], size.width)
    return use


def _narrow(backbone: Plain, width: int) -> Plain:
    stem = {"stem_width": width} if backbone.get("kind", "hrnet") == "hrnet" else {}
    return backbone | {"width": width} | stem


def with_seeds(suites: dict[str, Suite], seeds: list[int]) -> dict[str, Suite]:
    """Return the suites of one report, as `load_suites` gives them, with some seeds only.

    A method with seeds of its own keeps those among `seeds`, perhaps none, and so does a companion.
    Raises UserError for a seed that the first suite does not have.
    """
    main = next(iter(suites.values()))
    known = {seed for method in main.methods for seed in main.seeds_of(method)}
    if unknown := sorted(set(seeds) - known):
        raise UserError(
            f"suite {main.name}: no seed {', '.join(map(str, unknown))}; expected some of "
            f"{', '.join(map(str, sorted(known)))}"
        )

    def chosen(suite: Suite) -> Suite:
        methods = {
            method: replace(use, seeds=tuple(s for s in suite.seeds_of(method) if s in seeds))
            for method, use in suite.methods.items()
        }
        return replace(suite, methods=methods)

    return {name: chosen(suite) for name, suite in suites.items()}
