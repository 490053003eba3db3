"""``rescore``: n-best lists ranked again by another model."""

import math

import numpy as np
import pytest

import ctckit
from ctckit import BeamDecoder, rescore
from ctckit.errors import InvalidInputError
from tests.support.tolerances import DOUBLE

DECODER = BeamDecoder(["", "a", "b", "c"])
RNG = np.random.default_rng(0)
LOG_PROBS = np.log(RNG.dirichlet(np.full(4, 0.7), (3, 6)))
LISTS = DECODER.decode(LOG_PROBS, n_best=7)


def likes_b(texts):
    return np.array([-2.0 * sum(letter != "b" for letter in text) - 0.1 for text in texts])


def test_the_scores_are_sums_and_the_order_is_theirs():
    for weight in (0.7, -0.3):
        found = rescore(LISTS, likes_b, weight)
        assert [len(each) for each in found] == [len(each) for each in LISTS]
        for given, ranked in zip(LISTS, found, strict=True):
            expected = {each.text: each.score + weight * likes_b([each.text])[0] for each in given}
            assert {each.text: each.score for each in ranked} == pytest.approx(expected, abs=DOUBLE)
            scores = [each.score for each in ranked]
            assert scores == sorted(scores, reverse=True)
    assert [each.text for each in rescore(LISTS, likes_b, 0.7)[0]] != [each.text for each in LISTS[0]]


def test_only_the_score_changes():
    before = [(each.text, each.score) for each in LISTS[0]]
    by_text = {each.text: each for each in LISTS[0]}
    for each in rescore(LISTS[0], likes_b, 0.5):
        old = by_text[each.text]
        assert (each.log_prob, each.spans, each.tokens) == (old.log_prob, old.spans, old.tokens)
    assert [(each.text, each.score) for each in LISTS[0]] == before


def test_all_texts_are_scored_in_one_call():
    calls = []

    def scorer(texts):
        calls.append(texts)
        return likes_b(texts)

    found = rescore(LISTS, scorer, 0.4)
    assert calls == [[each.text for one in LISTS for each in one]]
    assert found == [rescore(one, scorer, 0.4) for one in LISTS]


def test_equal_scores_keep_their_order():
    flat = [ctckit.Hypothesis(each.decoded, -1.0, each.vocabulary) for each in LISTS[0]]
    assert rescore(flat, lambda texts: [-3.0] * len(texts), 2.0) == [
        ctckit.Hypothesis(each.decoded, -7.0, each.vocabulary) for each in flat
    ]


@pytest.mark.parametrize("weight", [0, 0.0])
def test_weight_zero_changes_nothing_even_for_impossible_texts(weight):
    assert rescore(LISTS, lambda texts: [-math.inf] * len(texts), weight) == LISTS


def test_an_impossible_text_is_last():
    best = LISTS[0][0].text
    ranked = rescore(LISTS[0], lambda texts: [-math.inf if text == best else -1.0 for text in texts], 0.5)
    assert (ranked[-1].text, ranked[-1].score) == (best, -math.inf)


def test_nothing_to_rescore():
    def scorer(texts):
        raise AssertionError

    assert rescore([], scorer, 1.0) == []
    assert rescore([[], []], scorer, 1.0) == [[], []]


@pytest.mark.parametrize("make", [list, np.array, tuple, lambda values: np.float32(values)])
def test_results_of_any_type(make):
    assert [each.text for each in rescore(LISTS[0], lambda texts: make(likes_b(texts).tolist()), 0.5)] == [
        each.text for each in rescore(LISTS[0], likes_b, 0.5)
    ]


def test_tensors_with_a_gradient():
    torch = pytest.importorskip("torch")
    found = rescore(LISTS[0], lambda texts: torch.tensor(likes_b(texts), requires_grad=True), 0.5)
    assert found == rescore(LISTS[0], likes_b, 0.5)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ([-1.0], r"the scorer's result has shape \(1,\) for 2 texts; expected \(2,\): one log-probability for each te"),
        ([[-1.0, -1.0]], r"has shape \(1, 2\) for 2 texts"),
        (-1.0, r"has shape \(\) for 2 texts"),
        ([-1.0, math.nan], r"result is nan for texts\[1\], 'b'; expected a log-probability .* Check the scorer on"),
        ([math.inf, -1.0], r"result is inf for texts\[0\], 'a'; expected .*, at most 0\. Return logarithms of prob"),
        ([0.9, 0.1], r"result is 0\.9 for texts\[0\], 'a'; expected .*, at most 0\."),
        (["x", "y"], r"the scorer's result is of type .*; expected a log-probability in nats for each text\."),
        (None, r"the scorer's result is of type object; expected"),
        ([[-1.0], [-1.0, 2.0]], r"the scorer's result cannot be made an array"),
    ],
)
def test_bad_results_of_the_scorer(result, message):
    n_best = DECODER.decode(np.log([[0.1, 0.5, 0.3, 0.1]]), n_best=2)[0]
    with pytest.raises(InvalidInputError, match=message):
        rescore(n_best, lambda texts: result, 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((LISTS[0][0], likes_b, 1.0), r"hypotheses is of type Hypothesis; expected a list of Hypothesis, or a list of"),
        (("ab", likes_b, 1.0), r"hypotheses is of type str; expected a list"),
        ((["ab"], likes_b, 1.0), r"hypotheses\[0\] is of type str, .*; expected a list of Hypothesis"),
        (([LISTS[0][0], "ab"], likes_b, 1.0), r"hypotheses\[1\] is of type str; expected a Hypothesis\."),
        (([LISTS[0], [3]], likes_b, 1.0), r"hypotheses\[1\]\[0\] is of type int; expected a Hypothesis\."),
        ((LISTS, likes_b, math.nan), r"weight is nan; expected a number in -60\.\.60\."),
        ((LISTS, likes_b, "much"), r"weight is 'much'; expected a number"),
        ((LISTS, 3, 1.0), r"scorer is 3; expected a function from a list of texts"),
        (
            (LISTS, lambda texts: [-math.inf] * len(texts), -1.0),
            r"result is -inf for texts\[0\], .*, and weight is negative; expected a finite log-probability\.",
        ),
    ],
)
def test_what_is_wrong_is_said(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        rescore(*arguments)
