"""Label versions: recognised by their files, replaced when asked for, never lost."""

import pytest

from tdmi.core.errors import UserError
from tdmi.datasets.public.acquire.datasets import acquire
from tests.support.acquire_lookalikes import (
    EXPECTED18,
    OLD_LABELS18,
    images18,
    labels18,
    place,
    tar_of,
    tree,
)


def fingerprint(record):
    return {key: piece["sha256"] for key, piece in record["pieces"].items()}


def test_adopted_labels_are_recognised_by_their_number(tmp_path):
    for split, count in (("train", 593), ("val", 170)):
        folder = tmp_path / "annotations" / split
        folder.mkdir(parents=True)
        for video in range(count):
            (folder / f"{video:06}_mpii_test.json").write_bytes(b"{}")
    for name, data in images18().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=r"look like v0\.45, asked for are v0\.2"):
        acquire("posetrack18", tmp_path, labels="v0.2")
    assert acquire("posetrack18", tmp_path)["labels"] == "v0.45"


def test_labels_of_another_version_only_come_when_asked_for(tmp_path, server):
    first = acquire("posetrack18", tmp_path, base_url=server.url)
    old = {n: d for n, d in labels18("[0.2]").items() if "train" in n or "001" in n}
    place(tmp_path, {OLD_LABELS18: tar_of(old)})
    with pytest.raises(UserError, match=r"labels v0\.2, but there are v0\.45; give --labels v0\.2"):
        acquire("posetrack18", tmp_path)
    with pytest.raises(UserError, match="option labels: found 'v9'"):
        acquire("posetrack18", tmp_path, labels="v9")
    assert tree(tmp_path) == EXPECTED18
    record = acquire("posetrack18", tmp_path, labels="v0.2")
    expected = {n.removeprefix("posetrack_data/"): d for n, d in old.items()}
    assert tree(tmp_path) == images18() | expected
    assert record["labels"] == "v0.2" and list(record["pieces"]) == ["labels-v0.2", "images"]
    assert acquire("posetrack18", tmp_path) == record
    assert fingerprint(acquire("posetrack18", tmp_path, labels="v0.45", base_url=server.url)) == (
        fingerprint(first)
    )
    assert tree(tmp_path) == EXPECTED18


def test_old_labels_stay_if_the_new_ones_are_damaged_or_old_ones_edited(tmp_path, server):
    acquire("posetrack18", tmp_path, base_url=server.url)
    place(tmp_path, {OLD_LABELS18: tar_of(labels18("[0.2]"))[:1200]})
    with pytest.raises(UserError, match="not a readable archive"):
        acquire("posetrack18", tmp_path, labels="v0.2")
    assert tree(tmp_path) == EXPECTED18 and (tmp_path / "acquired.json").exists()
    place(tmp_path, {OLD_LABELS18: tar_of(labels18("[0.2]"))})
    edited = tmp_path / "annotations" / "val" / "001_mpii_test.json"
    edited.write_bytes(b"[]")  # as many bytes as before
    with pytest.raises(UserError, match=r"changed"):
        acquire("posetrack18", tmp_path, labels="v0.2")
    assert edited.read_bytes() == b"[]"
