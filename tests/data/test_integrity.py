"""Files of a data set against the hash in its record."""

import pytest

from tdmi.core.errors import UserError
from tdmi.core.files import write_json, write_text
from tdmi.data.integrity import check_split_unchanged, sha256_of_folder


@pytest.fixture
def root(tmp_path):
    for name in ("annotations/val/v.json", "boxes/val.json", "images/val/v/0.jpg"):
        write_text(tmp_path / name, name)
    write_json(tmp_path / "dataset-val.json", {"sha256": sha256_of_folder(tmp_path)})
    return tmp_path


def test_an_unchanged_split_is_accepted_and_its_images_are_not_read(root):
    check_split_unchanged(root, "val", ["images/val/v/0.jpg"], pytest.fail)


def test_a_changed_file_is_refused_with_the_record(root):
    read = []
    write_text(root / "boxes/val.json", "other")
    with pytest.raises(UserError, match=r"dataset-val\.json: files of .* have SHA-256"):
        check_split_unchanged(root, "val", ["images/val/v/0.jpg"], read.append)
    assert read == [root / "images/val/v/0.jpg"]


def test_a_damaged_image_is_named_before_the_record(root):
    (root / "images/val/v/0.jpg").unlink()

    def read(path):
        raise UserError(f"{path}: no such frame")

    with pytest.raises(UserError, match=r"0\.jpg: no such frame"):
        check_split_unchanged(root, "val", ["images/val/v/0.jpg"], read)


def test_another_split_does_not_count_and_without_a_record_nothing_is_checked(root):
    write_text(root / "boxes/train.json", "new")
    check_split_unchanged(root, "val", [], pytest.fail)
    write_text(root / "boxes/val.json", "other")
    (root / "dataset-val.json").unlink()
    check_split_unchanged(root, "val", [], pytest.fail)


def test_a_data_set_made_in_one_piece_is_checked_as_a_whole(root):
    (root / "dataset-val.json").unlink()
    write_json(root / "dataset.json", {"sha256": sha256_of_folder(root)})
    check_split_unchanged(root, "val", [], pytest.fail)
    write_text(root / "boxes/train.json", "new")
    with pytest.raises(UserError, match=r"dataset\.json: files of"):
        check_split_unchanged(root, "val", [], lambda path: None)
