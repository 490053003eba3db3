"""Scores that are no log-probabilities: noticed where that can be known."""

import warnings

import numpy as np
import pytest
import torch

from ctckit import align_utterances, forced_align
from ctckit._distributions import MOST_FRAMES, expect_distributions
from ctckit.errors import InputWarning, InvalidInputError

FRAMES, CLASSES = 40, 200
TAKERS = {
    "forced_align": lambda scores: forced_align(scores, [1, 2]),
    "a batch": lambda scores: forced_align(scores[None].repeat(3, 0), [[1, 2]] * 3),
    "a tensor": lambda scores: forced_align(torch.from_numpy(scores), [1, 2]),
    "align_utterances": lambda scores: align_utterances(scores, [[1], [2]]),
}


def probabilities(concentration):
    return np.random.default_rng(0).dirichlet(np.full(CLASSES, concentration), FRAMES)


@pytest.fixture(params=TAKERS)
def taker(request):
    return TAKERS[request.param]


def test_flat_probabilities_are_refused(taker):
    probs = probabilities(50.0)
    assert probs.max() < 0.01
    with pytest.raises(InvalidInputError, match=r"log_probs\[0, 0\] has values from 0\.003\d+ to 0\.00\d+, none below"):
        taker(probs)


@pytest.mark.parametrize(
    "scores",
    [
        np.log10(probabilities(0.1)),
        -np.abs(np.random.default_rng(1).normal(0, 3, (FRAMES, CLASSES))),
        0.3 * np.log(probabilities(1.0)),
    ],
    ids=["log10", "negative logits", "scaled"],
)
def test_other_numbers_are_noticed(scores, taker):
    with pytest.warns(InputWarning, match=r"sum to [\d.]+ in log_probs\[0, \d+\]; expected 1\. For logits") as found:
        taker(scores)
    assert len(found) == 1
    assert found[0].filename == __file__


def test_negative_logits_far_below_zero(taker):
    logits = np.random.default_rng(1).normal(-30, 3, (FRAMES, CLASSES))
    with pytest.warns(InputWarning, match=r"their exponentials sum to at most [\d.e-]+ in each frame; expected 1\."):
        taker(logits)


def lacking_classes():
    scores = np.log(probabilities(1.0))
    scores[:, 50:] = -np.inf
    return scores


@pytest.mark.parametrize(
    "scores",
    [
        np.log(probabilities(0.01) + 1e-12),
        np.log(probabilities(1.0)).astype(np.float16),
        torch.from_numpy(np.log(probabilities(1.0))).bfloat16().float().numpy(),
        lacking_classes(),
        np.log(probabilities(1.0))[:, :60],
        np.zeros((FRAMES, 5)),
        np.full((FRAMES, 5), -9.0),
    ],
    ids=["peaked", "float16", "bfloat16", "masked", "fewer classes", "zeros", "equal"],
)
def test_log_probabilities_pass(scores, taker):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        taker(scores)


def test_few_frames_are_looked_at():
    looked_at = []

    def rows(items, frames):
        looked_at.extend(zip(items.tolist(), frames.tolist(), strict=True))
        return np.log(np.full((len(items), 4), 0.25))

    lengths = np.array([0, 3, 0, 5000, 1, 0])
    expect_distributions(rows, lengths)
    assert len(looked_at) <= MOST_FRAMES
    assert all(frame < lengths[item] for item, frame in looked_at)
    assert looked_at[0] == (1, 0)
    assert looked_at[-1] == (4, 0)
    looked_at.clear()
    expect_distributions(rows, lengths[:2])
    assert looked_at == [(1, 0), (1, 1), (1, 2)]
    for nothing in ([], [0], [0, 0]):
        expect_distributions(rows, np.array(nothing, dtype=np.int64))


def test_padding_is_not_looked_at():
    padded = np.full((2, FRAMES, CLASSES), np.nan)
    padded[0, :20] = padded[1, :20] = padded[1, 20:] = np.log(probabilities(1.0))[:20]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        forced_align(padded, [[1], [2]], [20, FRAMES])
