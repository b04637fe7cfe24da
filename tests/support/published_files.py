"""Files as other projects save them, made from models of this project at small width.

The names are written down here a second time, from our names to theirs; where the other project's
own list of names is at hand (tests/golden/models), the tests compare with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from baselines.dcpose import DCPose
from baselines.fami_pose import FAMIPose
from baselines.posewarper import PoseWarper
from baselines.single_frame import SingleFrame
from tdmi.models.hrnet import HRNet
from tdmi.models.resnet import PoseResNet

State = dict[str, Tensor]


def hrnet() -> HRNet:
    """Four stages, with fewer modules and blocks than published."""
    return HRNet(4, modules=(1, 3, 3), blocks=1, stem_width=4, stem_blocks=1)


def published_hrnet() -> HRNet:
    """The published structure, twelve times thinner: it has all names."""
    return HRNet(4, stem_width=4)


def resnet() -> PoseResNet:
    return PoseResNet(50, width=2)


def filled(model: nn.Module, seed: int = 0) -> nn.Module:
    """Every weight and statistic drawn anew, so that no two tensors are alike; evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            value.fill_(7)
            continue
        noise = torch.randn(value.shape, generator=generator)
        if name.endswith("running_var"):
            value.copy_(1 + 0.1 * noise.abs())
        elif value.dim() == 1:
            value.copy_(0.1 * noise + (0 if name.endswith(("bias", "running_mean")) else 1))
        else:
            value.copy_(noise * (1.4 / value[0].numel()) ** 0.5)
    return model.eval()


def single_frame(backbone: Callable[[], nn.Module] = hrnet, joints: int = 17) -> SingleFrame:
    return filled(SingleFrame(backbone(), joints))


def bare(model: nn.Module, trunk: str = "", head: str = "final_layer.") -> State:
    """Trunk and head of a model with other beginnings of the names; nothing else of it."""
    beginnings = {"backbone": trunk, "head": head}
    state = {}
    for name, value in model.state_dict().items():
        part, _, rest = name.partition(".")
        if part in beginnings:
            state[beginnings[part] + rest] = value
    return state


def parallel(state: State) -> State:
    return {f"module.{name}": value for name, value in state.items()}


def training_checkpoint(state: State) -> dict:
    """As HRNet's training saves it: a score of numpy's and a second copy beside the weights."""
    return {
        "epoch": 3,
        "model": "pose_hrnet",
        "state_dict": parallel(state),
        "best_state_dict": state,
        "perf": np.float64(0.76),
        "optimizer": {"state": {}, "param_groups": [{"lr": 1e-3}]},
    }


def best_alone(state: State) -> dict:
    return {"epoch": 3, "best_state_dict": state}


def mmpose_0(model: SingleFrame) -> dict:
    state = bare(model, "backbone.", "keypoint_head.final_layer.")
    return {
        "meta": {"mmpose_version": "0.29.0"},
        "state_dict": _deconvolutions(state, "keypoint_head"),
    }


def mmpose_1(model: SingleFrame) -> dict:
    state = _deconvolutions(bare(model, "backbone.", "head.final_layer."), "head")
    state |= {f"data_preprocessor.{name}": torch.ones(3, 1, 1) for name in ("mean", "std")}
    described = {"sigmas": np.full(17, 0.025, np.float32), "flip_indices": [0, 2, 1]}
    return {"meta": {"dataset_meta": described}, "state_dict": state}


def _deconvolutions(state: State, head: str) -> State:
    return {n.replace("backbone.deconv", f"{head}.deconv"): value for n, value in state.items()}


def classifier(model: SingleFrame) -> State:
    """HRNet for ImageNet, official and timm: no pose head, all outputs of the last module."""
    state = {name: v for name, v in bare(model).items() if not name.startswith("final_layer.")}
    state |= {
        f"stage4.2.fuse_layers.{to}.{source}.0.{leaf}": torch.zeros(2)
        for to in (1, 2, 3)
        for source in range(4)
        for leaf in ("weight", "0.weight")
    }
    heads = ("incre_modules.0.0.conv1.weight", "downsamp_modules.2.0.bias", "final_layer.0.weight")
    return state | {
        name: torch.zeros(3) for name in (*heads, "final_layer.0.bias", "classifier.bias")
    }


def torchvision_resnet(model: SingleFrame) -> State:
    left_out = ("final_layer.", "deconv_layers.")
    state = {name: v for name, v in bare(model).items() if not name.startswith(left_out)}
    return state | {"fc.weight": torch.zeros(1000, 64), "fc.bias": torch.zeros(1000)}


def posewarper(model: PoseWarper) -> State:
    theirs = {"guide": "offset_feats", "offsets": "offsets", "warps": "deform_conv"}
    state = bare(model)
    for name, value in model.warper.state_dict().items():
        part, _, rest = name.partition(".")
        if part != "guide":
            number, leaf = rest.split(".")
            state[f"{theirs[part]}{int(number) + 1}.{leaf}"] = value
        else:
            state[f"offset_feats.{rest}"] = value
    return state


def dcpose(model: DCPose) -> State:
    parts = {
        "residual_fusion.": "diff_temporal_fuse.layers.",
        "merger.": "support_temporal_fuse.layers.0.",
        "combination.": "offset_mask_combine_conv.layers.",
    }
    kind = {"0": "conv", "1": "bn"}
    state = bare(model, "rough_pose_estimation_net.", "rough_pose_estimation_net.final_layer.")
    for name, value in model.state_dict().items():
        if name.startswith(("backbone.", "head.")):
            continue
        name = re.sub(r"(enter|leave|shortcut)\.([01])", lambda n: f"{n[1]}.{kind[n[2]]}", name)
        name = name.replace("enter", "conv_bn_relu1").replace("leave", "conv_bn_relu3")
        name = name.replace("shortcut", "downsample")
        name = re.sub(
            r"steps\.(\d)\.(\d)\.([01])",
            lambda n: f"conv_bn_relu2_{int(n[1]) + 1}_{int(n[2]) + 1}.{kind[n[3]]}",
            name,
        )
        name = re.sub(r"^(offsets|masks)\.(\d)", r"\1_list.\2.0", name)
        name = re.sub(r"^corrections\.(\d)", r"modulated_deform_conv_list.\1.deform_conv", name)
        for ours, official in parts.items():
            if name.startswith(ours):
                name = official + name.removeprefix(ours)
        state[name] = value
    return {"begin_epoch": 1, "state_dict": parallel(state), "optimizer": {"state": {}}}


def fami_pose(model: FAMIPose) -> State:
    state = bare(model, "hrnet.", "hrnet.final_layer.")
    for name, value in model.state_dict().items():
        if name.startswith(("backbone.", "head.")):
            continue
        name = name.replace("global_alignment.entry", "feat_global_offset_layers.0.layers")
        name = re.sub(
            r"global_alignment\.halvings\.(\d)\.([01])",
            lambda n: f"feat_global_offset_layers.{int(n[1]) + 1}.{('conv', 'bn')[int(n[2])]}",
            name,
        )
        name = re.sub(
            r"global_alignment\.regression\.(\d)",
            lambda n: f"feat_global_offset_layers.{int(n[1]) + 7}",
            name,
        )
        name = re.sub(
            r"local_alignment\.convolutions\.(\d)\.(offset|mask)\.",
            lambda n: f"dcn_{n[2]}_{int(n[1]) + 1}.conv.",
            name,
        )
        name = re.sub(
            r"local_alignment\.convolutions\.(\d)\.deform",
            lambda n: f"dcn_{int(n[1]) + 1}",
            name,
        )
        name = name.replace("local_alignment.combination", "combined_feat_layers.layers")
        name = name.replace("merger", "sup_agg_block.layers")
        name = name.replace("fusion.chain", "init_feature_agg_block.layers")
        state[name.replace("fused_head", "agg_final_layer")] = value
    return parallel(state)


def tdmi_authors(model: SingleFrame) -> State:
    state = bare(model, "hrnet.", "hrnet.final_layer.")
    return state | {
        "motion_layers.0.conv1.weight": torch.zeros(2),
        "agg_final_layer.bias": torch.ones(17),
    }
