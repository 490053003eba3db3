"""Laws that hold for every input; Hypothesis searches for exceptions."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ctckit
from ctckit.kernels.batch import TargetBatch
from ctckit.kernels.loss import native
from ctckit.topology import collapse
from tests.support.problems import random_batch
from tests.support.tolerances import LAW, SHIFTED_LOSS, SINGLE_GRADIENT

seeds = st.integers(0, 2**32 - 1)
settings.register_profile("suite", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("suite")


@st.composite
def items(draw, most_frames=30):
    """Draw log_probs (T, C), a target that the frames can emit, and the blank."""
    rng = np.random.default_rng(draw(seeds))
    frames, classes = draw(st.integers(1, most_frames)), draw(st.integers(2, 9))
    blank = draw(st.integers(0, classes - 1))
    scale = draw(st.sampled_from([0.1, 1.0, 5.0, 30.0]))
    logits = rng.standard_normal((frames, classes)) * scale
    log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    tokens = [c for c in rng.integers(0, classes, draw(st.integers(0, frames))).tolist() if c != blank]
    while len(tokens) + sum(a == b for a, b in itertools.pairwise(tokens)) > frames:
        tokens.pop()
    return log_probs, tokens, blank


def losses_of(log_probs, targets, blank, input_kind="scores"):
    width = max(map(len, targets), default=0)
    padded = np.full((len(targets), width), blank, dtype=np.int32)
    for row, target in zip(padded, targets, strict=True):
        row[: len(target)] = target
    batch = TargetBatch(padded, np.full(len(targets), len(log_probs)), np.array([len(y) for y in targets]), blank)
    return native.ctc_loss(np.broadcast_to(log_probs, (len(targets), *log_probs.shape)), batch, input_kind=input_kind)


@given(seeds, st.integers(0, 4), st.integers(2, 3))
def test_all_targets_together_have_probability_one(seed, frames, classes):
    logits = np.random.default_rng(seed).standard_normal((frames, classes)) * 3
    log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    targets = [list(y) for n in range(frames + 1) for y in itertools.product(range(1, classes), repeat=n)]
    assert np.exp(-losses_of(log_probs, targets, 0)).sum() == pytest.approx(1, abs=LAW)


@given(items())
def test_occupancies_of_a_frame_sum_to_one(item):
    log_probs, target, blank = item
    found = ctckit.lattice(log_probs, target, blank=blank)
    np.testing.assert_allclose(found.occupancy.sum(axis=1), 1, rtol=0, atol=LAW)
    totals = np.logaddexp.reduce(found.alpha + found.beta, axis=1)
    np.testing.assert_allclose(totals, totals[0], rtol=LAW, atol=0)


@given(items())
def test_best_path_collapses_to_the_target_and_is_part_of_the_sum(item):
    log_probs, target, blank = item
    found = ctckit.lattice(log_probs, target, blank=blank)
    path = found.topology.labels[found.best_path()]
    assert collapse(path, blank=blank) == target
    assert log_probs[np.arange(len(path)), path].sum() <= found.log_likelihood + LAW
    assert collapse(found.topology.labels[found.sample(0)], blank=blank) == target
    assert found.entropy() >= -LAW


@given(seeds, st.sampled_from([np.float32, np.float64]), st.booleans())
def test_the_logit_gradient_sums_to_zero_over_the_classes(seed, dtype, masks):
    logits, batch = random_batch(seed, dtype=dtype, masks=masks)
    gradient = np.empty_like(logits)
    native.ctc_loss(logits, batch, input_kind="logits", gradient=gradient)
    np.testing.assert_allclose(gradient.sum(axis=2), 0, rtol=0, atol=SINGLE_GRADIENT if dtype == np.float32 else LAW)


@given(seeds)
def test_renaming_the_classes_permutes_the_answer(seed):
    logits, batch = random_batch(seed, classes=7, frames=15)
    order = np.random.default_rng(seed).permutation(7)
    renamed = np.empty_like(logits)
    renamed[:, :, order] = logits
    other = TargetBatch(order[batch.targets].astype(np.int32), batch.input_lengths, batch.target_lengths, int(order[0]))
    gradient, other_gradient = np.empty_like(logits), np.empty_like(logits)
    losses = native.ctc_loss(logits, batch, input_kind="logits", gradient=gradient)
    np.testing.assert_allclose(
        native.ctc_loss(renamed, other, input_kind="logits", gradient=other_gradient), losses, rtol=LAW, atol=0
    )
    np.testing.assert_allclose(other_gradient[:, :, order], gradient, rtol=0, atol=LAW)


@given(seeds, st.sampled_from([np.float32, np.float64]))
def test_a_batch_equals_its_items_and_padding_is_not_read(seed, dtype):
    logits, batch = random_batch(seed, items=5, dtype=dtype)  # NaN beyond the lengths
    gradient = np.full_like(logits, np.nan)
    losses = native.ctc_loss(logits, batch, input_kind="logits", gradient=gradient)
    for b, frames in enumerate(batch.input_lengths):
        alone = TargetBatch(
            batch.target(b)[None].copy(), batch.input_lengths[b : b + 1], batch.target_lengths[b : b + 1], batch.blank
        )
        own = np.empty((1, frames, logits.shape[2]), dtype=dtype)
        loss = native.ctc_loss(logits[b : b + 1, :frames], alone, input_kind="logits", gradient=own)
        np.testing.assert_array_equal(loss[0], losses[b])
        np.testing.assert_array_equal(own[0], gradient[b, :frames])
        assert not gradient[b, frames:].any()


@given(seeds, st.sampled_from([1e-3, 1.0, 50.0]))
def test_a_normalized_loss_is_never_negative(seed, scale):
    logits, batch = random_batch(seed, classes=2, tokens=1, frames=40, scale=scale, dtype=np.float32)
    logits[:, :, 0] += 30 * scale  # the empty target is almost certain
    empty = TargetBatch(batch.targets, batch.input_lengths, np.zeros_like(batch.target_lengths), 0)
    assert (native.ctc_loss(logits, empty, input_kind="logits") >= 0).all()


@given(seeds)
def test_a_constant_added_to_a_frame_changes_nothing(seed):
    logits, batch = random_batch(seed, dtype=np.float32)
    shifted = logits + np.random.default_rng(seed).integers(-50, 50, (*logits.shape[:2], 1)).astype(np.float32)
    np.testing.assert_allclose(
        native.ctc_loss(shifted, batch, input_kind="logits"),
        native.ctc_loss(logits, batch, input_kind="logits"),
        rtol=SHIFTED_LOSS,
        atol=0,
    )
