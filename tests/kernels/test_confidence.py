"""Durations and confidences: the core against the reference, wildcards and windows included."""

import numpy as np
import pytest

from ctckit.kernels import runtime
from ctckit.kernels.confidence import native as native_confidence
from ctckit.kernels.confidence import reference as reference_confidence
from ctckit.kernels.loss import reference
from ctckit.topology import ctc_topology
from ctckit.variants import CTCVariant, token_graphs
from tests.support.alignment_truth import recording, text
from tests.support.tolerances import (
    DOUBLE,
    LATTICE_DOUBLE,
    SEARCH_SINGLE,
    SMALL_WINDOWS_FRAMES,
    SMALL_WINDOWS_MEAN_FRAMES,
)


@pytest.fixture(params=runtime.instruction_sets())
def instruction_set(request):
    before = runtime.instruction_set()
    runtime.set_instruction_set(request.param)
    yield request.param
    runtime.set_instruction_set(before)


def problem(frames, tokens, classes, seed, dtype=np.float64):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(frames, classes)) * 2
    log_probs = (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(dtype)
    target = np.array(text(rng, tokens, classes), dtype=np.int64)
    path, _ = reference.viterbi(log_probs.astype(np.float64), ctc_topology(target))
    odd = np.arange(1, 2 * tokens + 1, 2)
    return log_probs, target, path, np.searchsorted(path, odd), np.searchsorted(path, odd, side="right")


SIZES = [(1, 0, 2), (1, 1, 2), (9, 3, 4), (40, 12, 5), (90, 20, 40)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_durations(size, dtype, instruction_set):
    for seed in range(5):
        log_probs, target, path, *_ = problem(*size, seed, dtype)
        found = native_confidence.durations(log_probs, ctc_topology(target), path)
        expected = reference_confidence.durations(log_probs, ctc_topology(target))
        np.testing.assert_allclose(found, expected, atol=SEARCH_SINGLE if dtype == np.float32 else LATTICE_DOUBLE)
        assert expected.sum() == pytest.approx(size[0], rel=LATTICE_DOUBLE)


def test_durations_of_token_graphs_with_wildcards():
    rng = np.random.default_rng(0)
    variant = CTCVariant(wildcards="optional", wildcard_penalty=1.5)
    for target in ([1, 5, 2], [5], [5, 3, 3, 5], [4, 5, 4]):
        lengths = np.array([len(target)]), np.array([15])
        topology = token_graphs(np.array([target]), *lengths, variant, classes=5).topology(0)
        log_probs = np.pad(np.log(rng.dirichlet(np.ones(5), 15)), ((0, 0), (0, 1)))
        path, _ = reference.viterbi(log_probs, topology)
        found = native_confidence.durations(log_probs, topology, path)
        expected = reference_confidence.durations(log_probs, topology)
        np.testing.assert_allclose(found, expected, atol=LATTICE_DOUBLE)


@pytest.mark.parametrize("window", [16, 50, 333])
def test_windows_lose_little_where_the_network_is_sure(window):
    tokens = text(np.random.default_rng(1), 200)
    made = recording([("text", tokens)], 0)
    log_probs, topology = made.log_probs.astype(np.float64), ctc_topology(tokens)
    path, _ = reference.viterbi(log_probs, topology)
    whole = reference_confidence.durations(log_probs, topology)
    cut = native_confidence.durations(log_probs, topology, path, window=window)
    assert cut.sum() == pytest.approx(len(log_probs), rel=LATTICE_DOUBLE)
    assert np.abs(np.cumsum(cut) - np.cumsum(whole)).max() < SMALL_WINDOWS_FRAMES
    if window > len(log_probs) // 10:
        assert np.abs(np.cumsum(cut) - np.cumsum(whole)).mean() < SMALL_WINDOWS_MEAN_FRAMES


def test_windows_cover_all_frames_once():
    log_probs, target, path, *_ = problem(200, 20, 5, 0)
    topology = ctc_topology(target)
    for window in (2, 3, 7, 199, 200, 201):
        assert native_confidence.durations(log_probs, topology, path, window=window).sum() == pytest.approx(
            200, rel=LATTICE_DOUBLE
        )
    pinned = native_confidence.durations(log_probs, topology, path, window=1)
    np.testing.assert_allclose(pinned, np.bincount(path, minlength=topology.num_states), atol=DOUBLE)


@pytest.mark.parametrize("size", SIZES)
def test_confidences_with_wildcards(size, instruction_set):
    for seed in range(5):
        log_probs, target, _, starts, ends = problem(*size, seed)
        for wild in range(-1, len(target)):
            tokens = target.copy()
            if wild >= 0:
                tokens[wild] = native_confidence.WILDCARD
            found = native_confidence.confidences(log_probs, tokens, starts, ends, blank=0)
            expected = reference_confidence.confidences(log_probs, tokens, starts, ends, blank=0)
            np.testing.assert_allclose(found, expected, atol=SEARCH_SINGLE)
            assert np.isnan(found).sum() == (wild >= 0)


def test_many_tokens_are_shared_out():
    tokens = text(np.random.default_rng(0), 1000)
    made = recording([("text", tokens)], 0)
    path, _ = reference.viterbi(made.log_probs.astype(np.float64), ctc_topology(tokens))
    odd = np.arange(1, 2001, 2)
    spans = np.searchsorted(path, odd), np.searchsorted(path, odd, side="right")
    found = native_confidence.confidences(made.log_probs, np.array(tokens), *spans, blank=0)
    expected = reference_confidence.confidences(made.log_probs, np.array(tokens), *spans, blank=0)
    np.testing.assert_allclose(found, expected, atol=SEARCH_SINGLE)
