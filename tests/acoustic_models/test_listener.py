"""``Listener``: audio that is still coming."""

import numpy as np
import pytest

from ctckit.acoustic_models import Listener, listen, listen_in_chunks
from ctckit.errors import InvalidInputError
from tests.support import tiny_acoustic_model
from tests.support.tiny_acoustic_model import RATE, samples_of

MODEL = tiny_acoustic_model.load("")
SAID = samples_of("bad cab fed bag")


@pytest.mark.parametrize("pieces", [1, 7, 200])
def test_the_chunks_are_those_of_the_whole_audio(pieces):
    listener = Listener(MODEL, rate=RATE, chunk_seconds=0.5, context_seconds=0.2)
    found = [chunk for piece in np.array_split(SAID, pieces) for chunk in listener.push(piece)] + listener.finish()
    expected = list(listen_in_chunks(SAID, MODEL, rate=RATE, chunk_seconds=0.5, context_seconds=0.2))
    assert [chunk.end_seconds for chunk in found] == [chunk.end_seconds for chunk in expected]
    for chunk, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(chunk.log_probs, other.log_probs)
    np.testing.assert_array_equal(
        np.concatenate([chunk.log_probs for chunk in found]), listen(SAID, MODEL, rate=RATE).log_probs
    )


def test_a_chunk_is_ready_soon_after_its_end():
    listener = Listener(MODEL, rate=RATE, chunk_seconds=0.5, context_seconds=0.2)
    assert listener.push(SAID[:700]) == []
    [chunk] = listener.push(SAID[700:701])
    assert (chunk.end_seconds, len(chunk.log_probs)) == (0.5, 5)


def test_audio_of_another_rate():
    pytest.importorskip("soxr")
    listener = Listener(MODEL, rate=4 * RATE)
    found = [chunk for piece in np.array_split(np.repeat(SAID, 4), 5) for chunk in listener.push(piece)]
    found += listener.finish()
    best = np.concatenate([chunk.log_probs for chunk in found]).argmax(axis=1)
    np.testing.assert_array_equal(best, listen(SAID, MODEL, rate=RATE).log_probs.argmax(axis=1))


def test_nothing_was_said():
    assert Listener(MODEL, rate=RATE).finish() == []


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((2, 3), np.float32), r"samples has shape \(2, 3\); expected \(S\)"),
        (np.array([0.0, np.nan]), "samples has values that are not finite"),
        (np.zeros(3, np.int16), "samples"),
    ],
)
def test_what_are_no_samples(samples, message):
    with pytest.raises(InvalidInputError, match=message):
        Listener(MODEL, rate=RATE).push(samples)


@pytest.mark.parametrize(
    "wrong", [{"rate": 0}, {"rate": RATE, "chunk_seconds": 0.0}, {"rate": RATE, "context_seconds": -1}]
)
def test_arguments_out_of_range(wrong):
    with pytest.raises(InvalidInputError):
        Listener(MODEL, **wrong)
