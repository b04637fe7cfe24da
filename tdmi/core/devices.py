"""GPUs of one machine shared out among processes: each job takes some that are free for itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TextIO

from tdmi.core.errors import UserError
from tdmi.core.locks import try_lock

POOL = "TDMI_DEVICES"
"""Environment variable: devices to choose from, as in ``CUDA_VISIBLE_DEVICES``. The workflow sets
it for its jobs; without it a process sees the devices that its surroundings show it."""
VISIBLE = "CUDA_VISIBLE_DEVICES"
_held: list[TextIO] = []
"""Open for as long as the process lives."""


def visible_devices() -> list[str]:
    """Names of the GPUs that a process may use, as CUDA knows them; none on a machine without."""
    if VISIBLE in os.environ:
        names = [name.strip() for name in os.environ[VISIBLE].split(",")]
        return [name for name in names if name not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    found = subprocess.run(query, capture_output=True, text=True)
    return found.stdout.split() if found.returncode == 0 else []


def claim(count: int = 1) -> None:
    """Take `count` devices of the pool, waiting until so many are free, and see these alone.

    They are free again when the process is gone, whatever ended it. Without a pool nothing is
    taken. Raises UserError if the pool is smaller.
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
    while True:
        taken = {}
        for name in pool:
            lock = try_lock(folder / f"{name.replace('/', '_')}.lock")
            if lock:
                taken[name] = lock
            if len(taken) == count:
                _held.extend(taken.values())
                os.environ[VISIBLE] = ",".join(taken)
                return
        for lock in taken.values():
            lock.close()
        if not waiting:
            print(f"waiting for {count} of the GPUs {', '.join(pool)}", file=sys.stderr)
        waiting = True
        time.sleep(1)
