"""A small PoseTrack2018 to damage."""

import shutil

import pytest

from tests.support.check_trees import posetrack18_tree


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    return posetrack18_tree(tmp_path_factory.mktemp("pristine") / "posetrack18")


@pytest.fixture
def tree(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "posetrack18")
