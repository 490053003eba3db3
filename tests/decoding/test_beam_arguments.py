"""The arguments of ``BeamDecoder``: the plan that they make, and every message about them."""

import math

import numpy as np
import pytest

from ctckit import BeamDecoder, Vocabulary
from ctckit.errors import InvalidInputError
from tests.support.search_problems import LETTERS, PIECES, UNMARKED, WORDPIECES, model


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {
        "words": model(folder, ["a", "b", "ab", "ba"], "word"),
        "characters": model(folder, ["a", "b", "|"], "char"),
        "tokens": model(folder, ["▁a", "b", "▁"], "token"),
        "foreign": model(folder, ["я", "ы"], "char", seed=5),
        "foreign words": model(folder, ["яы", "A"], "word", seed=5),
        "spaceless": model(folder, ["a", "b"], "char", seed=6),
    }


def test_spellings_in_pieces():
    lexicon = {"Ab": ["▁a", "b"], "aa": [["▁a", "▁"]]}
    decoder = BeamDecoder(PIECES, lexicon=lexicon, oov_charge=None)
    assert decoder.plan.words.lists() == [(1, 2), (1,)]
    decoder = BeamDecoder(WORDPIECES, lexicon={"ab": "ab", "bb": ["b", "##b"]})
    assert decoder.plan.words.lists() == [(1, 2), (2, 2)]


def test_hotwords_of_several_spellings():
    lexicon = {"x": [["a"], ["b", "b"]], "y": ["a", "b"]}
    decoder = BeamDecoder(LETTERS, lexicon=lexicon, hotwords={"x y": 2.0})
    assert decoder.plan.hotwords.lists() == [(0, 1, 0, 1, 2, 0), (0, 2, 2, 0, 1, 2, 0)]
    assert BeamDecoder(LETTERS, lexicon=lexicon, hotwords=["ab a"]).plan.hotwords.lists() == [(0, 1, 2, 0, 1, 0)]


def test_hotwords_are_a_setting():
    lexicon = {"x": [["a"], ["b", "b"]], "y": ["a", "b"]}
    decoder = BeamDecoder(LETTERS, lexicon=lexicon, hotwords={"y": 1.0})
    other = decoder.with_settings(hotwords=["x"], hotword_weight=4.0)
    expected = BeamDecoder(LETTERS, lexicon=lexicon, hotwords={"x": 4.0}).plan
    assert other.plan.hotwords.lists() == expected.hotwords.lists() == [(0, 1, 0), (0, 2, 2, 0)]
    assert other.plan.hotword_weights.tolist() == expected.hotword_weights.tolist() == [4.0, 4.0]
    by_length = np.array([math.log(1 + 3 ** (0.36 * letters) / 2) for letters in (1, 2)], dtype=np.float32)
    assert decoder.with_settings(hotwords=["x"]).plan.hotword_weights.tolist() == by_length.tolist()
    assert decoder.with_settings(beam_width=3).plan.hotwords.lists() == decoder.plan.hotwords.lists()
    assert decoder.with_settings(hotwords=None).plan.hotwords.lists() == []


def test_equal_hotwords_count_once():
    plan = BeamDecoder(LETTERS, hotwords={"a b": 1.0, " a  b ": 3.0, "a  b": 2.0, "a": 2.0}).plan
    assert (plan.hotwords.lists(), plan.hotword_weights.tolist()) == ([(0, 1, 0, 2, 0), (0, 1, 0)], [3.0, 2.0])


def test_what_a_model_of_characters_is_asked(models):
    plan = BeamDecoder(PIECES, language_model=models["characters"]).plan
    native = models["characters"].native
    space, a, b = (native.find(each) for each in "|ab")
    assert (plan.token_lm_ids.lists(), plan.token_lm_space) == ([(space, a), (b,), (), (space,)], space)
    with_both = Vocabulary(("", "a", " ", "|"))
    plan = BeamDecoder(with_both, language_model=models["characters"]).plan
    assert (plan.token_lm_ids.lists(), plan.token_lm_space) == ([(), (a,), (space,), (native.unknown,)], -1)


MANY = ["ax", "ay", "az", "aé", "bé", "é", "a"]


@pytest.mark.parametrize(
    ("vocabulary", "arguments", "message"),
    [
        (UNMARKED, {"blank": 1}, r"blank is 1, but vocabulary says 0\. Leave blank out\."),
        (("a", "b"), {}, r"tokens\[0\] is 'a', but 0 is the blank; expected \"\"\."),
        ("abc", {}, r"tokens is the string 'abc'; expected a sequence of strings\. .*Vocabulary\.from_characters\."),
        (["", 3], {}, r"tokens\[1\] is 3; expected a string\."),
        (UNMARKED, {"beam_width": 0}, r"beam_width is 0; expected a positive integer\."),
        (UNMARKED, {"beam_width": 2.0}, r"beam_width is 2\.0; expected a positive integer\."),
        (UNMARKED, {"beam_width": 10**9}, r"beam_width is 1000000000; expected a number in 1\.\.1\.04858e\+06\."),
        (UNMARKED, {"lm_weight": -1}, r"lm_weight is -1; expected a number in 0\.\.60\."),
        (UNMARKED, {"lm_weight": math.nan}, r"lm_weight is nan; expected a number in 0\.\.60\."),
        (UNMARKED, {"lm_weight": [0.5]}, r"lm_weight has 1 entries for 0 language models; expected one for each\."),
        (UNMARKED, {"token_bonus": 61}, r"token_bonus is 61; expected a number in -60\.\.60\."),
        (UNMARKED, {"token_bonus": "1"}, r"token_bonus is '1'; expected a number in -60\.\.60\."),
        (LETTERS, {"word_bonus": math.inf}, r"word_bonus is inf; expected a number in -60\.\.60\."),
        (UNMARKED, {"word_bonus": 1.0}, r"word_bonus is 1, but vocabulary has no mark of words\. Say separator="),
        (UNMARKED, {"oov_charge": -1.0}, r"oov_charge is -1\.0; expected a number in 0\.\.60\."),
        (LETTERS, {"oov_charge": None}, r"oov_charge=None forbids unknown words, but no words are known\."),
        (UNMARKED, {"token_threshold": 0.1}, r"token_threshold is 0\.1; expected a number in -inf\.\.0\."),
        (UNMARKED, {"beam_threshold": 1}, r"beam_threshold is 1; expected a number in -inf\.\.0\."),
        (UNMARKED, {"language_model": "m.arpa"}, r"language_model is 'm\.arpa'; expected a language model\. Load one"),
        (UNMARKED, {"language_model": 3}, r"language_model is 3; expected a language model\."),
        (UNMARKED, {"language_model": [None]}, r"language_model\[0\] is None; expected a language model\."),
        (UNMARKED, {"lexicon": ["ab"]}, r"lexicon is given, but vocabulary has no mark of words"),
        (LETTERS, {"lexicon": "ab"}, r"lexicon is 'ab'; expected words, or a mapping from words to their spellings\."),
        (LETTERS, {"lexicon": 3}, r"lexicon is 3; expected words"),
        (LETTERS, {"lexicon": []}, r"lexicon is empty; expected at least one word, or None\."),
        (LETTERS, {"lexicon": ["a", ""]}, r"lexicon\[1\] is ''; expected a word, a string that is not empty\."),
        (LETTERS, {"lexicon": ["a", 7]}, r"lexicon\[1\] is 7; expected a word"),
        (LETTERS, {"lexicon": {"a": ""}}, r"lexicon\['a'\] has an empty spelling; expected at least one letter\."),
        (LETTERS, {"lexicon": {"a": []}}, r"lexicon\['a'\] is \[\]; expected a string, a list of tokens, or a list of"),
        (LETTERS, {"lexicon": {"a": ["a", ["b"]]}}, r"lexicon\['a'\] is \['a', \['b'\]\]; expected a string"),
        (LETTERS, {"lexicon": {"a": 7}}, r"lexicon\['a'\] is 7; expected a string"),
        (
            LETTERS,
            {"lexicon": ["a b"]},
            r"lexicon has a word with letters that the vocabulary cannot write: 'a b' \(' '",
        ),
        (LETTERS, {"lexicon": ["a|b"]}, r"cannot write: 'a\|b' \('\|' U\+007C\)\."),
        (
            LETTERS,
            {"lexicon": MANY},
            r"lexicon has 6 words with letters that the vocabulary cannot write: 'ax' \('x' U\+0078\), 'ay' .*, 'bé' "
            r"\('é' U\+00E9\) and 1 more\. Leave them out or spell them in letters of the vocabulary\.",
        ),
        (LETTERS, {"lexicon": {"w": ["ab", "ba"]}}, r"cannot write: 'w' \('ab', 'ba'\)\."),
        (PIECES, {"lexicon": {"w": ["▁a", "▁a"]}}, r"cannot write: 'w' \('a boundary inside'\)\."),
        (LETTERS, {"hotwords": "ab"}, r"hotwords is 'ab'; expected strings, or a mapping from strings to weights\."),
        (LETTERS, {"hotwords": ["a", " "]}, r"hotwords\[1\] is ' '; expected a word, a string that is not empty\."),
        (
            LETTERS,
            {"hotwords": ["xa"], "on_unspellable": "error"},
            r"hotwords has a phrase with letters that .* cannot write: 'xa' \('x' U\+0078\)",
        ),
        (
            UNMARKED,
            {"hotwords": ["a b"], "on_unspellable": "error"},
            r"hotwords has a phrase .* cannot write: 'a b' \(' ' U\+0020\)",
        ),
        (LETTERS, {"on_unspellable": "raise"}, r'on_unspellable is \'raise\'; expected one of "warn", "error"'),
        (
            LETTERS,
            {"hotwords": {"a": 0.0}},
            r"hotwords\['a'\] is 0\.0; expected nats for one occurrence, a number in −60\.\.60 that is not 0",
        ),
        (LETTERS, {"hotwords": {"a": 61}}, r"hotwords\['a'\] is 61; expected nats .* in −60\.\.60"),
        (LETTERS, {"hotwords": {"a": math.nan}}, r"hotwords\['a'\] is nan; expected nats"),
        (LETTERS, {"hotwords": {"a": True}}, r"hotwords\['a'\] is True; expected nats"),
        (
            LETTERS,
            {"hotwords": ["a"], "hotword_weight": -61},
            r"hotword_weight is -61; expected nats for one occurrence",
        ),
    ],
)
def test_what_is_wrong_with_the_arguments_is_said(vocabulary, arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        BeamDecoder(vocabulary, **arguments)


@pytest.mark.parametrize(
    ("vocabulary", "names", "message"),
    [
        (UNMARKED, ["words"], r"language_model is a model of words, but vocabulary has no mark of words"),
        (LETTERS, ["words", "words"], r'has models of "word", "word"; expected at most one of words and one of char'),
        (LETTERS, ["characters", "tokens"], r'has models of "char", "token"; expected at most one of words and one'),
        (LETTERS, ["foreign words"], r"language_model has no word that the vocabulary can write\. Is it of another"),
        (UNMARKED, ["foreign"], r"language_model knows no token of the vocabulary \('a', for one\)\. Is it of another"),
        (
            LETTERS,
            ["spaceless"],
            r"language_model has no entry '\|' for the boundary between words\. Train it on texts",
        ),
    ],
)
def test_models_that_do_not_fit(vocabulary, names, message, models):
    given = [models[name] for name in names]
    with pytest.raises(InvalidInputError, match=message):
        BeamDecoder(vocabulary, language_model=given)


def test_a_model_of_tokens_fits_if_it_knows_one_of_them(models):
    plan = BeamDecoder(LETTERS, language_model=models["tokens"]).plan
    unknown, b = models["tokens"].native.unknown, models["tokens"].native.find("b")
    assert plan.token_lm_ids.lists() == [(), (unknown,), (b,), (unknown,)]


def test_weights_for_two_models(models):
    both = [models["words"], models["characters"]]
    with pytest.raises(
        InvalidInputError, match=r"lm_weight has 3 entries for 2 language models; expected one for each"
    ):
        BeamDecoder(LETTERS, language_model=both, lm_weight=[1, 2, 3])
    with pytest.raises(InvalidInputError, match=r"lm_weight\[1\] is -2; expected a number in 0\.\.60\."):
        BeamDecoder(LETTERS, language_model=both, lm_weight=[1, -2])


def test_phonemes_are_boosted_by_words_of_the_lexicon():
    vocabulary = Vocabulary(("", "t", "uː", "_"), separator="_")
    message = r"hotwords has a phrase with letters that the vocabulary cannot write: 'two tutu' \('tutu'\)"
    with pytest.raises(InvalidInputError, match=message):
        BeamDecoder(vocabulary, lexicon={"two": ["t", "uː"]}, hotwords=["two tutu"], on_unspellable="error")
    assert BeamDecoder(vocabulary, lexicon={"two": ["_", "t", "uː", "_"]}).plan.words.lists() == [(1, 2)]
    with pytest.raises(InvalidInputError, match=r"cannot write: 'two' \('a boundary inside', 'x' U\+0078\)\."):
        BeamDecoder(vocabulary, lexicon={"two": ["t", "_", "uː", "x"]})


def test_a_setting_that_is_none():
    with pytest.raises(
        InvalidInputError, match=r"'alpha' is no setting of a decoder; expected some of beam_width, lm_w"
    ):
        BeamDecoder(UNMARKED).with_settings(alpha=0.5)
    with pytest.raises(InvalidInputError, match=r"word_bonus is 1, but vocabulary has no mark of words"):
        BeamDecoder(UNMARKED).with_settings(word_bonus=1)
    with pytest.raises(InvalidInputError, match=r"hotword_weight is given without hotwords\. Give both: hotwords="):
        BeamDecoder(UNMARKED).with_settings(hotword_weight=3.0)
    with pytest.raises(InvalidInputError, match=r"on_unspellable is given without hotwords\. Give both: hotwords="):
        BeamDecoder(UNMARKED).with_settings(on_unspellable="error")


@pytest.mark.parametrize("unit", ["word", "char"])
@pytest.mark.parametrize("changed", [False, True], ids=["made so", "with_settings"])
def test_a_model_without_weight_is_no_model(unit, changed, tmp_path):
    entries = ["a", "ab", "bb"] if unit == "word" else ["a", "b", "|"]
    loaded = model(tmp_path, entries, unit)
    silent = BeamDecoder(LETTERS, beam_width=10, language_model=loaded, lm_weight=0.5 if changed else 0.0)
    if changed:
        silent = silent.with_settings(lm_weight=0.0)
    plain = BeamDecoder(LETTERS, beam_width=10)
    for seed in range(20):
        log_probs = np.log(np.random.default_rng(seed).dirichlet(np.ones(4), 12))
        assert silent.decode(log_probs, n_best=3) == plain.decode(log_probs, n_best=3)
    loud = BeamDecoder(LETTERS, beam_width=10, language_model=loaded, lm_weight=0.5)
    again = silent.with_settings(lm_weight=0.5)
    assert again.decode(log_probs, n_best=3) == loud.decode(log_probs, n_best=3)
    assert silent.language_models == loud.language_models == (loaded,)


def test_what_is_asked_for_stays_without_the_model(tmp_path):
    loaded = model(tmp_path, ["a", "ab"], "word")
    options = {"lexicon": ["ab", "b"], "word_bonus": 1.5, "oov_charge": 3.0, "beam_width": 10}
    silent = BeamDecoder(LETTERS, language_model=loaded, lm_weight=0.0, **options)
    plain = BeamDecoder(LETTERS, **options)
    bonus = BeamDecoder(LETTERS, language_model=loaded, lm_weight=0.0, beam_width=10).with_settings(word_bonus=1.0)
    for seed in range(20):
        log_probs = np.log(np.random.default_rng(seed).dirichlet(np.ones(4), 12))
        assert silent.decode(log_probs) == plain.decode(log_probs)
        assert bonus.decode(log_probs) == BeamDecoder(LETTERS, word_bonus=1.0, beam_width=10).decode(log_probs)
