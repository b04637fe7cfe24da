"""Read a file of published weights without running anything that it holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tdmi.core.errors import UserError

CONTAINERS = ("state_dict", "best_state_dict", "model")
"""Entries of a training checkpoint that hold the weights: HRNet, DCPose, FAMI-Pose, mmpose; HRNet's
second copy (the same values without ``module.``); this project's own ``checkpoint.pt``."""

# Numbers and arrays beside the weights: HRNet keeps its score, mmpose its data set's description.
# Their names differ between numpy 1 and 2, and files of both are about.
_HARMLESS: list[Any] = [
    *(
        (getattr(np.core.multiarray, name), f"numpy.{module}.multiarray.{name}")
        for name in ("_reconstruct", "scalar")
        for module in ("core", "_core")
    ),
    np.ndarray,
    np.dtype,
    *{type(np.dtype(kind)) for kind in np.typecodes["AllInteger"] + np.typecodes["Float"] + "?"},
]


def read_published(path: Path) -> dict[str, Tensor]:
    """State dictionary of a file of published weights; a leading ``module.`` is dropped.

    Tensors are on the CPU. The weights may stand under one of `CONTAINERS`.

    Raises:
        UserError: no such file (with where to get it), an empty or damaged one, no torch file, a
            pickle that wants more than tensors and plain values, one without tensors by name, or
            weights that are not finite.
    """
    content = _load(Path(path))
    state = content
    if isinstance(content, Mapping):
        held = (content.get(key) for key in CONTAINERS)
        state = next((entry for entry in held if isinstance(entry, Mapping)), content)
    if not isinstance(state, Mapping) or not state:
        raise UserError(
            f"{path}: found no state dictionary (a {type(content).__name__}), expected tensors by "
            "name"
        )
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise UserError(
                f"{path}: found no state dictionary ({name!r} is of type {type(value).__name__}), "
                f"expected tensors by name, alone or under {', '.join(CONTAINERS)}"
            )
    check_finite(state, path)
    return {name.removeprefix("module."): value for name, value in state.items()}


def check_finite(state: Mapping[str, Tensor], path: Path | str) -> None:
    """Raise UserError that names the first tensor with NaN or infinity, as after a collapse."""
    for name, value in state.items():
        if not (fit := torch.isfinite(value)).all():
            raise UserError(
                f"{path}: {name} holds {int((~fit).sum())} of {fit.numel()} values that are NaN or "
                "infinite, expected finite weights; take a file saved before the training diverged"
            )


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            begin = file.read(16)
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file, expected published weights, e.g. pose_hrnet_w48_384x288.pth of "
            "the HRNet authors' model zoo; put it there, or take initial_weights out of the suite "
            "to train from scratch"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}), expected a file") from None
    if not begin:
        raise UserError(f"{path}: found an empty file, expected weights; download it again")
    if not begin.startswith((b"PK", b"\x80")):
        raise UserError(
            f"{path}: found no readable weights (it begins with {begin!r}), expected a file "
            "written by torch.save; download it again and see that it is not a web page"
        )
    try:
        with torch.serialization.safe_globals(_HARMLESS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch names what it does not build; nothing of it has run.
        if found := re.search(r"(?:GLOBAL|class|function) '?([\w.]+)", str(error)):
            raise UserError(
                f"{path}: found a pickle that wants {found[1]}, which was not run; expected "
                "tensors and plain values; if the source is trusted, load it where it came from "
                "and save only its state_dict"
            ) from None
        raise UserError(
            f"{path}: found no readable weights ({type(error).__name__}), expected a file "
            "written by torch.save; download it again"
        ) from None
