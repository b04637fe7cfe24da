"""Dense optical flow between the crops of a window, and what is done with it.

Flow is a displacement field in pixels: the point that is at p in the first image is at p + flow(p)
in the second. Flow from the key frame to a neighbour therefore says where to sample the neighbour's
maps so that they lie on the key frame.
"""

from baselines.flow.window import WindowFlow, aligned_to_key

__all__ = ["WindowFlow", "aligned_to_key"]
