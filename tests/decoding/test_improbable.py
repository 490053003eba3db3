"""Classes, words and texts that are very improbable, and all that is possible."""

import math

import numpy as np
import pytest

from ctckit import BeamDecoder, NGramModel, Vocabulary
from ctckit.decoding import beam
from tests.support.search_problems import ENGINES

LETTERS = Vocabulary(("", *"acdgot_"), separator="_")


@pytest.fixture(params=sorted(ENGINES), autouse=True)
def engine(request, monkeypatch):
    monkeypatch.setattr(beam, "_engine", ENGINES[request.param])


def spelled(text, nats):
    """Log-probs that spell a text, a letter a frame; all other classes are this far below."""
    log_probs = np.full((len(text), len(LETTERS)), -float(nats))
    log_probs[range(len(text)), [LETTERS.tokens.index(letter) for letter in text]] = 0
    return log_probs - np.logaddexp.reduce(log_probs, axis=1, keepdims=True)


@pytest.mark.parametrize("nats", [10, 50, 84, 90, 120, 300, 5000])
def test_the_only_word_that_is_possible(nats):
    decoder = BeamDecoder(LETTERS, lexicon=["cat", "do"], oov_charge=None)
    best = decoder.decode(spelled("dog", nats))[0][0]
    assert best.text == "do"
    assert best.log_prob == pytest.approx(-nats + math.log(3), rel=1e-3)  # d o o, d o ∅, d o _
    stream = decoder.stream()
    for frame in spelled("dog", nats):
        stream.push(frame[None])
    assert stream.finish() == best


@pytest.mark.parametrize("nats", [84, 200, 1000])
def test_several_improbable_frames(nats):
    decoder = BeamDecoder(LETTERS, lexicon=["cat"], oov_charge=None)
    best = decoder.decode(spelled("dog" * 5, nats))[0][0]
    whole = decoder.decode(spelled("c" + "dog" * 5 + "t", nats))[0][0]
    assert set(best.text.split()) == {"cat"}
    assert set(whole.text.split()) == {"cat"}
    assert -16 * nats < best.log_prob < -14 * nats


@pytest.mark.parametrize("nats", [10, 84, 150])
def test_a_threshold_still_holds(nats):
    log_probs = np.log(np.array([[1e-30, 1 - 1e-30]]))
    log_probs[0, 0] = -nats
    decoder = BeamDecoder(["", "a"], token_threshold=-100.0)
    assert decoder.decode(log_probs)[0][0].text == "a"


@pytest.mark.parametrize("weight", [1.0, 20.0, 60.0])
def test_a_very_improbable_word_is_a_word(weight, tmp_path):
    path = tmp_path / "words.arpa"
    path.write_text(
        "\\data\\\nngram 1=4\n\n\\1-grams:\n-9\t<unk>\n-99\t<s>\n-1\t</s>\n-8\tdo\n\n\\end\\\n", encoding="utf-8"
    )
    decoder = BeamDecoder(
        LETTERS, language_model=NGramModel.load(path), lm_weight=weight, oov_charge=None, word_bonus=0.0
    )
    best = decoder.decode(spelled("do_do", 5000))[0][0]
    assert best.text == "do do"
    assert best.score == pytest.approx(best.log_prob + weight * -17 * math.log(10), rel=1e-5)
