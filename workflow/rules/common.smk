"""Reads and checks the suites before anything runs; input functions shared by the rules."""

import hashlib
import json
import os

from snakemake.exceptions import WorkflowError

from tdmi.errors import UserError
from tdmi.suites import Trial, load_suites, resolve, run_names, seeds_of

SPLITS = ("train", "val", "test")
# Used only with `--software-deployment-method conda`; paths are relative to this folder.
ENVIRONMENT = "../../environment.yml"

# `--config width=8 steps=2` tries a suite at a small size; its runs and results get their own name.
TRIAL = Trial(**{key: int(config[key]) for key in ("width", "steps") if key in config})
TRIAL_OPTIONS = "".join(f" --{key} {config[key]}" for key in ("width", "steps") if key in config)

# `--config protocol=published` gives each method its own published settings, under another name.
NAME = config.get("suite", "embedded")
PROTOCOL = config.get("protocol", "shared")

try:
    SUITES = load_suites(NAME, trial=TRIAL, protocol=PROTOCOL)
    # Published runs start from a run of the suite itself, which is made if it is not there.
    START = {} if PROTOCOL == "shared" else load_suites(NAME, trial=TRIAL)
except UserError as error:
    raise WorkflowError(str(error)) from None
MAIN = next(iter(SUITES))
TRAINABLE = {**START, **SUITES}
BOX_PROTOCOLS = SUITES[MAIN]["inference"]["box_protocols"]


wildcard_constraints:
    suite="|".join(TRAINABLE),
    method="[a-z0-9_]+",
    seed="[0-9]+",
    boxes="|".join(BOX_PROTOCOLS),


def suite_file(suite):
    """Name of the suite's file: its own name without a trial's and a protocol's."""
    return suite.removesuffix(TRIAL.name("")).removesuffix("_published")


def suite_options(suite):
    """A suite as the commands want it: the name of its file and the options that changed it."""
    protocol = TRAINABLE[suite].get("protocol", "shared")
    return f"{suite_file(suite)} --protocol {protocol}{TRIAL_OPTIONS}"


def digest(value):
    """Short hash of settings: a changed YAML makes Snakemake run the rule again."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def dataset_records(suite):
    """Files that mark a suite's data set complete; mocap makes each split by itself."""
    dataset = TRAINABLE[suite]["dataset"]
    if dataset["name"] == "mocap":
        return [f"{dataset['root']}/dataset-{split}.json" for split in SPLITS]
    return [f"{dataset['root']}/dataset.json"]


def initial_checkpoint(wildcards):
    """What a run starts from: another run of this project, or published weights."""
    settings = run_settings(wildcards)
    if settings["start_from"]:
        return f"runs/{settings['start_from']}/checkpoint.pt"
    return settings.get("initial_weights", [])


def trained_runs():
    """The checkpoints of every run of every suite of the main job."""
    return [
        f"runs/{run}/checkpoint.pt" for suite in SUITES.values() for run in run_names(suite)
    ]


def evaluated_runs():
    """The metrics of every run of every suite of the main job, and of its tracks."""
    return [
        f"runs/{run}/{boxes}/{file}.json"
        for suite in SUITES.values()
        for run in run_names(suite)
        for boxes in BOX_PROTOCOLS
        for file in judged_files(suite)
    ]


def judged_files(suite):
    """Tracks are judged by poseval alone; the other protocols have no tracking score here."""
    poseval = suite.get("evaluation", "poseval") == "poseval"
    return ("metrics", "tracking") if poseval else ("metrics",)


def run_settings(wildcards):
    return resolve(TRAINABLE[wildcards.suite], wildcards.method, int(wildcards.seed))


def truth_folder(wildcards):
    dataset = SUITES[wildcards.suite]["dataset"]
    return f"{dataset['root']}/annotations/{dataset['test']}"


def report_files():
    return f"results/{MAIN}/index.html"


def report_inputs():
    runs = [run for suite in SUITES.values() for run in run_names(suite)]
    files = ("history.csv", "cost.json", "provenance.json", "timing.json")
    return evaluated_runs() + [f"runs/{run}/{file}" for run in runs for file in files]


# Which suite of this job makes which data set; two suites may share one.
GENERATED = {suite["dataset"]["root"]: name for name, suite in SUITES.items()}


def roots_of(*names):
    """Roots of the job's data sets that have one of these names."""
    return [root for root, suite in GENERATED.items() if SUITES[suite]["dataset"]["name"] in names]


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
