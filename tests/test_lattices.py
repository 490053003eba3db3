import numpy as np
import pytest
import torch

import ctckit
from ctckit.errors import InfeasibleTargetError, InvalidInputError
from tests.support import oracle
from tests.support.problems import random_probs
from tests.support.tolerances import DOUBLE, SAMPLED_DEVIATIONS


@pytest.fixture
def small():
    probs = random_probs(np.random.default_rng(1), 6, 4)
    return probs, ctckit.lattice(np.log(probs), [2, 2, 1])


def test_entropy_is_that_of_all_paths(small):
    probs, item = small
    assert item.entropy() == pytest.approx(oracle.entropy(probs.tolist(), [2, 2, 1], 0), abs=DOUBLE)


def test_entropy_of_a_single_path_is_zero():
    item = ctckit.lattice(np.log(random_probs(np.random.default_rng(0), 3, 3)), [1, 1])
    assert item.entropy() == pytest.approx(0, abs=DOUBLE)


def test_samples_come_from_the_posterior(small):
    probs, item = small
    found = oracle.path_probs(probs.tolist(), [2, 2, 1], 0)
    total = sum(found.values())
    rng = np.random.default_rng(7)
    drawn = [tuple(item.topology.labels[item.sample(rng)]) for _ in range(4000)]
    assert set(drawn) <= set(found)
    for path, prob in found.items():
        expected = prob / total
        spread = np.sqrt(expected * (1 - expected) / len(drawn))
        assert drawn.count(path) / len(drawn) == pytest.approx(expected, abs=SAMPLED_DEVIATIONS * spread)


def test_transition_occupancy_is_the_share_of_the_paths_that_take_a_transition(small):
    probs, item = small
    found = oracle.path_probs(probs.tolist(), [2, 2, 1], 0)
    total = sum(found.values())
    for t in range(1, len(probs)):
        by_classes = np.zeros((4, 4))
        for path, prob in found.items():
            by_classes[path[t - 1], path[t]] += prob / total
        mine = np.zeros((4, 4))
        labels = item.topology.labels
        for k, s in zip(*np.nonzero(item.transition_occupancy(t)), strict=True):
            mine[labels[s], labels[s + k]] += item.transition_occupancy(t)[k, s]
        np.testing.assert_allclose(mine, by_classes, rtol=0, atol=DOUBLE)
        np.testing.assert_array_equal(item.arrow_occupancy(t), item.transition_occupancy(t))


def test_samples_repeat_with_the_seed(small):
    _, item = small
    np.testing.assert_array_equal(item.sample(3), item.sample(3))


def test_best_path_is_the_most_likely_path(small):
    probs, item = small
    assert tuple(item.topology.labels[item.best_path()]) == oracle.best_path(probs.tolist(), [2, 2, 1], 0)[0]


def test_token_occupancy_sums_the_states_of_each_class(small):
    probs, item = small
    expected = oracle.class_occupancy(probs.tolist(), [2, 2, 1], 0)
    np.testing.assert_allclose(item.token_occupancy, expected, rtol=0, atol=DOUBLE)


@pytest.mark.parametrize(("frames", "target", "log_p"), [(0, [], 0.0), (0, [1], -np.inf), (2, [1, 1], -np.inf)])
def test_no_frames_and_too_few_frames(frames, target, log_p):
    item = ctckit.lattice(np.zeros((frames, 3)), target)
    assert item.log_likelihood == log_p
    assert item.occupancy.shape == (frames, 2 * len(target) + 1)
    assert not item.occupancy.any()
    if log_p == 0:
        assert item.best_path().shape == item.sample().shape == (0,)
        assert item.entropy() == 0
        return
    assert np.isnan(item.entropy())
    assert "no path" in str(item)
    for question in (item.best_path, item.sample):
        with pytest.raises(
            InfeasibleTargetError,
            match=r"target cannot be emitted: no path: \d tokens need \d frames, log_probs has \d\.",
        ):
            question()


def test_the_message_for_a_mask_differs_from_that_for_too_few_frames():
    item = ctckit.lattice(np.where(np.arange(3) == 1, -np.inf, np.zeros((4, 3))), [1])
    assert str(item).endswith("(no path: each passes a class whose log_probs are −∞ in its frame)")


def test_the_width_of_a_drawing_is_checked(small):
    with pytest.raises(InvalidInputError, match=r"width is 0; expected a positive integer\."):
        small[1].draw(width=0)


def test_empty_target_is_all_blank():
    probs = random_probs(np.random.default_rng(0), 5, 3)
    item = ctckit.lattice(np.log(probs), [], blank=2)
    assert item.log_likelihood == pytest.approx(np.log(probs[:, 2]).sum(), abs=DOUBLE)


def test_the_drawing_in_characters():
    probs = np.full((7, 3), 0.02)
    probs[[0, 1, 2, 3, 4, 5, 6], [0, 1, 1, 0, 0, 2, 0]] = 0.96
    drawn = str(ctckit.lattice(np.log(probs), [1, 2])).splitlines()
    assert drawn[0].startswith("lattice of 1 2: 7 frames × 5 states, log p = ")
    assert drawn[1:] == [
        "frame 0",
        "    ∅ █·",
        "    1 ·██·",
        "    ∅   ·██",
        "    2     ·█·",
        "    ∅       █",
        " best ∅11∅∅2∅",
    ]


def test_names_and_width_of_the_drawing():
    item = ctckit.lattice(np.log(random_probs(np.random.default_rng(0), 300, 3)), [1, 2])
    drawn = item.draw(["", "a", "b"], width=50)
    assert drawn.startswith("lattice of a b: 300 frames")
    assert "(one column is 6 frames)" in drawn
    assert max(map(len, drawn.splitlines()[1:])) <= 50 + len("frame ")


def test_torch_tensors_are_accepted():
    log_probs = torch.randn(5, 4).log_softmax(1).requires_grad_()
    expected = ctckit.lattice(log_probs.detach().numpy(), np.array([1, 3]))
    assert ctckit.lattice(log_probs, torch.tensor([1, 3])).log_likelihood == expected.log_likelihood
    assert ctckit.lattice(log_probs.bfloat16(), [1, 3]).feasible


def test_a_lattice_is_frozen(small):
    with pytest.raises(AttributeError):
        small[1].alpha = None


@pytest.mark.parametrize(
    ("log_probs", "target", "blank", "message"),
    [
        (np.zeros(3), [1], 0, r"log_probs has shape \(3,\); expected \(T, C\)\."),
        (
            np.zeros((2, 3, 4)),
            [1],
            0,
            r"log_probs has shape \(2, 3, 4\); expected \(T, C\)\. For one item of a batch pass",
        ),
        (np.zeros((3, 4), dtype=int), [1], 0, r"log_probs has dtype int64; expected a floating-point type\."),
        (np.zeros((3, 4)), [[1]], 0, r"target has shape \(1, 1\); expected \(N,\)\."),
        (np.zeros((3, 4)), [1.5], 0, r"target has dtype float64; expected integers\."),
        (np.zeros((3, 4)), [1, 4], 0, r"target\[1\] is 4; with C = 4 the classes are 0\.\.3\."),
        (np.zeros((3, 4)), [1, 0], 0, r"target\[1\] is 0, the blank; a target holds tokens only\."),
        (np.zeros((3, 4)), [1], 4, r"blank is 4; with C = 4 the classes are 0\.\.3\."),
        (np.zeros((3, 4)), [1], 1.0, r"blank is 1\.0; expected the index of a class, an integer\."),
        (np.array([[0, np.nan]]), [1], 0, r"log_probs\[0, 1\] is nan; expected finite numbers or −∞\."),
        (np.array([[0, np.inf]]), [1], 0, r"log_probs\[0, 1\] is inf; expected finite numbers or −∞\."),
    ],
)
def test_messages(log_probs, target, blank, message):
    with pytest.raises(InvalidInputError, match=message):
        ctckit.lattice(log_probs, target, blank=blank)
