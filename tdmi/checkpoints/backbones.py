"""The backbone that the shapes of published weights describe, for files without a suite."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from tdmi.checkpoints.families import Conversion
from tdmi.core.errors import UserError
from tdmi.models.hrnet import HRNet
from tdmi.models.resnet import BLOCKS, PoseResNet


def described_backbone(conversion: Conversion) -> tuple[HRNet | PoseResNet, dict[str, Any]]:
    """An untrained backbone of a file's size, and its options as a suite's `backbone` takes them.

    UserError: a file without the layers that tell the size, or of no size that there is.
    """
    tensors = conversion.tensors
    if conversion.family.backbone is PoseResNet:
        return _resnet(tensors)
    last = _count(tensors, r"backbone\.stage(\d)\.") - 1
    options = {
        "width": _channels(tensors, "backbone.stage2.0.branches.0.0.conv1.weight"),
        "stages": last,
        "modules": [_count(tensors, rf"backbone\.stage{s}\.(\d+)\.") for s in range(2, last + 1)],
        "blocks": _count(tensors, r"backbone\.stage2\.0\.branches\.0\.(\d+)\."),
        "stem_width": _channels(tensors, "backbone.conv1.weight"),
        "stem_blocks": _count(tensors, r"backbone\.layer1\.(\d+)\."),
    }
    return HRNet(**options), options


def _resnet(tensors: Mapping[str, Tensor]) -> tuple[PoseResNet, dict[str, Any]]:
    blocks = tuple(_count(tensors, rf"backbone\.layer{i}\.(\d+)\.") for i in (1, 2, 3, 4))
    layers = next((layers for layers, counts in BLOCKS.items() if counts == blocks), None)
    if layers is None:
        raise UserError(
            f"found a ResNet of {blocks} blocks, expected one of "
            f"{', '.join(f'{layers}: {counts}' for layers, counts in BLOCKS.items())}"
        )
    options = {"layers": layers, "width": _channels(tensors, "backbone.conv1.weight")}
    return PoseResNet(**options), {"kind": "resnet", **options}


def _count(names: Iterable[str], pattern: str) -> int:
    """One more than the largest number that `pattern` finds; holes show in the comparison."""
    return 1 + max((int(n[1]) for name in names if (n := re.match(pattern, name))), default=-1)


def _channels(tensors: Mapping[str, Tensor], name: str) -> int:
    if name not in tensors:
        raise UserError(f"found no {name}, expected a whole trunk")
    return len(tensors[name])
