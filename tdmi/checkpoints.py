"""Weights trained elsewhere, renamed for this project's models.

Only names change, never shapes or values; loading itself is strict (`PoseMethod.load_single_frame`
or `load_state_dict`), so a file that does not fit is refused with a list and never half loaded.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from tdmi.errors import UserError

_HRNET_PARTS = {"conv1", "bn1", "conv2", "bn2", "layer1"} | {
    *(f"transition{i}" for i in (1, 2, 3)),
    *(f"stage{i}" for i in (2, 3, 4)),
}
_DCPOSE_PARTS = {
    "diff_temporal_fuse",
    "support_temporal_fuse",
    "offset_mask_combine_conv",
    "offsets_list",
    "masks_list",
    "modulated_deform_conv_list",
}
_DCPOSE_BACKBONE = "rough_pose_estimation_net."


def from_hrnet(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Official HRNet pose weights (`pose_hrnet_w48_384x288.pth` ...) as a single-frame state.

    The trunk goes under `backbone.`, `final_layer` becomes `head`; a leading `module.` is dropped.
    UserError for any other name (an ImageNet classification file, for instance).
    """
    return {_hrnet_name(name, name): value for name, value in _plain(state).items()}


def from_dcpose(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Official DCPose weights (the file's `state_dict`) as the state of `baselines.dcpose.DCPose`.

    Its backbone `rough_pose_estimation_net.` becomes `backbone.` and `head.`; the rest keeps its
    names. UserError for any other name.
    """
    renamed = {}
    for name, value in _plain(state).items():
        if name.startswith(_DCPOSE_BACKBONE):
            renamed[_hrnet_name(name.removeprefix(_DCPOSE_BACKBONE), name)] = value
        elif name.split(".")[0] in _DCPOSE_PARTS:
            renamed[name] = value
        else:
            raise UserError(f"weights: unknown name {name!r}; expected those of a DCPose file")
    return renamed


def _plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("module."): value for name, value in state.items()}


def _hrnet_name(name: str, shown: str) -> str:
    part, _, rest = name.partition(".")
    if part == "final_layer":
        return f"head.{rest}"
    if part in _HRNET_PARTS:
        return f"backbone.{name}"
    raise UserError(f"weights: unknown name {shown!r}; expected those of an HRNet pose model")
