"""Logits of any size: the loss and its derivatives, against sums of fractions over all paths.

A logit that is 1e290 below the largest one in its frame is a mask, like −∞; see test_kernels_agree.py.
A float64 near 1e20 has steps of 16,384. Where every path costs that much, plain sums lose what tells the paths apart.
"""

import numpy as np
import pytest
import torch

import ctckit
from ctckit.compat import torch as compat
from ctckit.topology import ADVANCE, START
from tests.support import oracle
from tests.support.tolerances import HALF_ROUNDING, SINGLE_GRADIENT, SINGLE_LOSS

C = 3
SINGLE_SCALES = (1e6, 1e10, 1e15, 1e20, 1e30, 3e38)
SCALES = {
    torch.float16: (1e3, 6e4),
    torch.bfloat16: SINGLE_SCALES,
    torch.float32: SINGLE_SCALES,
    torch.float64: (*SINGLE_SCALES, 1e150, 1e280),
}
BACKENDS = ("native", "reference")
CASES = [(dtype, scale, backend) for dtype, scales in SCALES.items() for scale in scales for backend in BACKENDS]
VARIANTS = {
    "plain": ctckit.CTCVariant(),
    "two frames each": ctckit.CTCVariant(min_frames=2),
    "without a blank": ctckit.CTCVariant(use_blank=False),
    "delay": ctckit.CTCVariant(delay_penalty=0.1, blank_bias=-1.5),
    "wildcards": ctckit.CTCVariant(wildcards="everywhere", wildcard_penalty=1.0),
}


def problems(scale, count):
    """Frames that mix small values and ±scale, and their targets; some frames mask a class."""
    rng = np.random.default_rng(int(np.log10(scale)))
    for _ in range(count):
        frames = int(rng.integers(1, 5))
        x = rng.choice([0.0, 0.0, 1.0, -1.0, scale, -scale, scale / 2], size=(frames, C))
        if rng.random() < 0.2:
            x[rng.integers(frames), 0] = -np.inf
        yield x, rng.integers(1, C, rng.integers(0, 3)).tolist()


def expected(x, target, *, normalize):
    """The loss and the gradient of (T, C) logits or scores."""
    scores = oracle.exact_log_softmax(x.tolist())
    probs = [[0.0 if each is None else np.exp(float(max(each, -1000))) for each in row] for row in scores]
    if not normalize:
        scores = [[None if each == -np.inf else oracle.Fraction(each) for each in row] for row in x.tolist()]
    loss, occupancy = oracle.exact_class_occupancy(scores, target, 0)
    if loss == np.inf:
        return loss, np.zeros(x.shape)
    return float(loss), np.array(probs) * normalize - np.array(occupancy)


def found(x, target, **options):
    leaf = x[None].clone().requires_grad_()
    loss = ctckit.ctc_loss(leaf, [target], [len(x)], [len(target)], **options)
    loss.sum().backward()
    return loss.sum().double().item(), leaf.grad[0].double().numpy()


def expect_loss(loss, exact, dtype):
    if dtype != torch.float64:
        exact = float(torch.tensor(exact, dtype=torch.float64).float())  # the type of the loss: beyond 3.4e38 it is ∞
    assert loss == exact or abs(loss - exact) <= SINGLE_LOSS * max(1, abs(exact))


@pytest.mark.parametrize(("dtype", "scale", "backend"), CASES, ids=lambda value: str(value).removeprefix("torch."))
@pytest.mark.parametrize("normalize", [True, False])
def test_loss_and_gradient(dtype, scale, backend, normalize):
    rounding = SINGLE_GRADIENT + HALF_ROUNDING.get(str(dtype).removeprefix("torch."), 0)
    for x, target in problems(scale, 12):
        logits = torch.from_numpy(x).to(dtype)
        loss, gradient = expected(logits.double().numpy(), target, normalize=normalize)
        for reduction in ("sum", "none"):
            ours, slope = found(logits, target, backend=backend, normalize=normalize, reduction=reduction)
            expect_loss(ours, loss, dtype)
            np.testing.assert_allclose(slope, gradient, rtol=0, atol=rounding)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_path_that_has_to_leave_two_certain_frames(backend):
    """Each path costs 1e20: four paths share it, by where they leave the blank."""
    logits = torch.tensor([[1e20, 0.0, 0.0]] * 4)
    loss, gradient = found(logits, [1], backend=backend, reduction="sum")
    assert loss == pytest.approx(1e20)
    np.testing.assert_allclose(gradient, [[0.25, -0.25, 0.0]] * 4, atol=SINGLE_GRADIENT)


@pytest.mark.parametrize("scale", [1e10, 1e20, 1e38])
def test_the_gradient_of_compat_torch(scale):
    for x, target in problems(scale, 12):
        log_probs = torch.from_numpy(-np.abs(x)).requires_grad_()
        loss = compat.ctc_loss(log_probs[:, None], torch.tensor([target]).long(), [len(x)], [len(target)])
        loss.backward()
        exact, gradient = expected(log_probs.detach().numpy(), target, normalize=False)
        gradient = gradient + np.exp(log_probs.detach().numpy()) if np.isfinite(exact) else gradient
        np.testing.assert_allclose(log_probs.grad, gradient / max(len(target), 1), rtol=0, atol=SINGLE_GRADIENT)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1.0, 1e10, 1e15, 1e20, 1e30, 3e38])
@pytest.mark.parametrize("normalize", [True, False])
def test_second_derivatives(dtype, scale, normalize):
    """The derivative of an occupancy is its covariance with the score of a path along the direction."""
    rng = np.random.default_rng(0)
    for x, target in problems(scale, 12):
        logits, direction = torch.from_numpy(x).to(dtype), torch.from_numpy(rng.normal(size=x.shape)).to(dtype)
        leaf = logits[None].clone().requires_grad_()
        loss = ctckit.ctc_loss(leaf, [target], [len(x)], [len(target)], reduction="sum", normalize=normalize)
        (slope,) = torch.autograd.grad(loss, leaf, create_graph=True)
        (second,) = torch.autograd.grad((slope[0] * direction).sum(), leaf)
        exact = second_derivative(logits.double().numpy(), target, direction.double().numpy(), normalize)
        np.testing.assert_allclose(second[0].double(), exact, rtol=0, atol=SINGLE_GRADIENT)


def second_derivative(x, target, direction, normalize):
    scores = oracle.exact_log_softmax(x.tolist())
    probs = np.array([[0.0 if each is None else np.exp(float(max(each, -1000))) for each in row] for row in scores])
    _, posterior = oracle.exact_posterior(scores, target, 0)
    along = {path: sum(direction[t, c] for t, c in enumerate(path)) for path in posterior}
    mean = sum(prob * along[path] for path, prob in posterior.items())
    result = probs * (direction - (probs * direction).sum(axis=1, keepdims=True)) * (normalize and bool(posterior))
    for path, prob in posterior.items():
        result[np.arange(len(x)), path] -= prob * (along[path] - mean)
    return result


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("scale", [1.0, 1e10, 1e20, 1e38])
@pytest.mark.parametrize("normalize", [True, False])
def test_variants_agree_with_the_reference(variant, scale, normalize):
    for x, target in problems(scale, 6):
        results = []
        for backend in BACKENDS:
            leaf = torch.from_numpy(x)[None].requires_grad_()
            weights = None
            if variant == "plain":
                weights = torch.linspace(-1, 1, 7 * (2 * len(target) + 1), dtype=torch.float64).reshape(7, -1)
                weights.requires_grad_()
            options = {"variant": VARIANTS[variant], "backend": backend, "normalize": normalize}
            loss = ctckit.ctc_loss(leaf, [target], [len(x)], [len(target)], transition_weights=weights, **options)
            loss.backward()
            results.append((loss.detach(), leaf.grad, torch.zeros(1) if weights is None else weights.grad))
        for ours, theirs in zip(*results, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=SINGLE_LOSS, atol=SINGLE_GRADIENT)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_huge_weights_of_transitions(dtype):
    """A start in the token and an advance into it, both at −1e200: one of them is on each path."""
    weights = torch.zeros(7, 3, dtype=torch.float64)
    weights[[START, ADVANCE], 1] = -1e200
    _, gradient = found(torch.zeros(2, 2, dtype=dtype), [1], transition_weights=weights, normalize=False)
    np.testing.assert_allclose(gradient, [[-1 / 3, -2 / 3], [-1 / 3, -2 / 3]], atol=SINGLE_GRADIENT)


def test_longer_items_agree_with_the_reference():
    rng = np.random.default_rng(1)
    logits = torch.from_numpy(1e20 * rng.normal(size=(30, 6)))
    logits[rng.random((30, 6)) < 0.5] = 1.0
    for target in ([1, 2, 2, 3], list(rng.integers(1, 6, 15))):
        (loss, gradient), (theirs, other) = (found(logits, target, backend=each) for each in BACKENDS)
        assert loss == pytest.approx(theirs, rel=SINGLE_LOSS)
        np.testing.assert_allclose(gradient, other, rtol=0, atol=SINGLE_GRADIENT)
        np.testing.assert_allclose(gradient.sum(axis=1), 0, rtol=0, atol=SINGLE_GRADIENT)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_lowest_number_is_a_mask(dtype):
    """A class at the lowest finite number has the gradients of one at −∞ where another path exists."""
    logits = torch.randn(8, 5, dtype=dtype, generator=torch.Generator().manual_seed(0))
    results = []
    for mask in (torch.finfo(dtype).min, -torch.inf):
        masked = logits.clone()
        masked[3:5, 0] = masked[:, 4] = mask
        results.append(found(masked, [1, 2, 3]))
    (loss, gradient), (theirs, other) = results
    assert loss == pytest.approx(theirs, rel=SINGLE_LOSS)
    np.testing.assert_allclose(gradient, other, rtol=0, atol=SINGLE_GRADIENT)


@pytest.mark.parametrize("scale", [1e15, 1e20, 1e38])
def test_occupancies_of_a_lattice(scale):
    for x, target in problems(scale, 12):
        lattice = ctckit.lattice(-np.abs(x), target)
        scores = [[None if each == np.inf else -oracle.Fraction(each) for each in row] for row in np.abs(x).tolist()]
        _, occupancy = oracle.exact_class_occupancy(scores, target, 0)
        np.testing.assert_allclose(lattice.token_occupancy, occupancy, rtol=0, atol=SINGLE_GRADIENT)
