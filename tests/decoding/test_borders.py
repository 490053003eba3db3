"""Cuts of long items: the frames before a cut keep their say, whatever the posteriors."""

import math

import numpy as np
import pytest

import ctckit
from ctckit import BeamDecoder
from ctckit.decoding import streaming
from ctckit.kernels.search import native, reference
from ctckit.kernels.search.plan import Border
from tests.support.tolerances import CUTS_NATS, RESCORED_SINGLE, STREAM_LOG_PROB

ENGINES = {"native": native, "reference": reference}


def normalized(logits):
    return (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(params=sorted(ENGINES))
def engine(request):
    return ENGINES[request.param]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spread", [0.0, 0.3, 3.0])
def test_a_cut_keeps_the_log_probability(engine, spread, dtype):
    rng = np.random.default_rng(0)
    for _ in range(10):
        log_probs = normalized(rng.standard_normal((40, 4)) * spread).astype(dtype)
        tokens = rng.integers(1, 4, 12)
        closed = int(rng.integers(0, 13))
        agreed = int(rng.integers(closed, 13))
        frame = int(rng.integers(0, 41))
        whole = engine.log_prob_after(Border(), log_probs, tokens, 0)
        border = engine.cut(Border(), log_probs, tokens, 0, frame=frame, closed=closed, agreed=agreed)
        rest = engine.log_prob_after(border, log_probs[frame:], tokens[closed:], 0)
        assert border.log_mass + rest == pytest.approx(whole, abs=RESCORED_SINGLE)


def test_the_native_cut_is_that_of_the_reference():
    rng = np.random.default_rng(1)
    for agreed in (4, 6, 10):
        log_probs = normalized(rng.standard_normal((30, 3)))
        tokens = rng.integers(1, 3, 10)
        found, expected = (
            each.cut(Border(), log_probs, tokens, 0, frame=12, closed=4, agreed=agreed) for each in (native, reference)
        )
        assert found.tokens.tolist() == expected.tokens.tolist()
        assert found.fixed == expected.fixed
        assert found.log_mass == pytest.approx(expected.log_mass, abs=RESCORED_SINGLE)
        np.testing.assert_allclose(np.exp(found.column), np.exp(expected.column), atol=RESCORED_SINGLE)


def test_an_impossible_text_stays_impossible(engine):
    log_probs = normalized(np.zeros((4, 3)))
    border = engine.cut(Border(), log_probs, [1, 1, 1], 0, frame=2, closed=1, agreed=3)
    assert border.log_mass == -math.inf
    assert border.tokens.tolist() == []


@pytest.mark.parametrize(("frame", "closed", "agreed"), [(-1, 0, 0), (5, 0, 0), (0, 2, 1), (0, 0, 4)])
def test_a_cut_outside_of_the_item_is_refused(frame, closed, agreed):
    with pytest.raises(ValueError, match="0 ≤ frame ≤ T and closed ≤ agreed ≤ N"):
        native.cut(Border(), normalized(np.zeros((4, 3))), [1, 2, 1], 0, frame=frame, closed=closed, agreed=agreed)


def test_a_border_has_a_number_for_each_state():
    with pytest.raises(ValueError, match="2 N \\+ 1 states for N tokens"):
        native.log_prob_after(Border(column=np.zeros(3)), normalized(np.zeros((4, 3))), [1], 0)


HARD = {
    "identical": np.log(np.tile(np.float32([0.48, 0.52]), (8000, 1))),
    "equal": np.log(np.full((8000, 12), 1 / 12, dtype=np.float32)),
    "flat": normalized(np.random.default_rng(10).standard_normal((6000, 6)) * 0.05),
    "runs": np.repeat(normalized(np.random.default_rng(5).standard_normal((30, 4))), 300, axis=0),
    "silence": np.log(np.tile(np.float32([0.98, 0.01, 0.01]), (9000, 1))),
}


@pytest.mark.parametrize("kind", HARD)
def test_long_items_have_the_log_probability_of_all_alignments(kind):
    """Where frames are alike, nothing says at which token a cut is."""
    log_probs = HARD[kind]
    best = BeamDecoder(["", *map(chr, range(97, 96 + log_probs.shape[1]))], beam_width=20).decode(log_probs)[0][0]
    exact = native.log_prob_after(Border(), log_probs.astype(np.float64), best.tokens, 0)
    assert best.log_prob == pytest.approx(exact, abs=CUTS_NATS * len(log_probs) / 1000)
    ends = [0, *(span.end for span in best.spans)]
    assert all(end <= span.start < span.end for end, span in zip(ends, best.spans, strict=False))


@pytest.mark.parametrize("spread", [0.001, 0.1])
def test_greedy_texts_of_nearly_uniform_frames(spread):
    log_probs = normalized(np.random.default_rng(1).standard_normal((9000, 3)) * spread)
    found = ctckit.greedy_decode(log_probs)[0]
    exact = native.log_prob_after(Border(), log_probs.astype(np.float64), found.tokens, 0)
    assert found.log_prob == pytest.approx(exact, abs=STREAM_LOG_PROB * 10)


def test_a_stream_goes_on_where_texts_must_begin_with_fixed_tokens(monkeypatch):
    """The beam keeps the texts that the border allows, also in copies, and the lists are best first."""
    monkeypatch.setattr(streaming, "window_of", lambda classes: 16)
    for seed in range(20):
        log_probs = normalized(np.random.default_rng(seed).standard_normal((150, 4)) * 0.2)
        decoder = BeamDecoder(["", "a", "b", "c"], beam_width=10)
        stream = decoder.stream()
        for frame in log_probs:
            stream.push(frame[None])
        found = stream.finish_all(5)
        assert found == decoder.decode(log_probs, n_best=5)[0]
        scores = [each.score for each in found]
        assert scores == sorted(scores, reverse=True)
        for each in found:
            exact = ctckit.lattice(log_probs, each.tokens).log_likelihood
            assert each.log_prob == pytest.approx(exact, abs=10 * CUTS_NATS)  # at ten cuts
