"""Write dvc.yaml: the main job of a suite in three stages.

    python workflow/scripts/dvc_stages.py [--suite SUITE] [FILE]

Call it after a method or a companion was added to the default suite; a test compares the file with
it. The stages of another suite hold for as long as dvc.yaml is theirs.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import yaml

from tdmi.config.suites import load_suites
from tdmi.core.files import write_text

DEFAULT = "embedded"
HEAD = """\
# The main job in three stages. Snakemake owns the graph of experiments; DVC owns the versions of
# what comes out, and gives `dvc metrics diff` and `dvc plots diff`. Each stage asks Snakemake for
# its part, so what one of the two has made is never made again by the other. Neither watches the
# source code: after changing it, run `snakemake --cores all --forcerun train` (or another rule).
# This file is written by `python workflow/scripts/dvc_stages.py`.
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


def stages(name: str) -> dict[str, Any]:
    """The content of dvc.yaml for a suite.

    Settings are watched by their values, as Snakemake does it: a changed comment changes nothing.
    """
    suites = load_suites(name)
    files = [f"workflow/config/{suite}.yaml" for suite in suites]
    methods = dict.fromkeys(m for suite in suites.values() for m in suite.methods)
    settings = [*files, *(f"workflow/config/methods/{method}.yaml" for method in methods)]
    roots = dict.fromkeys(suite.dataset.root for suite in suites.values())
    runs = [f"runs/{suite}" for suite in suites]
    results = f"results/{name}"
    kept = ("index.html", "tables", "figures", "gallery")
    return {
        "stages": {
            "data": {
                "cmd": _snakemake(name, "all_data"),
                "params": [{file: ["dataset"]} for file in files],
                "outs": _persistent(["data/sources", *roots]),
            },
            "runs": {
                "cmd": _snakemake(
                    name,
                    "all_metrics",
                    f" --forcerun $(python workflow/scripts/outdated_runs.py {name})",
                ),
                "params": [{file: None} for file in settings],
                "deps": list(roots),
                "outs": _persistent(runs),
            },
            "report": {
                "cmd": _snakemake(name, "all"),
                "params": [{file: None} for file in files],
                "deps": ["results/published.csv", *runs],
                "metrics": _persistent([f"{results}/metrics.json"], cache=False),
                "outs": _persistent([f"{results}/{part}" for part in kept], cache=False),
            },
        },
        "plots": [
            {
                "validation_ap": {
                    "x": "step",
                    "y": {f"{results}/figures/validation_ap.csv": "value"},
                    "title": "Validation AP over training",
                    "template": "linear",
                }
            }
        ],
    }


def text(suite: str) -> str:
    return HEAD + yaml.dump(stages(suite), Dumper=_Dumper, sort_keys=False, width=1000)


def _snakemake(suite: str, target: str, options: str = "") -> str:
    """Snakemake's part of a stage; what stands before the target takes every word up to `--`."""
    chosen = "" if suite == DEFAULT else f" --config suite={suite}"
    # An hour of work shows which jobs have ended, and how many of how many.
    quiet = "--quiet rules reason host"
    return f"snakemake --cores all {quiet}{chosen}{options} -- {target}"


def _persistent(paths: list[str], cache: bool = True) -> list[dict[str, Flow]]:
    """Left in place before a stage runs. What is committed to git stays out of DVC's cache."""
    return [{path: Flow(persist=True, **({} if cache else {"cache": False}))} for path in paths]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", default=DEFAULT)
    parser.add_argument("file", nargs="?", type=Path, default=Path("dvc.yaml"))
    options = parser.parse_args()
    write_text(options.file, text(options.suite))
