"""Checkpoints of this project that cannot be used."""

import pytest
import torch

from tdmi.checkpoints.own import FORMAT, load_checkpoint
from tdmi.core.errors import UserError

RUN = "tiny/single_frame/seed3"


def test_unusable_checkpoints_are_named(tmp_path):
    with pytest.raises(UserError, match="no such checkpoint; train that run first"):
        load_checkpoint(tmp_path / "checkpoint.pt")
    (tmp_path / "checkpoint.pt").write_bytes(b"half a file")
    with pytest.raises(UserError, match="not a checkpoint of this project"):
        load_checkpoint(tmp_path / "checkpoint.pt")
    torch.save({"model": {}, "format": FORMAT + 1}, tmp_path / "checkpoint.pt")
    with pytest.raises(UserError, match="written by a newer version"):
        load_checkpoint(tmp_path / "checkpoint.pt")
