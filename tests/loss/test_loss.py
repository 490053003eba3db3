"""The public loss: all edge cases, the reductions, autograd, and the messages."""

import inspect
import math
import os

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import ctckit
from ctckit.errors import InfeasibleTargetError, InvalidInputError
from ctckit.kernels.batch import rows_contiguous
from ctckit.kernels.loss import BACKENDS
from tests.support.tolerances import CERTAIN_LOSS, DOUBLE, SINGLE_GRADIENT, TORCH_SINGLE

T, C = 6, 5
FITS, TOO_LONG, REPEATS = [1, 2, 3], [1, 2, 3, 4, 1, 2, 3], [1, 1, 1, 1]  # they need 3, 7 and 7 frames
TARGETS = torch.zeros(3, 7, dtype=torch.long)
for row, target in zip(TARGETS, (FITS, TOO_LONG, REPEATS), strict=True):
    row[: len(target)] = torch.tensor(target)
LENGTHS = torch.tensor([T, T, T]), torch.tensor([3, 7, 4])


@pytest.fixture
def logits():
    return torch.randn(3, T, C, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()


def plain(logits, target, frames=T):
    """Return the loss of one feasible item, from torch."""
    log_probs = F.log_softmax(logits[:frames].detach(), -1)[:, None]
    return F.ctc_loss(
        log_probs, torch.tensor([target], dtype=torch.long), [frames], [len(target)], reduction="none"
    ).item()


class TestInfeasible:
    """T < N + adjacent repeats."""

    def test_inf(self, logits):
        losses = ctckit.ctc_loss(logits, TARGETS, *LENGTHS, reduction="none")
        assert losses[0].item() == pytest.approx(plain(logits[0], FITS), abs=DOUBLE)
        assert losses[1:].tolist() == [math.inf, math.inf]
        losses.sum().backward()
        assert logits.grad[0].abs().sum() > 0
        assert not logits.grad[1:].any()

    @pytest.mark.parametrize("reduction", ["mean", "sum"])
    def test_inf_reduced(self, logits, reduction):
        loss = ctckit.ctc_loss(logits, TARGETS, *LENGTHS, reduction=reduction)
        assert loss.item() == math.inf
        loss.backward()
        assert torch.isfinite(logits.grad).all()
        assert not logits.grad[1:].any()

    def test_zero(self, logits):
        losses = ctckit.ctc_loss(logits, TARGETS, *LENGTHS, reduction="none", infeasible="zero")
        assert losses[1:].tolist() == [0, 0]
        losses.sum().backward()
        assert not logits.grad[1:].any()

    def test_zero_is_not_counted_by_mean(self, logits):
        loss = ctckit.ctc_loss(logits, TARGETS, *LENGTHS, infeasible="zero")
        assert loss.item() == pytest.approx(plain(logits[0], FITS) / 3, abs=DOUBLE)
        loss.backward()
        alone = logits[:1].detach().requires_grad_()
        ctckit.ctc_loss(alone, TARGETS[:1], [T], [3]).backward()
        torch.testing.assert_close(logits.grad[:1], alone.grad, rtol=0, atol=DOUBLE)
        assert not logits.grad[1:].any()

    def test_zero_with_a_target_that_only_a_mask_makes_impossible(self, logits):
        """The kernel finds this target after the weights are set. Still, mean and gradient do not count it."""
        masked = logits.detach().clone()
        masked[1, :, 2] = -math.inf
        masked.requires_grad_()
        targets = torch.tensor([[1, 2, 3]] * 3)
        loss = ctckit.ctc_loss(masked, targets, [T] * 3, [3] * 3, infeasible="zero")
        rest = masked.detach()[[0, 2]].requires_grad_()
        expected = ctckit.ctc_loss(rest, targets[:2], [T] * 2, [3] * 2)
        assert loss.item() == pytest.approx(expected.item(), abs=DOUBLE)
        loss.backward()
        expected.backward()
        torch.testing.assert_close(masked.grad[[0, 2]], rest.grad, rtol=0, atol=DOUBLE)
        assert not masked.grad[1].any()

    def test_zero_where_nothing_is_left(self, logits):
        loss = ctckit.ctc_loss(logits, TARGETS, [2, 2, 2], [3, 7, 4], infeasible="zero")
        loss.backward()
        assert loss.item() == 0
        assert not logits.grad.any()

    def test_error_names_each_item(self, logits):
        with pytest.raises(InfeasibleTargetError) as caught:
            ctckit.ctc_loss(logits, TARGETS, *LENGTHS, infeasible="error")
        assert caught.value.items == (1, 2)
        assert str(caught.value).splitlines() == [
            "targets[1] cannot be emitted: 7 tokens with 0 adjacent repeats need 7 frames, input_lengths[1] is 6.",
            "targets[2] cannot be emitted: 4 tokens with 3 adjacent repeats need 7 frames, input_lengths[2] is 6.",
        ]

    def test_error_is_short_for_many_items(self):
        with pytest.raises(InfeasibleTargetError, match=r"… and 3 more of 8 items: \[0, 1, 2, 3, 4, 5, 6, 7\]\."):
            ctckit.ctc_loss(torch.zeros(8, 1, 3), [[1, 2]] * 8, [1] * 8, [2] * 8, infeasible="error")

    def test_error_for_a_masked_class(self, logits):
        masked = logits.detach().clone()
        masked[1, :, 2] = -math.inf
        with pytest.raises(
            InfeasibleTargetError, match=r"targets\[1\] cannot be emitted: every alignment passes a class"
        ):
            ctckit.ctc_loss(masked, [[1, 2, 3]] * 3, [T] * 3, [3] * 3, infeasible="error")

    def test_error_does_not_change_the_loss_of_a_feasible_target(self, logits):
        loss = ctckit.ctc_loss(logits[:1], TARGETS[:1], [T], [3], infeasible="error", reduction="sum")
        assert loss.item() == pytest.approx(plain(logits[0], FITS), abs=DOUBLE)


def test_the_loss_of_an_empty_target_is_that_of_the_blanks(logits):
    losses = ctckit.ctc_loss(logits, torch.zeros(3, 0, dtype=torch.long), [T, 3, 0], [0, 0, 0], reduction="none")
    blanks = -F.log_softmax(logits, -1)[:, :, 0]
    expected = [blanks[0].sum().item(), blanks[1, :3].sum().item(), 0]
    assert losses.tolist() == pytest.approx(expected, abs=DOUBLE)
    mean = ctckit.ctc_loss(logits, [[], [], []], [T, 3, 0], [0, 0, 0])
    assert mean.item() == pytest.approx(sum(expected) / 3, abs=DOUBLE)  # divided by max(N, 1)


def test_no_frames(logits):
    losses = ctckit.ctc_loss(logits, [[1], [1], [1]], [0, 0, T], [0, 1, 1], reduction="none")
    assert losses[:2].tolist() == [0, math.inf]
    losses[2].backward()
    assert not logits.grad[:2].any()
    assert ctckit.ctc_loss(torch.zeros(1, 0, 3), [[]], [0], [0]).item() == 0


def test_no_items():
    assert ctckit.ctc_loss(torch.zeros(0, 4, 3), np.zeros((0, 2), int), [], [], reduction="none").shape == (0,)
    assert ctckit.ctc_loss(torch.zeros(0, 4, 3), np.zeros((0, 2), int), [], []).item() == 0


def test_padding_is_never_read(logits):
    padded = logits.detach().clone()
    padded[0, 4:], padded[1, 3:] = math.nan, math.inf
    padded.requires_grad_()
    targets = torch.tensor([[1, 2, -7], [3, 99, -7], [1, 2, 3]])
    loss = ctckit.ctc_loss(padded, targets, [4, 3, T], [2, 1, 3])
    loss.backward()
    assert math.isfinite(loss.item())
    assert torch.isfinite(padded.grad).all()
    assert not padded.grad[0, 4:].any()
    assert not padded.grad[1, 3:].any()


def test_masked_classes_are_allowed(logits):
    masked = logits.detach().clone()
    masked[:, :, 4] = -math.inf  # no target has this class: torch's gradient is NaN here
    masked[0, 0, 0] = -math.inf  # the first blank: other paths remain
    masked.requires_grad_()
    losses = ctckit.ctc_loss(masked, torch.tensor([FITS] * 3), [T] * 3, [3] * 3, reduction="none")
    losses.sum().backward()
    assert torch.isfinite(losses).all()
    assert torch.isfinite(masked.grad).all()
    assert not masked.grad[:, :, 4].any()
    without = masked.detach()[1:, :, :4]
    expected = ctckit.ctc_loss(without, torch.tensor([FITS] * 2), [T] * 2, [3] * 2, reduction="none")
    torch.testing.assert_close(losses[1:], expected, rtol=0, atol=DOUBLE)


def test_a_frame_with_every_class_masked_emits_nothing(logits):
    masked = logits.detach().clone()
    masked[1, 2] = -math.inf
    masked.requires_grad_()
    losses = ctckit.ctc_loss(masked, torch.tensor([FITS] * 3), [T] * 3, [3] * 3, reduction="none")
    losses.sum().backward()
    assert losses[1].item() == math.inf
    assert torch.isfinite(losses[[0, 2]]).all()
    assert torch.isfinite(masked.grad).all()
    assert not masked.grad[1].any()


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nan_and_infinity_change_only_their_own_item(logits, value, normalize, dtype):
    spoiled = logits.detach().to(dtype)
    spoiled[1, 2, 4] = value
    spoiled.requires_grad_()
    losses = ctckit.ctc_loss(
        spoiled, torch.tensor([FITS] * 3), [T, 5, T], [3] * 3, reduction="none", normalize=normalize
    )
    losses.sum().backward()
    assert losses.isnan().tolist() == [False, True, False]
    assert spoiled.grad[1, :5].isnan().all()
    assert not spoiled.grad[1, 5:].any()
    assert torch.isfinite(spoiled.grad[[0, 2]]).all()


def test_the_loss_of_a_certain_network_is_0_and_never_negative():
    logits = torch.full((1, 400, 30), -60.0)
    logits[0, :, 0] = 0
    logits[0, 7, 0], logits[0, 7, 3] = -60, 0
    loss = ctckit.ctc_loss(logits, [[3]], [400], [1])
    assert 0 <= loss.item() < CERTAIN_LOSS


@pytest.mark.parametrize("threads", [2, 3, 16])
def test_the_same_bits_for_any_number_of_threads(threads):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(17, 40, 20, generator=generator)
    targets = torch.randint(1, 20, (17, 9), generator=generator)
    arguments = (
        targets,
        torch.randint(20, 41, (17,), generator=generator),
        torch.randint(0, 10, (17,), generator=generator),
    )

    def run(count):
        ctckit.set_num_threads(count)
        leaf = logits.clone().requires_grad_()
        losses = ctckit.ctc_loss(leaf, *arguments, reduction="none")
        losses.sum().backward()
        return losses.detach(), leaf.grad

    before = ctckit.num_threads()
    try:
        results = [run(1), run(threads), run(threads)]
    finally:
        ctckit.set_num_threads(before)
    for losses, gradient in results[1:]:
        assert torch.equal(losses, results[0][0])
        assert torch.equal(gradient, results[0][1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_can_compute():
    """A worker of a DataLoader is forked from a process with a running thread pool."""
    logits = np.log(np.random.default_rng(0).dirichlet(np.ones(10), (8, 30)))
    expected = [each.log_prob for each in ctckit.greedy_decode(logits)]
    child = os.fork()
    if child == 0:
        os._exit(0 if [each.log_prob for each in ctckit.greedy_decode(logits)] == expected else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_equal_to_torch_through_its_log_softmax(dtype, reduction):
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(4, 20, 9, generator=generator, dtype=dtype)
    targets = torch.randint(1, 9, (4, 6), generator=generator)
    lengths = torch.tensor([20, 18, 12, 20]), torch.tensor([6, 5, 1, 0])
    upstream = (
        torch.tensor([1.5, -0.5, 0.0, 2.0], dtype=dtype) if reduction == "none" else torch.tensor(-3.0, dtype=dtype)
    )
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    loss = ctckit.ctc_loss(ours, targets, *lengths, reduction=reduction)
    expected = F.ctc_loss(F.log_softmax(theirs, -1).transpose(0, 1), targets, *lengths, reduction=reduction)
    loss.backward(upstream)
    expected.backward(upstream)
    tolerance = DOUBLE if dtype == torch.float64 else TORCH_SINGLE
    assert loss.dtype == dtype
    torch.testing.assert_close(loss, expected, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=upstream.abs().max().item() * tolerance)


def test_log_probabilities_are_accepted_as_logits(logits):
    """They are their own log-softmax; the gradient is the same as in torch."""
    log_probs = F.log_softmax(logits.detach(), -1)
    ours, theirs = log_probs.clone().requires_grad_(), log_probs.clone().requires_grad_()
    targets = torch.tensor([FITS] * 3)
    loss = ctckit.ctc_loss(ours, targets, [T] * 3, [3] * 3)
    expected = F.ctc_loss(theirs.transpose(0, 1), targets, [T] * 3, [3] * 3)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(loss, expected, rtol=0, atol=DOUBLE)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=DOUBLE)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_gradcheck(logits, normalize, reduction):
    targets = torch.tensor([[1, 1, 2], [3, 4, 1], [2, 0, 0]])
    assert torch.autograd.gradcheck(
        lambda x: ctckit.ctc_loss(x, targets, [T, 4, T], [3, 3, 1], reduction=reduction, normalize=normalize), logits
    )


def test_scores_have_minus_the_occupancy_as_gradient(logits):
    ctckit.ctc_loss(logits, torch.tensor([FITS] * 3), [T] * 3, [3] * 3, reduction="sum", normalize=False).backward()
    for scores, gradient in zip(logits.detach(), logits.grad, strict=True):
        expected = -ctckit.lattice(scores, FITS).token_occupancy
        np.testing.assert_allclose(gradient.numpy(), expected, rtol=0, atol=DOUBLE)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype):
    logits = torch.randn(2, 12, 6, generator=torch.Generator().manual_seed(0)).to(dtype)
    half, single = logits.clone().requires_grad_(), logits.float().requires_grad_()
    arguments = torch.tensor([[1, 2], [3, 3]]), [12, 10], [2, 2]
    ctckit.ctc_loss(half, *arguments).backward()
    ctckit.ctc_loss(single, *arguments).backward()
    assert half.grad.dtype == dtype
    torch.testing.assert_close(half.grad, single.grad.to(dtype), rtol=0, atol=0)


def test_the_same_graph_can_be_used_again(logits):
    """The first gradient becomes .grad, and later ones are added to it. So the graph must keep another copy."""
    loss = ctckit.ctc_loss(logits, torch.tensor([FITS] * 3), [T] * 3, [3] * 3)
    loss.backward(retain_graph=True)
    once = logits.grad.clone()
    for times in (2, 3):
        loss.backward(retain_graph=True)
        torch.testing.assert_close(logits.grad, times * once, rtol=0, atol=DOUBLE)


def test_an_infinite_derivative_of_an_infinite_loss_gives_the_gradient_0(logits):
    losses = ctckit.ctc_loss(logits, TARGETS, *LENGTHS, reduction="none")
    losses.square().sum().backward()
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[0].any()
    assert not logits.grad[1:].any()


@pytest.mark.parametrize("bits", [0x7FC00000, 0xFFFFFFFF, 0x7FC00080, 0x7F800001])
def test_every_bit_pattern_of_nan_is_found(bits):
    logits = np.zeros((1, 6, 40), dtype=np.float32)
    logits.view(np.uint32)[0, 1, 5] = bits
    assert ctckit.ctc_loss(logits, [[1, 2]], [6], [2]).isnan()


def test_numpy_arrays_of_any_layout_are_accepted():
    logits = np.random.default_rng(0).standard_normal((2, 4, 5))
    arguments = [[1, 2], [3, 4]], np.array([4, 4], dtype=np.uint8), [2, 2]
    expected = ctckit.ctc_loss(torch.from_numpy(logits), *arguments)
    readonly = logits.copy()
    readonly.flags.writeable = False
    for each in (
        readonly,
        logits[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
        logits.astype(">f8"),
        np.asfortranarray(logits),
    ):
        assert ctckit.ctc_loss(each, *arguments).item() == expected.item()


def test_autograd_grad_and_no_grad(logits):
    targets = torch.tensor([FITS] * 3)
    loss = ctckit.ctc_loss(logits, targets, [T] * 3, [3] * 3)
    first = torch.autograd.grad(loss, logits, retain_graph=True)[0]
    second = torch.autograd.grad(loss, logits, torch.tensor(2.0, dtype=torch.float64))[0]
    torch.testing.assert_close(second, 2 * first, rtol=0, atol=DOUBLE)
    assert not ctckit.ctc_loss(logits.detach(), targets, [T] * 3, [3] * 3).requires_grad
    with torch.no_grad():
        assert not ctckit.ctc_loss(logits, targets, [T] * 3, [3] * 3).requires_grad


def test_time_first_networks_need_no_copy():
    time_first = torch.randn(T, 3, C, generator=torch.Generator().manual_seed(0)).requires_grad_()
    turned = time_first.detach().transpose(0, 1).numpy()
    assert rows_contiguous(turned) is turned
    batch_first = time_first.detach().transpose(0, 1).contiguous().requires_grad_()
    arguments = torch.tensor([FITS] * 3), [T] * 3, [3] * 3
    ctckit.ctc_loss(time_first.transpose(0, 1), *arguments).backward()
    ctckit.ctc_loss(batch_first, *arguments).backward()
    torch.testing.assert_close(time_first.grad.transpose(0, 1), batch_first.grad, rtol=0, atol=SINGLE_GRADIENT)


def test_module_and_function_are_the_same(logits):
    module = ctckit.CTCLoss(reduction="sum", infeasible="zero", normalize=False)
    loss = module(logits, TARGETS, *LENGTHS)
    expected = ctckit.ctc_loss(logits, TARGETS, *LENGTHS, reduction="sum", infeasible="zero", normalize=False)
    assert loss.item() == expected.item()
    assert repr(module) == (
        "CTCLoss(blank=0, reduction='sum', infeasible='zero', normalize=False, variant=None, validate=True, "
        "backend='auto')"
    )


def test_the_module_has_every_option_of_the_function():
    options = set(inspect.signature(ctckit.ctc_loss).parameters)
    of_a_call = {"logits", "targets", "input_lengths", "target_lengths", "transition_weights", "arrow_weights"}
    assert set(inspect.signature(ctckit.CTCLoss).parameters) == options - of_a_call


def test_the_module_uses_its_backend(logits, monkeypatch):
    asked = []
    kernel = BACKENDS["reference"]
    monkeypatch.setitem(BACKENDS, "reference", lambda *a, **k: asked.append(True) or kernel(*a, **k))
    ctckit.CTCLoss(backend="reference")(logits, TARGETS, *LENGTHS)
    assert asked == [True]


def test_numpys_booleans_are_booleans(logits):
    arguments = logits, torch.tensor([FITS] * 3), [T] * 3, [3] * 3
    for value in (True, False):
        found = ctckit.ctc_loss(*arguments, normalize=np.bool_(value))
        assert found.item() == ctckit.ctc_loss(*arguments, normalize=value).item()


@pytest.mark.parametrize("kind", [list, torch.tensor, np.array])
def test_targets_of_different_lengths(logits, kind):
    """A list of sequences, as a data set gives them; forced_align takes them too."""
    sequences = [kind(each[:n].tolist()) for each, n in zip(TARGETS, LENGTHS[1].tolist(), strict=True)]
    assert len({len(each) for each in sequences}) > 1
    for options in ({}, {"variant": ctckit.CTCVariant(blank_bias=0.5)}):
        expected = ctckit.ctc_loss(logits, TARGETS, *LENGTHS, reduction="none", **options)
        found = ctckit.ctc_loss(logits, sequences, *LENGTHS, reduction="none", **options)
        assert found.tolist() == expected.tolist()


def test_a_length_beyond_its_sequence_is_refused():
    logits = torch.zeros(2, 8, 5)
    for function in (ctckit.ctc_loss, ctckit.forced_align):
        with pytest.raises(InvalidInputError, match=r"target_lengths\[1\] is 2, but the length of targets\[1\] is 1\."):
            function(logits.log_softmax(2), [[1, 2, 3], [2]], [8, 8], [3, 2])
