"""Confidences, and how often they are right."""

import math

import numpy as np
import pytest

from ctckit.errors import InvalidInputError
from ctckit.ocr.judging.calibration import Calibration
from ctckit.ocr.judging.confidences import judge_characters, judge_words
from ctckit.ocr.recognizer import CharacterSpan, Reading


def test_bins_by_hand():
    found = Calibration.measure([(0.0, False), (0.05, True), (0.3, True), (1.0, True), (0.95, False)])
    assert [each.count for each in found.bins] == [2, 0, 0, 1, 0, 0, 0, 0, 0, 2]
    first, fourth, last = found.bins[0], found.bins[3], found.bins[9]
    assert (first.low, first.high, first.confidence, first.right) == (0.0, 0.1, 0.025, 0.5)
    assert (fourth.low, fourth.confidence, fourth.right) == (0.3, 0.3, 1.0)
    assert (last.high, last.confidence, last.right) == (1.0, 0.975, 0.5)
    assert found.error == pytest.approx((2 * 0.475 + 0.7 + 2 * 0.475) / 5)
    assert found.count == 5
    assert found.right == pytest.approx(3 / 5)
    assert found.confidence == pytest.approx(2.3 / 5)


def test_right_nine_times_of_ten_is_calibrated():
    rng = np.random.default_rng(0)
    confidences = rng.random(200_000)
    right = rng.random(200_000) < confidences
    found = Calibration.measure(list(zip(confidences.tolist(), right.tolist(), strict=True)))
    assert found.error < 0.01
    sure = Calibration.measure(list(zip(np.sqrt(confidences).tolist(), right.tolist(), strict=True)))
    assert sure.error == pytest.approx(2 / 3 - 1 / 2, abs=0.01)  # the means of √u and u


def test_no_readings():
    found = Calibration.measure([])
    assert (found.count, found.error, found.right) == (0, 0.0, 0.0)
    assert found.to_dict()["bins"][9] == {"low": 0.9, "high": 1.0, "count": 0, "confidence": 0.0, "right": 0.0}


@pytest.mark.parametrize("bad", [1.5, -0.1, math.nan])
def test_a_confidence_is_a_share(bad):
    with pytest.raises(InvalidInputError, match=r"judged\[1\] has the confidence .*; expected 0\.\.1\."):
        Calibration.measure([(0.5, True), (bad, True)])


def reading(*spans):
    """Return a reading of characters with their confidences."""
    places = tuple(CharacterSpan(c, 2 * n, 2 * n + 1, 0, 1, 0, 1, math.log(p)) for n, (c, p) in enumerate(spans))
    return Reading("".join(c for c, _ in spans), 0.0, places, 1.0, 0.0)


def test_characters_are_judged_along_the_alignment():
    read = reading(("a", 0.9), ("x", 0.8), ("b", 0.7), ("!", 0.6))
    found = [(round(p, 3), right) for p, right in judge_characters(["acb"], [read])]
    assert found == [(0.9, True), (0.8, False), (0.7, True), (0.6, False)]


def test_a_token_of_several_characters_is_right_as_a_whole():
    read = reading(("ab", 0.9), ("", 0.5), ("cd", 0.8))
    assert [right for _, right in judge_characters(["abcx"], [read])] == [True, False]


def test_words_have_the_geometric_mean_of_their_characters():
    read = reading(("a", 0.4), ("b", 0.9), (" ", 0.1), (" ", 0.2), ("c", 0.5), (" ", 1.0))
    found = [(round(p, 6), right) for p, right in judge_words(["ab x"], [read])]
    assert found == [(0.6, True), (0.5, False)]


def test_an_empty_reading_says_nothing():
    assert list(judge_characters(["ab"], [reading()])) == []
    assert list(judge_words(["ab"], [reading()])) == []
    assert list(judge_characters([], [])) == []
    assert list(judge_words([], [])) == []
