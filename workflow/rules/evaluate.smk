"""Predictions of each run for each kind of boxes, and their official score."""


rule predict:
    input:
        checkpoint="runs/{suite}/{method}/seed{seed}/checkpoint.pt",
        provenance="runs/{suite}/{method}/seed{seed}/provenance.json",
        data=lambda wildcards: dataset_records(wildcards.suite),
    output:
        directory(
            expand(
                "runs/{suite}/{method}/seed{seed}/{boxes}/predictions",
                boxes=BOX_PROTOCOLS,
                allow_missing=True,
            )
        ),
        timing="runs/{suite}/{method}/seed{seed}/timing.json",
    params:
        settings=lambda wildcards: digest(SUITES[wildcards.suite]["inference"]),
    log:
        "runs/{suite}/{method}/seed{seed}/predict.log",
    threads: 1
    resources:
        mem_mb=1800,
    conda:
        ENVIRONMENT
    message:
        "Predict with {wildcards.method}, seed {wildcards.seed}"
    shell:
        "tdmi predict --run runs/{wildcards.suite}/{wildcards.method}/seed{wildcards.seed}"
        " --threads {threads} > {log} 2>&1"


rule evaluate:
    input:
        data=lambda wildcards: dataset_records(wildcards.suite),
        predictions="runs/{suite}/{method}/seed{seed}/{boxes}/predictions",
    output:
        "runs/{suite}/{method}/seed{seed}/{boxes}/metrics.json",
    params:
        truth=truth_folder,
        protocol=lambda wildcards: SUITES[wildcards.suite].get("evaluation", "poseval"),
    log:
        "runs/{suite}/{method}/seed{seed}/{boxes}/evaluate.log",
    conda:
        ENVIRONMENT
    message:
        "Evaluate {wildcards.method}, seed {wildcards.seed}, {wildcards.boxes}"
    shell:
        "tdmi evaluate --protocol {params.protocol} --gt {params.truth} --pred {input.predictions}"
        " --out {output} > {log} 2>&1"
