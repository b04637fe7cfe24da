"""This project's own files of weights: checkpoints, and the states that trainings resume from."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from tdmi.checkpoints.reading import check_finite
from tdmi.config.section import flat
from tdmi.config.training import HARMLESS
from tdmi.core.errors import UserError
from tdmi.core.files import replacing

FORMAT = 1
"""Rises when checkpoints and training states change so that older programs would misread them."""
SHOWN = 5
"""Differences that a message lists."""
State = dict[str, Any]
"""Content of a file: tensors, plain values and mappings of them."""

log = logging.getLogger(__name__)


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint or state, stamped with its format.

    Through memory, because torch writes the file's name into the file otherwise.
    """
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **content}, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def check_undamaged(path: Path | str) -> None:
    """Raise zipfile.BadZipFile unless every checksum of a torch file fits: torch reads none."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(damaged)


def load_checkpoint(path: Path | str) -> dict[str, torch.Tensor]:
    """State dictionary of a finished run's ``checkpoint.pt``."""
    try:
        check_undamaged(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
        state, found = content["model"], content.get("format", 1)
    except FileNotFoundError:
        raise UserError(f"{path}: no such checkpoint; train that run first") from None
    except Exception as error:
        raise UserError(
            f"{path}: not a checkpoint of this project ({type(error).__name__}); "
            "delete it and train that run again"
        ) from None
    if found > FORMAT:
        raise UserError(
            f"{path}: written by a newer version (format {found}, this one reads up to "
            f"{FORMAT}); use that version, or train the run again"
        )
    check_finite(state, path)
    return state


class NewerState(UserError):
    """A state that only a newer version of this program can read."""


def load_state(
    path: Path, device: torch.device | str = "cpu", weights: bool = True
) -> State | None:
    """Content of ``resume.pt``, None if there is none; without `weights`, tensors are not read.

    Raises UserError if it is damaged, NewerState if it is newer than this program.
    """
    if not path.exists():
        return None
    try:
        check_undamaged(path)
        state = torch.load(path, map_location=device, weights_only=True, mmap=not weights)
        found = state.get("format", 1)
    except Exception as error:
        raise UserError(
            f"{path}: not a training state of this version ({type(error).__name__}); "
            "start again with --fresh"
        ) from None
    if found > FORMAT:
        raise NewerState(
            f"{path}: written by a newer version (format {found}, this one reads up to "
            f"{FORMAT}); continue with that version, or start again with --fresh"
        )
    return state


def check_resumable(path: Path, identity: Mapping[str, Any], restart: bool = False) -> None:
    """Raise UserError if the state at `path` cannot be resumed by a run of this `identity`.

    Args:
        identity: what decides the result: "settings" and hashes.
        restart: remove a state that is damaged or of another identity instead, and say so; for
            workflows, which run a job again because its settings changed. One of a newer version
            raises nevertheless.
    """
    try:
        state = load_state(path, weights=False)
        found = list(differences(state["identity"], identity)) if state else []
        if state and found:
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            raise UserError(
                f"{path}: step {state['step']} of a training that differs in "
                f"{', '.join(found[:SHOWN])}{more}; set it back to continue, or start again with "
                "--fresh"
            )
    except NewerState:
        raise
    except UserError as error:
        if not restart:
            raise
        log.warning("%s: restarting, as --restart-if-changed says", error)
        path.unlink()


def differences(saved: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Keys whose values differ, as ``recipe.steps (found 8, expected 9)``.

    Keys of the recipe that change nothing in what is learnt do not count.
    """
    before, after = dict(flat(saved)), dict(flat(now))
    for key in sorted({*before, *after}):
        harmless = key.startswith("settings.recipe.") and key.split(".")[-1] in HARMLESS
        if before.get(key) != after.get(key) and not harmless:
            name = key.removeprefix("settings.")
            yield f"{name} (found {before.get(key)}, expected {after.get(key)})"
