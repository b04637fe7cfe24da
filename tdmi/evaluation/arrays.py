"""Arrays: their type, and pooling those of several videos column by column."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Array: TypeAlias = NDArray[Any]
"""An array whose documentation tells its shape and kind of numbers."""
Columns = TypeVar("Columns", bound="DataclassInstance")


def pool(parts: Iterable[Columns], added: Collection[str] = ()) -> Columns:
    """Pool dataclasses of columns, one for each video, in the order given.

    The fields named in `added` are summed, the other columns concatenated. A field that is None
    must be None for every video and stays so.
    """
    parts = list(parts)
    columns: dict[str, Any] = {}
    for name in (field.name for field in fields(parts[0])):
        values = [getattr(part, name) for part in parts]
        if values[0] is None:
            columns[name] = None
        elif name in added:
            columns[name] = sum(values[1:], start=values[0])
        else:
            columns[name] = np.concatenate(values)
    return type(parts[0])(**columns)
