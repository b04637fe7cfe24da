"""Surroundings of all tests that acquire data sets, and a server of a tiny PoseTrack2018."""

import shutil

import pytest

from tdmi.datasets.public.acquire import download
from tests.support.acquire_lookalikes import posetrack18, serving


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    """Quick tries, no proxy, no token, and a disk that is large enough for the published sizes."""
    monkeypatch.setattr(download, "BACKOFF", 0.001)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("TDMI_POSETRACK21_TOKEN", raising=False)
    usage = shutil.disk_usage("/")._replace(free=10**13)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)


@pytest.fixture
def server():
    with serving(posetrack18()) as running:
        yield running
