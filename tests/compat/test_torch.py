"""compat.torch is torch's function: same forms of the arguments, same values, same gradients."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ctckit.compat import torch as compat
from ctckit.errors import InvalidInputError
from tests.support.tolerances import DOUBLE, HALF_ROUNDING, SINGLE_GRADIENT, SINGLE_LOSS, TORCH_SINGLE

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


@pytest.mark.difference("torch", "the gradient of a target that cannot be emitted", "NaN", "0")
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


@pytest.mark.difference(
    "torch",
    "errors",
    "`RuntimeError`, `ValueError` or `TypeError`",
    "`LossInputError`, a `RuntimeError` and a `ValueError`; it names the argument, the item and the position",
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
        (
            (torch.zeros(T, B, C), PADDED, INPUT, (4, 2)),
            r"target_lengths has 2 entries; expected one for each of the B",
        ),
        ((torch.zeros(T, B, C), PADDED, INPUT, (4, -2, 1)), r"target_lengths\[1\] is -2; targets has N = 4 columns"),
        (
            (torch.zeros(T, B, C), PADDED, torch.tensor(12.0), TARGET),
            r"input_lengths has 1 entries; expected \(T, B, C\)",
        ),
        ((torch.zeros(T, B, C), PADDED, torch.ones(3), TARGET), r"input_lengths has dtype float32; expected integers"),
        (
            (torch.zeros(T, B, C).long(), PADDED, INPUT, TARGET),
            r"log_probs has dtype torch\.int64; expected a floating",
        ),
        ((torch.zeros(T, B, C), None, INPUT, TARGET), r"targets has dtype object; expected integers"),
        ((torch.zeros(T, B, C), PADDED, INPUT, TARGET, 6), r"blank is 6; with C = 6 the classes are 0\.\.5"),
        ((torch.zeros(T, B, C), PADDED, INPUT, TARGET, 0.0), r"blank is 0\.0; expected the index of a class"),
        ((torch.zeros(T, B, C), PADDED, INPUT, TARGET, 0, "mean", 1), r"zero_infinity is 1; expected True or False"),
        (
            (torch.zeros(T, B, C).to_sparse(), PADDED, INPUT, TARGET),
            r"log_probs has layout torch\.sparse_coo; expected",
        ),
        (
            (torch.zeros(T, B, C, device="meta"), PADDED, INPUT, TARGET),
            r"log_probs is on meta; this function computes on",
        ),
    ],
)
def test_wrong_arguments_are_named_in_an_error_of_both_types(arguments, message):
    with pytest.raises(RuntimeError, match=message) as caught:
        compat.ctc_loss(*arguments)
    assert isinstance(caught.value, InvalidInputError)
    assert isinstance(caught.value, ValueError)


def test_wrong_options_of_the_module_raise_both_types():
    for options in ({"reduction": "max"}, {"zero_infinity": 1}):
        with pytest.raises(RuntimeError, match=rf"{next(iter(options))} is .*; expected") as caught:
            compat.CTCLoss(**options)
        assert isinstance(caught.value, InvalidInputError)


def test_a_mask_on_an_unused_class_gives_no_nan(scores):
    scores[:, :, 5] = -math.inf
    leaf = scores.log_softmax(2).requires_grad_()
    compat.ctc_loss(leaf, PADDED % 5, INPUT, (4, 1, 1)).backward()
    assert torch.isfinite(leaf.grad).all()


def test_numbers_are_lengths_of_a_batch_of_one():
    log_probs = torch.randn(9, 1, 5).log_softmax(2)
    arguments = log_probs, torch.tensor([[1, 2]]), torch.tensor(9), torch.tensor(2)
    assert compat.ctc_loss(*arguments).item() == pytest.approx(F.ctc_loss(*arguments).item(), abs=TORCH_SINGLE)


def test_targets_of_a_floating_point_type_are_whole_numbers(scores):
    log_probs = scores.log_softmax(2)
    expect_same(both(log_probs, (PADDED.float(), INPUT, TARGET)), DOUBLE)
    expect_same(both(log_probs, (JOINED.double(), INPUT, TARGET)), DOUBLE)


@pytest.mark.difference("torch", "targets that are no whole numbers", "rounded towards 0", "an error")
def test_fractions_of_targets_are_refused(scores):
    assert F.ctc_loss(scores, PADDED + 0.5, INPUT, TARGET) == F.ctc_loss(scores, PADDED, INPUT, TARGET)
    with pytest.raises(RuntimeError, match="targets has dtype float32; expected integers"):
        compat.ctc_loss(scores, PADDED + 0.5, INPUT, TARGET)


@pytest.mark.parametrize("blank", [torch.tensor(5), torch.tensor([5]), np.int64(5)], ids=repr)
def test_a_blank_of_another_type(scores, blank):
    log_probs, targets = scores.log_softmax(2), PADDED % 4
    expected = F.ctc_loss(log_probs, targets, INPUT, TARGET, blank=5)
    torch.testing.assert_close(compat.ctc_loss(log_probs, targets, INPUT, TARGET, blank), expected, rtol=DOUBLE, atol=0)


@pytest.mark.parametrize("shape", [(1, B), (B, 1)])
def test_lengths_of_any_shape(scores, shape):
    lengths = torch.tensor(INPUT).reshape(shape), torch.tensor(TARGET).reshape(shape)
    expect_same(both(scores.log_softmax(2), (PADDED, *lengths)), DOUBLE)


def test_unbatched_targets_in_a_row(scores):
    expect_same(both(scores[:, 0].log_softmax(1), (PADDED[:1], torch.tensor([T]), torch.tensor([4]))), DOUBLE)


@pytest.mark.difference(
    "torch",
    "arguments that are not tensors",
    "lengths in a tuple or list for a batch, others are an error",
    "lists, tuples, NumPy arrays; numbers as the lengths of one item; targets of different lengths as a list of lists",
)
def test_arguments_without_tensors(scores):
    log_probs = scores.log_softmax(2)
    expected = F.ctc_loss(log_probs, PADDED, INPUT, TARGET)
    for targets in (PADDED.tolist(), PADDED.numpy(), [[1, 2, 2, 3], [4, 5], [1]]):
        found = compat.ctc_loss(log_probs.numpy(), targets, np.array(INPUT), TARGET)
        torch.testing.assert_close(found, expected, rtol=DOUBLE, atol=0)
        with pytest.raises(TypeError):
            F.ctc_loss(log_probs, targets, INPUT, TARGET)
    one = compat.ctc_loss(log_probs[:, 0], PADDED[0], T, 4)
    torch.testing.assert_close(one, F.ctc_loss(log_probs[:, 0], PADDED[0], (T,), (4,)), rtol=DOUBLE, atol=0)


@pytest.mark.difference("torch", "no items, or no frames", "an error", "the loss of nothing is 0, of a target +∞")
def test_nothing_at_all():
    nothing = torch.zeros(0, dtype=torch.long)
    assert compat.ctc_loss(torch.zeros(3, 0, 4), torch.zeros(0, 2, dtype=torch.long), nothing, nothing, 0, "sum") == 0
    losses = compat.ctc_loss(torch.zeros(0, 2, 4), torch.tensor([[1], [1]]), (0, 0), (0, 1), reduction="none")
    assert losses.tolist() == [0, math.inf]
    with pytest.raises(RuntimeError):
        F.ctc_loss(torch.zeros(0, 2, 4), torch.tensor([[1], [1]]), (0, 0), (0, 1))


@pytest.mark.difference("torch", "float16 and bfloat16 on a CPU", "not implemented", "computed in float32")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(scores, dtype):
    leaf = scores.to(dtype).requires_grad_()
    loss = compat.ctc_loss(leaf, PADDED, INPUT, TARGET)
    loss.backward()
    assert loss.dtype == torch.float32
    exact = leaf.detach().double().requires_grad_()
    expected = F.ctc_loss(exact, PADDED, INPUT, TARGET)
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=SINGLE_LOSS)
    rounding = HALF_ROUNDING[str(dtype).removeprefix("torch.")]
    torch.testing.assert_close(leaf.grad.double(), exact.grad, rtol=rounding, atol=SINGLE_GRADIENT)


@pytest.mark.difference("torch", "second derivatives", "not implemented", "computed, also in torch.func")
def test_second_derivatives(scores):
    log_probs = scores.log_softmax(2).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: compat.ctc_loss(x.log_softmax(2), PADDED, INPUT, TARGET), log_probs)
    (slope,) = torch.autograd.grad(F.ctc_loss(log_probs, PADDED, INPUT, TARGET), log_probs, create_graph=True)
    with pytest.raises(RuntimeError, match="not implemented"):
        slope.sum().backward()


@pytest.mark.difference(
    "torch",
    "gradients where each path of a target costs 1e16 nats or more",
    "wrong: rounding loses the differences between paths",
    "correct",
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_logits_of_1e20(dtype):
    gradients = []
    for function in (compat.ctc_loss, F.ctc_loss):
        logits = torch.tensor([[1e20, 0, 0]] * 4, dtype=dtype).requires_grad_()
        function(logits.log_softmax(1)[:, None], torch.tensor([[1]]), (4,), (1,), reduction="sum").backward()
        gradients.append(logits.grad)
    expected = torch.tensor([[0.25, -0.25, 0]] * 4, dtype=dtype)
    torch.testing.assert_close(gradients[0], expected, rtol=0, atol=SINGLE_GRADIENT)
    assert (gradients[1] - expected).abs().max() > 0.5
