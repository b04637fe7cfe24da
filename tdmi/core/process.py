"""This process on its machine: the GPUs it claims, its threads, whether memory ran out."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
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
    if VISIBLE in os.environ:
        names = [name.strip() for name in os.environ[VISIBLE].split(",")]
        return [name for name in names if name not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    found = subprocess.run(query, capture_output=True, text=True)
    return found.stdout.split() if found.returncode == 0 else []


def claim_gpus(count: int = 1) -> None:
    """Wait until `count` GPUs of the pool are free, and make them the only visible ones.

    They are free again when the process has ended, however it ended. Without a pool nothing is
    claimed. Raises UserError if the pool is smaller than `count`.
    """
    pool = list(filter(None, os.environ.pop(POOL, "").split(",")))
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
