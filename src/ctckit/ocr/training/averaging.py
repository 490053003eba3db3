"""Averaged weights: a running mean over about the last twentieth of the steps of a run."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch.optim.swa_utils import AveragedModel

from ctckit.ocr.networks.base import Network
from ctckit.ocr.tensor_file import Tensors

#: The weights after step t get the share 1 − (1 − 1/t)^POWER of the mean, so the mean age of what it holds is about
#: t / (POWER + 1) steps. The share falls as the run goes on: short runs need no other setting than long ones.
POWER = 18


class AveragedWeights:
    """The weights of a network, averaged over the latest steps; also the running statistics of its batch norms.

    The mean after step t is m_t = m_{t−1} + (1 − (1 − 1/t)^18) · (w_t − m_{t−1}), in which w_t are the weights. So m_1
    is w_1, and the mean never holds much of weights that are old compared with the length of the run.

    Args:
        network: The network; it stays as it is.

    Example:
        >>> network = torch.nn.Linear(1, 1, bias=False)
        >>> averaged = AveragedWeights(network)
        >>> for value in (1.0, 2.0, 2.0):
        ...     _ = torch.nn.init.constant_(network.weight, value)
        ...     averaged.update(network)
        >>> round(averaged.network.weight.item(), 4)
        2.0

    Source: Karras et al., Analyzing and Improving the Training Dynamics of Diffusion Models, CVPR 2024, equation 121.
    """

    def __init__(self, network: Network) -> None:
        self._averaged = AveragedModel(cast(torch.nn.Module, network), multi_avg_fn=_move, use_buffers=True)

    @property
    def network(self) -> Network:
        """The network with the averaged weights; it changes with each update."""
        return cast(Network, self._averaged.module)

    def update(self, network: Network) -> None:
        """Take the weights of the network after a step."""
        self._averaged.update_parameters(cast(torch.nn.Module, network))

    def restore(self, weights: Tensors, steps: int) -> None:
        """Go on with the averaged weights after so many steps."""
        self.network.load_state_dict(weights)
        self._averaged.n_averaged.fill_(steps)


@torch.no_grad()
def _move(averages: Any, weights: Any, updates: Any) -> None:
    """Move averages towards the weights, in place."""
    share = 1.0 - (1.0 - 1.0 / (int(updates) + 1)) ** POWER
    if averages[0].is_floating_point():
        torch._foreach_lerp_(averages, weights, share)
    else:  # counts
        torch._foreach_copy_(averages, weights)
