"""Every method of every suite of the workflow at a small size: found there, not listed here.

`METHODS` has each file of `workflow/config/methods` once, with the options of the first suite that
uses it; `every_case` has all that a suite or a grid makes of them, in every start.
"""

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast, get_args

import torch

from baselines.single_frame import SingleFrame
from tdmi.config.files import WORKFLOW
from tdmi.config.keys import PROTOCOLS, Protocol, SmallSize, SuiteKey
from tdmi.config.suites import load_suite
from tdmi.core.checks import build as build_checked
from tdmi.core.checks import keywords
from tdmi.core.errors import UserError
from tdmi.models.hrnet import HRNet
from tdmi.models.method import PoseMethod, Start
from tdmi.models.output import Target
from tdmi.models.resnet import PoseResNet

JOINTS = 4
CONFIG = WORKFLOW / "config"
GRID_SUITE = "posetrack17"
"""The grids vary TDMI of this suite, which trains a backbone of four stages."""


@dataclass(frozen=True)
class Case:
    """A method as a suite has it, on a trunk of width 8 (ResNet: 2)."""

    name: str
    cls: type[PoseMethod]
    options: Mapping[str, Any]
    resnet: bool
    stages: int

    def build(self, seed: int = 0, **options: Any) -> PoseMethod:
        torch.manual_seed(seed)
        trunk = PoseResNet(50, width=2) if self.resnet else small_hrnet(self.stages)
        return build_checked(
            self.name, self.cls, {**self.options, **options}, backbone=trunk, joints=JOINTS
        )

    def starts(self) -> Iterator[Case]:
        """The case in every start that its class knows."""
        if "start" not in (keywords(self.cls) or []):
            yield self
            return
        for start in get_args(Start):
            options = {**self.options, "start": start}
            yield replace(self, name=f"{self.name} {start}", options=options)


def small_hrnet(stages: int = 3) -> HRNet:
    modules = (1,) * (stages - 1)
    return HRNet(8, stages, modules=modules, blocks=1, stem_width=8, stem_blocks=1)


def _names(folder: str) -> list[str]:
    return sorted(path.stem for path in (CONFIG / folder).glob("*.yaml"))


def _cases_of(
    suite: str, protocol: Protocol = "shared", grid: str | None = None
) -> dict[str, Case]:
    """The methods of a suite by name; none where it has no such protocol."""
    try:
        loaded = load_suite(SuiteKey(suite, grid, protocol, SmallSize(width=8)))
    except UserError:
        if protocol == "shared":
            raise
        return {}
    cases = {}
    for name in loaded.methods:
        settings = loaded.settings(name, 0)
        module, _, cls = settings.method.class_path.rpartition(".")
        trunk = settings.backbone
        cases[name] = Case(
            " ".join([suite, *([grid] if grid else []), name, protocol]),
            getattr(importlib.import_module(module), cls),
            {**settings.method.options},
            trunk.kind == "resnet",
            trunk.depths,
        )
    return cases


@functools.cache
def method_cases() -> dict[str, Case]:
    """Every different method of the suites by its name: both protocols, every start."""
    sources = [_cases_of(suite, protocol) for suite in _names("") for protocol in PROTOCOLS]
    return _different(start for cases in sources for c in cases.values() for start in c.starts())


@functools.cache
def every_case() -> dict[str, Case]:
    """`method_cases`, and what the grids add to them."""
    grids = [_cases_of(GRID_SUITE, grid=grid) for grid in _names("grids")]
    variants = (start for cases in grids for c in cases.values() for start in c.starts())
    return _different([*method_cases().values(), *variants])


def _different(cases: Iterable[Case]) -> dict[str, Case]:
    """The first of all cases that build the same model, by name."""
    found: dict[str, Case] = {}
    for case in cases:
        parts = (case.cls.__name__, case.options, case.resnet, case.stages)
        found.setdefault(json.dumps(parts, sort_keys=True), case)
    return {case.name: case for case in found.values()}


def _methods() -> dict[str, Case]:
    """Each method file as the first suite has it, but with the backbone trained."""
    found = {
        name: case for suite in reversed(_names("")) for name, case in _cases_of(suite).items()
    }
    assert set(found) == set(_names("methods"))
    left_out = ("freeze_backbone", "start", "backbone_norm", "loss_foreground")
    return {
        name: replace(case, options={k: v for k, v in case.options.items() if k not in left_out})
        for name, case in sorted(found.items())
    }


METHODS = _methods()
TEMPORAL = [name for name, case in METHODS.items() if case.cls is not SingleFrame]
"""Those with parts beside the single-frame model, the control on its key frame included."""


def build(name: str, seed: int = 0, **options: Any) -> PoseMethod:
    """The method of a method file."""
    return METHODS[name].build(seed, **options)


def clip(
    method: PoseMethod, batch: int = 2, seed: int = 1, size: tuple[int, int] = (64, 48)
) -> tuple[torch.Tensor, torch.Tensor]:
    """Random frames [B, T, 3, *size] and the window's offsets [B, T]."""
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randn(batch, len(method.window), 3, *size, generator=generator)
    return frames, torch.tensor([method.window] * batch)


def target(batch: int = 2, seed: int = 2, size: tuple[int, int] = (64, 48)) -> Target:
    """One Gaussian blob of deviation 1.5 px for each joint."""
    height, width = size[0] // 4, size[1] // 4
    generator = torch.Generator().manual_seed(seed)
    room = torch.tensor([[[width - 6.0]], [[height - 6.0]]])
    centre = 3 + torch.rand(batch, JOINTS, 2, 1, 1, generator=generator) * room
    x, y = torch.arange(float(width)), torch.arange(float(height))[:, None]
    squared = (x - centre[:, :, 0]) ** 2 + (y - centre[:, :, 1]) ** 2
    return Target(torch.exp(-squared / (2 * 1.5**2)), torch.ones(batch, JOINTS))


def total(method: PoseMethod, frames, offsets, wanted: Target) -> torch.Tensor:
    return torch.stack(list(method.loss(method(frames, offsets), wanted).values())).sum()


def move_weights(method: PoseMethod, amount: float = 0.05) -> None:
    """Away from zeros and ones, so that every weight counts."""
    with torch.no_grad():
        for parameter in method.parameters():
            parameter += amount * torch.randn_like(parameter)


def without_gradient(method: PoseMethod) -> list[str]:
    """Names of trainable parameters whose gradient is missing or zero."""
    return [
        name
        for name, p in method.named_parameters()
        if p.requires_grad and (p.grad is None or not p.grad.abs().sum() > 0)
    ]


def trained_single_frame(name: str = "single_frame", steps: int = 3) -> SingleFrame:
    """A single-frame model on the method's trunk, its weights and statistics not fresh ones."""
    case = replace(METHODS[name], cls=SingleFrame, options={})
    model = cast(SingleFrame, case.build(seed=11))
    torch.nn.init.normal_(model.head.weight, std=0.3)
    frames, offsets = clip(model)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        model.loss(model(frames, offsets), target())["heatmap"].backward()
        optimizer.step()
    return model.eval()


def bytes_of(module: torch.nn.Module) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in module.state_dict().items()}
