"""The reference against the enumeration of all paths."""

import itertools

import numpy as np
import pytest

from ctckit.kernels.loss import reference
from ctckit.topology import ctc_topology
from tests.support import oracle
from tests.support.problems import random_probs
from tests.support.tolerances import BROKEN, CENTRAL_DIFFERENCE, CENTRAL_STEP, DOUBLE

TARGETS = [[], [1], [2, 1], [1, 1], [1, 2, 1], [2, 2, 1], [1, 1, 1]]
CASES = list(itertools.product(TARGETS, [1, 2, 3, 5, 6], [0, 2]))


def case(target, frames, blank, *, masked=False):
    rng = np.random.default_rng(frames)
    probs = random_probs(rng, frames, 3)
    if masked:
        probs[rng.random(probs.shape) < 0.3] = 0.0
    target = [(c + blank) % 3 for c in target]  # no token is the blank
    with np.errstate(divide="ignore"):
        return probs, np.log(probs), target, ctc_topology(target, blank=blank)


@pytest.mark.parametrize(("target", "frames", "blank"), CASES)
@pytest.mark.parametrize("masked", [False, True])
def test_loss_and_occupancy_are_those_of_all_paths(target, frames, blank, masked):
    probs, log_probs, target, topology = case(target, frames, blank, masked=masked)
    expected = oracle.loss(probs.tolist(), target, blank)
    loss, gradient = reference.score_gradient(log_probs, topology)
    assert loss == pytest.approx(expected, abs=DOUBLE)
    if np.isfinite(expected):
        expected = oracle.class_occupancy(probs.tolist(), target, blank)
        np.testing.assert_allclose(-gradient, expected, rtol=0, atol=DOUBLE)
    else:
        assert not gradient.any()


@pytest.mark.parametrize(("target", "frames", "blank"), CASES)
def test_viterbi_finds_the_best_of_all_paths(target, frames, blank):
    probs, log_probs, target, topology = case(target, frames, blank)
    path, log_prob = reference.viterbi(log_probs, topology)
    if not np.isfinite(oracle.loss(probs.tolist(), target, blank)):
        assert log_prob == -np.inf
        assert len(path) == 0
        return
    best, prob = oracle.best_path(probs.tolist(), target, blank)
    assert log_prob == pytest.approx(np.log(prob), abs=DOUBLE)
    assert tuple(topology.labels[path]) == best


def test_ties_go_to_stay_then_advance_then_skip_and_to_the_later_end():
    topology = ctc_topology([1, 2])
    path, _ = reference.viterbi(np.zeros((5, 3)), topology)
    assert path.tolist() == [1, 3, 4, 4, 4]  # from the end: the later end state, stay as long as possible, advance


def test_the_sum_of_alpha_and_beta_is_the_same_in_every_frame():
    _, log_probs, _, topology = case([1, 2, 1], 6, 0)
    both = reference.forward(log_probs, topology) + reference.backward(log_probs, topology)
    totals = np.logaddexp.reduce(both, axis=1)
    np.testing.assert_allclose(totals, totals[0], rtol=0, atol=DOUBLE)


def test_a_frame_with_every_class_masked_gives_no_warning():
    """The computation has −∞ − (−∞) inside. In the tests, warnings are errors."""
    logits = np.zeros((2, 3))
    logits[1] = -np.inf
    log_probs = reference.log_softmax(logits)
    np.testing.assert_allclose(log_probs[0], -np.log(3), rtol=0, atol=DOUBLE)
    assert np.isneginf(log_probs[1]).all()


def test_the_gradient_is_the_derivative():
    rng = np.random.default_rng(3)
    logits, topology = rng.standard_normal((6, 4)), ctc_topology([1, 1, 3])
    _, gradient = reference.logit_gradient(logits, topology)
    for t, c in itertools.product(range(6), range(4)):
        moved = [logits.copy(), logits.copy()]
        moved[0][t, c] += CENTRAL_STEP
        moved[1][t, c] -= CENTRAL_STEP
        up, down = (reference.logit_gradient(each, topology)[0] for each in moved)
        assert (up - down) / (2 * CENTRAL_STEP) == pytest.approx(gradient[t, c], abs=CENTRAL_DIFFERENCE)


def broken_skips(target, blank):
    topology = ctc_topology(target, blank=blank)
    return {
        "no skip at all": np.full_like(topology.skip, -np.inf),
        "skip between equal neighbors": np.where(
            np.arange(len(topology.skip)) % 2 * np.arange(len(topology.skip)) >= 3, 0.0, -np.inf
        ),
        "skip onto a blank": np.where(np.arange(len(topology.skip)) >= 2, 0.0, -np.inf),
    }, topology


@pytest.mark.parametrize("mutation", ["no skip at all", "skip between equal neighbors", "skip onto a blank"])
def test_a_broken_topology_is_noticed_by_the_oracle(mutation):
    """A test of the tests: these mutations must not pass test_loss_and_occupancy_are_those_of_all_paths."""
    from dataclasses import replace

    probs, log_probs, target, _ = case([1, 1, 2], 6, 0)
    skips, topology = broken_skips(target, 0)
    transitions = np.stack([topology.stay, topology.advance, skips[mutation]])
    loss, _ = reference.score_gradient(log_probs, replace(topology, transitions=transitions))
    assert abs(loss - oracle.loss(probs.tolist(), target, 0)) > BROKEN
