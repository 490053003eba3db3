"""A language model of the user's own, an object with ``begin``, ``score`` and ``end``, in both searches."""

import pickle

import pytest

from ctckit import NGramModel
from ctckit.compat.pyctcdecode import Alphabet, BeamSearchDecoderCTC, LanguageModel, build_ctcdecoder
from ctckit.errors import InvalidInputError
from tests.compat.test_pyctcdecode import LETTERS, peaked


class Delegating:
    """Asks an n-gram model; ``lists`` says whether it lists its words."""

    unit = "word"

    def __init__(self, inner):
        self.inner = inner

    def begin(self):
        return self.inner.begin()

    def score(self, state, entry):
        return self.inner.score(state, entry)

    def end(self, state):
        return self.inner.end(state)

    def unigram(self, entry):
        return self.inner.unigram(entry)

    def without_context(self):
        return self.inner.without_context()


class Listing(Delegating):
    order = 3

    def __iter__(self):
        return iter(self.inner)


TEXTS = ["bagu be", "be bagu", "bagu bagu be", "be", "zz be", ""]
ALPHABET = Alphabet(LETTERS, False)


@pytest.fixture
def ngrams():
    return NGramModel.train(["bagu be", "be bagu be", "bagu bagu", "a be"], order=3)


def texts_and_scores(decoder, text):
    found = decoder.decode_beams(peaked(text, height=2.0))
    return [(beam[0], round(beam[-1], 6)) for beam in found]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("text", TEXTS)
def test_it_counts_as_the_model_that_it_asks(ngrams, strict, text):
    """The same texts and scores, with the words that the model lists, and with a list of unigrams."""
    words = [word for word in ngrams if word != "<unk>"]
    expected = texts_and_scores(build_ctcdecoder(LETTERS, ngrams, words, strict=strict), text)
    assert texts_and_scores(build_ctcdecoder(LETTERS, Delegating(ngrams), words, strict=strict), text) == expected
    assert texts_and_scores(build_ctcdecoder(LETTERS, Listing(ngrams), words, strict=strict), text) == expected


@pytest.mark.parametrize("strict", [False, True])
def test_it_can_be_given_itself_or_with_weights(ngrams, strict):
    plain = LanguageModel(ngrams)
    given = BeamSearchDecoderCTC(ALPHABET, Listing(ngrams), strict=strict)
    assert texts_and_scores(given, "bagu be") == texts_and_scores(
        BeamSearchDecoderCTC(ALPHABET, plain, strict=strict), "bagu be"
    )
    weights = {"alpha": 1.5, "beta": -0.5, "unk_score_offset": -3.0}
    weighted = BeamSearchDecoderCTC(ALPHABET, LanguageModel(Listing(ngrams), **weights), strict=strict)
    expected = BeamSearchDecoderCTC(ALPHABET, LanguageModel(ngrams, **weights), strict=strict)
    assert texts_and_scores(weighted, "zz be") == texts_and_scores(expected, "zz be")
    assert texts_and_scores(weighted, "zz be") != texts_and_scores(given, "zz be")


def test_the_words_keep_their_order(ngrams):
    """That of the model: an order by hashes would differ between processes, and decides ties."""
    words = list(LanguageModel(Listing(ngrams)).kenlm_model.words)
    assert words == [word for word in ngrams if word != "<unk>"]


def test_a_text_without_boundaries(ngrams):
    """Only the strict search has such texts: they begin in the state of no context."""
    own, expected = (LanguageModel(model, score_boundary=False) for model in (Listing(ngrams), ngrams))
    decoders = [BeamSearchDecoderCTC(ALPHABET, each, strict=True) for each in (own, expected)]
    assert texts_and_scores(decoders[0], "bagu be") == texts_and_scores(decoders[1], "bagu be")


def test_pickles_take_it_along(ngrams):
    decoder = build_ctcdecoder(LETTERS, Listing(ngrams))
    again = pickle.loads(pickle.dumps(decoder))
    assert texts_and_scores(again, "bagu be") == texts_and_scores(decoder, "bagu be")


def test_what_is_wrong_is_said(ngrams, tmp_path):
    with pytest.raises(InvalidInputError, match=r"lists no words \(__iter__\), and no unigrams .* unigrams=\[…\]"):
        build_ctcdecoder(LETTERS, Delegating(ngrams)).decode(peaked("be"))
    characters = Delegating(ngrams)
    characters.unit = "char"
    with pytest.raises(InvalidInputError, match=r"of unit 'char'; expected one of words"):
        build_ctcdecoder(LETTERS, characters)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidInputError, match=r"a Listing, which has no file to save. Pickle the decoder"):
        build_ctcdecoder(LETTERS, Listing(ngrams)).save_to_dir(str(tmp_path / "folder"))
    with pytest.raises(InvalidInputError, match=r"kenlm_model is 3; .* the methods of"):
        LanguageModel(3)
