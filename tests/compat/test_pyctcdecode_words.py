"""ctckit.compat.pyctcdecode by default: the scores of words, by the language model and as hotwords."""

import logging

import numpy as np
import pytest

import ctckit
from ctckit.compat import kenlm
from ctckit.compat.pyctcdecode import Alphabet, BeamSearchDecoderCTC, LanguageModel, build_ctcdecoder
from ctckit.compat.pyctcdecode.constants import AVG_TOKEN_LEN, DEFAULT_ALPHA, DEFAULT_BETA, DEFAULT_UNK_LOGP_OFFSET
from tests.compat.test_pyctcdecode import LETTERS, peaked
from tests.support import pyctcdecode_cases as cases
from tests.support.tolerances import PYCTCDECODE


@pytest.fixture(scope="module")
def arpa(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "small.arpa"
    path.write_text(cases.small_arpa(), encoding="utf-8")
    return path


def fusion_score(text, arpa, alpha=DEFAULT_ALPHA, beta=DEFAULT_BETA, oov_letters=0):
    ngrams = ctckit.NGramModel.load(arpa, unit="word")
    charge = -alpha * DEFAULT_UNK_LOGP_OFFSET * np.log(10) / AVG_TOKEN_LEN
    return alpha * ngrams.log_prob(text) + beta * len(text.split()) - charge * oov_letters


@pytest.mark.difference(
    "pyctcdecode",
    "a space at the end",
    "an empty word follows, and is charged as unknown: −11.5 nats and the model's cost of `<unk>`",
    "no word; texts that differ only in spaces are added up",
)
@pytest.mark.parametrize(("ending", "is_charged"), [("", False), (" ", True)])
def test_a_space_at_the_end_is_no_unknown_word(ending, is_charged, arpa):
    logits = peaked(f"bagu be{ending}", height=12.0)
    for strict in (False, True):
        beam = build_ctcdecoder(LETTERS, arpa, strict=strict).decode_beams(logits)[0]
        assert beam[0] == "bagu be"
        right = beam[4] - beam[3] == pytest.approx(fusion_score("bagu be", arpa), abs=PYCTCDECODE)
        assert right is not (strict and is_charged)


@pytest.mark.difference(
    "pyctcdecode",
    "a word that is not among `unigrams`",
    "`unk_score_offset`, whatever its length, so whole lines become one word on noisy input; while it is "
    "read, another charge",
    "by its letters: six cost as much as any word in the original; the charge grows letter by letter",
)
def test_unknown_words_are_charged_by_the_letter(arpa):
    logits = peaked("bagu zz", height=12.0)
    beam = build_ctcdecoder(LETTERS, arpa).decode_beams(logits)[0]
    assert beam[0] == "bagu zz"
    assert beam[4] - beam[3] == pytest.approx(fusion_score("bagu zz", arpa, oov_letters=2), abs=PYCTCDECODE)


@pytest.mark.difference(
    "pyctcdecode",
    "hotwords where the labels have no space",
    "found if they are the whole text",
    "found anywhere",
)
def test_hotwords_are_found_where_there_are_no_spaces():
    logits = np.full((3, 5), -20.0)
    logits[[0, 1, 2], [0, 1, 2]] = 0
    logits[1, 3] = 0.5  # "atg" by a little
    decoder = build_ctcdecoder([*"acgt", ""])
    assert decoder.decode(logits) == "atg"
    assert decoder.decode(logits, hotwords=["cg"]) == "acg"


@pytest.mark.difference(
    "pyctcdecode",
    "hotwords with spaces",
    'split: "ice cream" favors every "ice"',
    "count as a whole, with the sum of the weights of their words",
)
def test_phrases_count_as_a_whole():
    logits = peaked("ice", height=12.0)
    settings = {"hotwords": ["ice cream"], "hotword_weight": 5.0}
    for strict, expected in ((False, 0.0), (True, 5.0)):
        beam = build_ctcdecoder(LETTERS, strict=strict).decode_beams(logits, **settings)[0]
        assert (beam[0], beam[4] - beam[3]) == ("ice", pytest.approx(expected, abs=PYCTCDECODE))
    beam = build_ctcdecoder(LETTERS).decode_beams(peaked("ice cream", height=12.0), **settings)[0]
    assert (beam[0], beam[4] - beam[3]) == ("ice cream", pytest.approx(10.0, abs=PYCTCDECODE))


@pytest.mark.difference(
    "pyctcdecode",
    "the weight of a phrase",
    "any number",
    "at most 60 nats",
)
def test_long_phrases_are_worth_no_more_than_sixty_nats():
    phrase = "a b c d e f g h"
    logits = peaked(phrase, height=12.0)
    beam = build_ctcdecoder(LETTERS).decode_beams(logits, hotwords=[phrase])[0]
    assert (beam[0], beam[4] - beam[3]) == (phrase, pytest.approx(60.0, abs=PYCTCDECODE))


@pytest.mark.difference(
    "pyctcdecode",
    "hotwords with other letters than the labels",
    "never found",
    "left out, with a warning in the log",
)
def test_hotwords_that_cannot_be_written_are_told(caplog):
    decoder = build_ctcdecoder(LETTERS)
    assert decoder.decode(peaked("be"), hotwords=["Überfall", "  ", "be"]) == "be"
    assert "The hotword 'Überfall' has letters that are not among the labels" in caplog.text
    assert build_ctcdecoder(["", *"be"]).decode(np.eye(3)[[1, 2]] * 9.0, hotwords=["b e"]) == "be"
    assert "The hotword 'b e' has letters" in caplog.text


def test_parameters_and_hotwords_are_not_kept_from_call_to_call(arpa):
    decoder = build_ctcdecoder(LETTERS, arpa)
    logits = peaked("bagu be", height=12.0)
    plain = decoder.decode_beams(logits)[0]
    hot = decoder.decode_beams(logits, hotwords=["be"], hotword_weight=3.0)[0]
    assert hot[4] - plain[4] == pytest.approx(3.0, abs=PYCTCDECODE)
    decoder.reset_params(alpha=1.0, beta=0.25)
    heavy = decoder.decode_beams(logits)[0]
    assert heavy[4] - heavy[3] == pytest.approx(fusion_score("bagu be", arpa, 1.0, 0.25), abs=PYCTCDECODE)
    decoder._language_model.alpha = DEFAULT_ALPHA  # as transformers does it
    decoder._language_model.beta = DEFAULT_BETA
    assert decoder.decode_beams(logits)[0] == plain


def test_unigrams_are_the_known_words(arpa):
    logits = peaked("bagu be", height=12.0)
    beam = build_ctcdecoder(LETTERS, arpa, ["bagu", "größe", "rose"]).decode_beams(logits)[0]
    expected = fusion_score("bagu be", arpa, oov_letters=2)  # "be" is scored by the model, and charged
    assert (beam[0], beam[4] - beam[3]) == ("bagu be", pytest.approx(expected, abs=PYCTCDECODE))


def test_an_empty_list_of_unigrams_is_none(arpa):
    logits = peaked("bagu be", height=12.0)
    for unigrams in (None, []):
        model = LanguageModel(kenlm.Model(arpa), unigrams)
        beam = BeamSearchDecoderCTC(Alphabet(LETTERS, False), model).decode_beams(logits)[0]
        assert beam.lm_score - beam.logit_score == pytest.approx(fusion_score("bagu be", arpa), abs=PYCTCDECODE)


def marked_decoder(path, **options):
    labels = ["<unk>", " ", "", "<s>", "</s>", *"ab"]
    return labels, build_ctcdecoder(labels, path, **options)


MARKS = """\\data\\
ngram 1=4
ngram 2=1

\\1-grams:
-3\t<unk>
0\t<s>\t-0.25
-0.5\t</s>\t-0.125
-0.5\taba\t0

\\2-grams:
-0.25\t<s> </s>

\\end\\
"""


@pytest.mark.parametrize("strict", [False, True])
def test_marks_of_sentences_may_be_labels(strict, tmp_path):
    arpa = tmp_path / "marks.arpa"
    arpa.write_text(MARKS)
    labels, decoder = marked_decoder(arpa, strict=strict)
    ngrams = ctckit.NGramModel.load(arpa, unit="word")
    logits = np.full((5, len(labels)), -20.0)
    logits[np.arange(5), [labels.index(each) for each in ("<s>", " ", "</s>", " ", "<s>")]] = 0
    beam = decoder.decode_beams(logits)[0]
    fusion = DEFAULT_ALPHA * ngrams.log_prob(["<s>", "</s>", "<s>"]) + 3 * DEFAULT_BETA
    assert (beam.text, beam.lm_score - beam.logit_score) == ("<s> </s> <s>", pytest.approx(fusion, abs=PYCTCDECODE))


@pytest.mark.parametrize("strict", [False, True])
def test_a_model_without_a_word_that_the_labels_can_write(strict, tmp_path, caplog):
    """All words are <unk>: the texts are those without a model, if words cost nothing."""
    path = tmp_path / "other.arpa"
    ctckit.NGramModel.train(["xx yy", "yy xx xx"], order=2).save(path)
    caplog.set_level(logging.ERROR)
    _, decoder = marked_decoder(path, strict=strict)
    ngrams = ctckit.NGramModel.load(path, unit="word")
    logits = peaked("ab b", ["⁇", " ", "", "<s>", "</s>", *"ab"], height=14.0)
    beam = decoder.decode_beams(logits)[0]
    charge = DEFAULT_ALPHA * DEFAULT_UNK_LOGP_OFFSET * np.log(10) * (2 if strict else 3 / AVG_TOKEN_LEN)
    fusion = DEFAULT_ALPHA * ngrams.log_prob(["<unk>", "<unk>"]) + 2 * DEFAULT_BETA + charge
    assert (beam.text, beam.lm_score - beam.logit_score) == ("ab b", pytest.approx(fusion, abs=PYCTCDECODE))


def test_words_that_unigrams_omit_are_preferred_by_the_model(tmp_path):
    """The model knows "go home"; only "go" is among the unigrams."""
    path = tmp_path / "home.arpa"
    ctckit.NGramModel.train(["go home", "go home", "hole"], order=2).save(path)
    labels = ["", " ", *"eghlmo"]
    logits = peaked("go hole", labels, height=6.0)
    logits[2 * 5, labels.index("m")] = logits[2 * 5, labels.index("l")] - 0.2  # "home" by a little less
    for unigrams, expected in ((["go"], "go home"), (["go", "hole"], "go hole")):
        for strict in (False, True):
            decoder = build_ctcdecoder(labels, path, unigrams, strict=strict)
            assert decoder.decode(logits) == expected
