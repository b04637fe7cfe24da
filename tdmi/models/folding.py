"""Batch norms folded into the convolutions before them, for inference.

With fixed statistics a norm is an affine map of each channel, which the convolution's weight and
bias can take over: one pass over every map less.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tdmi.core.errors import UserError
from tdmi.models.method import PoseMethod


@torch.inference_mode(False)  # its tensors would have no version, which PoseWarper asks for
@torch.no_grad()
def folded(method: PoseMethod) -> PoseMethod:
    """A copy of `method` in evaluation mode, without batch norms; `method` stays as it is.

    A norm belongs to the convolution that is registered directly before it in the same module, as
    in all models of this project. The copy computes the same up to rounding; it is not for
    training. Raises UserError if a norm has no such convolution.
    """
    result = copy.deepcopy(method).eval().requires_grad_(False)
    for place, module in result.named_modules():
        before, convolution = "", nn.Module()
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                if not isinstance(convolution, nn.Conv2d | nn.ConvTranspose2d):
                    raise UserError(
                        f"option inference.fold_norms: {type(method).__name__} has the norm "
                        f"{f'{place}.{name}'.lstrip('.')}, expected a convolution registered "
                        "directly before it; set the option to false"
                    )
                transposed = isinstance(convolution, nn.ConvTranspose2d)
                setattr(module, before, fuse_conv_bn_eval(convolution, child, transposed))
                setattr(module, name, nn.Identity())
            before, convolution = name, child
    return result
