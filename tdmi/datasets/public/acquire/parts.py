"""Have the archive parts of a data set in `archives/`: downloaded or placed by hand."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter

from tdmi import __version__
from tdmi.core.errors import UserError
from tdmi.datasets.public.acquire.catalogue import Part, Piece
from tdmi.datasets.public.acquire.job import Job, size_of
from tdmi.datasets.public.acquire.transfer import (
    Transfers,
    Wanted,
    address,
    download_all,
    part_of,
    sizes_of,
)


def check_parts(job: Job, piece: Piece) -> None:
    """Compare or enter the archive parts that are there; they are read in parallel."""
    present = [part for part in piece.files if (job.archives / part.name).is_file()]

    def check(part: Part) -> int:
        path = job.archives / part.name
        job.record.check_part(path, part.name, part.exact, downloaded=False)
        return size_of(path)

    total = sum(size_of(job.archives / part.name) for part in present)
    with ThreadPoolExecutor(job.jobs) as pool, job.bar("reading archives", total) as bar:
        for size in pool.map(check, present):
            bar.update(size)


def bring_parts(job: Job, pieces: list[Piece]) -> dict[str, str]:
    """Download the parts that are not there; why that failed, by part name.

    UserError if archives and unpacked files do not fit on the disk, as far as sizes are known.
    """
    reasons: dict[str, str] = {}
    wanted: list[tuple[Part, Wanted]] = []
    for piece in pieces:
        base = piece.base_url if piece.own_address else job.base_url or piece.base_url
        for part in piece.files:
            target = job.archives / part.name
            if target.is_file():
                continue
            if base:
                wanted.append((part, Wanted(address(base, part.name), target, part.exact)))
            else:
                reasons[part.name] = "no public address: give --base-url or place it by hand"
    if not wanted:
        _check_room(job, pieces, {}, 0)
        return reasons
    job.archives.mkdir(parents=True, exist_ok=True)
    return reasons | _download(job, pieces, wanted)


def _download(job: Job, pieces: list[Piece], wanted: list[tuple[Part, Wanted]]) -> dict[str, str]:
    lock = threading.Lock()
    exact = {part.name: part.exact for part, _ in wanted}
    files = [one for _, one in wanted]
    with requests.Session() as session, job.bar("downloading", None) as bar:
        session.headers["User-Agent"] = f"tdmi-bench/{__version__}"
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=job.jobs))

        def report(count: int) -> None:
            with lock:
                bar.update(count)

        def accept(path: Path, name: str) -> None:
            # Entered before it gets its name: what lies there unentered is the user's.
            job.record.check_part(path, name, exact[name], downloaded=True)

        transfers = Transfers(session, report, accept)
        sizes = {
            part.name: size or part.exact or part.about
            for (part, _), size in zip(wanted, sizes_of(files, transfers, job.jobs), strict=True)
        }
        present = sum(size_of(part_of(one.target)) for one in files)
        _check_room(job, pieces, sizes, present)
        bar.total = None if None in sizes.values() else sum(sizes.values())
        bar.update(present)
        return download_all(files, transfers, job.jobs)


def _check_room(job: Job, pieces: list[Piece], sizes: dict[str, int | None], present: int) -> None:
    """UserError if what is to come exceeds the free room.

    Unpacked files are taken to need as much as their archives: true for pictures in a tar.
    """
    needed = sum(size or 0 for size in sizes.values()) - present
    for piece in pieces:
        archives = [size_of(job.archives / p.name) or sizes.get(p.name) or 0 for p in piece.files]
        needed += max(0, sum(archives) - int(job.journal(piece).summary()["bytes"]))
    free = shutil.disk_usage(job.root).free
    if needed > free:
        raise UserError(
            f"{job.root}: {needed / 1e9:.1f} GB are needed (archives and unpacked files), "
            f"{free / 1e9:.1f} GB are free; free some or give a --root on another disk"
        )
