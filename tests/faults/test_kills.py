"""Parts of the harness `kills.py`."""

import random
import signal
import subprocess
import sys

from tests.faults.kills import TARGETS, compare_files, draw, jobs, leftovers, members


def test_strikes_are_drawn_by_the_seed_and_of_every_kind():
    drawn = [draw(random_, (1, 15)) for random_ in [random.Random(4)] for _ in range(100)]
    again = random.Random(4)
    assert drawn == [draw(again, (1, 15)) for _ in range(100)]
    kinds = {(strike.target, strike.signal) for strike in drawn}
    assert kinds == {(t, s) for t in TARGETS for s in (signal.SIGTERM, signal.SIGKILL)}
    assert all(1 <= strike.after <= 15 for strike in drawn)


def test_processes_of_a_group_are_found_and_jobs_told_by_their_command(tmp_path):
    program = tmp_path / "tdmi"
    program.write_text("import time; print(flush=True); time.sleep(600)")
    process = subprocess.Popen(
        [sys.executable, program, "train"], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        process.stdout.readline()
        assert list(members([process.pid])) == [process.pid]
        assert jobs([process.pid]) == {process.pid: "train"}
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert members([process.pid]) == {}


def test_differences_and_leftovers_are_found(tmp_path):
    for side in ("reference", "struck"):
        run = tmp_path / side / "runs" / "smoke" / "tdmi" / "seed0"
        (run / "detected_boxes" / "predictions").mkdir(parents=True)
        (run / "detected_boxes" / "predictions" / "900001.json").write_text("{}")
        (run / "checkpoint.pt").write_text("weights")
    assert compare_files(tmp_path / "reference", tmp_path / "struck", ["tdmi"]) == (2, [])
    assert compare_files(tmp_path / "reference", tmp_path / "struck", ["other"]) == (0, [])
    assert leftovers(tmp_path / "struck") == []
    (run / "checkpoint.pt").write_text("others")
    (run / "detected_boxes" / "predictions" / "900001.json").unlink()
    (run / ".resume.7.part.pt").touch()
    (run / "resume.pt").touch()
    assert compare_files(tmp_path / "reference", tmp_path / "struck", []) == (
        2,
        [
            "runs/smoke/tdmi/seed0/checkpoint.pt",
            "runs/smoke/tdmi/seed0/detected_boxes/predictions/900001.json",
        ],
    )
    left = ["runs/smoke/tdmi/seed0/.resume.7.part.pt", "runs/smoke/tdmi/seed0/resume.pt"]
    assert leftovers(tmp_path / "struck") == left
