"""Alignments of hours: exact, fast, and in little memory."""

import resource
import time

import numpy as np
import pytest

from ctckit.kernels.align import native as native_align
from ctckit.kernels.align.native import AlignSettings
from tests.support.tolerances import LONG_PATH_NATS, PATH_NATS

NEVER = 1 << 62


def recording(frames, tokens, classes, *, wrong, seed=0):
    """Posteriors of a text with one frame for each token, evenly distributed, and some wrong frames."""
    rng = np.random.default_rng(seed)
    target = rng.integers(1, classes, tokens)
    needed = 1 + np.append(False, target[1:] == target[:-1])
    gaps = rng.multinomial(frames - needed.sum(), np.full(tokens + 1, 1 / (tokens + 1)))[:-1]
    path = np.zeros(frames, dtype=np.int64)
    path[np.cumsum(needed + gaps) - 1] = target
    path = np.where(rng.random(frames) < wrong, rng.integers(0, classes, frames), path)
    log_probs = rng.standard_normal((frames, classes), dtype=np.float32)
    log_probs[np.arange(frames), path] += 6
    log_probs -= np.log(np.exp(log_probs).sum(axis=1, keepdims=True))
    return log_probs, target


def align(log_probs, target, **settings):
    (path,) = native_align.align_batch(
        log_probs[None],
        np.array([len(log_probs)]),
        target[None],
        np.array([len(target)]),
        blank=0,
        settings=AlignSettings(**settings),
    )
    return path


def score_of(path, log_probs, target):
    """The score of a path, summed again in float64."""
    classes = np.zeros(len(log_probs), dtype=np.int64)
    for token, start, end in zip(target, path.starts, path.ends, strict=True):
        classes[start:end] = token
    return log_probs[np.arange(len(log_probs)), classes].astype(np.float64).sum()


@pytest.mark.parametrize("wrong", [0.05, 0.9])
def test_single_precision_finds_the_same_path(wrong):
    """float32 is searched in float32 first; as float64 it is searched in float64 throughout."""
    log_probs, target = recording(20_000, 4_000, 40, wrong=wrong)
    path, exact = align(log_probs, target), align(log_probs.astype(np.float64), target)
    assert path.starts.tolist() == exact.starts.tolist()
    assert path.ends.tolist() == exact.ends.tolist()
    assert path.log_prob == exact.log_prob == pytest.approx(score_of(path, log_probs, target), abs=PATH_NATS)


@pytest.mark.parametrize("wrong", [0.02, 0.3])
def test_pruning_changes_nothing(wrong):
    log_probs, target = recording(20_000, 4_000, 40, wrong=wrong, seed=1)
    pruned, whole = align(log_probs, target, prune_from=0), align(log_probs, target, prune_from=NEVER)
    assert pruned.log_prob == whole.log_prob
    assert pruned.starts.tolist() == whole.starts.tolist()


@pytest.mark.difference(
    "torchaudio",
    "memory",
    "a byte for each frame and state: 14 GB for an hour and 40,000 tokens, where it fails",
    "some dozen bytes per frame",
)
@pytest.mark.slow
def test_a_million_frames():
    """200,000 tokens: in a minute and 200 MB, where all cells of the table would be 1.6 TB."""
    log_probs, target = recording(1_000_000, 200_000, 32, wrong=0.1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    path = align(log_probs, target)
    assert time.process_time() - started < 60
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10
    assert (path.starts < path.ends).all()
    assert (path.ends[:-1] <= path.starts[1:]).all()
    assert path.log_prob == pytest.approx(score_of(path, log_probs, target), abs=LONG_PATH_NATS)
