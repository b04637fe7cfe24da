"""Two measures of what two stacks of maps share, both from softmaxes over the positions of a map.

`legacy_surrogate` is what the TDMI authors' review-time code computes (and, in the same form,
FAMI-Pose's release); `spatial_kl` is the divergence that this form was meant to be. The proxy
idea is that of variational self-distillation (Tian et al., CVPR 2021): a small divergence between
two predictive distributions stands for much shared information.

Both work in float32 where their inputs have half precision.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tdmi.losses.estimator import REVIEW_WEIGHTS, Estimator, positive, widened


def position_log_probabilities(maps: Tensor, temperature: float) -> Tensor:
    """Log-softmax over positions: `[B, C, h, w]` -> `[B, C, h*w]`, in nats, float32 or wider."""
    return torch.log_softmax(widened(maps).flatten(2) / temperature, dim=-1)


def legacy_surrogate(first: Tensor, second: Tensor, temperature: float = 0.05) -> Tensor:
    """The review-time estimator K(first -> second) of two `[B, C, h, w]` stacks: one scalar.

    With s, t the position softmaxes of the two arguments and N = h*w,

        K = mean over sample, channel and position of  t (log t - s),

    i.e. a Kullback-Leibler routine that wants log s is given s. Kept as it is, flaw included, so
    that the recipe behind the published numbers can be measured:

    * it is no divergence: always negative, from about -log(N)/N for flat t towards 0 for peaked t,
      not zero for s = t, and nearly blind to whether s and t agree;
    * its gradient is almost only that of the entropy of `second`, so a positive sign flattens
      that argument's maps and a negative sign sharpens them.
    """
    log_t = position_log_probabilities(second, temperature)
    s = position_log_probabilities(first, temperature).exp()
    return (log_t.exp() * (log_t - s)).mean()


def spatial_kl(first: Tensor, second: Tensor, temperature: float = 1.0) -> Tensor:
    """KL(first || second) of the position softmaxes, per map: `[B, C, h, w]` x 2 -> `[B, C]`.

    In nats, >= 0 up to rounding, and 0 exactly where the two maps differ by a constant.
    """
    log_p = position_log_probabilities(first, temperature)
    log_q = position_log_probabilities(second, temperature)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def standardised(maps: Tensor) -> Tensor:
    """`[B, C, h, w]` divided by each sample's standard deviation over channels and positions.

    Float32 or wider; zero maps stay zero. A sample's scale as a whole then plays no part, the
    scales of its channels against each other do.
    """
    maps = widened(maps)
    variance = maps.var(dim=(1, 2, 3), correction=0, keepdim=True)
    return maps / (variance + 1e-12).sqrt()


class LegacyEstimator(Estimator):
    """`legacy_surrogate` used as if it were information: added to shrink, subtracted to grow.

    The feature is the first argument and the label the second in a label term, and it is the
    first one that carries no gradient; so label terms reach the heatmaps and no feature.

    Args:
        temperature: divides maps before the softmax (review-time code: 0.05).
    """

    default_weights = REVIEW_WEIGHTS
    default_scale = 1.0
    label_is_reference = False

    def __init__(self, temperature: float = 0.05):
        super().__init__()
        self.temperature = positive("temperature", temperature)

    def feature_penalty(self, name: str, first: Tensor, second: Tensor, shrink: bool) -> Tensor:
        value = legacy_surrogate(first, second, self.temperature)
        return value if shrink else -value

    def label_penalty(
        self, name: str, projected: Tensor, label: Tensor, weight: Tensor, shrink: bool = True
    ) -> Tensor:
        return self.feature_penalty(name, projected, label, shrink)


class DivergenceEstimator(Estimator):
    """Information by the proxy "-KL": what should grow pays KL, what should shrink pays cap - KL.

    Sign. A small KL means that each argument tells much of the other, so I is proxied by -KL:
    `max I` is `min KL`, and `min I` is `max KL`. (Minimising the KL of the useful and the noisy
    part, as the published sign suggests at first sight, would pull the two together.) The reward
    for being apart stops at `cap`: the penalty is max(0, cap - KL) per map, always >= 0, and 0
    once the maps are `cap` nats apart.

    Features are standardised first (choice of this project): a ReLU feature has no natural scale,
    so at a fixed temperature the KL would be earned by scaling, up to hundreds of nats. For gated
    parts this means that choosing other channels sets them apart, and being fainter does not.

    The label is the reference of a label term: KL(label || projected feature), gradient to the
    feature only; the objective must not bend the label.

    Args:
        temperature: for pairs of features, in standard deviations (choice of this project; at
            0.05 the softmax is all but an argmax, on which two copies of a map always agree).
        label_temperature: for pairs of heatmaps with peak one (review-time value).
        cap: nats per map at which two maps count as apart. 1 is the divergence of two unrelated
            standard normal maps at temperature 1: E[KL] = E_p[a - b] - 1/2 + 1/2 = 1.
    """

    def __init__(self, temperature: float = 1.0, label_temperature: float = 0.05, cap: float = 1.0):
        super().__init__()
        self.temperature = positive("temperature", temperature)
        self.label_temperature = positive("label_temperature", label_temperature)
        self.cap = positive("cap", cap)

    def feature_penalty(self, name: str, first: Tensor, second: Tensor, shrink: bool) -> Tensor:
        divergence = spatial_kl(standardised(first), standardised(second), self.temperature)
        return self._apart(divergence).mean() if shrink else divergence.mean()

    def label_penalty(
        self, name: str, projected: Tensor, label: Tensor, weight: Tensor, shrink: bool = True
    ) -> Tensor:
        """Mean over the labelled joints (`weight` `[B, J]` > 0); an unlabelled map says nothing."""
        labelled = (weight > 0).float()
        divergence = spatial_kl(label, projected, self.label_temperature)
        penalty = self._apart(divergence) if shrink else divergence
        return (penalty * labelled).sum() / labelled.sum().clamp(min=1)

    def _apart(self, divergence: Tensor) -> Tensor:
        return (self.cap - divergence).clamp(min=0)
