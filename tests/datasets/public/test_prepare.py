"""The prepared copy: the same with and without hidden companions, and never behind a link."""

import pytest

from tdmi.core.errors import UserError
from tdmi.core.files import hashes_of_folder
from tdmi.datasets.public.prepare import prepare
from tests.support.check_trees import VAL, posetrack18_tree


def test_hidden_companions_are_no_frames(tmp_path):
    root = posetrack18_tree(tmp_path / "posetrack18")
    alone = prepare("posetrack18", root, detected_boxes=False)
    before = hashes_of_folder(root / "prepared/annotations/val")
    for picture in list((root / VAL).iterdir()):
        picture.with_name(f"._{picture.name}").write_bytes(b"\0\5\x16\7")
    assert prepare("posetrack18", root, detected_boxes=False) == alone
    assert hashes_of_folder(root / "prepared/annotations/val") == before
    assert alone["counts"]["val"]["frames"] == 8 * alone["counts"]["val"]["videos"]


def test_a_link_in_the_place_of_the_copy_is_one_line(tmp_path):
    root = posetrack18_tree(tmp_path / "posetrack18")
    (tmp_path / "own").mkdir()
    (root / "prepared").symlink_to(tmp_path / "own", target_is_directory=True)
    with pytest.raises(UserError, match=r"posetrack18/prepared: a symbolic link to .*own, "):
        prepare("posetrack18", root, detected_boxes=False)
    assert (tmp_path / "own").is_dir() and (root / "prepared").is_symlink()
