"""The result does not depend on the memory layout and the integer types of the arguments."""

import numpy as np
import pytest
import torch

import ctckit
from tests.fuzz.calls import FLOATS, LAYOUTS, arranged
from tests.support.tolerances import HALF_ROUNDING, SINGLE_GRADIENT

B, T, C = 3, 7, 5
TARGETS, LENGTHS = [[1, 1, 2], [3, 4, 1], [2, 0, 0]], ([T, 5, T], [3, 3, 1])
UPSTREAM = torch.tensor([1.5, 0.0, -2.0])
EXPANDED = {"one item expanded": 0, "one frame expanded": 1}


def loss_and_gradient(leaf, view, targets=TARGETS, lengths=LENGTHS):
    """Return the losses, and the gradient of the leaf: the sum over all entries of the view that share its memory."""
    losses = ctckit.ctc_loss(view(leaf), targets, *lengths, reduction="none")
    losses.backward(UPSTREAM.to(losses.dtype))
    return losses.detach(), leaf.grad


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_views_have_the_values_and_the_gradient_of_copies(layout, dtype):
    """Transposed, sliced with an offset, with gaps between the classes, expanded; the gradient is of the source."""
    values = torch.randn(B, T, C, generator=torch.Generator().manual_seed(0)).to(FLOATS[dtype])
    axis = EXPANDED.get(layout)
    source = values if axis is None else values.narrow(axis, 0, 1)

    def same_numbers(x):
        return x if axis is None else torch.cat([x] * values.shape[axis], dim=axis)

    losses, gradient = loss_and_gradient(
        source.clone().requires_grad_(),
        lambda x: arranged(same_numbers(x) if axis is None else x.expand(B, T, C), layout),
    )
    expected, expected_gradient = loss_and_gradient(source.clone().requires_grad_(), same_numbers)
    assert torch.equal(losses, expected)
    rounding = HALF_ROUNDING.get(dtype, 0) * (1 if axis is None else values.shape[axis])  # one rounding for each term
    torch.testing.assert_close(gradient, expected_gradient, rtol=rounding, atol=SINGLE_GRADIENT)


def negated_view(values):
    """Return the imaginary part of a conjugate: torch negates it at each read, and NumPy does not know that."""
    view = torch.complex(torch.zeros_like(values), -values).conj().imag
    assert view.is_neg()
    return view


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("function", ["ctc_loss", "greedy_decode", "lattice", "diagnose"])
def test_views_that_are_negated_when_they_are_read(function, dtype):
    values = torch.randn(B, T, C, generator=torch.Generator().manual_seed(0)).to(dtype).log_softmax(2)
    labels = torch._neg_view(-torch.tensor(TARGETS))
    calls = {
        "ctc_loss": lambda x: ctckit.ctc_loss(x, labels, *LENGTHS).item(),
        "greedy_decode": lambda x: ctckit.greedy_decode(x),
        "lattice": lambda x: ctckit.lattice(x[0], labels[0]).log_likelihood,
        "diagnose": lambda x: str(ctckit.diagnose(x, labels, *LENGTHS)),
    }
    assert calls[function](negated_view(values)) == calls[function](values)


def test_derivatives_through_views_that_are_negated_when_they_are_read():
    """The logits, the upstream gradient, and the direction of the second derivative."""
    values = torch.randn(B, T, C, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def derivatives(leaf, view):
        losses = ctckit.ctc_loss(view(leaf), TARGETS, *LENGTHS, reduction="none")
        (first,) = torch.autograd.grad(losses, leaf, view(UPSTREAM.double()), create_graph=True)
        return first, torch.autograd.grad(first, leaf, view(values))[0]

    found, expected = (derivatives(values.clone().requires_grad_(), view) for view in (negated_view, torch.clone))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


UNSIGNED = [torch.uint8, torch.uint16, torch.uint32, torch.uint64]


@pytest.mark.parametrize("kind", [torch.int8, torch.int16, torch.int32, torch.int64, *UNSIGNED])
@pytest.mark.parametrize("upstream", [2.0, torch.inf])
def test_lengths_of_every_width_where_the_gradient_is_scaled(kind, upstream):
    leaf = torch.randn(B, T, C, generator=torch.Generator().manual_seed(0)).requires_grad_()
    frames, tokens = (torch.tensor(each).to(kind) for each in LENGTHS)
    loss = ctckit.ctc_loss(leaf, TARGETS, frames, tokens)
    loss.backward(torch.tensor(upstream), retain_graph=True)
    assert not leaf.grad[1, 5:].any()
    assert leaf.grad[0].all()


@pytest.mark.parametrize("kind", [torch.int8, torch.int16, torch.int32, torch.int64, *UNSIGNED])
def test_integers_of_every_width(kind):
    logits = torch.randn(B, T, C, generator=torch.Generator().manual_seed(0))
    targets, lengths = torch.tensor(TARGETS).to(kind), tuple(torch.tensor(each).to(kind) for each in LENGTHS)
    found = loss_and_gradient(logits.clone().requires_grad_(), torch.clone, targets, lengths)
    expected = loss_and_gradient(logits.clone().requires_grad_(), torch.clone)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_classes_beyond_the_range_of_a_narrow_type():
    """300 classes, and targets of 8 bits: no comparison may overflow."""
    logits = torch.randn(2, 9, 300, generator=torch.Generator().manual_seed(0))
    targets = np.array([[127, 1], [2, 3]])
    expected = ctckit.ctc_loss(logits, targets, [9, 9], [2, 2], blank=299)
    for kind in (np.int8, np.uint8):
        assert ctckit.ctc_loss(logits, targets.astype(kind), [9, 9], [2, 2], blank=299) == expected


def test_targets_and_lengths_may_be_views():
    logits = torch.randn(B, T, C, generator=torch.Generator().manual_seed(0))
    targets, (frames, tokens) = torch.tensor(TARGETS), (torch.tensor(each) for each in LENGTHS)
    expected = ctckit.ctc_loss(logits, targets, frames, tokens)
    wide = targets.repeat_interleave(2, dim=1)
    for each in (targets.t().contiguous().t(), wide[:, ::2]):
        assert not each.is_contiguous()
        assert (
            ctckit.ctc_loss(logits, each, frames.repeat_interleave(2)[::2], tokens.repeat_interleave(2)[1::2])
            == expected
        )
