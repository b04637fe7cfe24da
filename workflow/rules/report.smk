"""Tables, figures, gallery and page of each suite asked for, from the run folders."""


rule report:
    input:
        runs=report_inputs,
        data=lambda wildcards: [
            file for suite in REPORTS[wildcards.report] for file in dataset_records(suite)
        ],
        published="results/published.csv",
    output:
        report(
            "results/{report}/index.html",
            caption="../report/page.rst",
            category="{report}",
            labels={"kind": "page", "name": "everything"},
        ),
        "results/{report}/metrics.json",
        "results/{report}/provenance.json",
        report(
            directory("results/{report}/tables"),
            patterns=["{name}.csv"],
            caption="../report/table.rst",
            category="{report}",
            labels={"kind": "table", "name": "{name}"},
        ),
        report(
            directory("results/{report}/figures"),
            patterns=["{name}.svg", "{name}.webp"],
            caption="../report/figure.rst",
            category="{report}",
            labels={"kind": "figure", "name": "{name}"},
        ),
        directory("results/{report}/gallery"),
    params:
        suite=lambda wildcards: REPORTS[wildcards.report][wildcards.report].key.cli_options,
        settings=lambda wildcards: digest(without_resources(REPORTS[wildcards.report])),
    log: "runs/{report}/report.log"
    benchmark: "runs/{report}/report.benchmark.tsv"
    threads: 1
    resources: **resources_of("report")
    conda: ENVIRONMENT
    message: "Report in results/{wildcards.report}"
    shell:
        "tdmi report --suite {params.suite} --runs runs --out results/{wildcards.report} > {log} 2>&1"
