"""Reads and checks the suites before anything runs; input functions shared by the rules."""

import hashlib
import json

from snakemake.exceptions import WorkflowError

from tdmi.errors import UserError
from tdmi.suites import load_suites, resolve, run_names, seeds_of, start_of

SPLITS = ("train", "val", "test")
# Used only with `--software-deployment-method conda`; paths are relative to this folder.
ENVIRONMENT = "../../environment.yml"

try:
    MAIN = config.get("suite", "embedded")
    SUITES = load_suites(MAIN)
except UserError as error:
    raise WorkflowError(str(error)) from None


wildcard_constraints:
    suite="|".join(SUITES),
    method="[a-z0-9_]+",
    seed="[0-9]+",
    boxes="ground_truth_boxes|detected_boxes",


def digest(value):
    """Short hash of settings: a changed YAML makes Snakemake run the rule again."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def dataset_records(suite):
    """Files that mark a suite's data set complete; mocap makes each split by itself."""
    dataset = SUITES[suite]["dataset"]
    if dataset["name"] == "mocap":
        return [f"{dataset['root']}/dataset-{split}.json" for split in SPLITS]
    return [f"{dataset['root']}/dataset.json"]


def trained_runs():
    """The checkpoints of every run of every suite of the main job."""
    return [
        f"runs/{run}/checkpoint.pt" for suite in SUITES.values() for run in run_names(suite)
    ]


def evaluated_runs():
    """The metrics of every run of every suite of the main job."""
    return [
        f"runs/{run}/{boxes}/metrics.json"
        for suite in SUITES.values()
        for run in run_names(suite)
        for boxes in suite["inference"]["box_protocols"]
    ]


def run_settings(wildcards):
    return resolve(SUITES[wildcards.suite], wildcards.method, int(wildcards.seed))


def start_checkpoint(wildcards):
    start = start_of(SUITES[wildcards.suite], wildcards.method, int(wildcards.seed))
    return f"runs/{start}/checkpoint.pt" if start else []


def truth_folder(wildcards):
    dataset = SUITES[wildcards.suite]["dataset"]
    return f"{dataset['root']}/annotations/{dataset['test']}"


def report_files():
    return f"results/{MAIN}/index.html"


def report_inputs():
    runs = [run for suite in SUITES.values() for run in run_names(suite)]
    files = ("history.csv", "cost.json", "provenance.json", "timing.json")
    return evaluated_runs() + [f"runs/{run}/{file}" for run in runs for file in files]
