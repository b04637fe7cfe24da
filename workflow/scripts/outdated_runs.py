"""Print the checkpoints of a suite's runs that were trained with other settings than today's.

    python workflow/scripts/outdated_runs.py SUITE

Snakemake compares settings with its own notes of a run. It has none of one that came by `dvc pull`
or was put into an experiment's own folder (`dvc exp run --temp`), and would keep it. So DVC's stage
forces these.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tdmi.config.suites import load_suites
from tdmi.core.files import read_yaml
from tdmi.experiments.folder import RunFolder


def outdated(suite: str, runs: Path) -> list[str]:
    """Runs of a suite and its companions below `runs` whose config.yaml is not today's settings."""
    wanted = {
        content.run_name(method, seed): content.settings(method, seed)
        for content in load_suites(suite).values()
        for method in content.methods
        for seed in content.seeds_of(method)
    }
    configs = {run: RunFolder(runs / run).config for run in wanted}
    return [
        run
        for run, settings in wanted.items()
        if configs[run].is_file() and read_yaml(configs[run]) != settings.to_dict()
    ]


if __name__ == "__main__":
    print(*(f"runs/{run}/checkpoint.pt" for run in outdated(sys.argv[1], Path("runs"))))
