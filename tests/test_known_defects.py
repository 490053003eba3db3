"""What is wrong and known, the smallest call for each. Whoever mends one sees it pass, and moves it to its place."""

import gc
import warnings
import weakref

import numpy as np
import pytest
import torch

import ctckit
from ctckit.compat import torch as compat

T, C = 4, 3
pytestmark = pytest.mark.xfail(reason="known: see the test's docstring", strict=True)


def make(**options):
    return torch.randn(2, T, C, generator=torch.Generator().manual_seed(0), **options).requires_grad_()


def loss_of(logits, **options):
    return ctckit.ctc_loss(logits, torch.tensor([[1, 2], [1, 0]]), [T, 3], [2, 1], **options)


@pytest.mark.parametrize("function", ["ctc_loss", "compat"])
def test_a_first_derivative_is_a_plain_tensor(function):
    """With an upstream of 1 the gradient comes back with requires_grad and a grad_fn, that nobody asked for."""
    logits = make()
    loss = (
        loss_of(logits)
        if function == "ctc_loss"
        else compat.ctc_loss(logits.transpose(0, 1), [[1, 2], [1, 0]], [T, 3], [2, 1])
    )
    (gradient,) = torch.autograd.grad(loss, logits)
    assert not gradient.requires_grad


def test_a_first_derivative_does_not_keep_the_logits_alive():
    """The same again: its grad_fn holds what the backward pass saved, after the graph was freed."""
    logits = make()
    alive = weakref.ref(logits)
    gradient = torch.autograd.grad(loss_of(logits), logits)
    del logits
    gc.collect()
    assert gradient is not None
    assert alive() is None


def test_a_hook_sees_a_plain_tensor():
    """The same once more: what a hook on the logits keeps, say its norm, carries the graph along."""
    logits, seen = make(), []
    between = logits * 1
    between.register_hook(lambda gradient: seen.append(gradient.requires_grad))
    loss_of(between).backward()
    assert seen == [False]


def test_the_reference_is_quiet_about_a_frame_with_every_class_masked():
    """−∞ − (−∞) in reference.log_softmax: the result is right, and a RuntimeWarning comes with it."""
    logits = make().detach()
    logits[1, 2] = -torch.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        losses = loss_of(logits, reduction="none", backend="reference")
    assert losses.isinf().tolist() == [False, True]


def test_second_derivatives_by_torch_func():
    """torch.autograd has them; torch.func.grad twice ends in a RuntimeError about a missing setup_context."""
    logits = make(dtype=torch.float64)
    (gradient,) = torch.autograd.grad(loss_of(logits), logits, create_graph=True)
    (expected,) = torch.autograd.grad(gradient.square().sum(), logits)
    found = torch.func.grad(lambda x: torch.func.grad(loss_of)(x).square().sum())(logits.detach())
    torch.testing.assert_close(found, expected)


def test_a_tensor_with_the_negative_bit():
    """The imaginary part of a conjugate is such a view: a right input, and .numpy() refuses it."""
    spectrum = torch.complex(make().detach(), make().detach())
    view = spectrum.conj().imag
    assert view.is_neg()
    assert loss_of(view).item() == loss_of(view.clone().resolve_neg()).item()


def test_compiled_and_eager_agree_on_an_infinite_derivative_of_an_infinite_loss():
    """Eager: what cannot be emitted pulls nowhere. Compiled: 0 · ∞, which is NaN."""

    def step(logits):
        return ctckit.ctc_loss(
            logits, torch.tensor([[1, 1], [1, 2]]), torch.tensor([2, T]), torch.tensor([2, 2]), reduction="none"
        ).square()

    torch._dynamo.reset()
    plain, compiled = make(), make()
    step(plain).sum().backward()
    torch.compile(step, fullgraph=True, backend="aot_eager")(compiled).sum().backward()
    torch.testing.assert_close(compiled.grad, plain.grad)


def test_padding_has_no_gradient_even_where_the_upstream_is_nan():
    """NaN · 0: an item with a NaN, squared, spreads over the padding, whose gradient should be exactly 0."""
    logits = make().detach()
    logits[1, 0, 0] = torch.nan
    logits.requires_grad_()
    loss_of(logits, reduction="none").square().sum().backward()
    assert not logits.grad[1, 3:].any()


def test_float64_of_the_other_byte_order_is_decoded_in_float64():
    """It is taken for a foreign type and computed in float32."""
    log_probs = np.log(np.random.default_rng(0).dirichlet(np.ones(4), (1, 300)))
    (swapped,), (plain,) = (ctckit.greedy_decode(each) for each in (log_probs.astype(">f8"), log_probs))
    assert swapped.log_prob == plain.log_prob


def test_normalize_takes_only_true_and_false():
    """Every other option is checked; this one takes "no" for yes."""
    with pytest.raises(ctckit.errors.InvalidInputError, match="normalize"):
        loss_of(make(), normalize="no")


def test_a_label_beyond_int64_is_shown_as_it_was_given():
    """An array of uint64 is turned into int64 before it is checked: the message says -1."""
    targets = np.array([[2**64 - 1, 2], [1, 1]], dtype=np.uint64)
    with pytest.raises(ctckit.errors.InvalidInputError, match=r"targets\[0, 0\] is 18446744073709551615;"):
        ctckit.ctc_loss(make(), targets, [T, T], [2, 1])
