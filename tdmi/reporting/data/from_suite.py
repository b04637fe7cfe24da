"""A suite of the workflow as the mapping that a report reads (see `tdmi.reporting.data.settings`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tdmi.config.files import WORKFLOW
from tdmi.config.keys import SuiteKey
from tdmi.config.published import PARTS, settings_note
from tdmi.config.suite import MethodUse, Suite
from tdmi.config.suites import load_suites
from tdmi.reporting.data.settings import Settings, parse

QUESTION = (
    "On the same boxes, with the same decoder, training budget and official evaluator: what do "
    "temporal differences with mutual-information disentanglement gain over optical flow, over "
    "deformable convolution, and over a single frame?"
)
_SHOWN = ("seeds", "crop", "augmentation", "backbone", "recipes", "inference")


def settings_of(key: SuiteKey | str, workflow: Path = WORKFLOW) -> Settings:
    """Settings of the report on a suite; a companion on pseudo-labels becomes its real video."""
    suites = load_suites(key, workflow)
    name = next(iter(suites.values())).key.name
    return parse(mapping_of(suites), workflow / "config" / f"{name}.yaml")


def mapping_of(suites: Mapping[str, Suite]) -> dict[str, Any]:
    """The mapping for the first of `suites`, whose others are its companions."""
    main, *companions = suites.values()
    report, grid, content = main.report, main.grid, main.to_dict()
    return {
        "suite": main.name,
        "title": main.title,
        "summary": grid.question if grid else QUESTION if report.subject else "",
        "dataset": {
            "name": main.dataset.name,
            "root": main.dataset.root,
            "split": main.dataset.test,
            "labels": report.labels,
        },
        "methods": [
            {
                "name": method,
                "label": use.label,
                "family": use.family,
                "description": f"{use.description}. {use.source or ''}".strip(),
                "seeds": list(main.seeds_of(method)),
                "run_of": f"{use.run_of.suite}/{use.run_of.method}" if use.run_of else None,
            }
            for method, use in main.methods.items()
        ],
        "seeds": list(main.seeds),
        "box_protocols": list(main.inference.box_protocols),
        "evaluation": main.evaluation,
        "note": settings_note(main),
        "reference": report.reference,
        "equal_compute": report.equal_compute,
        "equal_layers": report.equal_layers,
        "subject": report.subject,
        "real_video": _real_video(main, companions),
        "ablation": (
            {"comparisons": grid.comparisons, "left_out": grid.left_out} if grid else None
        ),
        "settings": {key: content[key] for key in _SHOWN}
        | {"methods": {method: _use(use) for method, use in main.methods.items()}},
    }


def _real_video(main: Suite, companions: list[Suite]) -> dict[str, Any] | None:
    for suite in companions:
        if suite.report.labels == "pseudo":
            return {
                "suite": suite.name,
                "name": suite.dataset.name,
                "root": suite.dataset.root,
                "split": suite.dataset.test,
                "methods": [method for method in suite.methods if method in main.methods],
                "seeds": list(suite.seeds),
            }
    return None


def _use(use: MethodUse) -> dict[str, Any]:
    """What a suite sets for one method: recipe, start, the options of its class, and what of the
    suite's parts it replaces."""
    content = use.to_dict()
    chosen = {key: content[key] for key in ("recipe", "start_from", *PARTS) if key in content}
    return chosen | content["options"]
