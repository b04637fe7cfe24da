"""Checks before the first job: one workflow at a time in a folder, on a scheduler that exists."""

import shutil
from pathlib import Path

from tdmi.core.locks import read_owner, register_workflow, try_lock

RUNNING = Path(".snakemake/running.lock")


def check_only_workflow():
    """Lock the folder until this process ends. Snakemake's own lock would outlive a power cut."""
    global FOLDER_LOCK
    FOLDER_LOCK = try_lock(RUNNING)
    if FOLDER_LOCK is None:
        raise WorkflowError(
            f"{Path.cwd()}: found a workflow running here ({read_owner(RUNNING)}), expected none; "
            "wait for it, or stop it; a dry run (-n) is allowed beside it"
        )
    register_workflow(FOLDER_LOCK)


def check_scheduler():
    if workflow.executor_plugin.name == "slurm" and shutil.which("sbatch") is None:
        raise WorkflowError(
            "profile slurm: found no command sbatch, expected a machine that submits jobs to SLURM; "
            "on a single machine leave out --profile"
        )
