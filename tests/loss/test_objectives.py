"""focal, path_entropy, consistency: compared with their definitions, also their gradients."""

import numpy as np
import pytest
import torch

from ctckit import ctc_loss, lattice
from ctckit.errors import InvalidInputError
from ctckit.loss.objectives import consistency, focal, path_entropy, time_mask
from tests.support.tolerances import DOUBLE

LENGTHS = [6, 5, 4, 3]
TARGETS = torch.tensor([[1, 1, 2], [3, 0, 0], [2, 1, 2], [1, 1, 1]])
TOKENS = [3, 1, 3, 2]


def some_logits(seed=0):
    logits = torch.randn(4, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    for b, frames in enumerate(LENGTHS):
        logits[b, frames:] = torch.nan
    return logits


def test_focal_is_its_formula():
    losses = torch.tensor([0.0, 0.3, 5.0, 400.0], dtype=torch.float64)
    expected = (1 - np.exp(-losses.numpy())) ** 1.5 * losses.numpy()
    np.testing.assert_allclose(focal(losses, focus=1.5), expected, rtol=DOUBLE, atol=DOUBLE)
    per_token = (1 - np.exp(-losses.numpy() / [1, 2, 3, 100])) ** 1.5 * losses.numpy()
    np.testing.assert_allclose(focal(losses, [0, 2, 3, 100], focus=1.5), per_token, rtol=DOUBLE, atol=DOUBLE)


def test_focal_without_focus_changes_nothing_and_differentiates():
    losses = torch.rand(5, dtype=torch.float64, requires_grad=True)
    assert torch.equal(focal(losses, focus=0.0), losses)
    assert torch.autograd.gradcheck(lambda x: focal(x, focus=2.0), losses)


def test_entropy_is_that_of_the_lattice():
    log_probs = some_logits().log_softmax(dim=-1)
    found = path_entropy(log_probs, TARGETS, LENGTHS, TOKENS)
    for b, (frames, tokens) in enumerate(zip(LENGTHS, TOKENS, strict=True)):
        item = lattice(log_probs[b, :frames], TARGETS[b, :tokens])
        assert found[b].item() == pytest.approx(item.entropy(), abs=DOUBLE)


def test_entropy_has_the_gradient_of_finite_differences():
    def entropy(logits):
        return path_entropy(logits.log_softmax(dim=-1), TARGETS[:3], LENGTHS[:3], TOKENS[:3])

    logits = torch.randn(3, 6, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(entropy, logits)


def test_entropy_with_masks_padding_and_a_target_that_cannot_be_emitted():
    logits = some_logits()
    logits[0, 2, 3] = -torch.inf
    leaf = logits.log_softmax(dim=-1).requires_grad_()
    found = path_entropy(leaf, TARGETS, [6, 5, 4, 1], TOKENS)
    assert found[:3].isfinite().all()
    assert found[3].isnan()
    found[:3].sum().backward()
    assert leaf.grad[:3].isfinite().all()
    with torch.no_grad():
        assert not path_entropy(leaf, TARGETS, LENGTHS, TOKENS).requires_grad


def test_training_changes_the_entropy_in_the_direction_of_its_sign():
    logits = torch.zeros(1, 12, 4, requires_grad=True)
    entropies = []
    for sign in (-1, 1):
        leaf = logits.detach().clone().requires_grad_()
        for _ in range(50):
            log_probs = leaf.log_softmax(dim=-1)
            loss = ctc_loss(log_probs, [[1, 2]], [12], [2]) - sign * path_entropy(log_probs, [[1, 2]], [12], [2]).sum()
            (slope,) = torch.autograd.grad(loss, leaf)
            leaf = (leaf - 0.5 * slope).detach().requires_grad_()
        entropies.append(path_entropy(leaf.log_softmax(dim=-1), [[1, 2]], [12], [2]).item())
    assert entropies[0] < entropies[1]


def test_consistency_is_its_formula():
    p, q = some_logits(0), some_logits(1)
    expected = []
    for b, frames in enumerate(LENGTHS):
        lp, lq = (np.asarray(each[b, :frames].log_softmax(dim=-1)) for each in (p, q))
        expected.append(0.5 * ((np.exp(lq) - np.exp(lp)) * (lq - lp)).sum())
    np.testing.assert_allclose(consistency(p, q, LENGTHS, reduction="none"), expected, rtol=0, atol=DOUBLE)
    assert consistency(p, q, LENGTHS, reduction="sum").item() == pytest.approx(sum(expected), abs=DOUBLE)
    assert consistency(p, q, LENGTHS).item() == pytest.approx(sum(expected) / sum(LENGTHS), abs=DOUBLE)


def test_consistency_has_no_gradient_by_its_reference():
    """The gradient by one view is that of ½ KL(other ‖ view): ½ (softmax(view) − softmax(other))."""
    p, q = some_logits(0).requires_grad_(), some_logits(1)
    consistency(p, q, LENGTHS, reduction="sum").backward()
    for b, frames in enumerate(LENGTHS):
        wanted = 0.5 * (p.detach()[b, :frames].softmax(dim=-1) - q[b, :frames].softmax(dim=-1))
        torch.testing.assert_close(p.grad[b, :frames], wanted, rtol=0, atol=DOUBLE)
        assert not p.grad[b, frames:].any()


def test_consistency_checks_its_shapes():
    with pytest.raises(InvalidInputError, match=r"other_logits has shape \(4, 6, 3\); expected that of logits"):
        consistency(some_logits(), some_logits()[..., :3], LENGTHS)
    with pytest.raises(InvalidInputError, match=r"input_lengths\[0\] is 7"):
        consistency(some_logits(), some_logits(), [7, 5, 4, 3])


def test_time_masks_hide_whole_frames_within_the_share():
    features = torch.ones(8, 200, 3)
    lengths = torch.arange(60, 201, 20)
    masked = time_mask(features, lengths, masks=8, longest=30, most=0.5, generator=torch.Generator().manual_seed(1))
    hidden = (masked == 0).all(dim=-1)
    assert torch.equal(hidden, (masked == 0).any(dim=-1))
    assert (hidden.sum(dim=1) <= 0.5 * lengths).all()
    assert (hidden.sum(dim=1) > 0).all()
    inside = torch.arange(200) < lengths[:, None]
    assert not (hidden & ~inside).any()
    again = time_mask(features, lengths, masks=8, longest=30, most=0.5, generator=torch.Generator().manual_seed(1))
    assert torch.equal(masked, again)
    assert features.all()  # the input does not change
