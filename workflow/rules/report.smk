"""Tables, figures, gallery and page of the main suite, from the run folders alone."""


def report_files():
    return f"results/{MAIN}/index.html"


def report_inputs():
    runs = [run for suite in SUITES.values() for run in run_names(suite)]
    files = ("history.csv", "cost.json", "provenance.json", "timing.json")
    return evaluated_runs() + [f"runs/{run}/{file}" for run in runs for file in files]


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
        suite=MAIN,
        settings=digest(list(SUITES.values())),
    log:
        f"runs/{MAIN}/report.log",
    message:
        "Report in results/{params.suite}"
    shell:
        "tdmi report --suite {params.suite} --runs runs --out results/{params.suite} > {log} 2>&1"
