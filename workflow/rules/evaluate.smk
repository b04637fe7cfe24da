"""Predictions of each run for each kind of boxes, their official score, and that of their tracks."""


rule predict:
    input:
        checkpoint=str(RUN.checkpoint),
        provenance=str(RUN.provenance),
        data=lambda wildcards: dataset_records(wildcards.suite),
    output:
        directory(
            [str(folder(boxes)) for boxes in BOX_PROTOCOLS for folder in (RUN.predictions, RUN.tracked)]
        ),
        timing=str(RUN.timing),
    params: settings=lambda wildcards: digest(run_settings(wildcards).inference.to_dict())
    log: f"{RUN.path}/predict.log"
    benchmark: f"{RUN.path}/predict.benchmark.tsv"
    threads: cores("predict")
    resources: **resources_of("predict", "gpu")
    conda: ENVIRONMENT
    message: "Predict with {wildcards.method}, seed {wildcards.seed}"
    shell:
        "tdmi predict --run runs/{wildcards.suite}/{wildcards.method}/seed{wildcards.seed}"
        " --threads {threads} > {log} 2>&1"


rule evaluate:
    input:
        data=lambda wildcards: dataset_records(wildcards.suite),
        predictions=str(RUN.predictions("{boxes}")),
    output: str(RUN.metrics("{boxes}"))
    params:
        truth=truth_folder,
        protocol=lambda wildcards: SUITES[wildcards.suite].evaluation,
        options=evaluate_options,
    log: f"{RUN.path}/{{boxes}}/evaluate.log"
    benchmark: f"{RUN.path}/{{boxes}}/evaluate.benchmark.tsv"
    threads: cores("evaluate")
    resources: **resources_of("evaluate")
    conda: ENVIRONMENT
    message: "Evaluate {wildcards.method}, seed {wildcards.seed}, {wildcards.boxes}"
    shell:
        "tdmi evaluate --protocol {params.protocol} --gt {params.truth} --pred {input.predictions}"
        " {params.options} --out {output} > {log} 2>&1"


# Evaluated apart, because MOTA is of the confident part of the predictions (tdmi.prediction.tracking).
rule evaluate_tracks:
    input:
        data=lambda wildcards: dataset_records(wildcards.suite),
        tracked=str(RUN.tracked("{boxes}")),
    output: str(RUN.tracking("{boxes}"))
    params: truth=truth_folder
    log: f"{RUN.path}/{{boxes}}/evaluate_tracks.log"
    benchmark: f"{RUN.path}/{{boxes}}/evaluate_tracks.benchmark.tsv"
    threads: cores("evaluate")
    resources: **resources_of("evaluate")
    conda: ENVIRONMENT
    message: "Evaluate tracks of {wildcards.method}, seed {wildcards.seed}, {wildcards.boxes}"
    shell:
        "tdmi evaluate --protocol poseval --tracking --gt {params.truth} --pred {input.tracked}"
        " --jobs {threads} --out {output} > {log} 2>&1"
