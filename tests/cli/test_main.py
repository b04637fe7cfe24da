"""The `tdmi` command itself: its exit statuses, its messages, and what it imports."""

import errno
import json
import logging
import os
import subprocess
import sys

import numpy as np
import pytest

from tdmi.cli.main import main
from tdmi.core.errors import UserError
from tests.support.golden_evaluation import cases, write_back
from tests.support.paths import ROOT


@pytest.fixture
def verify_does(monkeypatch):
    """Replace what `tdmi verify` does."""

    def replace(action):
        monkeypatch.setattr("tdmi.cli.verify.run", lambda args: action())

    return replace


def raiser(error):
    def action():
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "a.jpg"), "a.jpg: Permission denied"),
    ],
)
def test_error_of_the_system_is_one_line(verify_does, capsys, error, line):
    verify_does(raiser(error))
    assert main(["verify", "runs/x"]) == 2
    expected = f"tdmi verify: {line}; mend that and run the same command again\n"
    assert capsys.readouterr().err == expected


def test_bad_input_is_one_line_and_status_2(verify_does, capsys):
    verify_does(raiser(UserError("x.json: found nothing")))
    assert main(["verify", "runs/x"]) == 2
    assert capsys.readouterr().err == "tdmi verify: x.json: found nothing\n"


def test_interrupt_is_one_line_and_status_130(verify_does, capsys):
    verify_does(raiser(KeyboardInterrupt()))
    assert main(["verify", "runs/x"]) == 130
    assert capsys.readouterr().err == "tdmi verify: interrupted\n"


@pytest.mark.parametrize("error", [OSError("raised by a library"), ValueError("a fault")])
def test_fault_of_the_program_keeps_its_traceback(verify_does, error):
    verify_does(raiser(error))
    with pytest.raises(type(error), match=str(error)):
        main(["verify", "runs/x"])


def test_messages_of_library_code_are_plain_lines_on_stderr(verify_does, capsys):
    logger = logging.getLogger("tdmi.some.module")
    verify_does(lambda: logger.info("half of it"))
    for _ in range(2):  # the second command does not print them twice
        assert main(["verify", "runs/x"]) == 0
        assert capsys.readouterr() == ("", "half of it\n")
    assert logging.getLogger("tdmi").handlers == []


def test_threads_and_gpus_are_prepared_before_the_command_runs(monkeypatch):
    calls = []
    monkeypatch.setattr(
        "tdmi.core.process.prepare_process", lambda *given: calls.append(("prepare", *given))
    )
    for command in ("train", "predict", "explain"):
        monkeypatch.setattr(f"tdmi.cli.{command}.run", lambda args: calls.append("run"))
    main(["predict", "--run", "x", "--threads", "3"])
    main(["train", "--suite", "smoke", "--method", "tdmi"])
    main(["train", "--suite", "smoke", "--check"])
    main(["explain", "--run", "x", "--out", "y"])
    prepared = [("prepare", 3, 1), ("prepare", 1, 1), ("prepare", 1, 0), ("prepare", 2, 0)]
    assert calls == [call for one in prepared for call in (one, "run")]


@pytest.mark.parametrize("arguments", [["--help"], ["data", "fetch", "--help"]])
def test_help_imports_nothing_but_the_standard_library(arguments):
    program = (
        "import sys; from tdmi.cli.main import main\n"
        f"try: main({arguments})\n"
        "except SystemExit: pass\n"
        "print([m for m in ('numpy', 'filelock', 'yaml', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


NUMPY_ONLY = """
import sys
UNWANTED = {"fcntl", "torch", "pandas", "matplotlib", "snakemake", "dvc"}

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in UNWANTED:
            raise ImportError(f"{name} is not installed")

sys.meta_path.insert(0, Blocked())
for name in UNWANTED & set(sys.modules):
    del sys.modules[name]
from tdmi.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def numpy_only(*arguments) -> subprocess.CompletedProcess:
    """Run `tdmi` as on a machine without POSIX locks, PyTorch and the workflow's packages."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", NUMPY_ONLY, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def test_evaluator_needs_numpy_only(tmp_path):
    assert "--tracking" in numpy_only("evaluate", "--help").stdout
    case = cases("poseval")["m_medium_pt18"]
    truth, predictions = write_back(case, tmp_path)
    out = tmp_path / "metrics.json"
    options = ("--tracking", "--curves", "--slices", "--bootstrap", "20")
    done = numpy_only("evaluate", "--gt", truth, "--pred", predictions, "--out", out, *options)
    assert done.returncode == 0, done.stderr
    columns = ["head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "total"]
    ap = json.loads(out.read_text())["ap"]
    expected = case["expected"]["ap"]["table_ap"]
    np.testing.assert_allclose([ap[name] for name in columns], expected, rtol=0, atol=1e-9)
