"""Archives of strangers: parts read as one, hostile members refused, damage named, nothing lost."""

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdmi.core.errors import UserError
from tdmi.datasets.public.acquire.catalogue import count_matching, matches, read_catalogue
from tdmi.datasets.public.acquire.record import digest_of
from tdmi.datasets.public.acquire.unpack import ALWAYS_UNPACKED, destination, unpack
from tests.support.acquire_lookalikes import LABELS21, cut, images18, noise, tar_of, tree, zip_of
from tests.support.mutations import mutated_bytes

CATALOGUE = read_catalogue()
IMAGES = CATALOGUE["posetrack18"].fixed[0]
LABELS = CATALOGUE["posetrack18"].labels["v0.45"]
ENCRYPTED = CATALOGUE["posetrack21"].labels["v0.1"]
GOOD = "images/val/000342_mpii_test/000000.jpg"


def take(root, data, piece=IMAGES, token=None):
    """Unpack the bytes of an archive below `root`; how many files it holds."""
    path = root / "archives" / "archive.tar"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return len(unpack([path], piece, root, token))


@pytest.mark.parametrize("count", [1, 2, 7, 18])
@pytest.mark.parametrize("zipped", [False, True])
def test_parts_cut_inside_a_header_give_the_files_that_went_in(tmp_path, count, zipped):
    files = images18()
    data = gzip.compress(tar_of(files)) if zipped else tar_of(files)
    paths = [tmp_path / "archives" / f"{i:02}" for i in range(count)]
    (tmp_path / "archives").mkdir()
    for path, piece in cut(data, paths).items():
        path.write_bytes(piece)
    read = []
    found = unpack(paths, IMAGES, tmp_path, report=read.append)
    assert tree(tmp_path) == files
    assert found == {n: (len(d), hashlib.sha256(d).hexdigest()) for n, d in files.items()}
    assert sum(read) == len(data)


@pytest.mark.parametrize(
    "member, name",
    [
        ("posetrack_data/annotations/val/x.json", "annotations/val/x.json"),
        ("./annotations/val/x.json", "annotations/val/x.json"),
        ("a//b/annotations/val//x.json", "annotations/val/x.json"),
        ("annotations/val/._x.json", None),
        ("annotations/val/run.py", None),
        ("annotations/val/deep/x.json", None),
        ("annotations/annotations/val/x.json", "annotations/val/x.json"),
        ("README.md", None),
    ],
)
def test_what_precedes_the_expected_folder_is_dropped(member, name):
    assert destination("archive", member, LABELS) == name


@pytest.mark.parametrize(
    "name",
    [
        "../images/val/v/0.jpg", "images/../../etc/0.jpg", "/images/val/v/0.jpg", "images/val/v/..",
        "images\\val\\v\\0.jpg", "C:images/val/v/0.jpg", "images/val/v\n/0.jpg", "a\x1b[2J/0.jpg",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["tar", "gz", "zip"])
def test_names_that_could_leave_the_folder_are_refused(tmp_path, name, kind):
    files = {GOOD: b"good", name: b"evil"}
    data = zip_of(files) if kind == "zip" else tar_of(files)
    root = tmp_path / "in" / "root"
    root.mkdir(parents=True)
    with pytest.raises(UserError, match=r"archive\.tar: member .* not unpacked") as error:
        take(root, gzip.compress(data) if kind == "gz" else data)
    assert "\n" not in str(error.value) and "\x1b" not in str(error.value)
    assert set(tree(root)) <= {GOOD} and set(tmp_path.rglob("*.jpg")) <= {root / GOOD}


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE,
        tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, b"Z",
    ],
)  # fmt: skip
def test_links_and_devices_are_refused(tmp_path, kind):
    def spoil(header):
        if header.name != GOOD:
            header.type, header.linkname, header.size = kind, "/etc/hostname", 0

    with pytest.raises(UserError, match=r"archive\.tar: "):
        take(tmp_path, tar_of({GOOD: b"good", "images/val/v/000001.jpg": b""}, spoil))
    assert set(tree(tmp_path)) <= {GOOD}


def test_links_in_a_zip_are_refused(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        entry = zipfile.ZipInfo("images/val/v/000000.jpg")
        entry.external_attr = 0o120777 << 16
        packed.writestr(entry, "/etc/hostname")
    with pytest.raises(UserError, match="is a link or a device"):
        take(tmp_path, buffer.getvalue())


def test_files_larger_than_the_data_set_has_are_refused(tmp_path):
    def swell(header):
        header.size = IMAGES.largest_file + 1

    buffer = io.BytesIO()
    header = tarfile.TarInfo(GOOD)
    swell(header)
    buffer.write(header.tobuf() + bytes(4096))
    with pytest.raises(UserError, match=f"at most {IMAGES.largest_file} fit"):
        take(tmp_path, buffer.getvalue())


def bomb(member, kind, size=200_000_000):
    """An archive of one good file and a long one of zeros."""
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("annotations/val/good.json", b"{}")
            with packed.open(member, "w") as out:
                for _ in range(size // 10**6):
                    out.write(bytes(10**6))
        return buffer.getvalue()
    with gzip.open(buffer, "wb", 9) as packed:
        header = tarfile.TarInfo(member)
        header.size = size
        packed.write(tar_of({"annotations/val/good.json": b"{}"})[:1024] + header.tobuf())
        for _ in range(size // 10**6):
            packed.write(bytes(10**6))
        packed.write(bytes(1024))
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["gz", "zip"])
def test_an_archive_that_swells_is_refused_before_it_fills_the_disk(tmp_path, kind):
    data = bomb("annotations/val/bomb.json", kind)
    assert len(data) < 1_000_000
    with pytest.raises(UserError, match=r"archive\.tar: member .* bytes, at most .* fit"):
        take(tmp_path, data, LABELS)
    assert not (tmp_path / "annotations/val/bomb.json").exists()


def test_what_is_left_out_may_not_swell_either(tmp_path):
    with pytest.raises(UserError, match=r"archive\.tar: member .* bytes, at most .* fit"):
        take(tmp_path, bomb("left/out.bin", "gz"), LABELS)
    # A zip's members are read one by one, those left out not at all.
    assert take(tmp_path, bomb("left/out.bin", "zip"), LABELS) == 1


def test_all_files_together_have_a_limit(tmp_path):
    files = {f"annotations/val/{i}.json": b"1" * 400 for i in range(3)}
    assert take(tmp_path, tar_of(files), replace(LABELS, largest_total=1200)) == 3
    with pytest.raises(UserError, match="to 1200 bytes, at most 1199 fit"):
        take(tmp_path, tar_of(files), replace(LABELS, largest_total=1199))


def test_labels_as_people_write_them_stay_far_below_the_limit(tmp_path):
    rng = np.random.default_rng(0)
    people = [
        {"image_id": 10003420000 + i // 4, "track_id": i % 4, "category_id": 1, "scores": [],
         "bbox": rng.uniform(0, 900, 4).round(4).tolist(), "bbox_head": [300, 200, 40, 50],
         "keypoints": [0.0] * 12 + rng.integers(0, 900, 13 * 3).tolist()}
        for i in range(20_000)
    ]  # fmt: skip
    text = json.dumps({"annotations": people}, indent=4).encode()
    files = {f"annotations/val/{i}.json": text for i in range(2)}
    assert len(text) > ALWAYS_UNPACKED
    assert take(tmp_path, gzip.compress(tar_of(files)), LABELS) == 2


def test_an_extended_header_that_would_fill_the_memory_is_refused(tmp_path):
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 1 << 40
    with pytest.raises(UserError, match="a header of 1099511627776 bytes"):
        take(tmp_path, header.tobuf(format=tarfile.GNU_FORMAT) + bytes(1024))


def test_a_negative_size_does_not_loop_for_ever(tmp_path):
    header = tarfile.TarInfo(GOOD)
    header.pax_headers = {"size": "-1024"}
    data = header.tobuf(format=tarfile.PAX_FORMAT) + bytes(2048)
    with pytest.raises(UserError, match="negative size"):
        take(tmp_path, data)


def test_a_damaged_header_in_the_middle_is_an_error_and_not_the_end(tmp_path):
    files = images18()
    data = bytearray(tar_of(files))
    with tarfile.open(fileobj=io.BytesIO(bytes(data))) as tar:
        middle = tar.getmembers()[5].offset
    data[middle + 150] ^= 1  # in the checksum field
    with pytest.raises(UserError, match=f"bad checksum at byte {middle}"):
        take(tmp_path, bytes(data))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.93])
def test_a_truncated_archive_is_named(tmp_path, share):
    files = {f"images/val/v/00000{i}.jpg": noise(str(i), 5000) for i in range(4)}
    data = tar_of(files)[:22000]
    for cut_off in (data[: int(len(data) * share)], gzip.compress(data)[: int(20000 * share)]):
        with pytest.raises(UserError, match=r"archive\.tar: not a readable archive"):
            take(tmp_path, cut_off)


def test_two_tars_one_after_the_other_are_read_to_the_end(tmp_path):
    files = images18()
    half = dict(list(files.items())[:6])
    rest = dict(list(files.items())[6:])
    assert take(tmp_path, tar_of(half) + tar_of(rest)) == len(files)
    assert tree(tmp_path) == files


def test_the_same_name_twice_must_have_the_same_content(tmp_path):
    assert take(tmp_path / "a", tar_of({GOOD: b"one"}) * 2) == 1
    (tmp_path / "b").mkdir()
    with pytest.raises(UserError, match="is there twice with different content"):
        take(tmp_path / "b", tar_of({GOOD: b"one"}) + tar_of({GOOD: b"two"}))


def test_the_digest_of_a_list_is_the_sum_over_its_sorted_lines():
    expected = hashlib.sha256(b"a\t1\t11\nb\t2\t22\n").hexdigest()
    assert digest_of({"b": (2, "22"), "a": (1, "11")}) == expected


LABELS_21 = {
    "data/posetrack_data/train/a.json": b'{"train": 1}' * 50,
    "data/posetrack_data/val/b.json": b'{"val": 1}' * 40,
    "data/posetrack_mot/mot/val/b/gt/gt.txt": b"1,2,3",
    "data/readme.txt": b"hello",
}


def test_the_token_opens_the_encrypted_labels(tmp_path):
    assert take(tmp_path, zip_of(LABELS_21, "the-token"), ENCRYPTED, "the-token") == 3
    wanted = {k.removeprefix("data/"): v for k, v in LABELS_21.items() if "readme" not in k}
    assert tree(tmp_path) == wanted


def test_encrypted_zips_made_here_are_those_of_the_standard(tmp_path):
    with zipfile.ZipFile(io.BytesIO(zip_of(LABELS_21, "abc"))) as packed:
        packed.setpassword(b"abc")
        assert {name: packed.read(name) for name in packed.namelist()} == LABELS_21


def test_a_missing_or_wrong_token_is_one_line_without_the_token(tmp_path):
    data = zip_of(LABELS_21, "the-token")
    with pytest.raises(UserError, match="encrypted; give the token"):
        take(tmp_path, data, ENCRYPTED)
    for wrong in [f"wrong-{i}" for i in range(600)]:  # one in 256 passes the format's own test
        with pytest.raises(UserError, match="the token does not open it") as error:
            take(tmp_path, data, ENCRYPTED, wrong)
        assert wrong not in str(error.value) and "\n" not in str(error.value)


SMALL = {"annotations/val/a.json": b"{}" * 300, "x/annotations/train/b.json": b"[1]" * 99}
KINDS = {
    "tar": tar_of(SMALL),
    "gz": gzip.compress(tar_of(SMALL), mtime=0),
    "zip": zip_of(SMALL),
    LABELS21: zip_of(SMALL, "token"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_archives_are_read_or_refused_in_one_line(tmp_path_factory, kind):
    folder = tmp_path_factory.mktemp("damaged")

    @settings(max_examples=200, derandomize=True, deadline=None, database=None)
    @given(seed=st.integers(0, 2**32 - 1))
    def check(seed):
        root = folder / str(seed)
        root.mkdir(exist_ok=True)
        path = folder / kind
        path.write_bytes(mutated_bytes(KINDS[kind], seed))
        try:
            unpack([path], LABELS, root, "token" if kind == LABELS21 else None)
        except UserError as error:
            assert "\n" not in str(error) and kind in str(error)

    check()


def test_patterns_stop_at_folders_and_skip_hidden_files():
    assert matches("images/val/v/0.jpg", "images/*/*/*.jpg")
    assert not matches("images/val/v/deep/0.jpg", "images/*/*/*.jpg")
    assert not matches("images/val/.v/0.jpg", "images/*/*/*.jpg")
    names = [
        "images/val/a/0.jpg",
        "images/val/a/1.jpg",
        "images/val/b/0.jpg",
        "images/train/c/0.jpg",
    ]
    assert count_matching(names, "images/val/*") == 2
    assert count_matching(names, "images/*/*") == 3
