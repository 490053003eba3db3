"""The libraries that are compared. Each takes logits that require a gradient and returns the mean loss of the batch.

Each library gets its inputs in its fastest layout. torch's kernels get logits with time first, because their gradient
is time-first as well and would have to be copied otherwise. They get lengths as Python integers, so that the device is
not synchronized. cuDNN gets concatenated int32 targets on the CPU; it accepts nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

import ctckit
from benchmarks.loss.workloads import Problem

Tensor = torch.Tensor
CUDNN_TOKENS = 255  # and frames: torch does not call cuDNN for longer ones


@dataclass(frozen=True)
class Peer:
    """One library on one batch.

    Attributes:
        name: The name of the library.
        logits: The leaf that requires a gradient.
        loss: Runs one forward pass.
        time_first: Whether the leaf is (T, B, C).
    """

    name: str
    logits: Tensor
    loss: Callable[[], Tensor]
    time_first: bool

    def step(self) -> Tensor:
        """Run forward and backward with a fresh gradient; return the loss."""
        self.logits.grad = None
        loss = self.loss()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def gradient(self, items: int) -> Tensor:
        """Return the gradient of the last step for the first items, (items, T, C), float64, on the CPU."""
        gradient = self.logits.grad
        assert gradient is not None
        some = gradient[:, :items].transpose(0, 1) if self.time_first else gradient[:items]
        return some.detach().cpu().double()


def peers(problem: Problem, dtype: torch.dtype) -> list[Peer]:
    """Return ctckit, torch, and cuDNN if torch calls it for this batch."""
    batch_first = torch.from_numpy(problem.logits).cuda().to(dtype)
    found = [_ctckit(problem, batch_first), _torch(problem, batch_first)]
    return [*found, *_cudnn(problem, batch_first)]


def _leaf(logits: Tensor, *, time_first: bool) -> Tensor:
    placed = logits.transpose(0, 1).contiguous() if time_first else logits.clone()
    return placed.requires_grad_()


def _ctckit(problem: Problem, logits: Tensor) -> Peer:
    leaf = _leaf(logits, time_first=False)
    arrays = problem.targets, problem.input_lengths, problem.target_lengths
    integers = [torch.from_numpy(each).cuda() for each in arrays]
    return Peer("ctckit", leaf, lambda: ctckit.ctc_loss(leaf, *integers, validate=False), time_first=False)


def _torch(problem: Problem, logits: Tensor) -> Peer:
    leaf = _leaf(logits, time_first=True)
    targets = torch.from_numpy(problem.targets).cuda()
    lengths = [tuple(each.tolist()) for each in (problem.input_lengths, problem.target_lengths)]

    def loss() -> Tensor:
        with torch.backends.cudnn.flags(enabled=False):
            log_probs = leaf.log_softmax(2, dtype=torch.float32)
            return torch.nn.functional.ctc_loss(log_probs, targets, *lengths)  # type: ignore[arg-type]  # tuples do

    return Peer("torch", leaf, loss, time_first=True)


def _cudnn(problem: Problem, logits: Tensor) -> list[Peer]:
    if int(problem.target_lengths.max()) > CUDNN_TOKENS:
        return []
    leaf = _leaf(logits, time_first=True)
    pairs = zip(problem.targets, problem.target_lengths.tolist(), strict=True)
    joined = torch.cat([torch.from_numpy(target[:count]) for target, count in pairs]).int()
    frames, tokens = (tuple(each.tolist()) for each in (problem.input_lengths, problem.target_lengths))

    def loss() -> Tensor:
        log_probs = leaf.log_softmax(2, dtype=torch.float32)
        return torch.nn.functional.ctc_loss(log_probs, joined, frames, tokens)  # type: ignore[arg-type]

    with torch.no_grad():
        chosen = torch._use_cudnn_ctc_loss(leaf.log_softmax(2, dtype=torch.float32), joined, frames, tokens, 0)
    return [Peer("torch, cuDNN", leaf, loss, time_first=True)] if chosen else []
