"""Threads share decoders and models. Free-threaded Python runs them at the same time, and the GIL stays off."""

import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import ctckit
from tests.support.open_models import RandomModel
from tests.support.problems import random_probs

TEXT = ["ab", "ba", "abba", "baba", "bab", "ab", "aab", "bba", "ab", "ba", "b", "a", "abab"]
VOCABULARY = ctckit.Vocabulary(["", "a", "b", "|"], separator="|")


def shared(language_model):
    return ctckit.BeamDecoder(VOCABULARY, language_model=language_model, beam_width=16, lm_weight=0.7)


@pytest.fixture(scope="module")
def model():
    return ctckit.NGramModel.train([" ".join(TEXT[k:] + TEXT[:k]) for k in range(len(TEXT))], order=3)


def facts(hypothesis):
    return hypothesis.tokens, hypothesis.log_prob, hypothesis.score


def answers(seed, model, decoders):
    """Return what one caller asks of every kernel that works without torch."""
    rng = np.random.default_rng(seed)
    log_probs = np.log(random_probs(rng, 40 + seed % 5, 4, 3.0)).astype(np.float32)
    found = []
    for decoder in decoders:
        found.append(facts(decoder.decode(log_probs)[0][0]))
        stream = decoder.stream()
        for at in range(0, len(log_probs), 7):
            stream.push(log_probs[at : at + 7])
            found.append(stream.partial().tentative)
        found.append(facts(stream.finish()))
    words = [TEXT[k] for k in rng.integers(0, len(TEXT), 12)]
    trained = ctckit.NGramModel.train([" ".join(words)] * 3, order=2)
    found.append((model.log_prob(words), trained.log_prob(words[::-1])))
    (alignment,) = ctckit.forced_align(log_probs[None], [[1, 2, 3, 1]])
    found.append((alignment.starts.tolist(), alignment.ends.tolist(), alignment.log_prob))
    found.append(ctckit.lattice(log_probs, [1, 2, 1]).log_likelihood)
    return found


def test_threads_share_decoders_and_models(model):
    """Each gets what it gets alone, with a model in C++ and with one in Python."""
    decoders = [shared(model), shared(RandomModel("char", 5))]
    seeds = [seed for seed in range(6) for _ in range(4)]
    alone = {seed: answers(seed, model, decoders) for seed in range(6)}
    with ThreadPoolExecutor(8) as callers:
        found = list(callers.map(lambda seed: answers(seed, model, decoders), seeds))
    for seed, each in zip(seeds, found, strict=True):
        assert each == alone[seed]


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python has a GIL")
def test_the_core_does_not_bring_the_gil_back():
    code = "import sys, ctckit; ctckit.num_threads(); assert not sys._is_gil_enabled()"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
