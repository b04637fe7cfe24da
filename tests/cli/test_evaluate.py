"""`tdmi evaluate`: what it prints and writes, and what it imports."""

import json
import subprocess
import sys

import pytest

from tdmi.cli.main import main
from tdmi.evaluation.protocols.base import Request
from tdmi.evaluation.run import evaluate_folders
from tests.support.golden_evaluation import cases, write_back

POSEVAL = cases("poseval")


def evaluate(folder, truth, predictions, *options) -> int:
    words = ["--gt", truth, "--pred", predictions, "--out", folder / "metrics.json", *options]
    return main(["evaluate", *map(str, words)])


@pytest.mark.parametrize(
    ("protocol", "options"),
    [
        ("poseval", {"tracking": True, "curves": True, "slices": True, "bootstrap": 5}),
        ("posetrack21", {"slices": True, "jobs": 2}),
        ("oks", {"bootstrap": 5, "seed": 2}),
    ],
)
def test_the_outcome_is_printed_and_written(protocol, options, tmp_path, capsys):
    sides = write_back(POSEVAL["m_medium_pt18"], tmp_path)
    words = ["--protocol", protocol]
    for name, value in options.items():
        words += [f"--{name}"] if value is True else [f"--{name}", value]
    assert evaluate(tmp_path, *sides, *words) == 0
    found = evaluate_folders(Request(*sides, protocol, **options))
    assert json.loads((tmp_path / "metrics.json").read_text()) == found.content
    assert capsys.readouterr().out == "\n".join(found.tables) + "\n"


def test_quiet_prints_nothing_and_the_same_bytes_come_again(tmp_path, capsys):
    sides = write_back(POSEVAL["r_small"], tmp_path)
    written = []
    for _ in range(2):
        assert evaluate(tmp_path, *sides, "--quiet") == 0
        written.append((tmp_path / "metrics.json").read_bytes())
    assert written[0] == written[1]
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_notes_and_warnings_go_to_standard_error(tmp_path, capsys):
    sides = write_back(POSEVAL["prediction_without_track_id"], tmp_path)
    assert evaluate(tmp_path, *sides, "--tracking", "--quiet") == 0
    found = evaluate_folders(Request(*sides, tracking=True))
    assert found.notes and found.warnings
    expected = [f"tdmi evaluate: note: {line}" for line in found.notes]
    expected += [f"tdmi evaluate: warning: {line}" for line in found.warnings]
    assert capsys.readouterr().err.splitlines() == expected


@pytest.mark.parametrize("option", ["--tracking", "--strict-poseval"])
def test_options_of_poseval_are_refused_elsewhere(option, tmp_path, capsys):
    sides = write_back(cases("posetrack21")["r_small"], tmp_path)
    assert evaluate(tmp_path, *sides, "--protocol", "posetrack21", option) == 2
    assert f"{option} goes with --protocol poseval" in capsys.readouterr().err
    assert not (tmp_path / "metrics.json").exists()


@pytest.mark.parametrize(
    ("options", "unwanted"),
    [
        ([], ("torch", "scipy", "pandas", "matplotlib", "cv2")),
        (["--curves", "--slices"], ("torch", "scipy", "pandas", "matplotlib", "cv2")),
        (["--tracking", "--bootstrap", "5"], ("torch", "pandas", "matplotlib")),
    ],
)
def test_the_command_imports_only_what_it_needs(options, unwanted, tmp_path):
    truth, predictions = write_back(POSEVAL["r_small"], tmp_path)
    words = ["--gt", truth, "--pred", predictions, "--out", tmp_path / "metrics.json", "--quiet"]
    program = (
        "import sys; from tdmi.cli.main import main; status = main(sys.argv[1:]); "
        f"print(status, [name for name in {unwanted} if name in sys.modules])"
    )
    command = [sys.executable, "-c", program, "evaluate", *map(str, words), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == "0 []\n", done.stderr
