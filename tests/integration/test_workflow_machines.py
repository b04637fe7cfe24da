"""The workflow on several GPUs, on a cluster, and beside another running workflow."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tdmi.core.locks import read_owner, try_lock, write_owner
from tests.support.checkouts import checkout
from tests.support.scheduler_stand_ins import command, environment, stand_in_slurm, stand_in_tdmi

TRAINED = "runs/posetrack17/{}/seed0/checkpoint.pt"
CONFIG = ["--config", "suite=posetrack17"]
SOURCE = "data/sources/pybullet/source.json"


def snakemake(clone: Path, commands: Path, *arguments: str, **more: str):
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=clone,
        capture_output=True,
        text=True,
        env=environment(commands, **more),
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def clone(tmp_path):
    return checkout(tmp_path / "clone")


@pytest.fixture
def commands(tmp_path):
    stand_in_tdmi(tmp_path / "commands")
    return tmp_path / "commands"


def test_as_many_trainings_as_gpus_run_at_once_each_on_its_own(clone, commands, tmp_path):
    claims = tmp_path / "claims"
    claims.mkdir()
    claim = tmp_path / "claim.py"
    # Each waits until the other has its GPU: one after the other would never end.
    claim.write_text(
        "import os, pathlib, sys, time\n"
        "from tdmi.core.process import claim_gpus\n"
        "claim_gpus()\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "claimed = os.environ['CUDA_VISIBLE_DEVICES'] + ' with threads ' + sys.argv[3]\n"
        "(folder / sys.argv[2]).write_text(claimed)\n"
        "end = time.monotonic() + 500\n"
        "while len(list(folder.iterdir())) < 2:\n"
        "    assert time.monotonic() < end\n"
        "    time.sleep(0.1)\n"
    )
    stand_in_tdmi(commands, train=f'{sys.executable} {claim} {claims} "$5" "$9"')
    command(commands, "nvidia-smi", "printf '0\\n1\\n'\n")
    targets = [TRAINED.format(method) for method in ("single_frame", "simple_baseline")]
    shown = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", shown)
        # Independent of this machine's memory.
        machine = ("--cores", "4", "--resources", "mem_mb=100000")
        code, printed = snakemake(clone, commands, *machine, *CONFIG, "--", *targets)
    assert code == 0, printed
    # They also share the cores.
    claimed = sorted(path.read_text() for path in claims.iterdir())
    assert claimed == ["0 with threads 2", "1 with threads 2"]


def assert_job_knows_its_workflow(clone, method):
    """The job's environment names the workflow as the lock of the folder does."""
    known = (clone / TRAINED.format(method)).with_name("workflow").read_text()
    lock = clone / ".snakemake" / "running.lock"
    assert re.match(r"process \d+ on .+ since 20", known)
    assert known == f"{read_owner(lock)};{lock}\n"


def test_jobs_know_their_workflow(clone, commands):
    stand_in_tdmi(commands, train='echo "$TDMI_WORKFLOW" > "$run/workflow"')
    target = TRAINED.format("single_frame")
    code, printed = snakemake(clone, commands, "--cores", "1", *CONFIG, "--", target)
    assert code == 0, printed
    assert_job_knows_its_workflow(clone, "single_frame")


@pytest.mark.slow
def test_cluster_job_asks_for_a_gpu_and_continues_after_its_time_limit(clone, commands, tmp_path):
    stand_in_tdmi(commands, train='echo "$TDMI_WORKFLOW" > "$run/workflow"')
    stand_in_slurm(commands)
    log = tmp_path / "jobs"
    log.mkdir()
    code, printed = snakemake(
        clone,
        commands,
        *("--profile", "profiles/slurm", "--latency-wait", "1"),
        *("--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1"),
        *CONFIG,
        "--",
        TRAINED.format("single_frame"),
        SLURM_LOG=str(log),
        USER="me",
    )
    assert code == 0, printed + "".join(p.read_text() for p in tmp_path.glob("jobs.*.out"))
    jobs = [path.read_text() for path in sorted(log.iterdir(), key=lambda path: int(path.name))]
    jobs = [" ".join(job.splitlines()) for job in jobs]
    prepared, timed_out, again = (
        [job for job in jobs if f"rule_{rule}" in job] for rule in ("prepare", "train", "train")
    )
    assert "--gpus" not in prepared[0] and "--mem 8000" in prepared[0]
    assert len(timed_out) == 2
    assert all("--gpus=1" in job and "-t 1440" in job for job in timed_out)
    assert "--mem 24000" in timed_out[0] and "--mem 48000" in again[1]
    assert all("--cpus-per-task=9" in job for job in timed_out)
    # What needs the network stays on the machine that submits.
    assert not [job for job in jobs if "rule_acquire" in job or "rule_weights" in job]
    assert "TIMEOUT" in printed
    assert_job_knows_its_workflow(clone, "single_frame")


def test_profile_of_a_missing_scheduler_stops_before_anything_runs(clone, commands):
    code, printed = snakemake(clone, commands, "--profile", "profiles/slurm", SOURCE, USER="me")
    assert code != 0
    assert "found no command sbatch, expected a machine that submits jobs" in printed
    assert not (clone / "data").exists()


def test_second_workflow_in_a_folder_is_an_error_while_the_first_runs(clone, commands):
    lock = clone / ".snakemake" / "running.lock"
    held = try_lock(lock)
    owner = write_owner(held)
    code, printed = snakemake(clone, commands, "--cores", "1", SOURCE)
    assert code != 0
    assert f"a workflow running here ({owner})" in printed
    assert not (clone / SOURCE).exists()
    assert snakemake(clone, commands, "-n", SOURCE)[0] == 0
    held.release()
    # The file is still there, its holder is not.
    code, printed = snakemake(clone, commands, "--cores", "1", SOURCE)
    assert code == 0, printed
    assert (clone / SOURCE).exists()


def test_unknown_seed_stops_before_anything_runs(clone, commands):
    code, printed = snakemake(clone, commands, "-n", "--config", "suite=smoke", "seeds=0,7")
    assert code != 0
    assert "suite smoke: no seed 7; expected some of 0" in printed


def test_seeds_limit_the_runs(clone, commands):
    code, printed = snakemake(clone, commands, "-n", "--config", "seeds=1,3")
    assert code == 0, printed
    for suite in ("embedded", "pose2sim"):
        assert set(re.findall(rf"runs/{suite}/\w+/seed(\d)", printed)) == {"1", "3"}
    assert "Report in results/embedded" in printed
