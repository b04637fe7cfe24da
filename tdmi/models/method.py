"""The base class of every method: shared backbone, start from a single-frame model, freezing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

import torch
from torch import Tensor, nn

from tdmi.clips.frames import FrameCue
from tdmi.core.checks import choose, number, yes_or_no
from tdmi.core.errors import UserError
from tdmi.losses.heatmap import heatmap_loss
from tdmi.models.hrnet import HRNet
from tdmi.models.layers import conv3x3, fill_bias, initialise
from tdmi.models.output import PoseOutput, Target
from tdmi.models.resnet import PoseResNet

Backbone = HRNet | PoseResNet
Start = Literal["single_frame", "paper"]
BackboneNorm = Literal["frozen", "updated"]


class Common(TypedDict, total=False):
    """Options of every method that `PoseMethod` describes: `**Unpack[Common]`."""

    freeze_backbone: bool
    loss_factor: float
    loss_foreground: float


class Shared(Common, total=False):
    """The same of a temporal method."""

    start: Start
    backbone_norm: BackboneNorm


class PoseMethod(nn.Module):
    """A method that turns a window of crops into the heatmaps of its key frame.

    A method is called as `forward(frames [B, T, 3, H, W], offsets [B, T]) -> PoseOutput`: frames
    are ImageNet-normalised RGB in the order of `window`, offsets the real distances in frames from
    the key frame (a missing neighbour is the key frame itself, offset 0). A sub-class implements
    `aggregate`, if the backbone's features are all that it needs, or else `forward`.

    `window`: the wanted frame offsets, one of them 0. `start`: "single_frame" makes a method equal
    to the single-frame model whose state `load_single_frame` takes over; "paper" is the published
    random initialisation. `backbone_norm`: "frozen" keeps the backbone's batch norms in evaluation
    mode with fixed parameters, so that neither their statistics nor their weights move; "updated"
    trains them. `freeze_backbone`: no weight of the backbone changes, and its features are computed
    without gradients; with backbone_norm="frozen" no byte of it changes, with "updated" the norms
    use each batch's statistics and keep them, as the released DCPose, PoseWarper and FAMI-Pose do
    with backbones they call frozen. `loss_factor`, `loss_foreground`: see `tdmi.losses.heatmap`.

    A method that wants more of the whole frames than their crops sets `frame_cue`; what that cuts
    is the third argument of `forward`.

    Every parameter that requires a gradient must get one in every step, or training on several
    processes stops: what a choice of options leaves idle is frozen.
    """

    frame_cue: FrameCue | None = None

    def __init__(
        self,
        backbone: Backbone,
        joints: int = 17,
        *,
        window: Sequence[int],
        start: Start = "single_frame",
        backbone_norm: BackboneNorm = "frozen",
        freeze_backbone: bool = False,
        loss_factor: float = 1.0,
        loss_foreground: float = 0.0,
    ) -> None:
        super().__init__()
        choose("start", start, ("single_frame", "paper"))
        choose("backbone_norm", backbone_norm, ("frozen", "updated"))
        self.window = _checked_window(type(self).__name__, window)
        self.joints = joints
        self.start = start
        self.backbone_norm = backbone_norm
        self.freeze_backbone = yes_or_no("freeze_backbone", freeze_backbone)
        self.loss_factor = number("loss_factor", loss_factor, 0)
        self.loss_foreground = number("loss_foreground", loss_foreground, 0)
        self.backbone = backbone
        self.head = nn.Conv2d(backbone.channels, joints, 1)
        nn.init.normal_(self.head.weight, std=0.001)
        fill_bias(self.head, 0)
        self._output_head = "head"
        if freeze_backbone:
            backbone.requires_grad_(False)
        elif backbone_norm == "frozen":
            for norm in self._backbone_norms():
                norm.requires_grad_(False)
        self.train()

    @property
    def key(self) -> int:
        """Index of the key frame within the window."""
        return self.window.index(0)

    def add_paper_head(self, name: str = "paper_head") -> None:
        """With start="paper", add the published detection head and freeze the 1x1 `head`.

        The new head, a 3x3 convolution drawn with deviation 0.001, is registered as `name` and
        becomes `output_head`. The 1x1 head is still loaded with the single-frame model, because
        label terms of the loss project features with it. With any other start nothing changes.
        """
        if self.start == "paper":
            head = conv3x3(self.backbone.channels, self.joints)
            initialise(head, std=0.001)
            self.add_module(name, head)
            self.head.requires_grad_(False)
            self._output_head = name

    @property
    def output_head(self) -> nn.Module:
        """The convolution that gives the heatmaps: `head`, or the one of `add_paper_head`."""
        return self.get_submodule(self._output_head)

    def train(self, mode: bool = True) -> PoseMethod:
        """Like `nn.Module.train`, but frozen norms of the backbone stay in evaluation mode."""
        super().train(mode)
        if self.backbone_norm == "frozen":
            for norm in self._backbone_norms():
                norm.eval()
        return self

    def features(self, frames: Tensor, depths: Sequence[int] | None = None) -> list[Tensor]:
        """Run the backbone on all frames at once.

        `frames` [B, T, 3, H, W] -> one tensor [B, T, C, h, w] per depth (see `HRNet.forward`).
        """
        batch, length = frames.shape[:2]
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_backbone):
            maps = self.backbone(frames.flatten(0, 1), depths)
        return [x.unflatten(0, (batch, length)) for x in maps]

    def neighbours(self, maps: Tensor) -> Tensor:
        """The window's maps [B, T, ...] without the key frame's: [B, T - 1, ...]."""
        return torch.cat([maps[:, : self.key], maps[:, self.key + 1 :]], dim=1)

    def heatmaps(self, features: Tensor) -> Tensor:
        """[B, T, C, h, w] -> each frame's own heatmaps [B, T, J, h, w], by the 1x1 `head`."""
        return self.head(features.flatten(0, 1)).unflatten(0, features.shape[:2])

    @property
    def feature_depths(self) -> tuple[int, ...] | None:
        """Depths of the backbone that `aggregate` reads; None: the last one."""
        return None

    @property
    def streams(self) -> bool:
        """True if features of a frame, computed once, can serve several windows."""
        return type(self).aggregate is not PoseMethod.aggregate

    def forward(self, frames: Tensor, offsets: Tensor) -> PoseOutput:
        return self.aggregate(self.features(frames, self.feature_depths), offsets)

    def aggregate(self, features: Sequence[Tensor], offsets: Tensor) -> PoseOutput:
        """From the frames' features, [B, T, C, h, w] for each of `feature_depths`, to heatmaps."""
        raise NotImplementedError

    def loss(self, output: PoseOutput, target: Target) -> dict[str, Tensor]:
        """Return named scalars to be added up, weights applied; here only the heatmap error."""
        return {"heatmap": self.heatmap_loss(output.heatmaps, target)}

    def heatmap_loss(self, heatmaps: Tensor, target: Target) -> Tensor:
        """Error of `heatmaps` [B, J, h, w] with this method's loss options; a scalar."""
        options = {"factor": self.loss_factor, "foreground": self.loss_foreground}
        return heatmap_loss(heatmaps, target.heatmaps, target.weight, **options)

    def monitor(self, output: PoseOutput) -> dict[str, float]:
        """Further numbers of a training step for the history, by column; here none."""
        return {}

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Trainable parameters: "backbone" (with the head) and "new" (all the rest)."""
        groups: dict[str, list[nn.Parameter]] = {"backbone": [], "new": []}
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                group = "backbone" if name.startswith(("backbone.", "head.")) else "new"
                groups[group].append(parameter)
        return groups

    def load_single_frame(self, state: Mapping[str, Tensor]) -> None:
        """Take over backbone and head from a trained single-frame model's state dictionary.

        Every key must fit by name and shape, or a UserError lists what does not and nothing is
        loaded. Only `num_batches_tracked` may be absent (old PyTorch files lack it).
        """
        own = {
            name: value
            for name, value in self.state_dict().items()
            if name.startswith(("backbone.", "head."))
        }
        if faults := misfits(own, state):
            raise UserError(
                f"{type(self).__name__}: the single-frame state does not fit this backbone: "
                f"{faults}; train both with the same backbone and joints"
            )
        self.load_state_dict(state, strict=False)

    def _backbone_norms(self) -> list[nn.Module]:
        return [m for m in self.backbone.modules() if isinstance(m, nn.BatchNorm2d)]


def misfits(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    """Describe why `state` cannot fill all of `own`; empty if every name and shape fits.

    Only `num_batches_tracked` may be absent.
    """
    absent = [name for name in own if name not in state]
    faults = {
        "missing": [name for name in absent if not name.endswith("num_batches_tracked")],
        "unexpected": [name for name in state if name not in own],
        "other shapes": [
            f"{name} {tuple(state[name].shape)} for {tuple(value.shape)}"
            for name, value in own.items()
            if name in state and state[name].shape != value.shape
        ],
    }
    listed = (_listed(title, names) for title, names in faults.items())
    return "; ".join(listed) if any(faults.values()) else ""


def _checked_window(method: str, window: Sequence[int]) -> tuple[int, ...]:
    """Return the offsets; UserError unless they are increasing whole numbers with 0 among them."""
    listed = isinstance(window, Sequence) and not isinstance(window, str)
    whole = listed and all(type(offset) is int for offset in window)
    if not whole or 0 not in window or list(window) != sorted(set(window)):
        raise UserError(
            f"{method}: window is {tuple(window) if listed else window!r}; give increasing frame "
            "offsets, whole numbers, with 0, the key frame, among them"
        )
    return tuple(window)


def _listed(title: str, names: list[str], limit: int = 5) -> str:
    shown = ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")
    return f"{len(names)} {title}" + (f" ({shown})" if names else "")
