"""Commands that work for long refuse a destination before anything else is looked at."""

from __future__ import annotations

import pytest

from tdmi.cli.main import main

COMMANDS = {
    "explain": ["explain", "--run", "no-run", "--split", "test"],
    "predict": ["predict", "--run", "no-run", "--split", "test"],
    "report": ["report", "--suite", "no-suite", "--runs", "no-runs"],
    "plan": ["plan", "no-suite"],
    "reproduce": ["reproduce", "no-run"],
    "detect": ["data", "detect", "--root", "no-root", "--split", "val"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_in_the_way_is_named_first_and_stays(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    assert main([*COMMANDS[command], "--out", "file/out"]) == 2
    line = capsys.readouterr().err.strip()
    assert "--out cannot be written in" in line and "Not a directory" in line and "\n" not in line
    assert (tmp_path / "file").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
