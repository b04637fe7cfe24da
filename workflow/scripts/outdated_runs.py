"""Print the checkpoints of a suite's runs that were trained with other settings than today's.

    python workflow/scripts/outdated_runs.py SUITE

Snakemake tells changed settings by what it wrote down when it made a run. It wrote nothing down
where the run came by `dvc pull` or was put into an experiment's own folder (`dvc exp run --temp`),
and would keep the run. So DVC's stage forces these.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tdmi.config.suites import load_suites, resolve, run_name, seeds_of
from tdmi.core.files import read_yaml


def outdated(suite: str, runs: Path) -> list[str]:
    """Runs of a suite and its companions below `runs` whose config.yaml is not today's settings."""
    wanted = {
        run_name(content, method, seed): resolve(content, method, seed)
        for content in load_suites(suite).values()
        for method in content["methods"]
        for seed in seeds_of(content, method)
    }
    return [
        run
        for run, settings in wanted.items()
        if (runs / run / "config.yaml").is_file()
        and read_yaml(runs / run / "config.yaml") != settings
    ]


if __name__ == "__main__":
    print(*(f"runs/{run}/checkpoint.pt" for run in outdated(sys.argv[1], Path("runs"))))
