"""Refinement of the best text by one-token changes: the frames propose them, the exact score decides."""

import math

import numpy as np
import pytest

from ctckit import BeamDecoder
from ctckit.decoding import beam
from ctckit.kernels.confidence import reference as reference_confidence
from ctckit.kernels.search import native as native_search
from ctckit.kernels.search import reference as reference_search
from tests.support import oracle
from tests.support.search_problems import ENGINES, LETTERS, TOLERANCES
from tests.support.tolerances import DOUBLE


@pytest.fixture(params=sorted(ENGINES))
def engine(request, monkeypatch):
    monkeypatch.setattr(beam, "_engine", ENGINES[request.param])
    return ENGINES[request.param], TOLERANCES[request.param]


def random_log_probs(rng, frames, classes):
    logits = rng.normal(size=(frames, classes)) * rng.choice([0.5, 2.0, 4.0])
    return (logits - np.logaddexp.reduce(logits, axis=1)[:, None]).astype(np.float32)


def random_case(seed):
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 7))
    log_probs = random_log_probs(rng, int(rng.integers(1, 20)), classes)
    blank = int(rng.integers(classes))
    others = [c for c in range(classes) if c != blank]
    tokens = [int(c) for c in rng.choice(others, size=int(rng.integers(0, 6)))]
    return log_probs, tokens, blank


@pytest.mark.parametrize("seed", range(300))
def test_both_engines_propose_the_same(seed):
    log_probs, tokens, blank = random_case(seed)
    expected = reference_search.propose_refinements(log_probs, tokens, blank)
    assert native_search.propose_refinements(log_probs, tokens, blank) == expected
    assert [k for k, _ in expected] == sorted((k for k, _ in expected), reverse=True)


@pytest.mark.parametrize("seed", range(20))
def test_masses_are_sums_over_all_paths_of_the_frames_between_the_neighbors(seed):
    """By listing them: blanks, one class for a while, blanks; next to an equal neighbor a blank stands between."""
    rng = np.random.default_rng(seed)
    log_probs, blank = random_log_probs(rng, 6, 4).astype(np.float64), 0
    tokens = rng.integers(1, 4, 3)
    starts, ends = np.array([0, 2, 5]), np.array([1, 3, 6])
    found = np.exp(reference_confidence.alternative_masses(log_probs, tokens, starts, ends, 1, blank))
    expected = np.zeros(4)
    for path in np.ndindex(4, 4, 4, 4):  # frames 1 to 4
        read = oracle.collapse((int(tokens[0]), *path, int(tokens[2])), blank)
        if len(oracle.collapse(path, blank)) == 1 and len(read) == 3:
            expected[read[1]] += math.exp(sum(log_probs[1 + t, c] for t, c in enumerate(path)))
    expected[blank] = math.exp(log_probs[1:5, blank].sum())
    assert found == pytest.approx(expected, abs=DOUBLE)


@pytest.mark.usefixtures("engine")
def test_the_error_of_a_narrow_beam_is_corrected():
    """A beam of one: "a" leads after two frames; its only rival is dropped before the last frame supports it."""
    probs = np.array([[0.4, 0.5, 0.1], [0.02, 0.5, 0.48], [0.02, 0.03, 0.95]])
    best = BeamDecoder(["", "a", "b"], beam_width=50).decode(np.log(probs))[0][0]
    narrow = BeamDecoder(["", "a", "b"], beam_width=1).decode(np.log(probs))[0][0]
    assert narrow.log_prob <= best.log_prob
    assert narrow.tokens == best.tokens


@pytest.mark.parametrize("seed", range(60))
def test_no_proposed_change_makes_the_result_better(seed, engine):
    search, tolerance = engine
    rng = np.random.default_rng(seed)
    log_probs = random_log_probs(rng, 12, 4)
    decoder = BeamDecoder(LETTERS, beam_width=1 + seed % 3, hotwords=["ab"], word_bonus=0.4)
    best = decoder.decode(log_probs)[0][0]
    scoring = search.Decoder(decoder.plan)
    for k, token in search.propose_refinements(log_probs, best.tokens, decoder.plan.blank):
        tokens = list(best.tokens)
        tokens[k : k + 1] = [] if token == 0 else [token]
        fusion_score = decoder.plan.fusion_score(scoring.score_parts(tokens), len(tokens))
        assert scoring.rescore(log_probs, tokens).log_prob + fusion_score <= best.score + tolerance


@pytest.mark.parametrize("seed", range(40))
def test_refinement_never_makes_the_result_worse(seed, engine):
    search, tolerance = engine
    log_probs = random_log_probs(np.random.default_rng(seed), 15, 4)
    decoder = BeamDecoder(LETTERS, beam_width=2)
    scoring = search.Decoder(decoder.plan)
    running = scoring.search()
    running.push(log_probs)
    before = max(scoring.rescore(log_probs, each.tokens).log_prob for each in running.best(2))
    hypotheses = decoder.decode(log_probs, n_best=2)[0]
    assert hypotheses[0].log_prob >= before - tolerance
    assert len({each.text for each in hypotheses}) == len(hypotheses)
    stream = decoder.stream()
    stream.push(log_probs)
    assert stream.finish_all(2) == hypotheses


@pytest.mark.parametrize("search", ENGINES.values(), ids=ENGINES)
def test_a_text_without_an_alignment_has_no_refinements(search):
    frames = np.log(np.full((1, 3), 1 / 3)).astype(np.float32)
    assert search.propose_refinements(frames, (1, 2), 0) == []


@pytest.mark.parametrize("seed", range(20))
def test_only_the_tokens_in_range_are_refined(seed, engine):
    """Also after rounds that have deleted tokens, which moves the others."""
    search, _ = engine
    rng = np.random.default_rng(seed)
    log_probs = random_log_probs(rng, 30, 4)
    decoder = search.Decoder(BeamDecoder(LETTERS, beam_width=1).plan)
    tokens = [int(rng.integers(1, 4))]
    while len(tokens) < 14:
        tokens.append(int(rng.choice([token for token in (1, 2, 3) if token != tokens[-1]])))
    found = decoder.refined(log_probs, tokens, past=(), first=3, last=8).tokens.tolist()
    assert found[:3] == tokens[:3]
    assert found[len(found) - 6 :] == tokens[8:]
