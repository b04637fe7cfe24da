"""Predictions of each run for each kind of boxes, their official score, and that of their tracks."""


rule predict:
    input:
        checkpoint="runs/{suite}/{method}/seed{seed}/checkpoint.pt",
        provenance="runs/{suite}/{method}/seed{seed}/provenance.json",
        data=lambda wildcards: dataset_records(wildcards.suite),
    output:
        directory(
            expand(
                "runs/{suite}/{method}/seed{seed}/{boxes}/{kind}",
                boxes=BOX_PROTOCOLS,
                kind=("predictions", "tracked"),
                allow_missing=True,
            )
        ),
        timing="runs/{suite}/{method}/seed{seed}/timing.json",
    params:
        settings=lambda wildcards: digest(run_settings(wildcards)["inference"]),
    log:
        "runs/{suite}/{method}/seed{seed}/predict.log",
    benchmark:
        "runs/{suite}/{method}/seed{seed}/predict.benchmark.tsv"
    threads: cores("predict")
    resources:
        gpu=asked("predict", "gpu"),
        mem_mb=memory("predict"),
        runtime=asked("predict", "runtime"),
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
        options=evaluate_options,
    log:
        "runs/{suite}/{method}/seed{seed}/{boxes}/evaluate.log",
    benchmark:
        "runs/{suite}/{method}/seed{seed}/{boxes}/evaluate.benchmark.tsv"
    threads: cores("evaluate")
    resources:
        mem_mb=memory("evaluate"),
        runtime=asked("evaluate", "runtime"),
    conda:
        ENVIRONMENT
    message:
        "Evaluate {wildcards.method}, seed {wildcards.seed}, {wildcards.boxes}"
    shell:
        "tdmi evaluate --protocol {params.protocol} --gt {params.truth} --pred {input.predictions}"
        " {params.options} --out {output} > {log} 2>&1"


# Judged apart, because MOTA is of the sure part of the predictions alone (see tdmi.prediction.tracking).
rule evaluate_tracks:
    input:
        data=lambda wildcards: dataset_records(wildcards.suite),
        tracked="runs/{suite}/{method}/seed{seed}/{boxes}/tracked",
    output:
        "runs/{suite}/{method}/seed{seed}/{boxes}/tracking.json",
    params:
        truth=truth_folder,
    log:
        "runs/{suite}/{method}/seed{seed}/{boxes}/evaluate_tracks.log",
    benchmark:
        "runs/{suite}/{method}/seed{seed}/{boxes}/evaluate_tracks.benchmark.tsv"
    threads: cores("evaluate")
    resources:
        mem_mb=memory("evaluate"),
        runtime=asked("evaluate", "runtime"),
    conda:
        ENVIRONMENT
    message:
        "Evaluate tracks of {wildcards.method}, seed {wildcards.seed}, {wildcards.boxes}"
    shell:
        "tdmi evaluate --protocol poseval --tracking --gt {params.truth} --pred {input.tracked}"
        " --jobs {threads} --out {output} > {log} 2>&1"
