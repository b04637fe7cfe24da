"""Suites and methods in YAML: read, check by schema, resolve into one run's settings.

A suite (``workflow/config/<suite>.yaml``) names the data, the input, the backbone, the recipes and
the methods; a method (``workflow/config/methods/<method>.yaml``) names its class and what it is. A
run's settings are one plain mapping without references: it is written to the run folder as
``config.yaml`` and is all that training and prediction read.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from tdmi.config.files import WORKFLOW, read_config
from tdmi.config.grids import with_grid
from tdmi.config.published import PARTS, published
from tdmi.core.checks import choose
from tdmi.core.errors import UserError
from tdmi.data.skeletons import SKELETONS, Skeleton

PROTOCOLS = ("shared", "published")


@dataclass(frozen=True)
class Trial:
    """A suite made small to try it out before the real thing; everything else stays as it is."""

    width: int | None = None
    """Width of the backbone and its stem, instead of the suite's."""
    steps: int | None = None
    """Steps of every recipe, instead of its steps or epochs (0 stays 0)."""

    def name(self, suite: str) -> str:
        """Name under which a suite tried this way keeps its runs, apart from the real ones."""
        parts = (f"_{key}{value}" for key, value in asdict(self).items() if value is not None)
        return suite + "".join(parts)


def load_suite(
    name: str,
    workflow: Path = WORKFLOW,
    trial: Trial | None = None,
    grid: str | None = None,
    protocol: str = "shared",
) -> dict[str, Any]:
    """Read and check a suite by name; its methods are merged with their own files.

    `grid`: the methods are that grid's variants, see `tdmi.config.grids`. `protocol`: "published" gives
    every method its own published settings, see `tdmi.config.published`.

    Raises UserError for an unknown suite, grid, method, recipe or key, with the file and the place.
    """
    path, suite = read_config("suite", name, workflow)
    if suite["suite"] != name:
        raise UserError(f"{path}: suite is {suite['suite']!r}, expected {name!r}, the file's name")
    for method, use in suite["methods"].items():
        _, description = read_config("method", method, workflow, path)
        if use["recipe"] not in suite["recipes"]:
            raise UserError(
                f"{path}: methods/{method}/recipe: found {use['recipe']!r}, expected one of "
                f"{', '.join(suite['recipes'])}"
            )
        start = use.get("start_from")
        if start is not None and start.split("/")[0] not in (suite["suite"], suite.get("base")):
            raise UserError(
                f"{path}: methods/{method}/start_from: found {start!r}, expected "
                f"<suite>/<method>/seed<k> of this suite or its base"
            )
        if start is not None and "initial_weights" in use:
            raise UserError(
                f"{path}: methods/{method}: found start_from and initial_weights, expected one"
            )
        if use.get("start_whole") and "head_mapping" in use:
            raise UserError(
                f"{path}: methods/{method}: found start_whole and head_mapping, expected one: a "
                "whole model keeps its head as it is"
            )
        untrained = suite["recipes"][use["recipe"]].get("steps") == 0
        if untrained and start is None and "initial_weights" not in use:
            raise UserError(
                f"{path}: methods/{method}: found a recipe of no steps, expected initial_weights "
                "or start_from beside it"
            )
        options = {**description.get("options", {}), **use.get("options", {})}
        suite["methods"][method] = {**description, **use, "options": options}
    if choose("protocol", protocol, PROTOCOLS) == "published":
        if grid:
            raise UserError(
                f"{path}: found grid {grid} with the published protocol, expected one of them: "
                "variants are compared under the shared protocol"
            )
        suite = published(suite)
    if grid:
        suite = with_grid(suite, grid, workflow)
    return tried(suite, trial) if trial else suite


def load_suites(
    name: str,
    workflow: Path = WORKFLOW,
    trial: Trial | None = None,
    grid: str | None = None,
    protocol: str = "shared",
) -> dict[str, dict[str, Any]]:
    """A suite and its companions, by name, the suite itself first; grids have no companions."""
    main = load_suite(name, workflow, trial, grid, protocol)
    companions = [
        load_suite(companion, workflow, trial) for companion in main.get("companions", [])
    ]
    for companion in companions:
        if companion["inference"]["box_protocols"] != main["inference"]["box_protocols"]:
            raise UserError(
                f"suite {companion['suite']}: inference/box_protocols differ from those of "
                f"{main['suite']}, which includes it; give both the same"
            )
    return {suite["suite"]: suite for suite in (main, *companions)}


def tried(suite: dict[str, Any], trial: Trial) -> dict[str, Any]:
    """The suite as `trial` wants it, under a name of its own.

    No published weights fit another width, so with one the methods start without them. What a
    method's width does not make small, its ``trial_options`` do. Its jobs are small, too.
    """

    title = f"{suite['title']} (a trial at a small size: its numbers mean nothing)"
    changed = {**suite, "suite": trial.name(suite["suite"]), "title": title}
    if trial != Trial():
        changed.pop("resources", None)
    if "base" in suite:
        changed["base"] = trial.name(suite["base"])
    if trial.width is not None:
        changed["backbone"] = _narrowed(suite["backbone"], trial.width)
    if trial.steps is not None:
        changed["recipes"] = {
            name: {k: v for k, v in recipe.items() if k not in ("epochs", "milestones")}
            | {"steps": 0 if recipe.get("steps") == 0 else trial.steps}
            for name, recipe in suite["recipes"].items()
        }
    changed["methods"] = {}
    for method, use in suite["methods"].items():
        use = dict(use)
        if "start_from" in use:
            start, _, rest = use["start_from"].partition("/")
            use["start_from"] = f"{trial.name(start)}/{rest}"
        if "run_of" in use:
            use["run_of"] = use["run_of"] | {"suite": trial.name(use["run_of"]["suite"])}
        if trial.width is not None:
            use.pop("initial_weights", None)
            use["options"] = use["options"] | use.get("trial_options", {})
            if "backbone" in use:
                use["backbone"] = _narrowed(use["backbone"], trial.width)
        changed["methods"][method] = use
    return changed


def _narrowed(backbone: dict[str, Any], width: int) -> dict[str, Any]:
    stem = {"stem_width": width} if backbone.get("kind", "hrnet") == "hrnet" else {}
    return backbone | {"width": width} | stem


def seeds_of(suite: dict[str, Any], method: str) -> list[int]:
    """Seeds of a method: its own if it names some, else the suite's."""
    return suite["methods"][method].get("seeds", suite["seeds"])


def with_seeds(suites: dict[str, dict[str, Any]], seeds: list[int]) -> dict[str, dict[str, Any]]:
    """The suites of one report, as `load_suites` gives them, with the runs of some seeds alone.

    A method with seeds of its own keeps those among `seeds`, perhaps none, and so does a companion.
    Raises UserError for a seed that the first suite does not have.
    """
    main = next(iter(suites.values()))
    known = {seed for method in main["methods"] for seed in seeds_of(main, method)}
    if unknown := sorted(set(seeds) - known):
        raise UserError(
            f"suite {main['suite']}: no seed {', '.join(map(str, unknown))}; expected some of "
            f"{', '.join(map(str, sorted(known)))}"
        )
    return {
        name: suite
        | {
            "methods": {
                method: use | {"seeds": [s for s in seeds_of(suite, method) if s in seeds]}
                for method, use in suite["methods"].items()
            }
        }
        for name, suite in suites.items()
    }


def _owner(suite: dict[str, Any], method: str) -> dict[str, str]:
    """Suite, method, label and family under which a method's runs are kept."""
    use = suite["methods"][method]
    own = {"suite": suite["suite"], "method": method, "label": use["label"]}
    return use.get("run_of", own | {"family": use["family"]})


def run_name(suite: dict[str, Any], method: str, seed: int) -> str:
    """``<suite>/<method>/seed<k>``, the run's folder below ``runs``."""
    owner = _owner(suite, method)
    return f"{owner['suite']}/{owner['method']}/seed{seed}"


def run_names(suite: dict[str, Any]) -> list[str]:
    """Every run of a suite, in the suite's order."""
    return [run_name(suite, m, seed) for m in suite["methods"] for seed in seeds_of(suite, m)]


def start_of(suite: dict[str, Any], method: str, seed: int) -> str | None:
    """Run whose checkpoint this one starts from; ``{seed}`` in it stands for this run's seed."""
    start = suite["methods"][method].get("start_from")
    return start.format(seed=seed) if start else None


def resolve(suite: dict[str, Any], method: str, seed: int) -> dict[str, Any]:
    """The complete settings of one run."""
    if method not in suite["methods"]:
        known = ", ".join(suite["methods"])
        raise UserError(f"suite {suite['suite']}: no method {method!r}; expected one of {known}")
    use, owner = suite["methods"][method], _owner(suite, method)
    parts = {part: use.get(part, suite[part]) for part in PARTS}
    return {
        "suite": owner["suite"],
        "seed": seed,
        "method": {
            "name": owner["method"],
            "label": owner["label"],
            "family": owner["family"],
            "class": use["class"],
            "options": use["options"],
        },
        "start_from": start_of(suite, method, seed),
        "start_whole": use.get("start_whole", False),
        **_initial_weights(use),
        "dataset": {k: v for k, v in suite["dataset"].items() if k != "options"},
        "crop": parts["crop"],
        "augmentation": parts["augmentation"],
        "backbone": use.get("backbone", suite["backbone"]),
        "recipe": suite["recipes"][use["recipe"]],
        "inference": parts["inference"],
        **({"tracking": suite["tracking"]} if "tracking" in suite else {}),
    }


def config_text(settings: dict[str, Any]) -> str:
    """Content of a run's ``config.yaml``."""
    return yaml.safe_dump(settings, sort_keys=False)


def _initial_weights(use: dict[str, Any]) -> dict[str, Any]:
    if "initial_weights" not in use:
        return {}
    mapping = use.get("head_mapping", "by_joint_name")
    return {"initial_weights": use["initial_weights"], "head_mapping": mapping}


def skeleton_of(settings: dict[str, Any]) -> Skeleton:
    """Joints that a run (or suite) predicts."""
    return SKELETONS[settings["dataset"].get("skeleton", "posetrack18")]
