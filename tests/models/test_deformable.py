"""Our deformable convolution against torchvision's CPU kernel, and against plain convolutions."""

import pytest
import torch
import torch.nn.functional as F
from torchvision.ops import deform_conv2d

from tdmi.models.deformable import DeformableConv2d, deformable_convolution

CASES = {
    "posewarper_like": dict(c=6, o=6, g=6, size=(9, 7), dilation=3),
    "fewer_offset_groups": dict(c=8, o=5, g=2, size=(7, 8)),
    "dilated": dict(c=8, o=6, g=4, size=(8, 6), dilation=2),
    "dilation_beyond_the_map": dict(c=3, o=3, g=3, size=(4, 5), dilation=6),
    "one_row": dict(c=2, o=2, g=1, size=(1, 5)),
    "kernel_1": dict(c=4, o=4, g=2, size=(5, 4), kernel=1),
    "kernel_5": dict(c=2, o=3, g=1, size=(6, 6), kernel=5),
}


def tensors(c, o, g, size, kernel=3, dilation=1, reach=2.0):
    """Random arguments in float64; offsets reach far beyond the map's borders for some."""
    generator = torch.Generator().manual_seed(5)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    taps = kernel * kernel
    return {
        "x": normal(2, c, *size),
        "offset": reach * normal(2, 2 * g * taps, *size),
        "mask": normal(2, g * taps, *size),
        "weight": normal(o, c, kernel, kernel),
        "bias": normal(o),
    }


def both(arguments, dilation=1):
    names = ("x", "offset", "mask", "weight", "bias")
    x, offset, mask, weight, bias = (arguments[name] for name in names)
    padding = dilation * (weight.shape[-1] // 2)
    theirs = deform_conv2d(x, offset, weight, bias, mask=mask, padding=padding, dilation=dilation)
    return deformable_convolution(x, offset, mask, weight, bias, dilation=dilation), theirs


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("reach", [0.4, 2.0, 9.0])
@pytest.mark.parametrize("masked", [True, False])
def test_equals_torchvision_with_gradients(name, reach, masked):
    case = CASES[name]
    arguments = tensors(**case, reach=reach)
    if not masked:
        arguments["mask"] = None
    given = {k: v.requires_grad_() for k, v in arguments.items() if v is not None}
    ours, theirs = both(arguments, case.get("dilation", 1))
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    seed = torch.randn(ours.shape, generator=torch.Generator().manual_seed(6), dtype=ours.dtype)
    our_grads = torch.autograd.grad(ours, list(given.values()), seed)
    their_grads = torch.autograd.grad(theirs, list(given.values()), seed)
    for key, a, b in zip(given, our_grads, their_grads, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9, msg=lambda m, key=key: f"{key}: {m}")


@pytest.mark.parametrize("shift", [-1.0, -0.999999, -0.5, 0.0, 4.0, 4.5, 4.999999, 5.0])
@pytest.mark.parametrize("axis", [0, 1])
def test_borders(shift, axis):
    """One sample of a 5 x 5 map, taken at `shift` along one axis and at 2 along the other."""
    arguments = tensors(1, 1, 1, (5, 5), kernel=1)
    place = [2.0, 2.0]
    place[axis] = shift
    rows, columns = torch.meshgrid(torch.arange(5.0), torch.arange(5.0), indexing="ij")
    arguments["offset"] = torch.stack([place[0] - rows, place[1] - columns])[None].double()
    arguments["x"], arguments["offset"] = arguments["x"][:1], arguments["offset"]
    arguments["mask"] = torch.ones(1, 1, 5, 5, dtype=torch.float64)
    ours, theirs = both(arguments)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_zero_offsets_are_a_convolution():
    a = tensors(8, 6, 4, (8, 6), dilation=2)
    ours = deformable_convolution(a["x"], 0 * a["offset"], None, a["weight"], a["bias"], dilation=2)
    wanted = F.conv2d(a["x"], a["weight"], a["bias"], padding=2, dilation=2)
    torch.testing.assert_close(ours, wanted, rtol=1e-12, atol=1e-12)


def test_identity_and_integer_shift():
    layer = DeformableConv2d(3, 3, dilation=3).identity_()
    x = torch.randn(1, 3, 7, 6)
    offset = torch.zeros(1, 2 * 3 * 9, 7, 6)
    torch.testing.assert_close(layer(x, offset, torch.ones(1, 27, 7, 6)), x)
    offset[:, 0::2] = 1  # dy
    offset[:, 1::2] = -2  # dx
    wanted = torch.zeros_like(x)
    wanted[:, :, :-1, 2:] = x[:, :, 1:, :-2]
    torch.testing.assert_close(layer(x, offset), wanted)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_same_on_cuda():
    a = tensors(8, 6, 4, (8, 6), dilation=2)
    values = [a[k] for k in ("x", "offset", "mask", "weight", "bias")]
    cpu = deformable_convolution(*values, dilation=2)
    cuda = deformable_convolution(*(v.cuda() for v in values), dilation=2)
    torch.testing.assert_close(cuda.cpu(), cpu, rtol=1e-9, atol=1e-9)
