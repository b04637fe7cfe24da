"""One job per run; a run may start from another run's checkpoint."""


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
        suite=lambda wildcards: suite_file(wildcards.suite) + TRIAL_OPTIONS,
        settings=lambda wildcards: digest(run_settings(wildcards)),
    log:
        "runs/{suite}/{method}/seed{seed}/train.log",
    benchmark:
        "runs/{suite}/{method}/seed{seed}/train.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=1800,
    conda:
        ENVIRONMENT
    message:
        "Train {wildcards.method}, seed {wildcards.seed} (progress in {log})"
    shell:
        "tdmi train --suite {params.suite} --method {wildcards.method} --seed {wildcards.seed}"
        " --threads {threads} > {log} 2>&1"
