"""The workflow of the smoke suite under faults; `kills.py` runs many more kills."""

import os
import random
import shutil
import subprocess

import pytest

from tests.faults.kills import (
    Workflow,
    compare_files,
    finish,
    harass,
    leftovers,
    members,
    prepare_checkout,
    targets_of,
)
from tests.support.checkouts import ROOT, snakemake

METHODS = ["single_frame"]
COMMAND = ["--cores", "2", *targets_of(METHODS), "--config", "suite=smoke"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A checkout in which one method was run undisturbed."""
    folder = prepare_checkout(tmp_path_factory.mktemp("reference"), ROOT / "data" / "sources")
    done = snakemake(folder, *COMMAND)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def assert_the_same(reference, folder):
    count, different = compare_files(reference, folder, METHODS)
    assert count > 0 and different == []
    assert leftovers(folder) == []


def with_data(reference, folder):
    """A checkout with the data of the reference, and nothing run."""
    shutil.copytree(reference, folder, symlinks=True, ignore=shutil.ignore_patterns("runs"))
    return folder


def test_killed_workflow_ends_with_the_same_bytes(reference, tmp_path):
    workflow = Workflow(prepare_checkout(tmp_path, ROOT / "data" / "sources"), targets_of(METHODS))
    hits = harass(workflow, 3, random.Random(1), (1.0, 15.0), lambda: None)
    assert sum(count for what, count in hits.items() if "SIG" in what) == 3
    finish(workflow)
    assert members(workflow.groups) == {}
    assert_the_same(reference, tmp_path)


def test_full_disk_ends_the_workflow_which_continues_with_more_room(reference, tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=256M", "tmpfs", tmp_path]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a file system can only be mounted by root")
    try:
        folder = with_data(reference, tmp_path / "checkout")
        free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
        (folder / "filler").write_bytes(bytes(free - (400 << 10)))
        done = snakemake(folder, *COMMAND)
        assert done.returncode != 0
        assert "No space left on device" in "".join(
            [done.stderr, *(path.read_text() for path in folder.rglob("runs/**/*.log"))]
        )
        (folder / "filler").unlink()
        assert snakemake(folder, *COMMAND).returncode == 0
        assert_the_same(reference, folder)
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_lost_frame_ends_the_workflow_which_continues_with_the_frame(reference, tmp_path):
    folder = with_data(reference, tmp_path / "checkout")
    frame = min((folder / "data" / "mocap_smoke" / "images" / "test").rglob("*.jpg"))
    content = frame.read_bytes()
    frame.unlink()
    assert snakemake(folder, *COMMAND).returncode != 0
    log = (folder / "runs" / "smoke" / "single_frame" / "seed0" / "predict.log").read_text()
    assert f"{frame.relative_to(folder)}: no such frame" in log.splitlines()[-1]
    frame.write_bytes(content)
    assert snakemake(folder, *COMMAND).returncode == 0
    assert_the_same(reference, folder)
