"""Rescoring of a text on its frames: log-probability, spans, confidences."""

import itertools
import math

import numpy as np
import pytest

from tests.support import oracle
from tests.support.problems import random_probs
from tests.support.search_problems import ENGINES, TOLERANCES


@pytest.fixture(params=sorted(ENGINES))
def engine(request):
    return ENGINES[request.param], TOLERANCES[request.param]


def naive_confidence(probs, tokens, spans, k, blank):
    """Every filling of the frames between the neighbors, one by one."""
    left, begin = (tokens[k - 1], spans[k - 1][1]) if k else (None, 0)
    right, end = (tokens[k + 1], spans[k + 1][0]) if k + 1 < len(tokens) else (None, len(probs))
    mass = {}
    for path in itertools.product(range(len(probs[0])), repeat=end - begin):
        emitted = oracle.collapse(path, blank)
        merges = (path[0] == left and path[0] != blank) or (path[-1] == right and path[-1] != blank)
        if len(emitted) <= 1 and not merges:
            prob = math.prod(row[c] for row, c in zip(probs[begin:end], path, strict=True))
            mass[emitted] = mass.get(emitted, 0.0) + prob
    return mass[(tokens[k],)] / sum(mass.values())


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("tokens", [(), (1,), (1, 1), (1, 3), (3, 1, 1), (1, 3, 1)])
def test_it_is_what_enumeration_says(tokens, blank, engine):
    search, tolerance = engine
    for seed in range(4):
        probs = random_probs(np.random.default_rng(seed), 6, 4)
        found = search.rescore(np.log(probs), tokens, blank)
        assert found.log_prob == pytest.approx(-oracle.loss(probs.tolist(), tokens, blank), abs=tolerance)
        path, _ = oracle.best_path(probs.tolist(), tokens, blank)
        runs = [(c, [t for t, _ in run]) for c, run in itertools.groupby(enumerate(path), key=lambda each: each[1])]
        spans = [(frames[0], frames[-1] + 1) for c, frames in runs if c != blank]
        assert list(zip(found.starts.tolist(), found.ends.tolist(), strict=True)) == spans
        means = [np.log(probs[start:end, c]).mean() for c, (start, end) in zip(tokens, spans, strict=True)]
        assert found.token_log_probs.tolist() == pytest.approx(means, abs=tolerance)
        sure = [naive_confidence(probs.tolist(), tokens, spans, k, blank) for k in range(len(tokens))]
        assert found.confidences.tolist() == pytest.approx(sure, abs=tolerance)


def test_a_text_without_an_alignment(engine):
    search, _ = engine
    found = search.rescore(np.log(np.full((2, 3), 1 / 3)), (1, 1), 0)
    assert found.log_prob == -math.inf
    assert [found.starts.tolist(), found.ends.tolist()] == [[0, 0], [0, 0]]
    assert (found.token_log_probs.tolist(), found.confidences.tolist()) == ([-math.inf] * 2, [0.0, 0.0])


def test_masked_classes(engine):
    search, tolerance = engine
    with np.errstate(divide="ignore"):
        log_probs = np.log(np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.2, 0.0, 0.8]]))
    found = search.rescore(log_probs, (1, 2), 0)
    assert found.log_prob == pytest.approx(math.log(0.8), abs=tolerance)
    assert found.confidences.tolist() == pytest.approx([1.0, 0.8], abs=tolerance)


def test_no_frames(engine):
    search, _ = engine
    found = search.rescore(np.zeros((0, 3)), (), 0)
    assert (found.log_prob, len(found.starts)) == (0.0, 0)
