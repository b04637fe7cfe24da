"""The embedded data sets: fetched sources, then one job per split."""

# Which suite of this job makes which data set; two suites may share one.
GENERATED = {suite["dataset"]["root"]: name for name, suite in SUITES.items()}
MOCAP = [root for root, name in GENERATED.items() if SUITES[name]["dataset"]["name"] == "mocap"]
POSE2SIM = [root for root in GENERATED if root not in MOCAP]


rule fetch:
    output:
        "data/sources/{source}/source.json",
    log:
        "data/sources/{source}.log",
    retries: 2
    conda:
        ENVIRONMENT
    message:
        "Fetch {wildcards.source}"
    shell:
        "tdmi data fetch {wildcards.source} --root data/sources > {log} 2>&1"


rule mocap:
    input:
        "data/sources/pybullet/source.json",
        "data/sources/holosoma-retargeting/source.json",
    output:
        "{root}/dataset-{split}.json",
    wildcard_constraints:
        root="|".join(MOCAP) or "none",
    params:
        suite=lambda wildcards: GENERATED[wildcards.root],
        options=lambda wildcards: digest(SUITES[GENERATED[wildcards.root]]["dataset"]),
    log:
        "{root}-{split}.log",
    conda:
        ENVIRONMENT
    message:
        "Render {wildcards.split} split of {wildcards.root}"
    shell:
        "tdmi data mocap --suite {params.suite} --split {wildcards.split}"
        " --sources data/sources > {log} 2>&1"


rule pose2sim:
    input:
        "data/sources/pose2sim/source.json",
    output:
        "{root}/dataset.json",
    wildcard_constraints:
        root="|".join(POSE2SIM) or "none",
    log:
        "{root}.log",
    conda:
        ENVIRONMENT
    message:
        "Prepare real video in {wildcards.root}"
    shell:
        "tdmi data pose2sim --sources data/sources --root {wildcards.root} > {log} 2>&1"
