"""Compare a data set on disk with itself and with what is published about it."""

from tdmi.datasets.public.check.published import release_of
from tdmi.datasets.public.check.report import Report
from tdmi.datasets.public.check.tree import check

__all__ = ["Report", "check", "release_of"]
