"""One job per run; a run may start from another run's checkpoint or from published weights."""


# Nothing is downloaded: weights that are not there stop the job at its start, with what to do.
rule weights:
    output:
        "data/weights/{file}.pth",
    log:
        "data/weights/{file}.log",
    threads: 1
    resources:
        mem_mb=SMALL["mem_mb"],
        runtime=SMALL["runtime"],
    conda:
        ENVIRONMENT
    message:
        "Look for published weights {output}"
    shell:
        "tdmi data weights {output} > {log} 2>&1"


rule train:
    input:
        data=lambda wildcards: dataset_records(wildcards.suite),
        start=initial_checkpoint,
    output:
        checkpoint="runs/{suite}/{method}/seed{seed}/checkpoint.pt",
        history="runs/{suite}/{method}/seed{seed}/history.csv",
        config="runs/{suite}/{method}/seed{seed}/config.yaml",
        cost="runs/{suite}/{method}/seed{seed}/cost.json",
        provenance="runs/{suite}/{method}/seed{seed}/provenance.json",
    params:
        suite=lambda wildcards: suite_options(wildcards.suite),
        settings=lambda wildcards: digest(run_settings(wildcards)),
    log:
        "runs/{suite}/{method}/seed{seed}/train.log",
    benchmark:
        "runs/{suite}/{method}/seed{seed}/train.benchmark.tsv"
    threads: cores("train")
    resources:
        gpu=training_devices,
        mem_mb=memory("train"),
        runtime=asked("train", "runtime"),
    conda:
        ENVIRONMENT
    message:
        "Train {wildcards.method}, seed {wildcards.seed} (progress in {log})"
    shell:
        "tdmi train --suite {params.suite} --method {wildcards.method} --seed {wildcards.seed}"
        " --threads {threads} --restart-if-changed > {log} 2>&1"
