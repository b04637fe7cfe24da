"""`tdmi diff` on trees made by hand, whose differences are known."""

import hashlib
import json
import shutil
import subprocess

import pytest
import yaml

from tdmi.cli.main import main
from tdmi.config.suites import load_suite
from tdmi.data.skeletons import JOINT_GROUPS
from tests.support.paths import ROOT

WORKFLOW = ROOT / "workflow"
GROUND = "ground_truth_boxes"
RECORD = {
    "commit": "a" * 40,
    "packages": {"torch": "2.4.1", "numpy": "1.26.4"},
    "hardware": {"cores": 2},
    "training": {"train_seconds": 1.0, "device": "cpu"},
    "data_sha256": "d" * 64,
}
# Method -> AP of seeds 0, 1, 2. Against BEFORE the differences are 0, 0, 0; 1, 2, 3 (mean 2,
# deviation 1); 1.9, 2, 2.1 (mean 2, deviation 0.1).
BEFORE = {"same": [50, 51, 52], "wide": [30, 30, 30], "narrow": [40, 41, 42], "gone": [1, 2]}
AFTER = {"same": [50, 51, 52], "wide": [31, 32, 33], "narrow": [41.9, 43, 44.1], "new": [3]}
# The quantile of Student's t for two degrees of freedom, from a printed table, over root three.
HALF = 4.302653 / 3**0.5


def write_report(folder, aps, *, ankle=0.0, record=RECORD):
    """A results/<suite> folder: AP total by method and seed, and one joint group."""
    rows = ["method,seed,protocol,measure,joint,value"]
    for method, values in aps.items():
        for seed, value in enumerate(values):
            rows += [f"{method},{seed},{GROUND},ap,{j},{v}" for j, v in
                     (("ankle", ankle), ("head", ""), ("total", value))]  # fmt: skip
    write(folder / "tables" / "runs.csv", "\n".join(rows) + "\n")
    records = {
        f"{name}/seed{k}": record for name, values in aps.items() for k in range(len(values))
    }
    write(folder / "provenance.json", json.dumps(records))
    return folder


def write_run(folder, aps, settings, record=RECORD):
    """Runs of a suite as training and evaluation leave them."""
    for method, values in aps.items():
        for seed, value in enumerate(values):
            run = folder / method / f"seed{seed}"
            write(run / "config.yaml", yaml.safe_dump({"seed": seed} | settings))
            write(run / "provenance.json", json.dumps(record))
            ap = dict.fromkeys(JOINT_GROUPS, 0.0) | {"total": value}
            write(run / GROUND / "metrics.json", json.dumps({"ap": ap}))
    return folder


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def diff(a, b, tmp_path, *options):
    """What --out FILE.json holds."""
    out = tmp_path / "diff.json"
    assert main(["diff", str(a), str(b), "--out", str(out), *options]) == 0
    return json.loads(out.read_text())


@pytest.fixture
def trees(tmp_path):
    return (
        write_report(tmp_path / "a" / "suite", BEFORE),
        write_report(tmp_path / "b" / "suite", AFTER),
    )


def test_verdicts_follow_the_interval_of_paired_seeds(trees, tmp_path, capsys):
    numbers = diff(*trees, tmp_path)["suites"]["suite"]["numbers"]
    rows = {row["method"]: row for row in numbers}
    verdicts = {name: row["verdict"] for name, row in rows.items()}
    assert verdicts == {
        "same": "equal",
        "wide": "within the noise",
        "narrow": "beyond the noise",
        "gone": "only in A",
        "new": "only in B",
    }
    for name, spread in (("wide", 1), ("narrow", 0.1)):
        assert rows[name]["difference"] == pytest.approx(2)
        assert rows[name]["low"] == pytest.approx(2 - HALF * spread, abs=1e-5)
        assert rows[name]["high"] == pytest.approx(2 + HALF * spread, abs=1e-5)
    assert (rows["narrow"]["a"], rows["narrow"]["b"]) == (pytest.approx(41), pytest.approx(43))
    assert (rows["gone"]["a"], rows["gone"]["b"], rows["gone"]["seeds_a"]) == (1.5, None, 2)
    shown = capsys.readouterr().out
    assert "1 equal, 1 within the noise, 1 beyond the noise, 1 only in A, 1 only in B" in shown
    rows = [[cell.strip() for cell in line.split("|")] for line in shown.splitlines()]
    (narrow,) = (row for row in rows if row[1:2] == ["narrow"])
    assert narrow[-3:] == ["+2.00 [+1.75, +2.25]", "3 of 3 and 3", ""]
    assert not any(row[1:2] == ["same"] for row in rows)


def test_only_seeds_of_both_sides_are_paired(tmp_path):
    a = write_report(tmp_path / "a" / "suite", {"one": [10], "two": [10, 20]})
    b = write_report(tmp_path / "b" / "suite", {"one": [12, 99, 99], "two": [11, 21, 99]})
    rows = diff(a, b, tmp_path)["suites"]["suite"]["numbers"]
    one, two = rows
    assert (one["verdict"], one["difference"], one["low"]) == ("too few shared seeds", 2, None)
    assert (one["seeds"], one["seeds_a"], one["seeds_b"]) == (1, 1, 3)
    # Two equal differences have no spread: any difference is then beyond it.
    assert (two["verdict"], two["difference"], two["low"]) == ("beyond the noise", 1, 1)


def test_equal_means_every_joint(tmp_path):
    a = write_report(tmp_path / "a" / "suite", {"one": [10, 20]})
    b = write_report(tmp_path / "b" / "suite", {"one": [10, 20]}, ankle=0.5)
    (row,) = diff(a, b, tmp_path)["suites"]["suite"]["numbers"]
    assert (row["verdict"], row["difference"]) == ("within the noise", 0)


def test_settings_and_records_entry_by_entry(tmp_path):
    settings = {"recipe": {"steps": 10, "rate": 0.1}, "crop": {"size": [64, 48]}}
    a = write_run(tmp_path / "a" / "suite", {"one": [1, 2], "two": [3]}, settings)
    newer = {**RECORD, "packages": {"torch": "2.5.0", "numpy": "1.26.4"}, "commit": "b" * 40}
    newer["training"] = {"train_seconds": 9.0, "device": "cpu"}
    b = write_run(tmp_path / "b" / "suite", {"one": [1, 2], "two": [3]}, settings, newer)
    write_run(b, {"two": [3]}, {**settings, "recipe": {"steps": 20, "rate": 0.1}}, newer)
    found = diff(a, b, tmp_path)["suites"]["suite"]
    assert found["settings"] == [
        {"entry": "recipe · steps", "a": 10, "b": 20, "runs": ["two/seed0"]}
    ]
    runs = ["one/seed0", "one/seed1", "two/seed0"]
    assert found["records"] == [
        {"entry": "commit", "a": "a" * 40, "b": "b" * 40, "runs": runs},
        {"entry": "packages · torch", "a": "2.4.1", "b": "2.5.0", "runs": runs},
    ]


def test_entries_that_differ_from_run_to_run_are_counted(tmp_path):
    trees = []
    for side in "ab":
        folder = write_report(tmp_path / side / "suite", {"one": [1, 2, 3, 4]})
        records = {f"one/seed{k}": {"checkpoint": f"{side}{k}", "code": side} for k in range(4)}
        records["one/seed3"]["code"] = "a"
        write(folder / "provenance.json", json.dumps(records))
        trees.append(folder)
    found = diff(*trees, tmp_path)["suites"]["suite"]["records"]
    by_entry = {row["entry"]: (row["a"], row["b"], len(row["runs"])) for row in found}
    assert by_entry == {"checkpoint": ("4 values", "4 values", 4), "code": ("a", "b", 3)}


def test_run_folders_and_the_report_of_them_are_equal(tmp_path):
    """A report writes six digits of what metrics.json holds in full."""
    runs = write_run(tmp_path / "runs" / "suite", {"one": [100 / 3, 200 / 3]}, {})
    write_run(tmp_path / "runs" / "other", {"one": [1]}, {})
    report = write_report(tmp_path / "results" / "suite", {"one": [33.3333, 66.6667]})
    text = (report / "tables" / "runs.csv").read_text()
    groups = [f"one,{k},{GROUND},ap,{joint},0" for k in (0, 1) for joint in JOINT_GROUPS]
    kept = [line for line in text.splitlines() if ",ankle," not in line and ",head," not in line]
    write(report / "tables" / "runs.csv", "\n".join([*kept, *groups]) + "\n")
    found = diff(runs.parent, report, tmp_path)
    assert found["suites_only_a"] == ["other"]
    (row,) = found["suites"]["suite"]["numbers"]
    assert row["verdict"] == "equal"
    assert found["suites"]["suite"]["runs_with_known_settings"] == 0


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Results of a workflow, then another flip test in it, then results with that and a torch."""
    root = tmp_path / "repository"
    shutil.copytree(WORKFLOW, root / "workflow")
    monkeypatch.chdir(root)
    git("init", "--quiet")
    record = {**RECORD, "commit": commit()}
    write_report(root / "results" / "smoke", {"single_frame": [10]}, record=record)
    commit()
    config = root / "workflow" / "config" / "smoke.yaml"
    suite = yaml.safe_load(config.read_text())
    suite["inference"]["flip"] = not suite["inference"]["flip"]
    config.write_text(yaml.safe_dump(suite, sort_keys=False))
    # As config.yaml of the run holds it.
    text = load_suite("smoke", root / "workflow").settings("single_frame", 0).text()
    record = {**RECORD, "commit": commit(), "packages": {"torch": "2.5.0", "numpy": "1.26.4"}}
    record["config_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    write_report(root / "results" / "smoke", {"single_frame": [12]}, record=record)
    commit()
    return root


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def commit():
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "results")
    return git("rev-parse", "HEAD").strip()


@pytest.mark.parametrize("names", [("HEAD~2", "HEAD"), ("HEAD~2:results/smoke", "results/smoke")])
def test_revisions_are_read_with_the_workflow_of_their_runs(repository, tmp_path, names):
    found = diff(*names, tmp_path)["suites"]["smoke"]
    (row,) = found["numbers"]
    assert (row["a"], row["b"], row["difference"]) == (10, 12, 2)
    assert [row["entry"] for row in found["settings"]] == ["inference · flip"]
    entries = ["commit", "packages · torch", "config_sha256"]
    assert [row["entry"] for row in found["records"]] == entries
    assert found["runs_with_known_settings"] == 1


@pytest.mark.parametrize("change", [{"config_sha256": "0" * 64}, {"commit": "0" * 40}])
def test_settings_that_nothing_vouches_for_are_unknown(repository, tmp_path, capsys, change):
    path = repository / "results" / "smoke" / "provenance.json"
    records = json.loads(path.read_text())
    records["single_frame/seed0"] |= change
    write(path, json.dumps(records))
    found = diff("HEAD~2", "results", tmp_path)["suites"]["smoke"]
    assert (found["settings"], found["runs_with_known_settings"]) == ([], 0)
    assert "settings: 0 entries differ; known of 0 runs in both" in capsys.readouterr().out


def test_a_workflow_of_another_form_leaves_settings_unknown(repository, tmp_path):
    write(repository / "workflow" / "config" / "smoke.yaml", "{suite: smoke, methods: {}}")
    path = repository / "results" / "smoke" / "provenance.json"
    write(path, json.dumps({"single_frame/seed0": {**RECORD, "commit": commit()}}))
    found = diff("HEAD~1", "results", tmp_path)["suites"]["smoke"]
    assert found["runs_with_known_settings"] == 0


def test_revisions_are_found_from_a_folder_below(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(repository / "workflow")
    found = diff("HEAD~2", "HEAD", tmp_path)["suites"]["smoke"]
    assert (found["numbers"][0]["difference"], found["runs_with_known_settings"]) == (2, 1)


def test_markdown_has_every_row_in_columns_that_no_cell_ends(trees, tmp_path):
    path = trees[0] / "provenance.json"
    records = json.loads(path.read_text())
    records["same/seed0"] = RECORD | {"hardware": {"cpu": "this | that"}}
    write(path, json.dumps(records))
    out = tmp_path / "diff.md"
    assert main(["diff", *map(str, trees), "--out", str(out)]) == 0
    lines = [line for line in out.read_text().splitlines() if line.startswith("| ")]
    names = [line.split()[1] for line in lines if "---" not in line]
    assert names[:6] == ["Method", "same", "wide", "narrow", "new", "gone"]
    assert {line.replace(r"\|", "").count("|") for line in lines[:7]} == {9}
    assert {line.replace(r"\|", "").count("|") for line in lines[7:]} == {5}
    assert len({len(line) for line in lines[:7]}) == 1


def test_exit_code_says_whether_a_number_left_the_noise(trees, tmp_path):
    a = write_report(tmp_path / "c" / "suite", {"same": [1, 2, 3], "wide": [30, 30, 30]})
    b = write_report(tmp_path / "d" / "suite", {"same": [1, 2, 3], "wide": [31, 32, 33]})
    assert main(["diff", str(a), str(b), "--exit-code"]) == 0
    assert main(["diff", *map(str, trees)]) == 0
    with pytest.raises(SystemExit) as left:
        main(["diff", *map(str, trees), "--exit-code"])
    assert left.value.code == 1


def refused(capsys, *arguments):
    """The one line on standard error."""
    capsys.readouterr()
    assert main(["diff", *map(str, arguments)]) == 2
    printed = capsys.readouterr()
    assert not printed.out
    (line,) = printed.err.splitlines()
    return line


def test_what_is_no_tree_is_refused(repository, trees, tmp_path, capsys):
    out = tmp_path / "out.md"
    line = refused(capsys, "nothing", trees[1], "--out", out)
    assert "nothing: neither a folder nor a git revision" in line and "HEAD~1" in line
    assert "HEAD:nowhere: the revision has no folder nowhere" in refused(
        capsys, "HEAD:nowhere", "HEAD"
    )
    (tmp_path / "empty").mkdir()
    assert "empty: no results in it, expected tables/runs.csv" in refused(
        capsys, tmp_path / "empty", trees[1]
    )
    other = write_report(tmp_path / "other", BEFORE)
    line = refused(capsys, trees[0], other, "--out", out)
    assert "holds suite" in line and "holds other; expected a suite in both" in line
    assert "out.txt: expected a name in .md, .json" in refused(
        capsys, *trees, "--out", tmp_path / "out.txt"
    )
    assert not out.exists()


@pytest.mark.parametrize(
    ("file", "content", "found"),
    [
        ("tables/runs.csv", "", "not a valid table of runs"),
        ("tables/runs.csv", "method,seed\na,0\n", "expected ['method', 'seed', 'protocol'"),
        ("tables/runs.csv", "HEAD\na,zero,b,ap,total,1\n", "not a valid table of runs"),
        ("tables/runs.csv", "HEAD\na,0,b,ap,total,much\n", "not a valid table of runs"),
        ("tables/runs.csv", "HEAD\na,0,b,ap,total,1\na,0,b,ap,total,1\n", "stands twice"),
        ("tables/runs.csv", "HEAD\na,0,b,ap,ankle,1\n", "'a 0 b ap' has no total"),
        ("tables/runs.csv", None, "no such file"),
        ("provenance.json", "[]", "found a list, expected a mapping"),
        ("provenance.json", '{"a/seed0": 1}', "'a/seed0': expected the record of a run"),
        ("provenance.json", "{", "not valid JSON"),
        ("provenance.json", None, "no such file"),
    ],
)
def test_broken_files_of_a_report_are_named(trees, capsys, file, content, found):
    path = trees[0] / file
    path.unlink()
    if content is not None:
        path.write_text(content.replace("HEAD", "method,seed,protocol,measure,joint,value"))
    line = refused(capsys, *trees)
    assert line.startswith(f"tdmi diff: {path}: ") and found in line


@pytest.mark.parametrize("file", ["config.yaml", "provenance.json", f"{GROUND}/metrics.json"])
def test_broken_files_of_runs_are_named(tmp_path, capsys, file):
    folder = write_run(tmp_path / "suite", {"one": [1]}, {})
    path = folder / "one" / "seed0" / file
    path.write_text("[")
    assert str(path) in refused(capsys, folder, folder)


def test_a_broken_file_of_a_revision_is_named_as_git_does(repository, capsys):
    write(repository / "results" / "smoke" / "provenance.json", "{")
    commit()
    line = refused(capsys, "HEAD", "results")
    assert "tdmi diff: HEAD:results/smoke/provenance.json: not valid JSON" in line
