"""Data sets: the embedded ones from fetched sources, the big ones fetched, checked and prepared."""


rule fetch:
    output: "data/sources/{source}/source.json"
    log: "data/sources/{source}.log"
    retries: 2
    threads: 1
    resources: **SMALL
    conda: ENVIRONMENT
    message: "Fetch {wildcards.source}"
    shell: "tdmi data fetch {wildcards.source} --root data/sources > {log} 2>&1"


rule mocap:
    input:
        "data/sources/pybullet/source.json",
        "data/sources/holosoma-retargeting/source.json",
    output: "{root}/dataset-{split}.json"
    wildcard_constraints: root="|".join(MOCAP) or "none"
    params:
        suite=lambda wildcards: SUITES[GENERATED[wildcards.root]].key.name,
        options=lambda wildcards: digest(SUITES[GENERATED[wildcards.root]].dataset.to_dict()),
    log: "{root}-{split}.log"
    benchmark: "{root}-{split}.benchmark.tsv"
    threads: 1
    resources: **resources_of("data", "disk_mb")
    conda: ENVIRONMENT
    message: "Render {wildcards.split} split of {wildcards.root}"
    shell:
        "tdmi data mocap --suite {params.suite} --split {wildcards.split}"
        " --sources data/sources > {log} 2>&1"


rule pose2sim:
    input: "data/sources/pose2sim/source.json"
    output: "{root}/dataset.json"
    wildcard_constraints: root="|".join(POSE2SIM) or "none"
    log: "{root}.log"
    benchmark: "{root}.benchmark.tsv"
    threads: 1
    resources: **resources_of("data", "disk_mb")
    conda: ENVIRONMENT
    message: "Prepare real video in {wildcards.root}"
    shell: "tdmi data pose2sim --sources data/sources --root {wildcards.root} > {log} 2>&1"


rule acquire:
    output: "{root}/acquired.json"
    wildcard_constraints: root="|".join(BIG) or "none"
    params:
        name=lambda wildcards: BIG[wildcards.root].dataset.name,
        # Not a setting: another mirror gives the same files.
        mirror=lambda wildcards: f" --base-url {config['base_url']}" if "base_url" in config else "",
    log: "{root}-acquire.log"
    benchmark: "{root}-acquire.benchmark.tsv"
    threads: 1
    resources: **resources_of("data", "disk_mb")
    conda: ENVIRONMENT
    message: "Fetch {params.name} into {wildcards.root} (progress and what to do by hand in {log})"
    shell: "tdmi data fetch {params.name} --root {wildcards.root}{params.mirror} > {log} 2>&1"


rule check:
    input: "{root}/acquired.json"
    output: "{root}/check.json"
    wildcard_constraints: root="|".join(BIG) or "none"
    params: name=lambda wildcards: BIG[wildcards.root].dataset.name
    log: "{root}-check.log"
    benchmark: "{root}-check.benchmark.tsv"
    threads: 1
    resources: **resources_of("data")
    conda: ENVIRONMENT
    message: "Check {wildcards.root} (report in {log})"
    shell: "tdmi data check {params.name} --root {wildcards.root} --json {output} > {log} 2>&1"


rule prepare:
    input:
        "{root}/acquired.json",
        "{root}/check.json",
        detector_boxes,
    output: "{root}/prepared/dataset.json"
    wildcard_constraints: root="|".join(BIG) or "none"
    params:
        name=lambda wildcards: BIG[wildcards.root].dataset.name,
        boxes=lambda wildcards: (
            ""
            if "detected_boxes" in BIG[wildcards.root].inference.box_protocols
            else " --without-boxes"
        ),
    log: "{root}-prepare.log"
    benchmark: "{root}-prepare.benchmark.tsv"
    threads: 1
    resources: **resources_of("data")
    conda: ENVIRONMENT
    message: "Prepare {wildcards.root}"
    shell: "tdmi data prepare {params.name} --root {wildcards.root}{params.boxes} > {log} 2>&1"
