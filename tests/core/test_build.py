"""Options build something, or the unknown one is named in one line."""

from typing import Any, TypedDict, Unpack

import pytest
import torch

from tdmi.core.checks import build, keywords
from tdmi.core.errors import UserError
from tdmi.models.method import PoseMethod
from tests.support.methods import small_hrnet

SHARED = "start, backbone_norm, freeze_backbone, loss_factor, loss_foreground"


class FrameAverage(PoseMethod):
    """As the README adds a method: whatever it does not name goes to the base class."""

    def __init__(self, backbone, joints=17, *, window=(-1, 0, 1), **shared):
        super().__init__(backbone, joints, window=window, **shared)


class Heights(TypedDict, total=False):
    low: int
    high: int


def fence(posts: int, *, colour: str = "white", **heights: Unpack[Heights]) -> tuple[Any, ...]:
    return posts, colour, heights


def anything(first: int, **rest: Any) -> dict[str, Any]:
    return {"first": first, **rest}


class Plain:
    """Without a constructor of its own."""


def test_options_and_fixed_arguments_are_given_by_name():
    assert build("of fence", fence, {"high": 3}, posts=2) == (2, "white", {"high": 3})
    assert build("of anything", anything, {"name": 1, "options": 2}, first=0) == {
        "first": 0,
        "name": 1,
        "options": 2,
    }
    assert isinstance(build("of plain", Plain, None), Plain)


@pytest.mark.parametrize(
    ("constructor", "options", "fixed", "words"),
    [
        (fence, {"width": 1}, {"posts": 2}, "unknown 'width', expected colour, low, high"),
        (fence, {"posts": 1}, {"posts": 2}, "unknown 'posts', expected colour, low, high"),
        (anything, {"first": 1}, {"first": 2}, "unknown 'first', expected no options"),
        (Plain, {"colour": 1}, {}, "unknown 'colour', expected no options"),
    ],
)
def test_an_unknown_option_is_named_with_the_known_ones(constructor, options, fixed, words):
    with pytest.raises(UserError) as error:
        build("of it", constructor, options, **fixed)
    assert str(error.value) == f"option of it: found {words}"


def test_what_a_method_hands_to_its_base_class_is_known():
    with torch.device("meta"):
        fixed = {"backbone": small_hrnet(), "joints": 4}
        method = build("of method", FrameAverage, {"loss_factor": 0.5}, **fixed)
        assert (method.window, method.loss_factor) == ((-1, 0, 1), 0.5)
        with pytest.raises(UserError) as error:
            build("of method", FrameAverage, {"freeze_backbon": True}, **fixed)
    wanted = f"option of method: found unknown 'freeze_backbon', expected window, {SHARED}"
    assert str(error.value) == wanted
    assert keywords(FrameAverage) == ["backbone", "joints", "window", *SHARED.split(", ")]
