"""Greedy decoding: log-probabilities that are computed when they are asked for."""

import math
import pickle
import time

import numpy as np
import pytest
import torch

import ctckit
from ctckit import greedy_decode
from ctckit.decoding import on_demand
from tests.support.tolerances import STREAM_LOG_PROB


def random_log_probs(seed, frames, classes, sharpness=1.0):
    probs = np.random.default_rng(seed).dirichlet(np.full(classes, 1 / sharpness), frames)
    return np.log(probs + 1e-9).astype(np.float32)


@pytest.mark.parametrize("sharpness", [0.01, 1.0, 20.0])
def test_long_items_are_cut(sharpness, monkeypatch):
    monkeypatch.setattr(on_demand, "EXACT", 128)
    monkeypatch.setattr(on_demand, "WINDOW", 64)
    log_probs = random_log_probs(0, 1000, 12, sharpness)
    found = greedy_decode(log_probs)[0]
    exact = ctckit.lattice(log_probs, found.tokens).log_likelihood
    assert found.log_prob == pytest.approx(exact, abs=STREAM_LOG_PROB * 100)
    assert found.score == found.log_prob


def test_a_token_that_lasts_many_windows(monkeypatch):
    monkeypatch.setattr(on_demand, "EXACT", 16)
    monkeypatch.setattr(on_demand, "WINDOW", 8)
    probs = np.full((100, 3), 0.05)
    probs[:, 1] = 0.9
    probs[60:, [1, 2]] = 0.05, 0.9
    found = greedy_decode(np.log(probs))[0]
    assert found.tokens == (1, 2)
    assert found.log_prob == pytest.approx(ctckit.lattice(np.log(probs), (1, 2)).log_likelihood, abs=STREAM_LOG_PROB)


@pytest.mark.parametrize("frames", [300, 6000])
def test_a_frame_without_any_class(frames):
    log_probs = random_log_probs(0, frames, 4)
    log_probs[frames // 2] = -np.inf
    assert greedy_decode(log_probs)[0].log_prob == -math.inf


@pytest.mark.parametrize("tensor", [False, True])
def test_the_caller_may_change_the_frames(tensor):
    log_probs = random_log_probs(0, 50, 5)
    expected = ctckit.lattice(log_probs.copy(), greedy_decode(log_probs)[0].tokens).log_likelihood
    given = torch.from_numpy(log_probs) if tensor else log_probs
    found = greedy_decode(given)[0]
    given[:] = 0
    assert found.log_prob == pytest.approx(expected, abs=1e-4)


def test_results_are_pickled_without_the_frames():
    log_probs = random_log_probs(0, 3000, 30)
    found = greedy_decode(log_probs)[0]
    content = pickle.dumps(found)
    assert len(content) < 40 * len(found.tokens) + 4000
    again = pickle.loads(content)
    assert again == found
    assert (again.log_prob, again.score, again.spans) == (found.log_prob, found.score, found.spans)


def test_it_takes_linear_time():
    short, long = random_log_probs(0, 2000, 12), random_log_probs(0, 200_000, 12)
    greedy_decode(short)

    def seconds(log_probs):
        start = time.process_time()
        greedy_decode(log_probs)
        return time.process_time() - start

    assert seconds(long) < 100 * 10 * min(seconds(short) for _ in range(3)) + 0.2
    start = time.process_time()
    assert greedy_decode(long)[0].log_prob < 0
    assert time.process_time() - start < 5
