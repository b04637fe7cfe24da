"""The state that an interrupted run goes on from, and when it may not."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from tdmi.core.errors import UserError
from tdmi.core.files import replacing
from tdmi.experiments.build import CHECKPOINT_FORMAT, check_not_flipped
from tdmi.training.recipe import HARMLESS

SHOWN = 5
"""Differences that a message lists."""


def save(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint, stamped with its format.

    Through memory, because torch writes the file's name into the file otherwise.
    """
    buffer = io.BytesIO()
    torch.save({"format": CHECKPOINT_FORMAT, **content}, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


class NewerState(UserError):
    """A state that only a newer version of this program can read."""


def load_state(
    path: Path, device: torch.device | str = "cpu", weights: bool = True
) -> dict[str, Any] | None:
    """Content of ``resume.pt``, None if there is none; without `weights`, tensors are not read.

    Raises UserError if it is damaged, NewerState if it is newer than this program.
    """
    if not path.exists():
        return None
    try:
        check_not_flipped(path)
        state = torch.load(path, map_location=device, weights_only=True, mmap=not weights)
        found = state.get("format", 1)
    except Exception as error:
        raise UserError(
            f"{path}: not a training state of this version ({type(error).__name__}); "
            "start again with --fresh"
        ) from None
    if found > CHECKPOINT_FORMAT:
        raise NewerState(
            f"{path}: written by a newer version (format {found}, this one reads up to "
            f"{CHECKPOINT_FORMAT}); go on with that version, or start again with --fresh"
        )
    return state


def check_resumable(path: Path, identity: dict[str, Any], restart: bool = False) -> None:
    """Raise UserError if the state at `path` cannot be resumed by a run of this `identity`.

    Args:
        identity: what decides the result: "settings" and hashes.
        restart: remove a state that is damaged or of another identity instead, and say so; for
            workflows, which run a job again because its settings changed. One of a newer version
            is refused all the same.
    """
    try:
        state = load_state(path, weights=False)
        found = list(differences(state["identity"], identity)) if state else []
        if found:
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            raise UserError(
                f"{path}: step {state['step']} of a training that differs in "
                f"{', '.join(found[:SHOWN])}{more}; set it back to go on, or start again with "
                "--fresh"
            )
    except NewerState:
        raise
    except UserError as error:
        if not restart:
            raise
        print(f"{error}: restarting, as --restart-if-changed says", file=sys.stderr)
        path.unlink()


def differences(saved: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """Keys whose values differ, as ``recipe.steps (found 8, expected 9)``.

    Keys of the recipe that change nothing in what is learnt do not count.
    """
    saved, now = _flat(saved), _flat(now)
    for key in sorted({*saved, *now}):
        harmless = key.startswith("settings.recipe.") and key.split(".")[-1] in HARMLESS
        if saved.get(key) != now.get(key) and not harmless:
            name = key.removeprefix("settings.")
            yield f"{name} (found {saved.get(key)}, expected {now.get(key)})"


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    leaves = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            leaves |= _flat(value, f"{prefix}{key}.")
        else:
            leaves[prefix + key] = value
    return leaves
