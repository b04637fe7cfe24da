"""RAFT (Teed, Deng, ECCV 2020) as torchvision has it, with weights from a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.flow.estimators import check_size
from tdmi.checkpoints.reading import read_published
from tdmi.core.errors import UserError
from tdmi.models.method import misfits

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

PAIRS_AT_ONCE = 32
"""The correlations of one pair of 384x288 px take 16 MB; this bounds memory whatever the batch."""


class RAFTFlow:
    """torchvision's `raft_small` (1.0 M parameters) or `raft_large` (5.3 M), 12 refinements.

    It runs in float32 on the device of the images and is never trained: its weights are no part of
    the method that uses it, nor of its checkpoints. Crops need 128 px on each side; sides that are
    not multiples of 8 are padded to the right and below with the border's values for the
    computation.

    `weights`: a file with torchvision's weights. Without it they are looked for where torchvision
    keeps its downloads, and fetched from torchvision's address if `download` allows it.

    UserError: no weights can be had, or the file does not hold this network's.
    """

    smallest = 128

    def __init__(
        self,
        size: Literal["small", "large"],
        weights: str | Path | None = None,
        download: bool = False,
    ) -> None:
        from torchvision.models import optical_flow  # a second that other estimators need not wait

        self.name = f"raft_{size}"
        self.network: nn.Module = getattr(optical_flow, self.name)()
        published = getattr(optical_flow, f"Raft_{size.capitalize()}_Weights").DEFAULT
        stored = Path(torch.hub.get_dir(), "checkpoints", Path(published.url).name)
        if weights is None and download and not stored.is_file():
            _download(published, stored)
        path = stored if weights is None else Path(weights)
        self._load(path, published.url, by_default=weights is None)
        self.network.eval().requires_grad_(False)

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        check_size(self.name, first, self.smallest)
        self.network.to(first.device)
        height, width = first.shape[-2:]
        padding = (0, -width % 8, 0, -height % 8)

        def prepared(images: Tensor) -> Tensor:
            return F.pad(images.float() * 2 - 1, padding, mode="replicate")

        with torch.no_grad(), torch.autocast(first.device.type, enabled=False):
            parts = zip(first.split(PAIRS_AT_ONCE), second.split(PAIRS_AT_ONCE), strict=True)
            flow = [self.network(prepared(a), prepared(b))[-1] for a, b in parts]
        return torch.cat(flow)[..., :height, :width]

    def _load(self, path: Path, address: str, by_default: bool) -> None:
        wanted = f"torchvision's weights of {self.name} from {address}"
        if not path.exists():
            hint = (
                "put them there, name another file with flow.weights, or set flow.download: true"
                if by_default
                else "put them there or correct flow.weights"
            )
            raise UserError(f"{path}: no such file, expected {wanted}; {hint}")
        try:
            state = read_published(path)
        except UserError as error:
            raise UserError(f"{error}; expected {wanted}") from None
        if faults := misfits(self.network.state_dict(), state):
            raise UserError(f"{path}: found weights with {faults}; expected {wanted}")
        self.network.load_state_dict(state, strict=False)


def _download(published: WeightsEnum, path: Path) -> None:
    try:
        published.get_state_dict(progress=sys.stderr.isatty(), check_hash=True)
    except (OSError, RuntimeError) as error:  # no network or no room; a wrong checksum
        reason = " ".join(str(error).split())
        raise UserError(
            f"{published.url}: cannot be downloaded ({reason}); fetch it elsewhere and put it at "
            f"{path}, or name it with flow.weights"
        ) from None
