"""Whatever stops a call or damages its records, the next one ends with the same files."""

import errno
import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdmi.core.errors import UserError
from tdmi.datasets.public.acquire import datasets, download, unpack
from tdmi.datasets.public.acquire.datasets import acquire
from tdmi.datasets.public.acquire.record import Record, digest_of
from tests.support.acquire_lookalikes import (
    EXPECTED18,
    OLD_LABELS18,
    PARTS18,
    images18,
    labels18,
    place,
    tar_of,
    tree,
)
from tests.support.mutations import mutated_bytes, mutated_json


@pytest.mark.parametrize(
    "module, function, limit",
    [(download.os, "replace", 9), (unpack, "sha256_of", 7), (datasets, "write_json", 1)],
)
def test_a_disk_that_fills_up_is_one_line_and_the_next_call_resumes(
    tmp_path, server, monkeypatch, module, function, limit
):
    whole = acquire("posetrack18", tmp_path / "whole", base_url=server.url)
    calls, original = [], getattr(module, function)

    def fails(*args, **kwargs):
        calls.append(1)
        if len(calls) == limit:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(module, function, fails)
        with pytest.raises(UserError, match="No space left on device; free some room there"):
            acquire("posetrack18", tmp_path / "full", base_url=server.url)
    assert calls and not (tmp_path / "full" / "acquired.json").exists()
    assert not (tmp_path / "full" / ".acquire" / "unpacking").exists()
    assert acquire("posetrack18", tmp_path / "full", base_url=server.url) == whole
    assert tree(tmp_path / "full") == EXPECTED18


CHILD = """
import os, signal, sys
from tdmi.datasets.public.acquire import datasets, download, labels, record, tree, unpack
download.BACKOFF = 0.001
calls, original = [], {function}
def killed(*args, **kwargs):
    calls.append(1)
    if {condition}:
        {action}
    return original(*args, **kwargs)
{function} = killed
datasets.acquire("posetrack18", sys.argv[1], base_url=sys.argv[2], labels={labels!r})
"""
KILL = "os.kill(os.getpid(), signal.SIGKILL)"


def child(root, url, function, condition="True", action=KILL, labels=None):
    """A call in a process of its own that does `action` when `function` is called under a condition
    on its `args` or the number of its `calls`."""
    code = CHILD.format(function=function, condition=condition, action=action, labels=labels)
    command = [sys.executable, "-c", code, str(root), url]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


KILLS = {
    "while a part comes": ("download._continues", "len(calls) == 22"),
    "between the parts": ("record.sha256_of", "len(calls) == 11"),
    "while the joined parts are read": ("unpack._JoinedParts.readinto", "len(calls) == 4"),
    "while a file is written": ("unpack.sha256_of", "len(calls) == 9"),
    "while the files are moved in": (
        "datasets.os.replace",
        "'unpacking/images' in str(args[0])",
    ),
    "while the archives are deleted": ("datasets.Path.unlink", "args[0].name.endswith('.tar.ad')"),
}


@pytest.mark.parametrize("moment", KILLS)
def test_after_kill_9_the_next_call_ends_with_the_same_hashes(tmp_path, server, moment):
    whole = acquire("posetrack18", tmp_path / "whole", base_url=server.url)
    for name in PARTS18:
        server.faults[name] = [("drop", 300)]
    process = child(tmp_path / "killed", server.url, *KILLS[moment])
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "acquired.json").exists()
    server.faults.clear()
    assert acquire("posetrack18", tmp_path / "killed", base_url=server.url) == whole
    assert tree(tmp_path / "killed") == EXPECTED18
    assert not (tmp_path / "killed" / "archives").exists()


def test_after_kill_9_amid_the_exchange_of_labels_the_new_ones_come(tmp_path, server):
    acquire("posetrack18", tmp_path, base_url=server.url)
    place(tmp_path, {OLD_LABELS18: tar_of(labels18("[0.2]"))})
    process = child(tmp_path, server.url, "tree.Path.rmdir", labels="v0.2")
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    assert not list((tmp_path / "annotations").rglob("*.json"))
    assert acquire("posetrack18", tmp_path)["labels"] == "v0.2"
    expected = {n.removeprefix("posetrack_data/"): d for n, d in labels18("[0.2]").items()}
    assert tree(tmp_path) == images18() | expected


def test_of_two_calls_at_once_the_second_says_that_it_waits_and_finds_the_work_done(
    tmp_path, server, caplog
):
    wait = "print('here', flush=True); sys.stdin.read()"
    process = child(tmp_path, server.url, "datasets.write_json", action=wait)
    try:
        assert process.stdout.readline() == "here\n"
        with ThreadPoolExecutor(1) as pool:
            second = pool.submit(acquire, "posetrack18", tmp_path, base_url=server.url)
            with pytest.raises(TimeoutError):
                second.result(0.5)
            assert f"{tmp_path}: another process is writing it; waiting for its end" in caplog.text
            asked = len(server.requests)
            process.stdin.close()
            assert second.result(30)["name"] == "posetrack18"
            assert len(server.requests) == asked
    finally:
        process.kill()
        process.wait(10)


def damaged(check):
    """Run `check` on 200 seeds."""
    run = given(seed=st.integers(0, 2**32 - 1))(check)
    settings(max_examples=200, derandomize=True, deadline=None, database=None)(run)()


def test_a_damaged_record_is_read_or_refused_in_one_line(tmp_path, server):
    acquire("posetrack18", tmp_path, base_url=server.url)
    path = tmp_path / ".acquire" / "state.json"
    good = json.loads(path.read_text())
    good["parts"] = dict(list(good["parts"].items())[:2])

    def check(seed):
        path.write_bytes(mutated_json(good, seed))
        try:
            Record.load(tmp_path, "posetrack18")
        except UserError as error:
            assert "\n" not in str(error) and str(path) in str(error)

    damaged(check)


def test_a_damaged_list_of_files_is_read_or_refused_in_one_line(tmp_path):
    record = Record(tmp_path, "posetrack18")
    record.write_files("images", {f"images/{index}.jpg": (index, "00") for index in range(5)})
    path = record.files_path("images")
    good = json.loads(path.read_text())

    def check(seed):
        path.write_bytes(mutated_json(good, seed))
        try:
            digest_of(record.read_files("images"))
        except UserError as error:
            assert "\n" not in str(error) and str(path) in str(error)

    damaged(check)


@pytest.mark.parametrize("name", [".acquire/state.json", ".acquire/images.json", "acquired.json"])
def test_a_damaged_record_never_costs_data(tmp_path, server, name):
    acquire("posetrack18", tmp_path, base_url=server.url)
    path = tmp_path / name
    good = path.read_bytes()
    for seed in range(15):
        path.write_bytes(mutated_bytes(good, seed))
        try:
            acquire("posetrack18", tmp_path, base_url=server.url)
        except UserError as error:
            assert "\n" not in str(error) and str(tmp_path) in str(error)
        assert tree(tmp_path) == EXPECTED18
