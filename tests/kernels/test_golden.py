"""Numbers from the literature and from other implementations."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import ctckit
from tests.support.tolerances import DOUBLE, PUBLISHED

# The tutorial of warp-ctc (Baidu, 2016): activations, labels, cost.
WARP_CTC_TUTORIAL = [
    ([[0, 0, 0, 0, 0]], [1], 1.6094379425049),
    ([[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12, 13, 14, 15]], [3, 3], 7.355742931366),
    ([[-5, -4, -3, -2, -1], [-10, -9, -8, -7, -6], [-15, -14, -13, -12, -11]], [2, 3], 4.938850402832),
]


@pytest.mark.parametrize(("activations", "labels", "cost"), WARP_CTC_TUTORIAL)
def test_warp_ctc_tutorial(activations, labels, cost):
    logits = torch.tensor([activations], dtype=torch.float32)
    loss = ctckit.ctc_loss(logits, [labels], [len(activations)], [len(labels)], reduction="sum")
    assert loss.item() == pytest.approx(cost, abs=PUBLISHED)


WORDS = {
    "orange": [15, 18, 1, 14, 7, 5],
    "apple": [1, 16, 16, 12, 5],
    "watermelon": [23, 1, 20, 5, 18, 13, 5, 12, 15, 14],
}


@pytest.fixture
def dummy_batch():
    """The tutorial's batch: T = 15 frames, C = 27 classes (blank 0, a–z), three words."""
    logits = torch.randn(3, 15, 27, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    targets = torch.zeros(3, 10, dtype=torch.long)
    for row, word in zip(targets, WORDS.values(), strict=True):
        row[: len(word)] = torch.tensor(word)
    return logits, targets, torch.full((3,), 15), torch.tensor([6, 5, 10])


def test_the_words_are_spelled_by_the_alphabet():
    assert {word: [ord(letter) - 96 for letter in word] for word in WORDS} == WORDS


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_dummy_batch_equals_torch_in_float64(dummy_batch, backend, reduction):
    logits, targets, input_lengths, target_lengths = dummy_batch
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    loss = ctckit.ctc_loss(ours, targets, input_lengths, target_lengths, reduction=reduction, backend=backend)
    log_probs = F.log_softmax(theirs, dim=2).transpose(0, 1)
    expected = F.ctc_loss(log_probs, targets, input_lengths, target_lengths, reduction=reduction)
    torch.testing.assert_close(loss, expected, rtol=DOUBLE, atol=DOUBLE)
    upstream = torch.tensor([0.3, -2.0, 5.0], dtype=torch.float64)[: loss.numel()].reshape(loss.shape)
    loss.backward(upstream)
    expected.backward(upstream)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=DOUBLE)


def test_dummy_batch_through_the_lattice(dummy_batch):
    logits, targets, input_lengths, target_lengths = dummy_batch
    log_probs = F.log_softmax(logits, dim=2)
    expected = F.ctc_loss(log_probs.transpose(0, 1), targets, input_lengths, target_lengths, reduction="none")
    for frames, target, length, loss in zip(log_probs, targets, target_lengths, expected, strict=True):
        item = ctckit.lattice(frames, target[:length])
        assert -item.log_likelihood == pytest.approx(loss.item(), abs=DOUBLE)
        np.testing.assert_allclose(item.occupancy.sum(axis=1), 1, rtol=0, atol=DOUBLE)


def test_uniform_frames_count_paths():
    """T = 4 uniform frames, C = 3: 1 + 2 + 3 + 4 = 10 of the 81 paths collapse to [1]."""
    item = ctckit.lattice(np.log(np.full((4, 3), 1 / 3)), [1])
    assert np.exp(item.log_likelihood) == pytest.approx(10 / 81, abs=DOUBLE)
