"""A disk that fills up: a small file system in memory, mounted by root."""

import os
import subprocess
from pathlib import Path

import pytest

from tdmi.core.errors import UserError
from tdmi.experiments.predict import predict_run
from tests.support import tiny_dataset

RUN = "tiny/single_frame/seed3"
SIZE = 1 << 20
FILES = ("checkpoint.pt", "history.csv", "config.yaml", "cost.json")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*.json"))
        if path.parent.name in ("predictions", "tracked")
    } | {file: (folder / file).read_bytes() for file in FILES}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Data, and a run on it with enough room."""
    folder = tmp_path_factory.mktemp("whole")
    tiny_dataset.write(folder / "data")
    tiny_dataset.train(tiny_dataset.settings(folder / "data"), folder / "runs", RUN)
    predict_run(folder / "runs" / RUN, "test", folder / "runs" / RUN)
    return folder


@pytest.fixture
def disk(tmp_path):
    """A disk of one MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a file system can only be mounted by root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(disk: Path, room: int) -> Path:
    """Write a file that leaves `room` bytes of the disk."""
    filler = disk / "filler"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    filler.write_bytes(bytes(free - room))
    return filler


# The state is saved after steps 2 to 7. While a new one is written the old one still takes room.
@pytest.mark.parametrize(
    ("room", "file"), [(0, "config.yaml"), (8, "resume.pt"), (60, "resume.pt"), (120, None)]
)
def test_training_says_what_is_full_loses_nothing_and_ends_with_the_same_bytes(
    whole, disk, room, file
):
    settings, run = tiny_dataset.settings(whole / "data"), disk / "runs" / RUN
    filler = fill(disk, room << 10)
    with pytest.raises(UserError) as raised:
        tiny_dataset.train(settings, disk / "runs", RUN)
    (line,) = str(raised.value).splitlines()
    assert line.endswith(
        ": No space left on device; free some room there and run the same command again"
    )
    assert line.startswith(f"{run / file}: " if file else f"{run}/")
    assert not [path for path in disk.rglob("*.part*")]
    assert not (run / "provenance.json").exists()
    filler.unlink()
    tiny_dataset.train(settings, disk / "runs", RUN)
    predict_run(run, "test", run)
    assert contents(run) == contents(whole / "runs" / RUN)


def test_prediction_says_what_is_full_and_ends_with_the_same_bytes(whole, disk):
    run = whole / "runs" / RUN
    filler = fill(disk, 8 << 10)
    with pytest.raises(UserError, match=r"\.json: No space left on device; free some room"):
        predict_run(run, "test", disk / "out")
    assert not list(disk.rglob("*.part*"))
    filler.unlink()
    predict_run(run, "test", disk / "out")
    for path in (disk / "out").rglob("9*.json"):
        assert path.read_bytes() == (run / path.relative_to(disk / "out")).read_bytes()
    assert (disk / "out" / "predictions.provenance.json").exists()
