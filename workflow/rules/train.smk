"""One job per run; a run may start from another run's checkpoint or from published weights."""


# Nothing is downloaded: missing weights stop the job at its start, with what to do.
rule weights:
    output: "data/weights/{file}.pth"
    log: "data/weights/{file}.log"
    threads: 1
    resources: **SMALL
    conda: ENVIRONMENT
    message: "Look for published weights {output}"
    shell: "tdmi data weights {output} > {log} 2>&1"


rule train:
    input:
        data=lambda wildcards: dataset_records(wildcards.suite),
        start=start_of,
    output:
        checkpoint=str(RUN.checkpoint),
        history=str(RUN.history),
        config=str(RUN.config),
        cost=str(RUN.cost),
        provenance=str(RUN.provenance),
    params:
        suite=lambda wildcards: SUITES[wildcards.suite].key.cli_options,
        settings=lambda wildcards: digest(run_settings(wildcards).to_dict()),
    log: f"{RUN.path}/train.log"
    benchmark: f"{RUN.path}/train.benchmark.tsv"
    threads: cores("train")
    resources:
        gpu=training_devices,
        **resources_of("train"),
    conda: ENVIRONMENT
    message: "Train {wildcards.method}, seed {wildcards.seed} (progress in {log})"
    shell:
        "tdmi train --suite {params.suite} --method {wildcards.method} --seed {wildcards.seed}"
        " --threads {threads} --restart-if-changed > {log} 2>&1"
