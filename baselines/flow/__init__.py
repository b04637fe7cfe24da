"""Dense optical flow between the crops of a window, and what is done with it.

Flow is a displacement field in pixels: the point that is at p in the first image is at p + flow(p)
in the second. Flow from the key frame to a neighbour therefore says where to sample the neighbour's
maps so that they lie on the key frame.
"""

from baselines.flow.estimators import DISFlow, FarnebackFlow, FlowEstimator, denormalised, grey
from baselines.flow.fields import resize_field, resize_flow, visible_pixels, warp
from baselines.flow.frames import FrameFlow
from baselines.flow.raft import RAFTFlow
from baselines.flow.window import KeyFlow, WindowFlow, aligned_to_key

__all__ = [
    "DISFlow",
    "FarnebackFlow",
    "FlowEstimator",
    "FrameFlow",
    "KeyFlow",
    "RAFTFlow",
    "WindowFlow",
    "aligned_to_key",
    "denormalised",
    "grey",
    "resize_field",
    "resize_flow",
    "visible_pixels",
    "warp",
]
