"""Bounds on mutual information that are learned on pooled vectors: vCLUB above, InfoNCE below.

What should shrink pays an upper bound (variational CLUB, Cheng et al., ICML 2020), what should
grow pays the gap of a lower bound (InfoNCE, van den Oord et al., 2018), so both signs are sound.
Features become vectors by their mean over space, heatmaps by the expected position of each joint.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tdmi.core.checks import at_least, choose
from tdmi.core.errors import UserError
from tdmi.losses.estimator import Estimator, positive
from tdmi.losses.mutual_information_spatial import position_log_probabilities


def expected_positions(maps: Tensor, temperature: float = 0.05) -> Tensor:
    """Mean position under each map's softmax: `[B, J, h, w]` -> `[B, 2J]`, x and y in -1..1."""
    height, width = maps.shape[-2:]
    p = position_log_probabilities(maps, temperature).exp().unflatten(-1, (height, width))
    x = torch.linspace(-1, 1, width, device=p.device, dtype=p.dtype)
    y = torch.linspace(-1, 1, height, device=p.device, dtype=p.dtype)
    return torch.cat([(p.sum(2) * x).sum(-1), (p.sum(3) * y).sum(-1)], dim=1)


class GaussianConditional(nn.Module):
    """q(b | a): a diagonal Gaussian whose mean and log-variance an MLP reads from a.

    The log-variance is kept in -4..4, so that no likelihood explodes.
    """

    def __init__(self, size: int, hidden: int):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(size, hidden), nn.ReLU())
        self.mean = nn.Linear(hidden, size)
        self.log_variance = nn.Linear(hidden, size)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """log q(b_j | a_i) less its constant: `[B, D]` x 2 -> `[B (i), B (j)]`, in nats."""
        x = self.body(a)
        mean = self.mean(x)[:, None]
        log_variance = 4 * torch.tanh(self.log_variance(x))[:, None]
        return -0.5 * ((b[None] - mean).square() / log_variance.exp() + log_variance).sum(-1)


class Critic(nn.Module):
    """Similarity of two vectors: cosine of their projections over a temperature, `[B, B]`."""

    def __init__(self, size: int, hidden: int, temperature: float):
        super().__init__()
        self.first = nn.Linear(size, hidden)
        self.second = nn.Linear(size, hidden)
        self.temperature = temperature

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        first = F.normalize(self.first(a), dim=1)
        return first @ F.normalize(self.second(b), dim=1).T / self.temperature


def club_bound(log_likelihood: Tensor) -> Tensor:
    """vCLUB from log q(b_j | a_i) `[B, B]`: mean of the diagonal less mean of all; in nats."""
    return log_likelihood.diagonal().mean() - log_likelihood.mean()


def nce_gap(similarity: Tensor) -> Tensor:
    """log B less the InfoNCE bound, from critic values `[B, B]`: >= 0, near 0 where a_i
    tells b_i from the other b_j of the batch."""
    return -torch.log_softmax(similarity, dim=1).diagonal().mean()


class VariationalEstimator(Estimator):
    """vCLUB for what should shrink, InfoNCE for what should grow; one small network per term.

    The networks live only in the loss. A conditional is fitted by maximum likelihood on detached
    vectors, and prices the features held fixed; so the value of a shrinking term is max(0, vCLUB),
    while its gradient also fits the conditional.

    A batch of one has nothing to contrast: all terms are zero then.

    Args:
        shrink, grow: vector length of each term that takes part.
        hidden: width of the networks.
        temperature: of the critic's cosine (choice of this project: usual contrastive value).
        label_temperature: of the softmax behind expected joint positions.
        updates: "joint": networks and features learn in every step; critics together with the
            features, as InfoNCE's paper has it. "alternating": they take turns step by step, the
            networks first, as CLUB's paper has it for its conditional; the steps of the networks
            train the rest by the heatmap error only. On one process only, because the side
            whose turn it is not has no gradients, which several processes would wait for.

    UserError: an unknown choice, or "alternating" on several processes.
    """

    learns = True
    turns: Tensor
    """With alternating updates: steps begun so far."""

    def __init__(
        self,
        shrink: Mapping[str, int],
        grow: Mapping[str, int],
        hidden: int = 64,
        temperature: float = 0.1,
        label_temperature: float = 0.05,
        updates: str = "joint",
    ):
        super().__init__()
        at_least("mutual_information.hidden", hidden, 1)
        temperature = positive("temperature", temperature)
        self.label_temperature = positive("label_temperature", label_temperature)
        choose("mutual_information.updates", updates, ("joint", "alternating"))
        self.alternating = updates == "alternating"
        if self.alternating:
            _check_one_process()
            # A buffer, so that a resumed run continues with the right side.
            self.register_buffer("turns", torch.zeros((), dtype=torch.int64))
        self.conditionals = nn.ModuleDict(
            {term: GaussianConditional(size, hidden) for term, size in shrink.items()}
        )
        self.critics = nn.ModuleDict(
            {term: Critic(size, hidden, temperature) for term, size in grow.items()}
        )

    def advance(self) -> None:
        """Begin a training step: it is the other side's turn."""
        if self.alternating:
            self.turns += 1

    def _learning(self) -> tuple[bool, bool]:
        """Return two flags: the networks learn in this step, the features learn."""
        networks = self.alternating and int(self.turns) % 2 == 1
        return networks or not self.alternating, not networks

    def feature_penalty(self, name: str, first: Tensor, second: Tensor, shrink: bool) -> Tensor:
        a, b = first.float().mean(dim=(2, 3)), second.float().mean(dim=(2, 3))
        return self._penalty(name, a, b, shrink)

    def label_penalty(
        self, name: str, projected: Tensor, label: Tensor, weight: Tensor, shrink: bool = True
    ) -> Tensor:
        """Expected positions of the labelled joints; an unlabelled one stays at the centre."""
        labelled = (weight > 0).float().repeat(1, 2)
        a = expected_positions(projected, self.label_temperature) * labelled
        b = expected_positions(label, self.label_temperature) * labelled
        return self._penalty(name, a, b, shrink)

    def _penalty(self, name: str, a: Tensor, b: Tensor, shrink: bool) -> Tensor:
        networks_learn, features_learn = self._learning()
        if not shrink:
            critic = self.critics[name]
            if not features_learn:
                a, b = a.detach(), b.detach()
            return nce_gap(critic(a, b) if networks_learn else _fixed(critic, a, b))
        conditional = self.conditionals[name]
        price = club_bound(_fixed(conditional, a, b)).clamp(min=0)
        if not features_learn:
            price = price.detach()
        if not networks_learn:
            return price
        fit = -conditional(a.detach(), b.detach()).diagonal().mean()
        return price + (fit - fit.detach())


def _fixed(network: nn.Module, a: Tensor, b: Tensor) -> Tensor:
    """`network(a, b)` that sends no gradient to the network."""
    parameters = {key: value.detach() for key, value in network.named_parameters()}
    return torch.func.functional_call(network, parameters, (a, b))


def _check_one_process() -> None:
    distributed = torch.distributed
    initialised = distributed.is_available() and distributed.is_initialized()
    count = distributed.get_world_size() if initialised else 1
    if count > 1:
        raise UserError(
            f"option mutual_information.updates: found alternating on {count} processes, expected "
            "joint, in which everything has a gradient in every step; or set devices in the recipe "
            "to 1"
        )
