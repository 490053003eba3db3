"""The flat start of a training: evenly spread texts."""

import math

import pytest
import torch

from ctckit.errors import InvalidInputError
from ctckit.ocr.data.batches import Batch
from ctckit.ocr.training.config import TrainingConfig
from ctckit.ocr.training.flat_start import flat_loss, flat_weight


def batch_of(*targets):
    lengths = torch.tensor([len(each) for each in targets])
    padded = torch.zeros(len(targets), int(lengths.max()), dtype=torch.int64)
    for row, each in enumerate(targets):
        padded[row, : len(each)] = torch.tensor(each)
    empty = torch.empty(0)
    return Batch(empty, empty, padded, lengths, tuple("x" * len(each) for each in targets))


def evenly_spread(target, frames, classes, *, blank):
    """Return (T, C) the probabilities that the definition gives, entry by entry."""
    probs = torch.zeros(frames, classes)
    for t in range(frames):
        u = (t + 0.5) * len(target) / frames
        n = math.floor(u)
        sure = math.exp(-((u - n - 0.5) ** 2) / (2 * 0.25**2)) if target else 0.0
        if target:
            probs[t, target[n]] += sure
        probs[t, blank] += 1.0 - sure
    return probs


def test_the_loss_is_the_cross_entropy_of_the_definition():
    targets, frames, blank = [[1, 2, 2], [3], []], [8, 5, 2], 4
    torch.manual_seed(0)
    logits = torch.randn(3, 8, 5)
    logits[1, 5:], logits[2, 2:] = math.nan, math.nan  # beyond the lines: nothing there counts
    log_probs = logits.log_softmax(2)
    sums = [
        -(evenly_spread(target, count, 5, blank=blank) * row[:count]).sum()
        for target, count, row in zip(targets, frames, log_probs, strict=True)
    ]
    found = flat_loss(logits, batch_of(*targets), torch.tensor(frames), blank=blank)
    assert found.item() == pytest.approx(sum(sums).item() / sum(frames), rel=1e-6)


def test_the_gradient_is_that_of_a_cross_entropy():
    target, frames = [1, 2], 6
    logits = torch.randn(1, frames, 3, generator=torch.Generator().manual_seed(1), requires_grad=True)
    flat_loss(logits, batch_of(target), torch.tensor([frames]), blank=0).backward()
    expected = (logits.detach().softmax(2)[0] - evenly_spread(target, frames, 3, blank=0)) / frames
    torch.testing.assert_close(logits.grad[0], expected)


def test_the_gradient_beyond_a_line_is_zero():
    logits = torch.zeros(2, 6, 3, requires_grad=True)
    flat_loss(logits, batch_of([1, 2], [2]), torch.tensor([6, 2]), blank=0).backward()
    assert not logits.grad[1, 2:].any()
    assert logits.grad[1, :2].any()


def test_it_ends():
    assert [flat_weight(step, 10) > 0.0 for step in (0, 9, 10, 11)] == [True, True, False, False]
    assert flat_weight(0, 0) == 0.0
    with pytest.raises(InvalidInputError, match="flat_start is -1; expected a number of steps, 0 or more"):
        TrainingConfig(flat_start=-1)
