"""The graph of experiments: data, training, evaluation, report. `snakemake --cores all` runs a suite.

Choose another suite with `--config suite=NAME` (a file in workflow/config), ablations of it with
`grid=NAME` (a file in workflow/config/grids), some of its seeds with `seeds=0,1`.
"""

from snakemake.utils import min_version

min_version("9.0")


include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/start.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"


onstart:
    check_scheduler()
    check_only_workflow()


# What needs the network, or nothing but a look; compute nodes often have none.
localrules:
    all,
    all_data,
    all_runs,
    all_metrics,
    fetch,
    acquire,
    weights,


# The runs are asked for beside the results: results are committed, so a fresh clone has them, and
# asking for them alone would train nothing.
rule all:
    default_target: True
    input:
        evaluated_runs(JOB),
        expand("results/{report}/index.html", report=REPORTS),


rule all_data:
    input: [record for suite in JOB for record in dataset_records(suite)]


rule all_runs:
    input: [str(run.checkpoint) for run, _ in runs_of(JOB)]


rule all_metrics:
    input: evaluated_runs(JOB)
