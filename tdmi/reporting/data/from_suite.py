"""A suite of the workflow as the mapping that a report reads (see `tdmi.reporting.data.settings`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tdmi.config.files import WORKFLOW
from tdmi.config.published import PARTS, which_settings
from tdmi.config.suites import Trial, load_suites, seeds_of
from tdmi.reporting.data.settings import Settings, parse

QUESTION = (
    "On the same boxes, with the same decoder, training budget and official evaluator: what do "
    "temporal differences with mutual-information disentanglement gain over optical flow, over "
    "deformable convolution, and over a single frame?"
)
_SHOWN = ("seeds", "crop", "augmentation", "backbone", "recipes", "inference")


def settings_of(
    name: str,
    workflow: Path = WORKFLOW,
    trial: Trial | None = None,
    grid: str | None = None,
    protocol: str = "shared",
) -> Settings:
    """Settings of the report on a suite; a companion on pseudo-labels becomes its real video."""
    suites = load_suites(name, workflow, trial, grid, protocol)
    return parse(mapping_of(suites), workflow / "config" / f"{name}.yaml")


def mapping_of(suites: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The mapping for the first of `suites`, whose others are its companions."""
    main, *companions = suites.values()
    report, grid = main["report"], main.get("grid")
    return {
        "suite": main["suite"],
        "title": main["title"],
        "summary": grid["question"] if grid else QUESTION if report.get("subject") else "",
        "dataset": {
            "name": main["dataset"]["name"],
            "root": main["dataset"]["root"],
            "split": main["dataset"]["test"],
            "labels": report.get("labels", "annotated"),
        },
        "methods": [
            {
                "name": method,
                "label": use["label"],
                "family": use["family"],
                "description": f"{use['description']}. {use.get('source', '')}".strip(),
                "seeds": list(seeds_of(main, method)),
                "run_of": _run_of(use),
            }
            for method, use in main["methods"].items()
        ],
        "seeds": main["seeds"],
        "box_protocols": main["inference"]["box_protocols"],
        "evaluation": main.get("evaluation", "poseval"),
        "note": which_settings(main),
        "reference": report["reference"],
        "equal_compute": report["equal_compute"],
        "equal_layers": report.get("equal_layers"),
        "subject": report.get("subject"),
        "real_video": _real_video(main, companions),
        "ablation": {key: grid[key] for key in ("comparisons", "left_out")} if grid else None,
        "settings": {key: main[key] for key in _SHOWN}
        | {"methods": {method: _use(use) for method, use in main["methods"].items()}},
    }


def _real_video(main: dict[str, Any], companions: list[dict[str, Any]]) -> dict[str, Any] | None:
    for suite in companions:
        if suite["report"].get("labels") == "pseudo":
            return {
                "suite": suite["suite"],
                "name": suite["dataset"]["name"],
                "root": suite["dataset"]["root"],
                "split": suite["dataset"]["test"],
                "methods": [method for method in suite["methods"] if method in main["methods"]],
                "seeds": suite["seeds"],
            }
    return None


def _run_of(use: dict[str, Any]) -> str | None:
    """Folder below ``runs`` of a method whose runs belong to another suite."""
    return f"{use['run_of']['suite']}/{use['run_of']['method']}" if "run_of" in use else None


def _use(use: dict[str, Any]) -> dict[str, Any]:
    """What a suite sets for one method: recipe, start, the options of its class, and what of the
    suite's parts it replaces."""
    chosen = {key: use[key] for key in ("recipe", "start_from", *PARTS) if key in use}
    return chosen | {key: value for key, value in use["options"].items()}
