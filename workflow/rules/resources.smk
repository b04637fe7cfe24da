"""Resources of each job, on this machine or on a cluster, and those that this machine has."""

import os

from tdmi.config.suite import Job
from tdmi.core.process import POOL, visible_gpus

# What suites that name nothing ask for. The most memory that a training of the embedded suite was
# seen to take is 1,766 MB.
SMALL = {"mem_mb": Job().mem_mb, "runtime": Job().runtime}
# A job that did not fit is repeated (`--retries`, set in the profile slurm) with twice, then three
# times as much; one that was too long resumes and needs no more.
MOST_MEMORY = 3


def asked(stage, name):
    """Return a resource of a stage's jobs as a function that Snakemake calls with its wildcards."""

    def of(wildcards):
        return getattr(getattr(suite_of(wildcards).resources, stage), name)

    return of


def resources_of(stage, *further):
    """Minutes and megabytes of a stage's jobs, more memory with each attempt; further ones by name."""
    once = asked(stage, "mem_mb")
    memory = lambda wildcards, attempt: once(wildcards) * min(attempt, MOST_MEMORY)
    return {"mem_mb": memory} | {name: asked(stage, name) for name in ("runtime", *further)}


def training_devices(wildcards):
    """GPUs of a training: as many as its recipe has processes."""
    return asked("train", "gpu")(wildcards) * run_settings(wildcards).recipe.devices


def cores(stage):
    """Cores of a job, but no more than leave some to a job on each other GPU of this machine."""
    wanted = asked(stage, "threads")
    return lambda wildcards: (
        min(wanted(wildcards), max(1, workflow.cores // len(DEVICES)))
        if DEVICES
        else wanted(wildcards)
    )


def without_resources(suites):
    return [
        {key: value for key, value in suite.to_dict().items() if key not in ("resources", "key")}
        for suite in suites.values()
    ]


# A scheduler knows its own nodes; a single machine has its GPUs and its memory, unless
# `--resources` says otherwise.
HERE = workflow.is_main_process and workflow.resource_settings.nodes is None
DEVICES = (
    visible_gpus()
    if HERE and any(job.gpu for suite in SUITES.values() for job in suite.resources.jobs)
    else []
)
if DEVICES:
    os.environ[POOL] = ",".join(DEVICES)
if HERE:
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 10**6
    for name, amount in (("gpu", len(DEVICES)), ("mem_mb", installed)):
        if amount and name not in workflow.global_resources:
            workflow.register_resource(name, amount)
