"""Tables, figures, gallery and page of the main suite, from the run folders alone."""


rule report:
    input:
        runs=report_inputs(),
        data=[record for suite in SUITES for record in dataset_records(suite)],
        published="results/published.csv",
    output:
        f"results/{MAIN}/index.html",
        f"results/{MAIN}/metrics.json",
        f"results/{MAIN}/provenance.json",
        directory(f"results/{MAIN}/tables"),
        directory(f"results/{MAIN}/figures"),
        directory(f"results/{MAIN}/gallery"),
    params:
        suite=suite_options(MAIN),
        name=MAIN,
        settings=digest(list(SUITES.values())),
    log:
        f"runs/{MAIN}/report.log",
    conda:
        ENVIRONMENT
    message:
        "Report in results/{params.name}"
    shell:
        "tdmi report --suite {params.suite} --runs runs --out results/{params.name} > {log} 2>&1"
