"""compat.torch is torch's function: same forms of the arguments, same values, same gradients."""

import math

import pytest
import torch
import torch.nn.functional as F

from ctckit.compat import torch as compat
from ctckit.errors import InvalidInputError
from tests.support.tolerances import DOUBLE, TORCH_SINGLE

T, B, C = 12, 3, 6
PADDED = torch.tensor([[1, 2, 2, 3], [4, 5, 0, 0], [1, 0, 0, 0]])
INPUT, TARGET = (12, 9, 12), (4, 2, 1)
JOINED = torch.tensor([1, 2, 2, 3, 4, 5, 1])
FORMS = {
    "padded": (PADDED, torch.tensor(INPUT), torch.tensor(TARGET)),
    "one after another": (JOINED, torch.tensor(INPUT), torch.tensor(TARGET)),
    "tuples": (PADDED, INPUT, TARGET),
    "lists, int32": (JOINED.int(), list(INPUT), list(TARGET)),
    "int32 lengths": (PADDED.int(), torch.tensor(INPUT).int(), torch.tensor(TARGET).int()),
}


def both(values, arguments, upstream=None, **options):
    results = []
    for function in (compat.ctc_loss, F.ctc_loss):
        leaf = values.clone().requires_grad_()
        loss = function(leaf, *arguments, **options)
        loss.backward(torch.ones_like(loss) if upstream is None else upstream)
        results.append((loss.detach(), leaf.grad))
    return results


def expect_same(results, tolerance):
    (ours, our_gradient), (theirs, their_gradient) = results
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)  # shape and dtype too
    torch.testing.assert_close(our_gradient, their_gradient, rtol=tolerance, atol=10 * tolerance)


@pytest.fixture
def scores():
    return torch.randn(T, B, C, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_every_form_and_reduction(scores, form, reduction):
    upstream = torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64) if reduction == "none" else None
    expect_same(both(scores.log_softmax(2), FORMS[form], upstream, reduction=reduction), DOUBLE)


def test_single_precision(scores):
    expect_same(both(scores.float().log_softmax(2), FORMS["padded"]), TORCH_SINGLE)


def test_raw_scores_have_torchs_loss_and_torchs_gradient(scores):
    expect_same(both(scores, FORMS["padded"]), DOUBLE)


@pytest.mark.parametrize("blank", [2, 5])
def test_another_blank(scores, blank):
    targets = torch.where(blank == PADDED, (PADDED + 1) % C, PADDED)
    targets = torch.where(targets == blank, (targets + 1) % C, targets)
    expect_same(both(scores.log_softmax(2), (targets, INPUT, TARGET), blank=blank), DOUBLE)


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize(
    "lengths", [(torch.tensor(T), torch.tensor(4)), ((T,), (4,)), (torch.tensor([T]), torch.tensor([4]))]
)
def test_unbatched(scores, reduction, lengths):
    expect_same(both(scores[:, 0].log_softmax(1), (PADDED[0], *lengths), reduction=reduction), DOUBLE)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_zero_infinity(scores, reduction):
    arguments = PADDED, (4, 9, 12), TARGET  # the first one needs five frames
    expect_same(both(scores.log_softmax(2), arguments, reduction=reduction, zero_infinity=True), DOUBLE)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_infinite_without_zero_infinity(scores, reduction):
    """The loss is torch's; the gradient is 0 for the item, where torch's is NaN."""
    leaf = scores.log_softmax(2).requires_grad_()
    arguments = PADDED, (4, 9, 12), TARGET
    loss = compat.ctc_loss(leaf, *arguments, reduction=reduction)
    torch.testing.assert_close(loss, F.ctc_loss(leaf, *arguments, reduction=reduction), rtol=DOUBLE, atol=DOUBLE)
    loss.sum().backward()
    assert not leaf.grad[:, 0].any()
    assert torch.isfinite(leaf.grad).all()


def test_an_empty_target(scores):
    expect_same(both(scores.log_softmax(2), (PADDED, INPUT, (4, 0, 1))), DOUBLE)


def test_the_module_is_the_function(scores):
    log_probs = scores.log_softmax(2)
    for options in ({}, {"blank": 5, "reduction": "sum", "zero_infinity": True}):
        targets = PADDED % 5
        targets[targets == 0] = 1
        module = compat.CTCLoss(**options)
        assert repr(module).startswith("CTCLoss(blank=")
        expected = torch.nn.CTCLoss(**options)(log_probs, targets, INPUT, TARGET)
        torch.testing.assert_close(module(log_probs, targets, INPUT, TARGET), expected, rtol=DOUBLE, atol=DOUBLE)


def test_positions_of_the_arguments_are_torchs(scores):
    log_probs = scores.log_softmax(2)
    ours = compat.ctc_loss(log_probs, PADDED, INPUT, TARGET, 0, "sum", True)
    torch.testing.assert_close(
        ours, F.ctc_loss(log_probs, PADDED, INPUT, TARGET, 0, "sum", True), rtol=DOUBLE, atol=DOUBLE
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (torch.zeros(T, B, C), torch.tensor([1, 2, 3]), INPUT, TARGET),
            r"targets has 3 entries, one after another; expected the sum of target_lengths, 7\.",
        ),
        (
            (torch.zeros(T, B, C, 1), PADDED, INPUT, TARGET),
            r"log_probs has shape \(12, 3, 6, 1\); expected \(T, B, C\) or \(T, C\)\.",
        ),
        (
            (torch.zeros(T, B, C), PADDED + 3, INPUT, TARGET),
            r"targets\[0, 3\] is 6; with C = 6 the classes are 0\.\.5\.",
        ),
        (
            (torch.zeros(T, B, C), PADDED, (13, 9, 12), TARGET),
            r"input_lengths\[0\] is 13; log_probs has T = 12 frames",
        ),
        (
            (torch.zeros(B, T, C), PADDED, INPUT, TARGET),
            r"log_probs has shape \(3, 12, 6\) but input_lengths has 3 entries; expected \(T, B, C\)\. "
            r"It looks batch-first: pass log_probs\.transpose\(0, 1\)\.",
        ),
        ((torch.zeros(T, B, C), PADDED, INPUT, TARGET, 0, "max"), r"reduction is 'max'; expected one of"),
    ],
)
def test_what_torch_lets_pass_is_refused(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        compat.ctc_loss(*arguments)


def test_a_mask_on_an_unused_class_gives_no_nan(scores):
    scores[:, :, 5] = -math.inf
    leaf = scores.log_softmax(2).requires_grad_()
    compat.ctc_loss(leaf, PADDED % 5, INPUT, (4, 1, 1)).backward()
    assert torch.isfinite(leaf.grad).all()


def test_numbers_are_lengths_of_a_batch_of_one():
    log_probs = torch.randn(9, 1, 5).log_softmax(2)
    arguments = log_probs, torch.tensor([[1, 2]]), torch.tensor(9), torch.tensor(2)
    assert compat.ctc_loss(*arguments).item() == pytest.approx(F.ctc_loss(*arguments).item(), abs=TORCH_SINGLE)
