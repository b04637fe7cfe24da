"""Time of the deformable baselines' forward pass, against straightforward versions of them.

    python tests/benchmarks/baselines_forward.py [--size 384 288] [--repeats 5] [--threads 1]
                                                 [--methods dcpose posewarper fami_pose]

The straightforward version has the same weights (formula-filled, tests/support/golden_models.py).
It goes module by module, as the released code does: every frame through the backbone on its own,
PyTorch's default memory layout, one torchvision deformable convolution after the other, every
warped frame by itself. Ours has its batch norms folded into the convolutions
(`inference.fold_norms`). Both run alternately in one process; the outputs are compared first. The
table has medians of wall and processor time for one person, and their ratio.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import deform_conv2d

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from baselines.dcpose import DCPose, nearness
from baselines.fami_pose import FAMIPose, translate
from baselines.posewarper import AGGREGATION, PoseWarper, Warper
from tdmi.checkpoints import convert
from tdmi.models.deformable import DeformableConv2d
from tdmi.models.folding import folded
from tdmi.models.hrnet import HRNet
from tdmi.models.method import PoseMethod
from tests.support.golden_models import formula_input, reference_state


def backbone(trunk: HRNet, x: Tensor) -> Tensor:
    """One frame's features, layer by layer in the layout that it comes in."""
    x = trunk.relu(trunk.bn1(trunk.conv1(x)))
    x = trunk.relu(trunk.bn2(trunk.conv2(x)))
    branches = [trunk.layer1(x)]
    for stage in range(2, len(trunk.depths) + 1):
        transition = trunk.get_submodule(f"transition{stage - 1}")
        branches = [t(branches[min(i, len(branches) - 1)]) for i, t in enumerate(transition)]
        for module in trunk.get_submodule(f"stage{stage}"):
            branches = [branch(y) for branch, y in zip(module.branches, branches, strict=True)]
            fused = []
            for to, layers in enumerate(module.fuse_layers):
                total = None
                for source, layer in enumerate(layers):
                    y = layer(branches[source])
                    if source > to:
                        y = F.interpolate(y, scale_factor=2 ** (source - to), mode="nearest")
                    total = y if total is None else total + y
                fused.append(module.relu(total))
            branches = fused
    return branches[0]


def deformed(layer: DeformableConv2d, x: Tensor, offset: Tensor, mask: Tensor | None = None):
    place = {"padding": layer.dilation, "dilation": layer.dilation}
    return deform_conv2d(x, offset, layer.weight, layer.bias, mask=mask, **place)


def by_joint(maps: list[Tensor]) -> Tensor:
    joints = range(maps[0].shape[1])
    return torch.cat([torch.cat([m[:, j : j + 1] for m in maps], dim=1) for j in joints], dim=1)


def plain_dcpose(model: DCPose, frames: Tensor, offsets: Tensor) -> Tensor:
    before, key, after = (model.head(backbone(model.backbone, x)) for x in frames.unbind(1))
    near_before, near_after = (w[:, None, None, None] for w in nearness(offsets))
    differences = [key - before, (key - before) * near_before, key - after]
    differences = by_joint([*differences, (key - after) * near_after])
    support = model.merger(by_joint([key, before * near_before, after * near_after]))
    guide = model.combination(torch.cat([model.residual_fusion(differences), support], dim=1))
    total = torch.zeros_like(key)
    for offset, mask, layer in zip(model.offsets, model.masks, model.corrections, strict=True):
        total = total + deformed(layer, support, offset(guide), mask(guide)) / len(model.offsets)
    return total


def plain_posewarper(model: PoseWarper, frames: Tensor, offsets: Tensor) -> Tensor:
    maps = [model.head(backbone(model.backbone, x)) for x in frames.unbind(1)]
    total = torch.zeros_like(maps[0])
    for distance, x in zip(model.window, maps, strict=True):
        warped = plain_warp(model.warper, x, maps[model.key] - x)
        total = total + AGGREGATION[abs(distance)] * warped
    return total


def plain_warp(warper: Warper, x: Tensor, difference: Tensor) -> Tensor:
    guide = warper.guide(difference)
    pairs = zip(warper.offsets, warper.warps, strict=True)
    warped = [deformed(layer, x, offset(guide)) for offset, layer in pairs]
    return torch.stack(warped, dim=4).mean(dim=4)


def plain_fami_pose(model: FAMIPose, frames: Tensor, offsets: Tensor) -> Tensor:
    maps = [backbone(model.backbone, x) for x in frames.unbind(1)]
    key = maps.pop(model.key)
    moved = [translate(x, model.global_alignment.translation(x - key)) for x in maps]
    support = model.merger(torch.cat(moved, dim=1))
    local = model.local_alignment

    def step(i: int, x: Tensor, guide: Tensor) -> Tensor:
        layer = local.convolutions[i]
        return deformed(layer.deform, x, layer.offset(guide), layer.mask(guide))

    guide = local.combination(torch.cat([support, key], dim=1))
    guide = step(0, guide, guide)
    guide = step(1, guide, guide)
    aligned = step(2, support, guide)
    aligned = step(3, aligned, aligned)
    return model.fused_head(model.fusion.chain(torch.cat([key, aligned], dim=1)))


METHODS = {
    "dcpose": (DCPose, "dcpose", plain_dcpose),
    "posewarper": (PoseWarper, "posewarper_agg", plain_posewarper),
    "fami_pose": (FAMIPose, "fami_pose", plain_fami_pose),
}


def pair(name: str, size: tuple[int, int]) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
    """Our forward pass and the straightforward one, on one person's frames."""
    cls, golden, plain = METHODS[name]
    model: PoseMethod = cls(HRNet(48), start="paper").eval()
    model.load_state_dict(convert(reference_state(golden)).tensors, strict=True)
    other = copy.deepcopy(model)
    model = folded(
        model.to(memory_format=torch.channels_last)
    )  # layout as of tdmi.experiments.build
    length = len(model.window)
    frames = formula_input((1, 3 * length, *size), seed=1).unflatten(1, (length, 3))
    offsets = torch.tensor([model.window])
    return lambda: model(frames, offsets).heatmaps, lambda: plain(other, frames, offsets)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, nargs=2, default=(384, 288), help="height, width")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(
        "| method | ours, s | plain, s | ratio | ours, CPU s | plain, CPU s | ratio | difference |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in arguments.methods:
        ways = pair(name, tuple(arguments.size))
        with torch.inference_mode():
            mine, theirs = (way() for way in ways)
            difference = float((mine - theirs).abs().max() / theirs.std())
            assert difference < 1e-2, f"{name}: outputs differ by {difference} of their deviation"
            times: list[list[tuple[float, float]]] = [[], []]
            for _ in range(arguments.repeats):
                for k, way in enumerate(ways):
                    wall, processor = time.perf_counter(), time.process_time()
                    way()
                    spent = time.perf_counter() - wall, time.process_time() - processor
                    times[k].append(spent)
        cells = []
        for clock in (0, 1):
            ours, plain = (statistics.median(t[clock] for t in way) for way in times)
            cells += [f"{ours:.2f}", f"{plain:.2f}", f"{ours / plain:.3f}"]
        print(f"| {name} | {' | '.join(cells)} | {difference:.1e} of std |", flush=True)


if __name__ == "__main__":
    main()
