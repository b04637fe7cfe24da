"""Joint sets: sides by the names of the joints."""

import numpy as np
import pytest

from tdmi.data.skeletons import BOX_SHARE, HIEVE, POSETRACK18, SIGMAS, SKELETONS

OTHER_SIDE = {"left": "right", "right": "left"}


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda skeleton: skeleton.name)
def test_mirroring_exchanges_left_and_right_and_nothing_else(skeleton):
    for place, joint in enumerate(skeleton.joints):
        side, dash, name = joint.partition("_")
        expected = OTHER_SIDE.get(side, side) + dash + name
        assert skeleton.joints[skeleton.flip_order[place]] == expected
    sided = sum(joint.startswith("left_") for joint in skeleton.joints)
    assert len(skeleton.flip_pairs) == sided > 0


def test_every_joint_has_a_sigma_and_sides_have_the_same():
    for skeleton in SKELETONS.values():
        sigmas = skeleton.oks_sigmas
        np.testing.assert_array_equal(sigmas, sigmas[skeleton.flip_order])
        assert ((sigmas > 0.02) & (sigmas < 0.11)).all()
    assert POSETRACK18.oks_sigmas[POSETRACK18.index("left_hip")] == 0.107
    assert HIEVE.oks_sigmas[HIEVE.index("chest")] == SIGMAS["left_shoulder"]
    assert BOX_SHARE == 0.53
