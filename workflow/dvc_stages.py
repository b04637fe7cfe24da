"""Write dvc.yaml anew: the main job in four stages, every run of the default suite by name.

    python workflow/dvc_stages.py [FILE]

Call it after a method or a seed was added to the default suite; a test compares the file with it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from tdmi.files import write_text
from tdmi.suites import load_suites, run_names

HEAD = """\
# The main job in four stages. Snakemake owns the graph of experiments; DVC owns the versions of
# what comes out, and gives `dvc metrics diff` and `dvc plots diff`. Each stage asks Snakemake for
# its part, so what one of the two has made is never made again by the other. Neither watches the
# source code: after changing it, run `snakemake --cores all --forcerun train` (or another rule).
# This file is written by `python workflow/dvc_stages.py`.
"""


class Flow(dict):
    """A mapping that is written on one line."""


class _Dumper(yaml.SafeDumper):
    """Lists indented below their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


_Dumper.add_representer(
    Flow,
    lambda dumper, value: dumper.represent_mapping(
        "tag:yaml.org,2002:map", value.items(), flow_style=True
    ),
)


def stages() -> dict[str, Any]:
    """The content of dvc.yaml."""
    suites = load_suites("embedded")
    files = [f"workflow/config/{name}.yaml" for name in suites]
    methods = dict.fromkeys(m for suite in suites.values() for m in suite["methods"])
    roots = list(dict.fromkeys(suite["dataset"]["root"] for suite in suites.values()))
    runs = [f"runs/{run}" for suite in suites.values() for run in run_names(suite)]
    checkpoints = [f"{run}/checkpoint.pt" for run in runs]
    metrics = [
        f"{run}/{boxes}/{file}.json"
        for run in runs
        for boxes in suites["embedded"]["inference"]["box_protocols"]
        for file in ("metrics", "tracking")
    ]
    kept = ("index.html", "tables", "figures", "gallery")
    return {
        "stages": {
            "data": {
                "cmd": "snakemake --cores all all_data",
                "deps": files,
                "outs": _persistent(roots),
            },
            "train": {
                "cmd": "snakemake --cores all all_runs",
                "deps": [*roots, *files, *(f"workflow/config/methods/{m}.yaml" for m in methods)],
                "outs": _persistent(checkpoints),
            },
            "evaluate": {
                "cmd": "snakemake --cores all all_metrics",
                "deps": checkpoints,
                "metrics": _persistent(metrics),
            },
            "report": {
                "cmd": "snakemake --cores all all",
                "deps": ["results/published.csv", *metrics],
                "metrics": _persistent(["results/embedded/metrics.json"]),
                "outs": _persistent([f"results/embedded/{name}" for name in kept]),
            },
        },
        "plots": [
            {
                "validation_ap": {
                    "x": "step",
                    "y": {"results/embedded/figures/validation_ap.csv": "value"},
                    "title": "Validation AP over training",
                    "template": "linear",
                }
            }
        ],
    }


def text() -> str:
    return HEAD + yaml.dump(stages(), Dumper=_Dumper, sort_keys=False, width=1000)


def _persistent(paths: list[str]) -> list[dict[str, Flow]]:
    """Left in place before a stage runs, and out of DVC's cache: Snakemake watches their times."""
    return [{path: Flow(persist=True, cache=False)} for path in paths]


if __name__ == "__main__":
    write_text(Path(sys.argv[1] if len(sys.argv) > 1 else "dvc.yaml"), text())
