"""``Hypothesis``: texts, spans, comparison, pictures."""

import pickle
import timeit

import numpy as np
import pytest

import ctckit
from ctckit import Hypothesis, Vocabulary, WordSpan
from ctckit.alignment import TokenSpan
from ctckit.decoding.hypothesis import TimedText
from ctckit.errors import InvalidInputError
from ctckit.kernels.search.plan import Decoded, Parts, Rescoring
from tests.support.tolerances import DOUBLE

LETTERS = Vocabulary.from_characters("abc|", separator="|")
PIECES = Vocabulary(("", "▁ab", "c", "▁a▁b"), word_start="▁")


def made(tokens, starts, ends, *, vocabulary=LETTERS, confidences=None, log_prob=-1.25, score=None, **parts):
    count = len(tokens)
    sure = np.full(count, np.nan) if confidences is None else np.array(confidences)
    rescoring = Rescoring(log_prob, np.array(starts, int), np.array(ends, int), np.full(count, -0.1), sure)
    decoded = Decoded(np.array(tokens, dtype=np.int32), rescoring, Parts(**parts))
    return Hypothesis(decoded, log_prob if score is None else score, vocabulary)


def test_tokens_words_and_times():
    found = made([1, 2, 4, 4, 3], [0, 2, 4, 5, 6], [2, 3, 5, 6, 9], confidences=[0.5, 0.5, 1.0, 0.9, 0.75])
    assert (found.tokens, found.text) == ((1, 2, 4, 4, 3), "ab c")
    assert found.spans[1] == TokenSpan(2, 2, 3, -0.1, 0.5)
    assert found.words == (WordSpan("ab", 0, 3, 0.25), WordSpan("c", 6, 9, 0.75))
    assert found.times(0.5) == (TimedText("ab", 0.0, 1.5, 0.25), TimedText("c", 3.0, 4.5, 0.75))
    assert found.times(0.5, 1.0) == (TimedText("ab", 0.0, 0.5, 0.25), TimedText("c", 2.0, 3.5, 0.75))
    assert found.spans[4].seconds(0.02) == pytest.approx((0.12, 0.18), abs=DOUBLE)


def test_pieces_may_belong_to_two_words():
    found = made([1, 2, 3, 2], [0, 1, 2, 3], [1, 2, 3, 4], vocabulary=PIECES, confidences=[0.5, 0.5, 0.8, 0.5])
    assert found.text == "abc a bc"
    assert found.words == (WordSpan("abc", 0, 2, 0.25), WordSpan("a", 2, 3, 0.8), WordSpan("bc", 2, 4, 0.4))


def test_without_marks_there_are_no_words():
    found = made([1, 2], [0, 1], [1, 3], vocabulary=Vocabulary.from_characters("ab"))
    assert found.words == ()
    assert found.times(2.0) == (TimedText("a", 0.0, 2.0, None), TimedText("b", 2.0, 6.0, None))


def test_without_a_vocabulary_tokens_are_numbers():
    found = made([1, 12], [0, 1], [1, 3], vocabulary=None)
    assert (found.text, found.words) == ("1 12", ())
    assert found.times(1.0)[1].text == "12"


def test_the_language_models_part_is_a_sum():
    found = made([1], [0], [1], token_lm_log_prob=-2.0, word_lm_log_prob=-0.5, words=1)
    assert (found.lm_log_prob, found.parts.words) == (-2.5, 1)


def test_it_is_frozen_comparable_and_picklable():
    one, other = (made([1, 2], [0, 1], [1, 3], confidences=[0.5, 0.25]) for _ in range(2))
    assert one.text == "ab"  # what is made on demand does not count
    assert (one == other, hash(one) == hash(other)) == (True, True)
    assert pickle.loads(pickle.dumps(one)) == one
    assert one == made([1, 2], [0, 1], [1, 3], confidences=[0.5, 0.25])
    assert made([1, 2], [0, 1], [1, 3]) == made([1, 2], [0, 1], [1, 3])
    assert one != "ab"
    for change in (
        made([1, 3], [0, 1], [1, 3], confidences=[0.5, 0.25]),
        made([1, 2], [0, 2], [1, 3], confidences=[0.5, 0.25]),
        made([1, 2], [0, 1], [1, 4], confidences=[0.5, 0.25]),
        made([1, 2], [0, 1], [1, 3], confidences=[0.5, 0.75]),
        made([1, 2], [0, 1], [1, 3], confidences=[0.5, 0.25], score=0.0),
        made([1, 2], [0, 1], [1, 3], confidences=[0.5, 0.25], log_prob=-1.0, score=-1.25),
        made([1, 2], [0, 1], [1, 3], confidences=[0.5, 0.25], vocabulary=None),
        made([1, 2], [0, 1], [1, 3], confidences=[0.5, 0.25], words=1),
    ):
        assert one != change
    with pytest.raises(AttributeError):
        one.score = 3.0


def test_making_one_is_cheap():
    found = made([1] * 30, range(30), range(1, 31), confidences=[0.5] * 30)
    fastest = min(timeit.repeat(lambda: Hypothesis(found.decoded, -1.0, LETTERS), number=1000, repeat=5)) / 1000
    assert fastest < 10e-6


def test_its_picture():
    found = made([1, 2, 4, 3], [0, 2, 4, 12], [2, 3, 5, 15], confidences=[0.99, 0.5, 1.0, 0.1])
    assert str(found).splitlines() == [
        "'ab c': log p = -1.2500",
        "frame 0         10",
        "      a─b |       c──",
        " sure ██▒ █       ···",
    ]
    assert repr(found) == "Hypothesis(text='ab c', log_prob=-1.25, score=-1.25)"


def test_the_picture_of_a_long_one_is_cut_in_rows():
    starts = np.arange(0, 100, 4)
    found = made([1] * 25, starts, starts + 1, score=2.0)
    lines = found.draw(width=20).splitlines()
    assert lines[0].endswith(": log p = -1.2500, score = 2.0000")
    assert [line for line in lines if line.startswith("frame")] == [
        f"frame {20 * n:<10}{20 * n + 10}" for n in range(5)
    ]
    assert lines[2] == "      a   a   a   a   a"
    assert len(lines) == 1 + 2 * 5
    longer = made([1] * 27, np.arange(0, 108, 4), np.arange(1, 109, 4)).draw(width=20)
    assert longer.splitlines()[-1] == "      … 5 more frames"


def test_the_picture_of_a_late_part_begins_there():
    lines = made([1, 2], [1234, 1240], [1235, 1246]).draw().splitlines()
    assert lines[1:] == ["frame 1230      1240", "          a     b─────"]


def test_pieces_in_a_picture_do_not_overlap():
    vocabulary = Vocabulary(("", "▁hello", "▁you", " "), word_start="▁")
    found = made([1, 2, 3], [0, 3, 8], [1, 4, 9], vocabulary=vocabulary)
    assert found.draw().splitlines()[2] == "      ▁he▁you ␣"


def test_nothing_to_draw():
    assert str(made([], [], [])) == "'': log p = -1.2500"
    with pytest.raises(InvalidInputError, match="width is 0; expected a positive integer"):
        made([], [], []).draw(width=0)


def test_greedy_decoding_writes_with_a_vocabulary():
    probs = np.full((4, 5), 0.05)
    probs[range(4), [1, 4, 2, 0]] = 0.8
    plain, written = (ctckit.greedy_decode(np.log(probs), vocabulary=each)[0] for each in (None, LETTERS))
    assert (plain.text, written.text) == ("1 4 2", "a b")
    assert [word.text for word in written.words] == ["a", "b"]
    assert (written.words[0].confidence, written.spans[0].confidence) == (None, None)
    assert (written.score, written.lm_log_prob) == (written.log_prob, 0.0)
    with pytest.raises(InvalidInputError, match="log_probs has C = 4 classes, but vocabulary has 5"):
        ctckit.greedy_decode(np.log(probs[:, :4]), vocabulary=LETTERS)
    with pytest.raises(InvalidInputError, match="blank is 1, but vocabulary says 0; expected the same class"):
        ctckit.greedy_decode(np.log(probs), vocabulary=LETTERS, blank=1)
