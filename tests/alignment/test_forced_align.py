"""forced_align and Alignment: compared with an enumeration and the lattice; shapes, types and errors."""

import pickle

import numpy as np
import pytest
import torch

import ctckit
from ctckit import Vocabulary, forced_align
from ctckit.alignment import boundaries
from ctckit.alignment.wildcards import PER_FRAME
from ctckit.errors import InfeasibleTargetError, InvalidInputError
from ctckit.kernels.confidence import reference as reference_confidence
from ctckit.topology import collapse
from tests.support import oracle
from tests.support.alignment_truth import recording, text
from tests.support.problems import random_probs
from tests.support.tolerances import (
    DOUBLE,
    LATTICE_DOUBLE,
    OCCUPANCY_SINGLE,
    SAMPLED_FRAMES,
    SEARCH_SINGLE,
    WINDOWED_FRAMES,
)

STAR = -1
SMALL = [(), (1,), (1, 1), (1, 3), (3, 1, 1), (1, 3, 1)]


def random_log_probs(frames, classes, seed, scale=2.0):
    logits = np.random.default_rng(seed).normal(size=(frames, classes)) * scale
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def spans_of(found):
    return [(span.token, span.start, span.end) for span in found.spans]


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("target", SMALL)
def test_it_is_the_best_of_all_paths(target, blank):
    for seed in range(6):
        probs = random_probs(np.random.default_rng(seed), 6, 4)
        path, prob = oracle.best_path(probs.tolist(), target, blank)
        found = forced_align(np.log(probs), list(target), blank=blank)[0]
        assert tuple(found.frame_tokens.tolist()) == path
        assert found.log_prob == pytest.approx(np.log(prob), abs=DOUBLE)


@pytest.mark.parametrize("frames", [5, 60, 300])
def test_path_tokens_and_scores_are_those_of_the_lattice(frames):
    rng = np.random.default_rng(frames)
    target, log_probs = text(rng, frames // 5, 7), random_log_probs(frames, 7, frames)
    lattice, found = ctckit.lattice(log_probs, target), forced_align(log_probs, target)[0]
    np.testing.assert_array_equal(found.path, lattice.best_path())
    assert collapse(found.frame_tokens) == target
    assert found.log_prob == pytest.approx(log_probs[np.arange(frames), found.frame_tokens].sum(), rel=DOUBLE)
    np.testing.assert_allclose(found.durations, lattice.occupancy.sum(axis=0), atol=LATTICE_DOUBLE)
    for span in found.spans:
        assert span.log_prob == pytest.approx(log_probs[span.start : span.end, span.token].mean(), rel=DOUBLE)
    sure = reference_confidence.confidences(log_probs, found.tokens, found.starts, found.ends, blank=0)
    np.testing.assert_allclose(found.confidences, sure, atol=SEARCH_SINGLE)
    assert [span.confidence for span in found.spans] == found.confidences.tolist()


def test_a_batch_is_its_items_and_padding_is_not_read():
    rng = np.random.default_rng(0)
    lengths, counts = [40, 25, 7, 0], [8, 5, 0, 0]
    log_probs, targets = np.full((4, 40, 6), np.nan), np.full((4, 8), 99)
    for b, (frames, count) in enumerate(zip(lengths, counts, strict=True)):
        log_probs[b, :frames] = random_log_probs(frames, 6, b)
        targets[b, :count] = text(rng, count, 6)
    whole = forced_align(log_probs, targets, lengths, counts)
    for b, found in enumerate(whole):
        alone = forced_align(log_probs[b, : lengths[b]], targets[b, : counts[b]])[0]
        assert spans_of(found) == spans_of(alone)
        assert found.log_prob == alone.log_prob
        assert found.frames == len(found.frame_tokens) == len(found.path) == lengths[b]
    single = forced_align(log_probs.astype(np.float32), targets, lengths, counts)
    assert [spans_of(each) for each in single] == [spans_of(each) for each in whole]


def test_targets_may_come_in_many_forms():
    log_probs = np.stack([random_log_probs(12, 5, seed) for seed in range(2)])
    expected = [spans_of(each) for each in forced_align(log_probs, [[1, 2, 3], [4, 4, 0]], target_lengths=[3, 2])]
    for targets, lengths in (
        ([[1, 2, 3], [4, 4]], None),
        (([1, 2, 3], np.array([4, 4])), None),
        ([1, 2, 3, 4, 4], [3, 2]),
        (torch.tensor([[1, 2, 3], [4, 4, 0]]), torch.tensor([3, 2])),
    ):
        assert [spans_of(each) for each in forced_align(log_probs, targets, None, lengths)] == expected
    assert spans_of(forced_align(log_probs[0], [1, 2, 3])[0]) == expected[0]
    assert spans_of(forced_align(log_probs[:1], [[1, 2, 3]])[0]) == expected[0]
    assert spans_of(forced_align(log_probs[0], torch.tensor([1, 2, 3]))[0]) == expected[0]


@pytest.mark.parametrize("kind", ["float16", "float32", ">f8", "longdouble"])
def test_types_and_layouts(kind):
    log_probs = random_log_probs(30, 5, 3).astype(kind)
    expected = spans_of(forced_align(log_probs.astype(np.float64), [1, 2, 2, 4])[0])
    assert spans_of(forced_align(log_probs, [1, 2, 2, 4])[0]) == expected
    assert spans_of(forced_align(np.asfortranarray(log_probs), [1, 2, 2, 4])[0]) == expected
    assert spans_of(forced_align(np.repeat(log_probs, 2, axis=0)[::2], [1, 2, 2, 4])[0]) == expected
    if kind in ("float16", "float32"):
        assert spans_of(forced_align(torch.from_numpy(log_probs), [1, 2, 2, 4])[0]) == expected
        assert forced_align(torch.from_numpy(log_probs).bfloat16(), [1])[0].frames == 30


def test_nothing_to_align():
    assert forced_align(np.zeros((0, 4, 3)), np.zeros((0, 2), int)) == []
    assert forced_align(np.zeros((0, 4, 3)), []) == []
    empty = forced_align(np.zeros((0, 3)), [])[0]
    assert (empty.log_prob, empty.spans, empty.frame_tokens.tolist(), empty.durations.tolist()) == (0.0, (), [], [0.0])
    blanks = forced_align(np.log(np.full((4, 2), 0.5)), [])[0]
    assert blanks.log_prob == pytest.approx(4 * np.log(0.5), rel=DOUBLE)
    assert blanks.path.tolist() == [0] * 4
    assert [blanks.boundaries(kind).shape for kind in ("spike", "midpoint", "occupancy")] == [(0, 2)] * 3
    assert str(blanks) == "0 tokens in 4 frames: log p = -2.7726"


def test_ties_stay_and_end_late():
    found = forced_align(np.log(np.full((5, 3), 1 / 3)), [1, 2])[0]
    np.testing.assert_array_equal(found.path, ctckit.lattice(np.log(np.full((5, 3), 1 / 3)), [1, 2]).best_path())


def test_the_same_bits_for_any_number_of_threads():
    log_probs = np.stack([random_log_probs(200, 9, seed) for seed in range(6)]).astype(np.float32)
    targets = np.random.default_rng(0).integers(1, 9, (6, 40))
    before = ctckit.num_threads()
    answers = []
    for threads in (1, 2, 3):
        ctckit.set_num_threads(threads)
        found = forced_align(log_probs, targets)
        answers.append([(each.starts.tobytes(), each.log_prob, each.confidences.tobytes()) for each in found])
    ctckit.set_num_threads(before)
    assert answers[0] == answers[1] == answers[2]


# --- wildcards -------------------------------------------------------------------------------------------------------


def best_with_wildcards(log_probs, target, penalty):
    """The best score of all alignments of a target with wildcards, by enumeration."""
    relative = log_probs - log_probs.max(axis=1, keepdims=True)
    elements = ["*" if token == STAR else token for token in target]
    best = -np.inf
    for stretches in oracle.variant_alignments(elements, len(log_probs), optional=True):
        score = relative[:, 0].sum()
        for symbol, start, end in stretches:
            score -= relative[start:end, 0].sum()
            if symbol == "*":
                score -= penalty + PER_FRAME * (end - start - 1)
            else:
                score += relative[start:end, symbol].sum()
        best = max(best, score)
    return best


def score_with_wildcards(found, log_probs, penalty):
    relative = log_probs - log_probs.max(axis=1, keepdims=True)
    wild = found.frame_tokens == STAR
    used = sum(1 for t in np.flatnonzero(wild) if t == 0 or not wild[t - 1])
    spoken = np.flatnonzero(~wild)
    return relative[spoken, found.frame_tokens[spoken]].sum() - used * penalty - PER_FRAME * (wild.sum() - used)


@pytest.mark.parametrize("penalty", [0.0, 0.5, 3.0])
@pytest.mark.parametrize(
    ("target", "edges"),
    [((STAR, 1), False), ((1, STAR, 2), False), ((1, STAR, 1), False), ((1, 2), True), ((2, STAR, 2, 1), True)],
)
def test_wildcards_are_the_best_of_all_ways(target, edges, penalty):
    for seed in range(5):
        log_probs = random_log_probs(6, 4, seed)
        found = forced_align(log_probs, target, star=STAR, edges=edges, star_penalty=penalty)[0]
        whole = (STAR, *target, STAR) if edges else target
        assert score_with_wildcards(found, log_probs, penalty) == pytest.approx(
            best_with_wildcards(log_probs, whole, penalty), abs=DOUBLE
        )
        spoken = [token for token in target if token != STAR]
        assert collapse([t if t != STAR else 0 for t in found.frame_tokens]) == spoken
        counted = np.flatnonzero(found.frame_tokens != STAR)
        assert found.log_prob == pytest.approx(log_probs[counted, found.frame_tokens[counted]].sum(), abs=DOUBLE)
        assert found.durations.sum() == pytest.approx(6.0, rel=LATTICE_DOUBLE)
        assert found.durations.shape == (2 * len(target) + 1,)
        assert np.isnan(found.confidences[np.array(target) == STAR]).all()
        assert (found.confidences[np.array(target) != STAR] >= 0).all()


def test_a_wildcard_costs_the_same_however_long_it_lasts():
    target = [1, 2, 3, STAR, 4, 5]
    for frames in (40, 4000):
        log_probs = recording([("text", [1, 2, 3]), ("noise", frames), ("text", [4, 5])], 0).log_probs
        gain = []  # by a wildcard that costs nothing, by one that costs a little, by none
        for penalty in (0.0, 2.0, 1e6):
            found = forced_align(log_probs, target, star=STAR, star_penalty=penalty)[0]
            gain.append(score_with_wildcards(found, log_probs, 0.0))
            assert (len(found.spans[3]) > 0.9 * frames) == (penalty < 1e6)
        assert gain[0] == gain[1] > gain[2]


def test_a_wildcard_that_is_not_needed_is_left_out():
    made = recording([("text", [1, 2, 3, 3, 4])], 1)
    plain = forced_align(made.log_probs, [1, 2, 3, 3, 4])[0]
    for target, kept in (
        ([1, 2, STAR, 3, 3, 4], [0, 1, 3, 4, 5]),
        ([STAR, 1, 2, 3, STAR, STAR, 3, 4, STAR], [1, 2, 3, 6, 7]),
    ):
        found = forced_align(made.log_probs, target, star=STAR, edges=True)[0]
        assert found.tokens.tolist() == target
        np.testing.assert_array_equal(found.starts[kept], plain.starts)
        np.testing.assert_array_equal(found.ends[kept], plain.ends)
        np.testing.assert_array_equal(found.frame_tokens, plain.frame_tokens)
        np.testing.assert_allclose(found.confidences[kept], plain.confidences, atol=SEARCH_SINGLE)
        assert found.log_prob == pytest.approx(plain.log_prob, rel=DOUBLE)
        assert (np.diff(found.starts) >= 0).all()
        assert (found.starts <= found.ends).all()


def test_a_star_that_does_not_occur_changes_nothing():
    log_probs = random_log_probs(30, 5, 0)
    assert spans_of(forced_align(log_probs, [1, 2], star=77)[0]) == spans_of(forced_align(log_probs, [1, 2])[0])


def test_any_number_that_is_no_class_may_be_the_star():
    log_probs = random_log_probs(30, 5, 0)
    expected = forced_align(log_probs, [1, -1, 2], star=-1, star_penalty=1.0)[0]
    for star in (5, 10**12):
        found = forced_align(log_probs, [1, star, 2], star=star, star_penalty=1.0)[0]
        np.testing.assert_array_equal(found.starts, expected.starts)
        assert found.tokens.tolist() == [1, star, 2]
        assert set(found.frame_tokens[expected.frame_tokens == -1].tolist()) <= {star}
        assert "*" in found.draw()


def test_a_frame_without_any_class_can_only_be_in_a_wildcard():
    log_probs = random_log_probs(9, 4, 0)
    log_probs[4] = -np.inf
    with pytest.raises(InfeasibleTargetError, match=r"every alignment passes a class whose log_probs are −∞"):
        forced_align(log_probs, [1, 2])
    found = forced_align(log_probs, [1, STAR, 2], star=STAR)[0]
    assert found.frame_tokens[4] == STAR


# --- what is computed on demand --------------------------------------------------------------------------------------


def test_boundaries_by_hand():
    probs = np.full((8, 3), 0.0)
    probs[range(8), [0, 1, 0, 0, 0, 2, 2, 0]] = 1.0
    with np.errstate(divide="ignore"):
        found = forced_align(np.log(probs), [1, 2])[0]
    assert found.boundaries("spike").tolist() == [[1, 2], [5, 7]]
    assert found.boundaries("midpoint").tolist() == [[0, 3.5], [3.5, 8]]
    np.testing.assert_allclose(found.boundaries("occupancy"), [[0, 3.5], [3.5, 8]], atol=LATTICE_DOUBLE)
    np.testing.assert_array_equal(found.boundaries(), found.boundaries("occupancy"))
    assert found.durations.tolist() == pytest.approx([1, 1, 3, 2, 1], rel=LATTICE_DOUBLE)
    assert forced_align(np.log([[0.5, 0.5]] * 3), [1])[0].boundaries("midpoint").tolist() == [[0, 1]]
    with pytest.raises(InvalidInputError, match=r"boundaries is 'middle'; expected one of \('spike', 'midpoint'"):
        found.boundaries("middle")


def test_a_long_pause_belongs_to_no_token():
    intervals = np.array([[2.0, 3.0], [5.0, 7.0], [9.0, 10.0], [50.0, 51.0]])
    expected = [[1.0, 4.0], [4.0, 8.0], [8.0, 11.5], [48.5, 52.0]]  # half gaps of 1, 1 and 20 frames: at most 1.5
    assert boundaries.midpoint(intervals, 60).tolist() == expected
    assert boundaries.midpoint(intervals, 51)[-1, 1] == 51
    assert boundaries.midpoint(np.array([[0.0, 1.0], [9.0, 10.0]]), 10).tolist() == [[0.0, 5.0], [5.0, 10.0]]


def test_average_spikes_are_average_arrivals():
    log_probs, target = random_log_probs(40, 5, 0), [1, 2, 2, 4]
    found = forced_align(log_probs, target)[0]
    item, rng = ctckit.lattice(log_probs, target), np.random.default_rng(0)
    paths = [item.sample(rng) for _ in range(400)]
    arrivals = np.mean([[(path < 2 * i + 1).sum() for i in range(4)] for path in paths], axis=0)
    np.testing.assert_allclose(boundaries.average_spike(found.durations)[:, 0], arrivals, atol=SAMPLED_FRAMES)


def test_long_items_have_durations_in_windows():
    rng = np.random.default_rng(2)
    tokens = text(rng, 1500)
    made = recording([("text", tokens)], 3)
    found = forced_align(made.log_probs, tokens)[0]
    assert found.frames > 2 * 2048
    exact = reference_confidence.durations(made.log_probs, ctckit.topology.ctc_topology(tokens))
    assert np.abs(np.cumsum(found.durations) - np.cumsum(exact)).max() < WINDOWED_FRAMES
    assert found.durations.sum() == pytest.approx(found.frames, rel=OCCUPANCY_SINGLE)


def test_it_is_drawn():
    probs = np.full((12, 4), 0.02)
    probs[range(12), [0, 1, 1, 0, 2, 0, 3, 3, 3, 0, 0, 0]] = 0.94
    found = forced_align(np.log(probs), [1, 2, 3])[0]
    letters = Vocabulary.from_characters("ab ")
    assert found.draw(letters).splitlines() == [
        "3 tokens in 12 frames: log p = -0.7425",
        "frame 0",
        "       a─ b ␣──",
        " sure  ██ █ ███",
    ]
    assert str(found).splitlines()[2] == "       1─ 2 3──"
    assert repr(found) == f"Alignment(3 tokens, 12 frames, log_prob={found.log_prob!r})"
    assert len(found) == 3
    with pytest.raises(InvalidInputError, match=r"names has 2 entries; expected one for each of the C = 4 classes"):
        found.draw(["a", "b"])
    with pytest.raises(InvalidInputError, match=r"width is 0; expected a positive integer"):
        found.draw(width=0)


def test_long_pictures_are_cut():
    tokens = text(np.random.default_rng(0), 100)
    found = forced_align(recording([("text", tokens)], 0).log_probs, tokens)[0]
    lines = found.draw(width=40).splitlines()
    assert len(lines) == 2 + 5 * 3
    assert lines[-1].strip().startswith("… ")
    assert max(map(len, lines[1:-1])) <= 46


def test_it_can_be_pickled():
    found = forced_align(random_log_probs(20, 4, 0), [1, STAR, 2], star=STAR)[0]
    again = pickle.loads(pickle.dumps(found))
    assert (again.log_prob, again.spans) == (found.log_prob, found.spans)


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((np.zeros(3), [1]), {}, r"log_probs has shape \(3,\); expected \(B, T, C\)\."),
        ((np.zeros((2, 3), int), [1]), {}, r"log_probs has dtype int64; expected a floating-point type\."),
        ((np.zeros((2, 5, 3)), [[1]]), {}, r"targets has shape \(1, 1\); expected \(B, N\) with B = 2"),
        (
            (np.zeros((2, 5, 3)), np.array([1, 2])),
            {},
            r"targets has shape \(2,\); expected \(B, N\), or",
        ),
        ((np.zeros((5, 3)), [1.5]), {}, r"targets has dtype float64; expected integers\."),
        ((np.zeros((5, 3)), [3]), {}, r"targets\[0, 0\] is 3; with C = 3 the classes are 0\.\.2\."),
        ((np.zeros((5, 3)), [1, -1]), {}, r"targets\[0, 1\] is -1; with C = 3 the classes are 0\.\.2\."),
        ((np.zeros((5, 3)), [1, 0]), {}, r"targets\[0, 1\] is 0, the blank; a target holds tokens only\."),
        ((np.zeros((5, 3)), [0, 1, 3]), {"star": -1, "blank": 2}, r"targets\[0, 2\] is 3; with C = 3"),
        ((np.zeros((5, 3)), [-1, 3]), {"star": -1}, r"targets\[0, 1\] is 3; with C = 3 the classes are 0\.\.2\."),
        (
            (np.zeros((5, 3)), [1]),
            {"star": 2},
            r"star is 2, one of the classes 0\.\.2; expected a number that is not a cl",
        ),
        ((np.zeros((5, 3)), [1]), {"star": "*"}, r"star is '\*'; expected an integer that is not a class"),
        ((np.zeros((5, 3)), [1]), {"edges": 1}, r"edges is 1; expected True or False"),
        ((np.zeros((5, 3)), [1]), {"star_penalty": -1.0}, r"star_penalty is -1\.0; expected a number in 0\.\."),
        ((np.zeros((5, 3)), [1]), {"star_penalty": float("nan")}, r"star_penalty is nan; expected a number in"),
        ((np.zeros((5, 3)), [1]), {"blank": 3}, r"blank is 3; with C = 3 the classes are 0\.\.2\."),
        ((np.zeros((2, 5, 3)), [[1], [1]], [5, 6]), {}, r"input_lengths\[1\] is 6; log_probs has T = 5 frames"),
        ((np.zeros((2, 5, 3)), [[1], [1]], None, [1, 2]), {}, r"target_lengths\[1\] is 2; targets has N = 1 columns"),
        ((np.full((5, 3), np.nan), [1]), {}, r"log_probs\[0, 0, 0\] is nan; expected finite numbers or −∞\."),
        (
            (np.full((5, 3), np.inf), [1]),
            {},
            r"log_probs\[0, 0\] reaches inf; logarithms of probabilities are at most 0",
        ),
        ((np.eye(3), [1]), {}, r"log_probs\[0, 0\] reaches 1; .* For logits pass their log_softmax"),
    ],
)
def test_wrong_input(arguments, options, message):
    with pytest.raises(InvalidInputError, match=message):
        forced_align(*arguments, **options)


def test_infeasible_targets_are_named():
    log_probs = np.log(np.full((3, 4, 3), 1 / 3))
    targets = np.array([[1, 2, 0], [1, 1, 1], [2, 2, 2]])
    with pytest.raises(InfeasibleTargetError) as caught:
        forced_align(log_probs, targets, None, [2, 3, 3])
    assert str(caught.value).splitlines() == [
        "targets[1] cannot be emitted: 3 tokens with 2 adjacent repeats need 5 frames, input_lengths[1] is 4.",
        "targets[2] cannot be emitted: 3 tokens with 2 adjacent repeats need 5 frames, input_lengths[2] is 4.",
    ]
    assert caught.value.items == (1, 2)
    with pytest.raises(InfeasibleTargetError, match=r"targets\[0\] cannot be emitted: 3 tokens with 2 adjacent"):
        forced_align(log_probs[:1], [[1, STAR, 1, 1]], star=STAR, edges=True)


def test_targets_that_only_masked_classes_allow_are_named():
    log_probs = np.log(np.full((2, 4, 3), 1 / 3))
    log_probs[1, :, 2] = -np.inf
    with pytest.raises(InfeasibleTargetError, match=r"targets\[1\] cannot be emitted: every alignment") as caught:
        forced_align(log_probs, [[1], [2]])
    assert caught.value.items == (1,)
