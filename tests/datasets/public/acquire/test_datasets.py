"""Whole data sets from tiny look-alikes: downloaded, adopted, unpacked and recorded."""

import errno
import hashlib
import json
import os
import shutil

import pytest

from tdmi.cli.main import main
from tdmi.core.errors import UserError
from tdmi.datasets.public import NAMES
from tdmi.datasets.public.acquire.catalogue import read_catalogue
from tdmi.datasets.public.acquire.datasets import acquire
from tests.support.acquire_lookalikes import (
    EXPECTED18,
    LABELS17,
    LABELS18,
    LABELS21,
    LABELS_21,
    OLD_LABELS18,
    PARTS17,
    PARTS18,
    images18,
    labels18,
    noise,
    place,
    posetrack17,
    posetrack18,
    serving,
    tar_of,
    tree,
    zip_of,
)


def snapshot(root):
    """Times of the last change of everything: equal if nothing was written."""
    files = (path for path in root.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path: path.stat().st_mtime_ns for path in files}


def test_posetrack18_arrives_whole_and_a_second_call_does_nothing(tmp_path, server):
    record = acquire("posetrack18", tmp_path, base_url=server.url)
    assert tree(tmp_path) == EXPECTED18
    assert record == json.loads((tmp_path / "acquired.json").read_text())
    assert not (tmp_path / "archives").exists()
    assert set(record["parts"]) == {*PARTS18, LABELS18}
    for name, data in server.files.items():
        part = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        assert record["parts"][name] == part
    assert record["labels"] == "v0.45" and record["subset"] is True
    assert record["counts"]["images/train/*"]["found"] == 2
    lines = [
        f"{name}\t{len(data)}\t{hashlib.sha256(data).hexdigest()}\n"
        for name, data in sorted(images18().items())
    ]
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert record["pieces"]["images"]["sha256"] == digest
    before, asked = snapshot(tmp_path), len(server.requests)
    assert acquire("posetrack18", tmp_path, base_url=server.url) == record
    assert snapshot(tmp_path) == before and len(server.requests) == asked


def test_a_bad_line_makes_no_difference_to_the_result(tmp_path, server):
    whole = acquire("posetrack18", tmp_path / "whole", base_url=server.url)
    for index, name in enumerate(PARTS18):
        faults = [("drop", 50), 500, "whole", ("drop", 1), 503, ("drop", 700)]
        server.faults[name] = faults[index % 6 :] + faults[: index % 3]
    assert acquire("posetrack18", tmp_path / "bad", base_url=server.url) == whole
    assert tree(tmp_path / "bad") == EXPECTED18


def test_the_record_is_written_again_after_a_workflow_has_deleted_it(tmp_path, server):
    record = acquire("posetrack18", tmp_path, base_url=server.url)
    (tmp_path / "acquired.json").unlink()
    server.files.clear()
    assert acquire("posetrack18", tmp_path) == record
    shutil.rmtree(tmp_path / ".acquire")
    assert acquire("posetrack18", tmp_path) == record, (
        "the other way round: the list of files is remade"
    )


def test_files_that_vanish_are_fetched_again_and_must_be_the_same(tmp_path, server):
    record = acquire("posetrack18", tmp_path, base_url=server.url)
    shutil.rmtree(tmp_path / "images" / "val")
    assert acquire("posetrack18", tmp_path, base_url=server.url) == record
    assert tree(tmp_path) == EXPECTED18
    shutil.rmtree(tmp_path / "images" / "val")
    server.files[PARTS18[3]] = noise("other", len(server.files[PARTS18[3]]))
    with pytest.raises(UserError, match=rf"{PARTS18[3]}: changed.*recorded are"):
        acquire("posetrack18", tmp_path, base_url=server.url)
    assert not (tmp_path / "acquired.json").exists()


def test_a_changed_file_and_a_changed_archive_are_named(tmp_path, server):
    acquire("posetrack18", tmp_path, base_url=server.url, keep_archives=True)
    acquire("posetrack18", tmp_path)
    part = tmp_path / "archives" / PARTS18[7]
    part.write_bytes(part.read_bytes()[::-1])
    with pytest.raises(UserError, match=rf"{PARTS18[7]}: changed: "):
        acquire("posetrack18", tmp_path)
    assert part.exists(), "not deleted: it was kept on purpose"
    shutil.rmtree(tmp_path / "archives")
    image = tmp_path / next(iter(images18()))
    image.write_bytes(b"edited")
    with pytest.raises(UserError, match=rf"{image.name}: changed since it was recorded \(1 files"):
        acquire("posetrack18", tmp_path)
    assert image.read_bytes() == b"edited"


def test_what_cannot_be_downloaded_is_listed_and_then_taken_from_the_user(tmp_path, server, capsys):
    missing = {name: server.files.pop(name) for name in (PARTS18[2], PARTS18[9])}
    command = ["data", "fetch", "posetrack18", "--root", str(tmp_path), "--base-url", server.url]
    assert main(command) == 2
    *listing, last = capsys.readouterr().err.splitlines()
    unticked = [line for line in listing if line.startswith("[ ]")]
    assert [line.split()[2] for line in unticked] == list(missing)
    assert sum("HTTP 404" in line for line in listing) == 2
    assert any("https://posetrack.net" in line for line in listing)
    assert last.startswith(f"tdmi data: {tmp_path}: PoseTrack2018 is not complete: {PARTS18[2]}")
    assert not (tmp_path / "acquired.json").exists()
    place(tmp_path, missing)
    assert main(command) == 0
    assert tree(tmp_path) == EXPECTED18
    left = sorted(path.name for path in (tmp_path / "archives").iterdir())
    assert left == sorted(missing), "what the user has brought is not ours to delete"


def test_every_refusal_of_the_server_names_part_address_status_and_cure(tmp_path, server):
    for status, cure in ((403, "browser"), (404, "--base-url"), (500, "later")):
        server.faults[LABELS18] = [status] * 9
        with pytest.raises(
            UserError, match=rf"{LABELS18}: http.*{LABELS18}: HTTP {status}.*{cure}"
        ):
            acquire("posetrack18", tmp_path, base_url=server.url)
        server.faults.clear()


def test_posetrack17_of_several_tars_in_parts(tmp_path):
    archives, images = posetrack17()
    with serving(archives) as server:
        record = acquire("posetrack17", tmp_path, base_url=server.url)
    labels = {f"annotations/{split}/1.mat": b"MATLAB" for split in ("train", "val")}
    assert tree(tmp_path) == images | labels
    assert set(record["parts"]) == {*PARTS17, LABELS17}
    assert record["counts"]["images/*/*"] == {"found": 2, "expected": [514, 550]}


@pytest.mark.parametrize("way", ["parts", "links", "copies"])
def test_posetrack21_with_a_token(tmp_path, server, monkeypatch, way, capsys):
    secret, root = "to-be-kept-secret", tmp_path / "21"
    place(root, {LABELS21: zip_of(LABELS_21, secret)})
    options = {"base_url": server.url}
    if way != "parts":
        acquire("posetrack18", tmp_path / "18", base_url=server.url)
        options = {"images_from": tmp_path / "18"}
    if way == "copies":

        def other_disk(source, target):
            raise OSError(errno.EXDEV, "Invalid cross-device link")

        monkeypatch.setattr(os, "link", other_disk)
    for wrong in (None, "wrong"):
        with pytest.raises(UserError, match="token") as error:
            acquire("posetrack21", root, token=wrong, **options)
        assert "\n" not in str(error.value) and "wrong " not in str(error.value)
    monkeypatch.setenv("TDMI_POSETRACK21_TOKEN", secret)
    record = acquire("posetrack21", root, **options)
    images = {name: data for name, data in images18().items() if "/test/" not in name}
    assert tree(root) == images | {n.removeprefix("data/"): d for n, d in LABELS_21.items()}
    links = {(root / name).stat().st_nlink for name in images}
    assert links == ({2} if way == "links" else {1})
    assert secret not in str(record) + capsys.readouterr().err
    assert not any(secret.encode() in p.read_bytes() for p in root.rglob("*") if p.is_file())
    before = snapshot(root)
    assert acquire("posetrack21", root) == record and snapshot(root) == before


def test_hieve_is_listed_then_taken_from_folders_and_archives(tmp_path, capsys):
    assert main(["data", "fetch", "hieve", "--root", str(tmp_path)]) == 2
    listing = capsys.readouterr().err
    assert "humaninevents.org" in listing
    assert "not complete: videos, pose labels, boxes of the tracks" in listing
    labels = {"HIE20/labels/train/track2&3/1.json": b"{}", "HIE20/labels/train/track1/1.txt": b"1"}
    for name, data in labels.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=r"not complete: videos; place"):
        acquire("hieve", tmp_path)
    videos = {"videos/train/1.mp4": b"film", "videos/notes.txt": b"left out"}
    place(tmp_path, {"from-the-site.zip": zip_of(videos)})
    record = acquire("hieve", tmp_path)
    assert tree(tmp_path) == labels | {"HIE20/videos/train/1.mp4": b"film"}
    assert record["labels"] is None and "from-the-site.zip" in record["parts"]
    (tmp_path / "HIE20/videos/test").mkdir()
    (tmp_path / "HIE20/videos/test/20.mp4").write_bytes(b"test film")
    later = acquire("hieve", tmp_path)
    assert later["pieces"]["hie20"]["files"] == record["pieces"]["hie20"]["files"] + 1


def test_an_unpacked_tree_is_adopted_once_and_watched_ever_after(tmp_path):
    for name, data in EXPECTED18.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    record = acquire("posetrack18", tmp_path)
    assert {piece["origin"] for piece in record["pieces"].values()} == {"placed by hand"}
    assert record["labels"] == "unknown", "two videos are no known release"
    before = snapshot(tmp_path)
    assert acquire("posetrack18", tmp_path) == record and snapshot(tmp_path) == before
    gone = tmp_path / next(iter(EXPECTED18))
    gone.unlink()
    with pytest.raises(UserError, match=rf"{gone.name}: recorded and gone .* put it back"):
        acquire("posetrack18", tmp_path)


def test_a_root_of_another_data_set_is_refused(tmp_path, server):
    acquire("posetrack18", tmp_path / "18", base_url=server.url)
    before = tree(tmp_path / "18")
    for other in ("posetrack17", "posetrack21", "hieve"):
        with pytest.raises(UserError, match="another data set; give another --root"):
            acquire(other, tmp_path / "18")
    assert tree(tmp_path / "18") == before
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "acquired.json").write_text('{"name": "hieve"}')
    with pytest.raises(UserError, match="holds hieve, not posetrack17"):
        acquire("posetrack17", tmp_path / "bare")
    assert os.listdir(tmp_path / "bare") == ["acquired.json"]


def test_a_disk_too_small_for_the_published_sizes_is_refused_at_once(tmp_path, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=20 * 10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with serving({}) as server, pytest.raises(UserError, match=r"66\.8 GB are needed .* 20\.0 GB"):
        acquire("posetrack17", tmp_path, base_url=server.url)
    assert not server.requests


def test_a_file_of_the_user_is_not_overwritten(tmp_path, server):
    name = next(iter(images18()))
    own = tmp_path / name
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    with pytest.raises(UserError, match="there already with other content"):
        acquire("posetrack18", tmp_path, base_url=server.url)
    assert own.read_bytes() == b"mine"
    own.write_bytes(images18()[name])
    acquire("posetrack18", tmp_path, base_url=server.url)
    assert tree(tmp_path) == EXPECTED18


@pytest.mark.parametrize(
    "place", ["images", "images/val", "annotations", ".acquire", ".acquire/downloads", "archives"]
)
def test_nothing_is_written_or_deleted_through_a_link(tmp_path, server, place):
    root, own = tmp_path / "root", tmp_path / "own"
    (own / "kept").mkdir(parents=True)
    (root / place).parent.mkdir(parents=True)
    (root / place).symlink_to(own, target_is_directory=True)
    with pytest.raises(UserError, match=rf"{root / place}: a symbolic link to {own}, ") as error:
        acquire("posetrack18", root, base_url=server.url, keep_archives=True)
    assert "\n" not in str(error.value)
    assert [path.name for path in own.rglob("*")] == ["kept"]
    (root / place).unlink()
    acquire("posetrack18", root, base_url=server.url)
    assert tree(root) == EXPECTED18


def test_old_labels_are_not_deleted_through_a_link(tmp_path, server):
    root, own = tmp_path / "root", tmp_path / "own"
    acquire("posetrack18", root, base_url=server.url)
    shutil.move(root / "annotations", own)
    (root / "annotations").symlink_to(own, target_is_directory=True)
    place(root, {OLD_LABELS18: tar_of(labels18("[0.2]"))})
    before = tree(own)
    with pytest.raises(UserError, match=r"root/annotations: a symbolic link"):
        acquire("posetrack18", root, labels="v0.2")
    assert tree(own) == before


def test_files_that_lie_behind_a_link_are_adopted_where_they_are(tmp_path):
    root, own = tmp_path / "root", tmp_path / "own"
    for name, data in EXPECTED18.items():
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_bytes(data)
    root.mkdir()
    for folder in ("images", "annotations"):
        (root / folder).symlink_to(own / folder, target_is_directory=True)
    record = acquire("posetrack18", root)
    assert {piece["origin"] for piece in record["pieces"].values()} == {"placed by hand"}
    assert tree(own) == EXPECTED18


def test_a_refused_token_does_not_keep_the_images_from_coming(tmp_path, server):
    place(tmp_path, {LABELS21: zip_of(LABELS_21, "right")})
    with pytest.raises(UserError, match="the token does not open it"):
        acquire("posetrack21", tmp_path, token="wrong", base_url=server.url)
    assert set(tree(tmp_path)) == {name for name in images18() if "/test/" not in name}


def test_of_hostile_images_nothing_stays_and_the_labels_do(tmp_path):
    files = posetrack18(images18() | {"images/../../evil.jpg": b"evil"})
    with serving(files) as server, pytest.raises(UserError, match="leaves the folder"):
        acquire("posetrack18", tmp_path / "root", base_url=server.url)
    assert not (tmp_path / "evil.jpg").exists()
    assert {name.split("/")[0] for name in tree(tmp_path / "root")} == {"annotations"}


def test_boxes_placed_by_hand_are_recorded_and_a_change_is_named(tmp_path, server, caplog):
    caplog.set_level("INFO")
    acquire("posetrack18", tmp_path, base_url=server.url)
    boxes = tmp_path / "boxes" / "val.json"
    boxes.parent.mkdir()
    for text in ("[]", "[{}]"):
        boxes.write_text(text)
        record = acquire("posetrack18", tmp_path)
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        assert record["placed"] == {"boxes/val.json": {"size": len(text), "sha256": sha256}}
    assert f"{boxes}: changed since it was recorded" in caplog.text


def test_options_that_do_not_fit_are_named(tmp_path, capsys):
    fetch = ["data", "fetch"]
    for command, what in (
        (["hieve", "--labels", "v0.45"], "--labels"),
        (["posetrack18", "--images-from", "x"], "--images-from"),
        (["posetrack18", "--token", "x"], "--token"),
        (["posetrack18", "--jobs", "0"], "jobs"),
        (["posetrack18", "--archive", "x"], "--archive"),
        (["posetrack18", "--base-url", "ftp://x"], "--base-url"),
        (["pybullet", "--base-url", "http://x"], "--base-url"),
        (["posetrack22"], "posetrack22: not a known data set or source: posetrack17"),
    ):
        assert main([*fetch, *command, "--root", str(tmp_path / "root")]) == 2
        assert what in capsys.readouterr().err
    with pytest.raises(UserError, match="--root itself"):
        acquire("posetrack21", tmp_path, images_from=tmp_path)


def test_catalogue_has_the_published_parts():
    catalogue = read_catalogue()
    assert tuple(catalogue) == NAMES == ("posetrack17", "posetrack18", "posetrack21", "hieve")
    for name, parts in (
        ("posetrack17", PARTS17),
        ("posetrack18", PARTS18),
        ("posetrack21", PARTS18),
    ):
        (images,) = catalogue[name].fixed
        assert list(images.files) == parts
    assert list(catalogue["posetrack18"].labels) == ["v0.45", "v0.2", "mmpose"]
    assert catalogue["posetrack21"].labels["v0.1"].encrypted
    assert sum(catalogue["posetrack17"].fixed[0].files.values()) == 33_425_000_000
