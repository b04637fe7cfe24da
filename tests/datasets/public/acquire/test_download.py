"""Downloads: whatever the server does, the file on the disk is one whole version or none."""

import shutil
import socket
import threading

import pytest

from tdmi.core.errors import UserError
from tdmi.datasets.public.acquire import download as downloads
from tdmi.datasets.public.acquire.catalogue import read_catalogue
from tdmi.datasets.public.acquire.download import (
    DownloadFailed,
    address,
    download,
    download_parts,
    shown,
)
from tdmi.datasets.public.acquire.record import Record
from tests.support.acquire_lookalikes import PARTS18, noise, serving

DATA = noise("one", 300_000)


@pytest.fixture
def server():
    with serving({"one": DATA}) as running:
        yield running


def get(folder, url):
    """The bytes that `report` was told of."""
    reported = []
    download(address(url, "one"), folder / "one", reported.append, threading.Event())
    return sum(reported)


def failure(folder, url):
    with pytest.raises(DownloadFailed) as error:
        get(folder, url)
    return str(error.value)


def test_a_file_arrives_whole_and_leaves_no_traces(tmp_path, server):
    assert get(tmp_path, server.url) == len(DATA)
    assert (tmp_path / "one").read_bytes() == DATA
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_dropped_connections_are_continued_where_they_broke(tmp_path, server):
    server.faults["one"] = [("drop", 100_000), ("drop", 50_000), 500, ("drop", 1)]
    assert get(tmp_path, server.url) == len(DATA)
    assert (tmp_path / "one").read_bytes() == DATA
    spans = [span for _, span in server.requests]
    assert spans == [None, "bytes=100000-", "bytes=150000-", "bytes=150000-", "bytes=150001-"]


def test_a_server_that_ignores_ranges_starts_over(tmp_path, server):
    server.faults["one"] = [("drop", 100_000), "whole"]
    assert get(tmp_path, server.url) == len(DATA), "the first 100,000 bytes are taken back"
    assert (tmp_path / "one").read_bytes() == DATA


def test_a_server_without_validators_is_never_continued(tmp_path, server):
    server.always = {"mute"}
    server.faults["one"] = [("drop", 100_000)]
    get(tmp_path, server.url)
    assert (tmp_path / "one").read_bytes() == DATA
    assert [span for _, span in server.requests] == [None, None]


@pytest.mark.parametrize("obeys_if_range", [True, False])
def test_a_file_changed_between_calls_is_not_glued_together(
    tmp_path, server, monkeypatch, obeys_if_range
):
    monkeypatch.setattr(downloads, "TRIES", 1)
    server.faults["one"] = [("drop", 100_000), 500]
    assert "try again later" in failure(tmp_path, server.url)
    assert (tmp_path / "one.part").stat().st_size == 100_000
    changed = noise("changed", len(DATA))
    server.files["one"] = changed
    if not obeys_if_range:
        server.always = {"unconditional"}
    monkeypatch.setattr(downloads, "TRIES", 3)
    get(tmp_path, server.url)
    assert (tmp_path / "one").read_bytes() == changed
    assert server.requests[-1][1] == (None if not obeys_if_range else "bytes=100000-")


def test_a_part_file_of_unknown_origin_is_replaced(tmp_path, server):
    (tmp_path / "one.part").write_bytes(b"from elsewhere")
    get(tmp_path, server.url)
    assert (tmp_path / "one").read_bytes() == DATA


@pytest.mark.parametrize("status, cure", [(401, "login"), (403, "browser"), (404, "--base-url")])
def test_refusals_are_not_repeated_and_say_what_to_do(tmp_path, server, status, cure):
    server.faults["one"] = [status]
    reason = failure(tmp_path, server.url)
    assert f"{server.url}one: HTTP {status}" in reason and cure in reason
    assert len(server.requests) == 1 and list(tmp_path.iterdir()) == []


def test_a_server_in_trouble_is_asked_five_times(tmp_path, server):
    server.faults["one"] = [500, 503, 429, 502, 500, 500]
    assert "HTTP 500; try again later" in failure(tmp_path, server.url)
    assert len(server.requests) == 5


def test_drops_without_any_progress_end(tmp_path, server):
    server.always = {"whole"}
    server.faults["one"] = [("drop", 1000)] * 20
    reason = failure(tmp_path, server.url)
    assert "connection broke" in reason or "sent 1000" in reason
    assert len(server.requests) == 6, "one with progress, five without"


def test_a_login_page_is_not_taken_for_the_file(tmp_path, server):
    server.faults["one"] = ["html"]
    assert "a web page instead of the file" in failure(tmp_path, server.url)
    assert list(tmp_path.iterdir()) == []


def test_a_host_that_cannot_be_reached_is_asked_once_for_all_parts(tmp_path, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/"
    asked, original = [], downloads.requests.head
    monkeypatch.setattr(
        downloads.requests, "head", lambda url, **kw: asked.append(url) or original(url, **kw)
    )
    (images,) = read_catalogue()["posetrack18"].fixed
    failures = download_parts(Record(tmp_path, "posetrack18"), [images], url, jobs=2)
    assert list(failures) == PARTS18 and len(asked) == 1
    assert all("127.0.0.1 cannot be reached" in reason for reason in failures.values())


def test_secrets_of_the_address_are_not_shown(tmp_path, server):
    server.faults["one"] = [403]
    secret = server.url.replace("http://", "http://me:pass@") + "?signature=abc"
    reason = failure(tmp_path, secret)
    assert not {"pass", "abc"} & set(reason.replace("=", " ").replace(":", " ").split())
    assert shown("https://u:p@host/a/b?c=d#e") == "https://host/a/b"


def test_a_query_of_the_base_address_is_kept():
    assert address("https://host/dir/?sig=1", "a.tar.aa") == "https://host/dir/a.tar.aa?sig=1"
    assert address("https://host/dir", "a b") == "https://host/dir/a%20b"
    for wrong in ("ftp://host/dir", "host/dir", "file:///etc"):
        with pytest.raises(UserError, match="--base-url"):
            address(wrong, "a")


def test_a_disk_without_room_is_noticed_before_the_bytes_come(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    (images,) = read_catalogue()["posetrack18"].fixed
    with (
        serving({name: DATA for name in PARTS18}) as server,
        pytest.raises(UserError, match=r"0\.0 GB are needed .*, 0\.0 GB are free; free"),
    ):
        download_parts(Record(tmp_path, "posetrack18"), [images], server.url, jobs=2)
    assert not server.requests
