"""Decoders in other processes, however these are started: the same results, and the language model by its path."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from ctckit import BeamDecoder, NGramModel
from tests.support.search_problems import LETTERS

STARTS = multiprocessing.get_all_start_methods()


@pytest.fixture
def decoder(tmp_path):
    NGramModel.train(["ab ba", "ab a", "b ab"], order=2).save(tmp_path / "words.ctclm")
    model = NGramModel.load(tmp_path / "words.ctclm")
    return BeamDecoder(LETTERS, language_model=model, hotwords=["ba"], beam_width=20)


@pytest.fixture
def items():
    return [np.log(np.random.default_rng(seed).dirichlet(np.ones(len(LETTERS)), 12)) for seed in range(4)]


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_pool_of_processes(start, decoder, items):
    expected = decoder.decode(items)  # the parent's thread pool runs before a fork
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(start)) as pool:
        assert [found for [found] in pool.map(decoder.decode, items)] == expected
        assert pool.submit(decoder.decode, items).result() == expected  # a batch, on threads of the worker


def test_joblib(decoder, items):
    joblib = pytest.importorskip("joblib")
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(decoder.decode)(item) for item in items)
    assert [each for [each] in found] == decoder.decode(items)
