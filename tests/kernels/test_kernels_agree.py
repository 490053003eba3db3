"""One test for every backend, instruction set, kind of input and dtype: all agree with the float64 reference."""

import numpy as np
import pytest

from ctckit.kernels import runtime
from ctckit.kernels.loss import BACKENDS, native
from tests.support.problems import random_batch
from tests.support.tolerances import DOUBLE, SINGLE_GRADIENT, SINGLE_LOSS, SMALLEST_LOSS
from tests.support.triton_interpreter import interpreter

REFERENCE = BACKENDS["reference"]


@pytest.fixture(params=runtime.instruction_sets())
def instruction_set(request):
    before = runtime.instruction_set()
    runtime.set_instruction_set(request.param)
    yield request.param
    runtime.set_instruction_set(before)


def expect_agreement(logits, batch, input_kind="logits", weights=None, kernel=native.ctc_loss):
    expected_gradient = np.empty(logits.shape)
    expected = REFERENCE(
        logits.astype(np.float64), batch, input_kind=input_kind, weights=weights, gradient=expected_gradient
    )
    gradient = np.full_like(logits, np.nan)  # poisoned: an entry that is not written stays NaN
    losses = kernel(logits, batch, input_kind=input_kind, weights=weights, gradient=gradient)
    loss_only = kernel(logits, batch, input_kind=input_kind)
    np.testing.assert_array_equal(losses, loss_only)
    single = logits.dtype == np.float32
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(losses[~finite], expected[~finite])
    size = np.maximum(1, np.abs(expected[finite]))
    assert (np.abs(losses[finite] - expected[finite]) / size).max(initial=0) <= (SINGLE_LOSS if single else DOUBLE)
    tolerance = SINGLE_GRADIENT if single else DOUBLE * max(1, size.max(initial=1))
    # e^score has no bound, so its error is relative; probabilities are at most 1.
    relative = tolerance if input_kind == "log_probs" else 0
    np.testing.assert_allclose(gradient, expected_gradient, rtol=relative, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("input_kind", ["logits", "scores", "log_probs"])
@pytest.mark.parametrize("seed", range(12))
def test_small_problems(instruction_set, dtype, input_kind, seed):
    # Numbers of classes near the widths of vectors (4, 8, 16) and of the table (32); targets of one and more blocks of
    # 16 states.
    classes = [2, 3, 5, 8, 16, 17, 31, 32, 33, 64, 65, 130][seed]
    tokens = [0, 1, 3, 14, 15, 16, 17, 31, 33, 40, 5, 12][seed]
    logits, batch = random_batch(
        seed,
        frames=2 * tokens + 4,
        classes=classes,
        tokens=tokens,
        blank=seed % classes,
        dtype=dtype,
        masks=seed % 3 == 1,
    )
    weights = np.random.default_rng(seed).uniform(-1, 2, len(batch)).clip(-0.5)
    expect_agreement(logits, batch, input_kind, weights)


@pytest.mark.parametrize("case", range(6))
def test_triton_in_small_sizes(monkeypatch, case):
    """Tiles of 2 and 8 frames; one window, and windows of 32 pairs that share two pairs with each neighbor."""
    pytest.importorskip("triton", minversion="3.3")
    tokens, frames, pairs, items = [
        (0, 8, 1024, 2),
        (3, 8, 1024, 2),
        (5, 2, 1024, 3),
        (5, 2, 1024, 3),
        (33, 2, 32, 1),
        (4, 2, 1024, 2),
    ][case]
    logits, batch = random_batch(
        case, items=items, frames=2 * tokens // (1 + tokens // 9) + 3, classes=5 + case, tokens=tokens, blank=case,
        dtype=np.float32, masks=case == 3, scale=1 + 4 * case,
    )  # fmt: skip
    if tokens == 33:  # without repeats, few frames are enough
        batch.targets[:] = np.array([c for c in range(5 + case) if c != case])[np.arange(tokens) % (4 + case)]
    weights = np.random.default_rng(case).uniform(0.5, 2, len(batch))
    with interpreter(monkeypatch, frames=frames, pairs=pairs):
        expect_agreement(logits, batch, ["logits", "scores", "log_probs"][case % 3], weights, BACKENDS["triton"])


def text_line(seed, scale, *, trained=False, repeats=False, items=3, frames=64, classes=97, tokens=20):
    logits, batch = random_batch(seed, items=items, frames=frames, classes=classes, tokens=tokens, dtype=np.float32)
    logits = np.random.default_rng(seed).standard_normal(logits.shape, dtype=np.float32) * np.float32(scale)
    targets = batch.targets.copy()
    if not repeats:
        targets = (targets + np.arange(tokens)) % (classes - 1) + 1
    if trained:  # as after training: the right alignment is more likely by e^12 in each frame
        rng = np.random.default_rng(seed)
        for b, length in enumerate(batch.input_lengths):
            labels = np.zeros(length, dtype=int)
            count = min(batch.target_lengths[b], length)
            labels[np.sort(rng.choice(length, count, replace=False))] = targets[b, :count]
            logits[b, np.arange(length), labels] += 12
    return logits, type(batch)(
        np.ascontiguousarray(targets, dtype=np.int32), batch.input_lengths, batch.target_lengths, 0
    )


def hard_cases():
    """Yield 32 cases: several shapes at ordinary and extreme scales, and targets that can barely be emitted, or not."""
    shapes = {
        "text line": {},
        "speech": {"frames": 800, "classes": 32, "tokens": 200, "items": 2},
        "pieces": {"frames": 400, "classes": 1024, "tokens": 60, "items": 2},
    }
    for name, shape in shapes.items():
        for repeats in (False, True):
            for scale, trained in ((2, False), (30, False), (60, False), (2, True)):
                label = f"{name} x{scale}{' repeats' * repeats}{' trained' * trained}"
                yield label, text_line(1, scale, trained=trained, repeats=repeats, **shape)
    yield "large vocabulary", text_line(1, 2, frames=80, classes=6625, tokens=25)
    long = {"frames": 3000, "classes": 32, "tokens": 600, "items": 1}
    for scale, trained in ((2, False), (30, False), (2, True)):
        yield f"long x{scale}{' trained' * trained}", text_line(1, scale, trained=trained, **long)
    for scale in (1, 30, 300):
        yield f"edges x{scale}", edges(scale)
    yield "rush at the end", rush()


def edges(scale):
    """Return items with: T = the minimum; an infeasible target; N = 0; T = 1; T = 1 and N = 0; exactly one path."""
    rng = np.random.default_rng(0)
    logits = (rng.standard_normal((6, 60, 17)) * scale).astype(np.float32)
    targets = rng.integers(1, 17, (6, 60)).astype(np.int32)
    targets[0], targets[1], targets[5, :37] = 3 + np.arange(60) % 2, 5, 1 + np.arange(37) % 16
    if scale == 1:
        logits[0, 10, 5:7] = -np.inf
        logits[2, :20, 5] = -np.inf
    lengths = np.array([60, 60, 60, 1, 1, 37]), np.array([60, 31, 0, 1, 0, 37])
    return logits, type(random_batch(0)[1])(targets, *lengths, 0)


def rush():
    """Return an item whose tokens must all come in the last frames, because blanks are unlikely before them."""
    frames, tokens = 2000, 400
    logits = (np.random.default_rng(0).standard_normal((1, frames, 8)) * 20).astype(np.float32)
    logits[0, : frames - tokens, 0] -= 200
    targets = (1 + np.arange(tokens) % 7)[None].astype(np.int32)
    return logits, type(random_batch(0)[1])(targets, np.array([frames]), np.array([tokens]), 0)


CASES = dict(hard_cases())


def test_the_documented_number_of_hard_cases():
    assert len(CASES) == 32


@pytest.fixture(scope="module")
def reference_answers():
    return {}


@pytest.mark.parametrize("name", CASES)
def test_hard_cases(instruction_set, reference_answers, name):
    logits, batch = CASES[name]
    if name not in reference_answers:  # the reference is slow, so all instruction sets share its answer
        gradient = np.empty(logits.shape)
        reference_answers[name] = REFERENCE(logits, batch, input_kind="logits", gradient=gradient), gradient
    expected, expected_gradient = reference_answers[name]
    gradient = np.full_like(logits, np.nan)
    losses = native.ctc_loss(logits, batch, input_kind="logits", gradient=gradient)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(losses[~finite], expected[~finite])
    error = np.abs(losses[finite] - expected[finite]) / np.abs(expected[finite]).clip(SMALLEST_LOSS)
    assert error.max(initial=0) <= SINGLE_LOSS
    np.testing.assert_allclose(gradient, expected_gradient, rtol=0, atol=SINGLE_GRADIENT)


@pytest.mark.parametrize("mask", [-1e4, -1e9, -3e38, -1e280, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masks_of_any_size_cost_what_they_cost(instruction_set, mask, dtype):
    """A finite mask adds its cost to each path through it. Only −∞ makes a path impossible."""
    if mask == -1e280 and dtype == np.float32:
        mask = -3.4e38
    logits, batch = random_batch(5, items=1, frames=9, classes=4, tokens=4, dtype=dtype)
    logits = np.where(np.isnan(logits), 0, logits).astype(dtype)
    logits[0, :, batch.targets[0, 1]] = mask
    expected = REFERENCE(logits, batch, input_kind="logits")
    losses = native.ctc_loss(logits, batch, input_kind="logits")
    np.testing.assert_allclose(losses, expected, rtol=SINGLE_LOSS, atol=0)
    assert np.isinf(losses[0]) == np.isinf(mask)


@pytest.mark.parametrize("mask", [-2e290, -1e300, np.finfo(np.float64).min])
def test_the_largest_float64_masks_are_as_good_as_minus_infinity(instruction_set, mask):
    """Many people mask with torch.finfo(dtype).min. A path through such a mask is impossible, others do not change."""
    logits, batch = random_batch(5, items=1, frames=9, classes=4, tokens=3)
    logits = np.where(np.isnan(logits), 0, logits)
    logits[0, 2, batch.targets[0, 1]] = mask
    expect_agreement(logits, batch)
    logits[0, :, batch.targets[0, 1]] = mask
    gradient = np.full_like(logits, np.nan)
    assert native.ctc_loss(logits, batch, input_kind="logits", gradient=gradient)[0] == np.inf
    assert not gradient.any()


@pytest.mark.parametrize("input_kind", ["logits", "scores", "log_probs"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_give_nan_in_every_backend(input_kind, value):
    logits, batch = random_batch(7, items=2, frames=6, classes=4, tokens=2, dtype=np.float32)
    logits[0, 3, 1] = value
    for name, kernel in BACKENDS.items():
        if name == "triton":
            continue
        gradient = np.zeros_like(logits)
        losses = kernel(logits, batch, input_kind=input_kind, gradient=gradient)
        assert np.isnan(losses).tolist() == [True, False]
        assert np.isnan(gradient[0]).all()
        assert np.isfinite(gradient[1]).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_give_nan_in_triton(monkeypatch, value):
    pytest.importorskip("triton", minversion="3.3")
    logits, batch = random_batch(7, items=2, frames=4, classes=4, tokens=2, dtype=np.float32)
    logits[0, 3, 1] = value
    gradient = np.zeros_like(logits)
    with interpreter(monkeypatch, frames=4):
        losses = BACKENDS["triton"](logits, batch, input_kind="logits", gradient=gradient)
    assert np.isnan(losses).tolist() == [True, False]
    assert np.isnan(gradient[0]).all()
    assert np.isfinite(gradient[1]).all()


def test_strides_are_followed():
    logits, batch = random_batch(0, items=3, frames=10, classes=7, tokens=3)
    expected = native.ctc_loss(logits, batch, input_kind="logits")
    time_first = np.ascontiguousarray(logits.transpose(1, 0, 2)).transpose(1, 0, 2)
    classes_last = np.asfortranarray(logits)
    wide = np.full((3, 20, 14), np.nan)
    wide[:, ::2, :7] = logits
    for each in (time_first, classes_last, wide[:, ::2, :7], logits[::-1][::-1]):
        np.testing.assert_array_equal(native.ctc_loss(each, batch, input_kind="logits"), expected)
