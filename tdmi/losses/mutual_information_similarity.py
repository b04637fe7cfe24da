"""Two similarities in 0..1 that are no information, as cheap controls: squared cosine and HSIC.

What should shrink pays the similarity, what should grow pays one less the similarity. They tell how
much of an effect is owed to information, and how much to any pressure to be alike or apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from tdmi.core.checks import at_least
from tdmi.core.errors import UserError
from tdmi.losses.estimator import Estimator, positive, widened


def squared_cosine(first: Tensor, second: Tensor) -> Tensor:
    """Squared cosine of two stacks of vectors `[..., N]` -> `[...]`, in 0..1; 0 for zero vectors.

    Vectors are not centred (choice of this project): features come from a ReLU and gates only
    rescale channels, so the cosine of the two parts is 0 exactly where they share no channel.
    """
    return F.cosine_similarity(widened(first), widened(second), dim=-1).square()


def centred_kernel(samples: Tensor, bandwidth: float = 1.0) -> Tensor:
    """U-centred Gaussian kernel matrix of `[n, D]` samples, n >= 4: `[n, n]`, float32 or wider.

    k(a, b) = exp(-|a - b|^2 / (2 length^2)), where length is `bandwidth` times the root mean square
    distance of two samples. Usually it is the median distance (Gretton et al. 2005); but heatmaps
    and ReLU features are zero in most places, and the median would be that of rounding errors.

    U-centring (Szekely & Rizzo 2014): diagonal 0, all row and column sums 0.
    """
    x = widened(samples)
    n = len(x)
    x = x - x.mean(dim=0)
    norms = x.square().sum(dim=1)
    squared = (norms[:, None] + norms - 2 * x @ x.T).clamp(min=0)
    others = 1 - torch.eye(n, device=x.device, dtype=x.dtype)
    mean = (squared * others).sum() / (n * (n - 1)) + 1e-12
    kernel = torch.exp(-squared / (2 * bandwidth**2 * mean)) * others
    rows = kernel.sum(dim=1) / (n - 2)
    return (kernel - rows[:, None] - rows + rows.sum() / (n - 1)) * others


def hsic(first: Tensor, second: Tensor, bandwidth: float = 1.0) -> Tensor:
    """Normalised Hilbert-Schmidt independence criterion of paired samples `[n, D]`, `[n, E]`.

    The unbiased estimator (Song et al. 2012), i.e. the mean product of the two U-centred kernels,
    over the geometric mean of the two with themselves: in -1..1, 1 for first = second, about 0 (of
    either sign) for independent samples however many dimensions they have. It does not change when
    one side is shifted, rotated or scaled. Fewer than four samples tell nothing: 0 then.
    """
    if len(first) < 4:
        return 0 * (first.sum() + second.sum())
    a, b = centred_kernel(first, bandwidth), centred_kernel(second, bandwidth)
    rounding = 1e-5 * len(a)  # a side that never varies: its kernel is all rounding
    return (a * b).sum() / (a.norm().clamp(min=rounding) * b.norm().clamp(min=rounding))


class SimilarityEstimator(Estimator):
    """A similarity in 0..1 where information is meant; in a label term of labelled joints alone."""

    def similarity(self, first: Tensor, second: Tensor, labelled: Tensor | None = None) -> Tensor:
        """`[B, C, h, w]` x 2 -> scalar; `labelled` `[B, C]` of zeros and ones: of joint maps."""
        raise NotImplementedError

    def feature_penalty(self, name: str, first: Tensor, second: Tensor, shrink: bool) -> Tensor:
        value = self.similarity(first, second)
        return value if shrink else 1 - value

    def label_penalty(
        self, name: str, projected: Tensor, label: Tensor, weight: Tensor, shrink: bool = True
    ) -> Tensor:
        value = self.similarity(projected, label, (weight > 0).float())
        return value if shrink else 1 - value


class CosineEstimator(SimilarityEstimator):
    """`squared_cosine`: of a sample's whole feature; in a label term of each joint's map."""

    def similarity(self, first: Tensor, second: Tensor, labelled: Tensor | None = None) -> Tensor:
        if labelled is None:
            return squared_cosine(first.flatten(1), second.flatten(1)).mean()
        cosine = squared_cosine(first.flatten(2), second.flatten(2))
        return (cosine * labelled).sum() / labelled.sum().clamp(min=1)


class HSICEstimator(SimilarityEstimator):
    """`hsic` of the channel vectors at the places of a coarse grid, over the whole batch.

    So it asks how much the vector of one feature tells of the other's at the same place of the same
    person, in any, not only a linear, way. Neighbouring places are not independent samples, hence a
    grid (choice of this project).

    Args:
        bandwidth: of the kernel, in root mean square distances.
        grid: rows and columns that each map is averaged to, where it has more.
    """

    def __init__(self, bandwidth: float = 1.0, grid: Sequence[int] = (8, 6)):
        super().__init__()
        self.bandwidth = positive("bandwidth", bandwidth)
        if not isinstance(grid, Sequence) or len(grid) != 2:
            raise UserError(
                f"option mutual_information.grid: found {grid!r}, expected rows and columns"
            )
        self.grid = tuple(at_least("mutual_information.grid", cells, 1) for cells in grid)

    def similarity(self, first: Tensor, second: Tensor, labelled: Tensor | None = None) -> Tensor:
        if labelled is not None:
            mask = labelled[:, :, None, None]
            first, second = first * mask, second * mask
        return hsic(self._vectors(first), self._vectors(second), self.bandwidth).clamp(min=0)

    def _vectors(self, maps: Tensor) -> Tensor:
        """`[B, C, h, w]` -> `[B * rows * columns, C]`."""
        rows, columns = map(min, self.grid, maps.shape[2:])
        return F.adaptive_avg_pool2d(widened(maps), (rows, columns)).movedim(1, 3).flatten(0, 2)
