"""Contiguous sounds, pauses, the lag of a model."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctckit import Vocabulary
from ctckit.alignment import Transcript, forced_align, quiet_spans, timed_tiers
from ctckit.alignment.contiguous import LONG_SECONDS, SHARE, contiguous
from ctckit.errors import InvalidInputError
from tests.support.tolerances import DOUBLE

LAG = 0.06


def test_each_sound_lasts_until_the_next_one_begins():
    spikes = np.array([0.2, 0.3, 0.36, 0.5])
    found = contiguous(spikes, LAG)
    np.testing.assert_allclose(found[1:, 0], spikes[1:] - LAG - SHARE * np.diff(spikes), rtol=DOUBLE)
    np.testing.assert_array_equal(found[1:, 0], found[:-1, 1])
    assert found[0, 0] == pytest.approx(0.2 - LAG, rel=DOUBLE)
    assert found[-1, 1] > 0.5
    assert contiguous(np.array([]), LAG).shape == (0, 2)
    assert contiguous(np.array([0.4]), LAG).tolist() == [[0.34, 0.46]]


def test_silence_stays_silence():
    """A long quiet part between two sounds is a pause; a short one is a closure; both ends are quiet."""
    spikes = np.array([0.5, 0.6, 1.2, 1.3])
    quiet = np.array([[0.0, 0.42], [0.52, 0.58], [0.7, 1.12], [1.4, 2.0]])
    found = contiguous(spikes, LAG, quiet)
    assert found[1, 1] == 0.7
    assert found[2, 0] == pytest.approx((1.12 + 1.14) / 2, rel=DOUBLE)
    assert found[0, 0] == pytest.approx((0.42 + 0.44) / 2, rel=DOUBLE)
    assert found[0, 1] == found[1, 0]
    assert found[-1, 1] == 1.4
    far = contiguous(spikes, LAG)
    assert far[1, 1] < 0.8
    assert far[2, 0] > 1.05
    met = contiguous(spikes, LAG, np.array([[0.7, 0.8]]))  # noise in the pause
    assert met[1, 1] == far[1, 1]


def test_an_early_noise_is_not_the_first_sound():
    assert contiguous(np.array([2.0, 2.1]), LAG, np.array([[0.0, 0.5]]))[0, 0] == 1.94
    late = contiguous(np.array([2.0, 2.1]), LAG, np.array([[9.0, 9.5]]))  # other speech follows the last sound
    np.testing.assert_array_equal(late, contiguous(np.array([2.0, 2.1]), LAG))
    assert late[1, 1] < 2.1 + LONG_SECONDS


times = st.lists(st.floats(0, 30).map(lambda x: round(x, 2)), min_size=1, max_size=20, unique=True).map(sorted)


@given(times, times, st.floats(0, 0.2))
def test_sounds_are_in_order_and_do_not_overlap(spikes, edges, lag):
    spikes = np.array(spikes)
    quiet = np.array(edges[: len(edges) // 2 * 2]).reshape(-1, 2)
    for given_quiet in (None, quiet):
        found = contiguous(spikes, lag, given_quiet)
        assert (found[:, 0] <= found[:, 1]).all()
        assert (found[:-1, 1] <= found[1:, 0] + 1e-9).all()


# --- quiet parts


@pytest.mark.parametrize("scale", [1.0, 0.01])
@pytest.mark.parametrize("noise", [0.0, 0.002])
def test_quiet_parts_are_found_at_any_loudness_and_in_noise(scale, noise):
    rng = np.random.default_rng(0)
    samples = rng.normal(0, noise, 32000) + np.where(
        (np.arange(32000) // 8000) % 2, rng.normal(0, 0.1, 32000), 0
    )  # half seconds of silence and of sound
    found = quiet_spans([scale * samples], 16000)
    np.testing.assert_allclose(found, [[0, 0.5], [1.0, 1.5]], atol=0.011)


def test_pieces_do_not_matter():
    samples = np.random.default_rng(1).normal(0, 0.1, 20000) * np.repeat([1, 0, 1, 0], 5000)
    whole = quiet_spans([samples], 16000)
    assert len(whole) == 2
    np.testing.assert_array_equal(whole, quiet_spans(np.split(samples, [7, 7, 5003, 12345]), 16000))


def test_recordings_without_sound():
    assert quiet_spans([], 16000).shape == quiet_spans([np.ones(100)], 16000).shape == (0, 2)
    assert quiet_spans([np.zeros(16000)], 16000).tolist() == [[0.0, 1.0]]
    assert quiet_spans([np.random.default_rng(0).normal(0, 0.1, 16000)], 16000).shape == (0, 2)


# --- tiers

LETTERS = Vocabulary.from_characters("abcd|", separator="|")


def aligned(text, spoken):
    classes = [LETTERS.tokens.index(name.strip(".")) for name in spoken]
    log_probs = np.log(np.where(np.arange(len(LETTERS)) == np.array(classes)[:, None], 0.95, 0.01))
    said = Transcript(text, LETTERS)
    return said, forced_align(log_probs, said.tokens)[0]


def words(text, spoken, **options):
    said, found = aligned(text, spoken)
    tiers = timed_tiers(found, said, LETTERS, 0.1, **options)
    return [(each.text, round(each.start_seconds, 3), round(each.end_seconds, 3)) for each in tiers["words"]]


def test_the_lag_applies_to_all_times():
    spoken = "..aa.b..|.cd.."
    spike = words("ab cd", spoken, boundaries="spike")
    assert spike == [("ab", 0.2, 0.6), ("cd", 1.0, 1.2)]
    assert words("ab cd", spoken, boundaries="spike", lag_seconds=0.1) == [("ab", 0.1, 0.5), ("cd", 0.9, 1.1)]
    assert words("ab cd", spoken, boundaries="spike", lag_seconds=0.3)[0] == ("ab", 0.0, 0.3)
    assert words("ab cd", spoken, boundaries="spike", lag_seconds=0.1, offset_seconds=-0.3) == [
        ("ab", 0.0, 0.2),
        ("cd", 0.6, 0.8),
    ]


def test_contiguous_words_share_the_time_of_the_separator():
    first, second = words("ab cd", "..aa.b..|.cd..", boundaries="contiguous", lag_seconds=0.05)
    assert first[1] == pytest.approx(0.15, abs=0.01)
    assert first[2] == second[1] == pytest.approx(0.95 - SHARE * 0.2, abs=0.01)
    assert second[2] <= 1.4
    quiet = np.array([[0.6, 0.95]])
    first, second = words("ab cd", "..aa.b..|.cd..", boundaries="contiguous", lag_seconds=0.05, quiet=quiet)
    assert (first[2], second[1]) == (0.6, pytest.approx(0.95, abs=0.01))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"boundaries": "best"}, r"boundaries is 'best'; expected one of \('spike', .*'contiguous'\)"),
        ({"lag_seconds": 60}, r"lag_seconds is 60; expected a number in -1\.\.1"),
        ({"quiet": np.zeros(3)}, r"quiet has shape \(3,\); expected \(K, 2\)"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(InvalidInputError, match=message):
        words("ab cd", "..aa.b..|.cd..", **options)


def test_tied_symbols_are_one_sound_and_no_time_is_behind_the_recording():
    vocabulary = Vocabulary(("", "t͡", "s", "a"))
    probs = np.full((6, 4), 0.05)
    probs[range(6), [0, 1, 2, 0, 3, 3]] = 0.85
    said = Transcript("ats", vocabulary, spell={"ats": ["t͡", "s", "a"]})
    [found] = forced_align(np.log(probs), said.tokens)
    tokens = timed_tiers(found, said, vocabulary, 0.02, duration_seconds=0.115)["tokens"]
    assert [each.text for each in tokens] == ["t͡s", "a"]
    assert tokens[-1].end_seconds == 0.115
