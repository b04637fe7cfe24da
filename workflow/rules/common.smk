"""Reads and checks the suites before anything runs; input functions shared by the rules."""

import hashlib
import json
import os
from pathlib import Path

from snakemake.exceptions import WorkflowError

from tdmi.config.files import known_configs
from tdmi.config.keys import SmallSize, SuiteKey
from tdmi.config.suites import load_suite, load_suites, with_seeds
from tdmi.core.errors import UserError
from tdmi.experiments.folder import RunFolder, initial_checkpoint

SPLITS = ("train", "val", "test")
# Used only with `--software-deployment-method conda`; paths are relative to this folder.
ENVIRONMENT = "../../environment.yml"
RUN = RunFolder(Path("runs/{suite}/{method}/seed{seed}"))


def asked_seeds(value):
    """Return `seeds=0,1`, which Snakemake gives as a text or as numbers, as a list of numbers."""
    try:
        return [int(seed) for seed in str(value).strip("()[]").split(",") if seed.strip()]
    except ValueError:
        raise WorkflowError(
            f"--config seeds: found {value!r}, expected whole numbers such as seeds=0,1"
        ) from None


# `--config width=8 steps=2` tries a suite at a small size; its runs and results get their own name.
SIZE = SmallSize(**{key: int(config[key]) for key in ("width", "steps") if key in config})
# `--config grid=components,gate` runs ablations of the suite in the suite's place, `grid=all` every one.
ASKED = str(config.get("grid", ""))
GRIDS = known_configs("grid") if ASKED == "all" else ASKED.split(",")
# `--config seeds=0` or `seeds=0,1` makes only the runs of these seeds, a part of the whole job.
SEEDS = asked_seeds(config["seeds"]) if "seeds" in config else None


def wanted_suites():
    """Per report, under its name: the suites that it is made of, itself first."""
    name = config.get("suite", "embedded")
    # `--config protocol=published` gives each method its own published settings.
    protocol = config.get("protocol", "shared")
    reports = [load_suites(SuiteKey(name, grid or None, protocol, SIZE)) for grid in GRIDS]
    return {next(iter(suites)): suites for suites in reports}


def chosen(suites):
    """The suites of a report with the seeds that are asked for."""
    return suites if SEEDS is None else with_seeds(suites, SEEDS)


def bases_of(suites):
    """The suites that others start from or share runs with, where they are not asked for."""
    keys = {suite.base_key.folder: suite.base_key for suite in suites.values() if suite.base_key}
    return {folder: load_suite(keys[folder]) for folder in sorted(set(keys) - set(suites))}


try:
    REPORTS = wanted_suites()
    # What is asked for; and beside it what its runs start from.
    JOB = {name: suite for suites in REPORTS.values() for name, suite in chosen(suites).items()}
    SUITES = JOB | bases_of(JOB)
except UserError as error:
    raise WorkflowError(str(error)) from None
BOX_PROTOCOLS = next(iter(JOB.values())).inference.box_protocols


wildcard_constraints:
    suite="|".join(SUITES),
    report="|".join(REPORTS),
    method="[a-z0-9_]+",
    seed="[0-9]+",
    boxes="|".join(BOX_PROTOCOLS),


def digest(value):
    """Short hash of settings: a changed YAML makes Snakemake run the rule again."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def dataset_records(suite):
    """Files that mark a suite's data set complete; mocap makes each split by itself."""
    dataset = SUITES[suite].dataset
    if dataset.name == "mocap":
        return [str(dataset.folder.split_record(split)) for split in SPLITS]
    return [str(dataset.folder.record)]


def start_of(wildcards):
    """Return the weights that a run starts from: of another run, or published ones."""
    path = initial_checkpoint(run_settings(wildcards), Path("runs"))
    return str(path) if path else []


def runs_of(suites):
    """The folder of every run of some suites, and its suite; a shared one comes once."""
    found = {run: suite for suite in suites.values() for run in suite.run_names}
    return [(RunFolder(Path("runs", run)), suite) for run, suite in found.items()]


def evaluated_runs(suites):
    """The metrics of every run of some suites, and of its tracks, which poseval alone scores."""
    return [
        str(file(boxes))
        for run, suite in runs_of(suites)
        for boxes in BOX_PROTOCOLS
        for file in (run.metrics, run.tracking)
        if file == run.metrics or suite.evaluation == "poseval"
    ]


def run_settings(wildcards):
    return SUITES[wildcards.suite].settings(wildcards.method, int(wildcards.seed))


def truth_folder(wildcards):
    dataset = SUITES[wildcards.suite].dataset
    return str(dataset.folder.annotations(dataset.test))


def evaluate_options(wildcards, threads):
    """Curves and slices beside AP, with attributes where the data set has them; not for HiEve."""
    suite = SUITES[wildcards.suite]
    if suite.evaluation == "hieve":
        return ""
    table = suite.dataset.folder.attributes(suite.dataset.test)
    known = f" --attributes {table}" if suite.dataset.name == "mocap" else ""
    return f"--jobs {threads} --curves --slices{known}"


def report_inputs(wildcards):
    suites = chosen(REPORTS[wildcards.report])
    return evaluated_runs(suites) + [
        str(file)
        for run, _ in runs_of(suites)
        for file in (run.history, run.cost, run.provenance, run.timing)
    ]


# Which suite makes which data set; where several share one, the one that the others start from.
GENERATED = {suite.dataset.root: name for name, suite in SUITES.items()}


def roots_of(*names):
    """Roots of the job's data sets that have one of these names."""
    return [root for root, suite in GENERATED.items() if SUITES[suite].dataset.name in names]


MOCAP = roots_of("mocap")
POSE2SIM = roots_of("pose2sim")
# The big ones live one folder above what is prepared from them.
BIG = {
    os.path.dirname(root): SUITES[GENERATED[root]]
    for root in roots_of("posetrack17", "posetrack18", "posetrack21", "hieve")
}


def detector_boxes(wildcards):
    """The detector's boxes, if they are there already; without them `tdmi data prepare` explains."""
    return [path for path in [f"{wildcards.root}/boxes/val.json"] if os.path.exists(path)]


def suite_of(wildcards):
    """The suite that a job is for; of a data set that several share, the one that makes it."""
    if suite := wildcards.get("suite"):
        return SUITES[suite]
    if report := wildcards.get("report"):
        return REPORTS[report][report]
    return BIG.get(wildcards.root) or SUITES[GENERATED[wildcards.root]]
