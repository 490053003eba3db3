"""Layers that depend on all lines of a batch, where several processes each have a share of its lines.

A batch norm takes its statistics of all lines, in whichever process they are. A dropout draws its random numbers for
all lines and uses those of its own. So the network computes for each line what it computes in one process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed, nn


@dataclass(frozen=True)
class Share:
    """The share of a batch that a process has.

    Attributes:
        first: The position in the batch of its first line.
        total: The number of lines of the batch, in all processes.
        counts: Whether its lines count. A process that gets none, because the batch has fewer lines than there are
            processes, has the first line as a stand-in: it takes part in all communication, and changes nothing.
    """

    first: int
    total: int
    counts: bool = True


_share: ContextVar[Share | None] = ContextVar("share", default=None)


@contextmanager
def sharing(share: Share | None) -> Iterator[None]:
    """Tell the layers of a network, while the block runs, that its batch is a share; None is a whole batch."""
    token = _share.set(share)
    try:
        yield
    finally:
        _share.reset(token)


def random_rows(rows: int, *shape: int, device: torch.device) -> torch.Tensor:
    """Return random numbers in [0, 1) for each line of the batch: ``(rows, *shape)``.

    The generators of the processes must be in the same state, and then are again.

    Example:
        >>> import torch
        >>> from ctckit.ocr.networks.sharing import Share, random_rows, sharing
        >>> whole = torch.manual_seed(0) and random_rows(3, 2, device=torch.device("cpu"))
        >>> with sharing(Share(first=1, total=3)):
        ...     part = torch.manual_seed(0) and random_rows(2, 2, device=torch.device("cpu"))
        >>> bool((part == whole[1:]).all())
        True
    """
    share = _share.get()
    if share is None:
        return torch.rand(rows, *shape, device=device)
    return torch.rand(share.total, *shape, device=device)[share.first : share.first + rows]


class SharedBatchNorm2d(nn.BatchNorm2d):
    """The batch norm of images (B, channels, rows, columns); the statistics are those of all shares of a batch.

    Outside a share it is PyTorch's. PyTorch's own ``SyncBatchNorm`` needs a GPU, and has no stand-ins.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the normalized images."""
        share = _share.get()
        if share is None or not self.training:
            return super().forward(images)
        variance, mean = torch.var_mean(images.float(), dim=(0, 2, 3), correction=0)
        size = images.numel() // images.shape[1] if share.counts else 0
        rows = _of_all(torch.cat((mean.new_tensor([size]), mean, variance)))
        sizes, means, variances = rows[:, :1], rows[:, 1 : 1 + len(mean)], rows[:, 1 + len(mean) :]
        weights = sizes / sizes.sum()
        mean = (weights * means).sum(dim=0)
        variance = (weights * (variances + (means - mean) ** 2)).sum(dim=0)
        self._note(mean.detach(), variance.detach(), sizes.detach().sum())
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        return torch.addcmul(shift[:, None, None], images, scale[:, None, None]).to(images.dtype)

    @torch.no_grad()
    def _note(self, mean: torch.Tensor, variance: torch.Tensor, size: torch.Tensor) -> None:
        """Move the running statistics."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (size / (size - 1)), self.momentum)


def _of_all(values: torch.Tensor) -> torch.Tensor:
    """Return the vectors of all processes, one in each row; they can be differentiated."""
    mine = torch.arange(distributed.get_world_size(), device=values.device) == distributed.get_rank()
    summed: Callable[[torch.Tensor], torch.Tensor] = _Sum.apply
    return summed(mine[:, None] * values)


class _Sum(torch.autograd.Function):
    """The sum over all processes. Each uses it, so its gradient is a sum over all, too."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        return _summed(values)

    @staticmethod
    def backward(ctx: Any, *upstreams: torch.Tensor) -> torch.Tensor:
        return _summed(upstreams[0])


def _summed(values: torch.Tensor) -> torch.Tensor:
    total = values.clone()
    distributed.all_reduce(total)
    return total
