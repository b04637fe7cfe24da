"""This process on its machine: the GPUs it claims, its threads, whether memory ran out."""

from __future__ import annotations

import atexit
import logging
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from tdmi.core.errors import UserError
from tdmi.core.locks import try_lock

POOL = "TDMI_DEVICES"
"""Environment variable: GPUs to claim from, in the form of ``CUDA_VISIBLE_DEVICES``. The workflow
sets it for its jobs; without it a process sees the GPUs that its environment shows."""
VISIBLE = "CUDA_VISIBLE_DEVICES"
_logger = logging.getLogger(__name__)


def prepare_process(threads: int, gpus: int = 0) -> None:
    """Claim GPUs and set the number of threads, before anything else imports torch."""
    if gpus:
        claim_gpus(gpus)
    use_threads(threads)


def use_threads(count: int) -> None:
    """Let torch and OpenCV work with `count` threads; loading workers have one each."""
    import cv2
    import torch

    torch.set_num_threads(count)
    cv2.setNumThreads(count)


def visible_gpus() -> list[str]:
    """Return the names of the GPUs that this process may use, as CUDA names them."""
    machine = _gpus_of_machine()
    if VISIBLE not in os.environ:
        return machine
    listed = _listed_gpus(os.environ[VISIBLE])
    beyond = (i for i, name in enumerate(listed) if name.isdigit() and name not in machine)
    return listed[: next(beyond, None)] if machine else listed


def _gpus_of_machine() -> list[str]:
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    try:
        found = subprocess.run(query, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = found.stdout.splitlines() if found.returncode == 0 else []
    return [line.strip() for line in lines if line.strip().isdigit()]  # not "No devices were found"


def _listed_gpus(value: str) -> list[str]:
    """GPUs that a value of ``CUDA_VISIBLE_DEVICES`` names, as CUDA reads it.

    Indices are the number that an entry begins with, names begin all with ``GPU-`` or all with
    ``MIG-``. The list ends before the first entry that is neither (``-1``, ``NoDevFiles``); one
    entry twice makes all of it invalid. Source: CUDA C++ Programming Guide, environment variables,
    and what PyTorch found about CUDA's behaviour (`torch.cuda._parse_visible_devices`).
    """
    kind = re.match(r"\s*(GPU-|MIG-)", value)
    names: list[str] = []
    for entry in map(str.strip, value.split(",")):
        found = re.match(kind[1] + ".+" if kind else r"\+?[0-9]+", entry)
        if not found:
            break
        name = found[0] if kind else str(int(found[0]))
        if name in names:
            return []
        names.append(name)
    return names


def claim_gpus(count: int = 1) -> None:
    """Wait until `count` GPUs of the pool are free, and make them the only visible ones.

    They are free again when the process has ended, however it ended. Without a pool nothing is
    claimed. Raises UserError if the pool is smaller than `count`.
    """
    pool = _listed_gpus(os.environ.pop(POOL, ""))
    if not pool:
        return
    if len(pool) < count:
        raise UserError(
            f"recipe.devices: found {count}, expected at most {len(pool)}, the GPUs of this machine"
        )
    folder = Path(tempfile.gettempdir()) / f"tdmi-devices-{os.getuid()}"
    waiting = False
    while not _claim_now(pool, count, folder):
        if not waiting:
            _logger.warning("waiting for %d of the GPUs %s", count, ", ".join(pool))
        waiting = True
        time.sleep(1)


def _claim_now(pool: list[str], count: int, folder: Path) -> bool:
    """Claim the first `count` free GPUs of `pool`, or none of them if fewer are free."""
    locks = {}
    for name in pool:
        lock = try_lock(folder / f"{name.replace('/', '_')}.lock")
        if lock:
            locks[name] = lock
        if len(locks) == count:
            os.environ[VISIBLE] = ",".join(locks)
            for held in locks.values():
                atexit.register(held.release)
            return True
    for held in locks.values():
        held.release()
    return False


def out_of_memory(error: BaseException) -> bool:
    """Return whether `error` says that the device, or the machine, has too little memory."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
