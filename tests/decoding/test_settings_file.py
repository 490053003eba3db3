"""Settings of a decoder as files."""

import json
import math

import pytest

from ctckit import BeamDecoder, NGramModel, Vocabulary
from ctckit.decoding import read_settings, write_settings
from ctckit.decoding.settings import HOTWORD_SETTINGS, SETTINGS
from ctckit.errors import DataError, MissingFileError

LETTERS = Vocabulary.from_characters("ab|", separator="|")
WORDS = NGramModel.train(["ab a", "b ab"], order=2, unit="word")
CHARACTERS = NGramModel.train(["ab a", "b ab"], order=2, unit="char")
NOT_DEFAULTS = {
    "beam_width": 7,
    "lm_boundary": False,
    "word_bonus": 1.25,
    "token_bonus": 0.1,
    "oov_charge": None,
    "token_threshold": -8.5,
    "beam_threshold": -20.0,
}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"language_model": WORDS},
        {"language_model": WORDS, "lm_weight": 0.0},
        {"language_model": WORDS, "lm_weight": 0.7, **NOT_DEFAULTS},
        {"language_model": [CHARACTERS, WORDS], "lm_weight": [0.2, 0.7]},
        {"language_model": [WORDS, CHARACTERS], "lm_weight": [0.2, 0.7]},
        {"lexicon": ["ab"], "word_bonus": 0.5},
    ],
)
def test_a_decoder_of_the_settings_is_the_same(tmp_path, given):
    decoder = BeamDecoder(LETTERS, **given)
    write_settings(tmp_path / "s.json", decoder.settings)
    settings = read_settings(tmp_path / "s.json")
    others = {name: given[name] for name in ("language_model", "lexicon") if name in given}
    again = BeamDecoder(LETTERS, **others, **settings)
    assert again.settings == decoder.settings
    plain = BeamDecoder(LETTERS, **others).with_settings(**settings)
    for name in ("beam_width", "word_bonus", "token_lm_weight", "word_lm_weight", "oov_charge", "has_lexicon"):
        assert getattr(again.plan, name) == getattr(decoder.plan, name), name
        assert getattr(plain.plan, name) == getattr(decoder.plan, name), name


def test_all_settings_but_hotwords_are_in_the_file(tmp_path):
    decoder = BeamDecoder(LETTERS, language_model=WORDS, hotwords=["ab"], hotword_weight=3.0, **NOT_DEFAULTS)
    write_settings(tmp_path / "s.json", decoder.settings)
    found = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    assert found == {**NOT_DEFAULTS, "lm_weight": 0.3}
    assert set(found) == set(SETTINGS) - set(HOTWORD_SETTINGS)
    assert list(found) == sorted(found)


def test_thresholds_without_effect_are_left_out(tmp_path):
    write_settings(tmp_path / "s.json", BeamDecoder(LETTERS).settings)
    assert set(read_settings(tmp_path / "s.json")) == {"beam_width", "lm_boundary", "token_bonus", "oov_charge"}
    assert BeamDecoder(LETTERS).settings["beam_threshold"] == -math.inf


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"s\.json: not a JSON file of settings \("),
        (b"\xff", r"s\.json: not a text in UTF-8 \("),
        ("[1]", r"s\.json: it holds a list; expected an object of settings\."),
        ('{"lm_wait": 1}', r"s\.json: 'lm_wait' is no setting of a file; expected some of beam_width, lm_weight, "),
        ('{"hotwords": ["a"]}', r"'hotwords' is no setting of a file; .* Hotwords are given with the decoder\."),
        ('{"on_unspellable": "warn"}', r"'on_unspellable' is no setting .* Hotwords are given with the decoder\."),
        ('{"lm_weight": 99}', r"s\.json: lm_weight is 99; expected a number in 0\.\.60\."),
        ('{"lm_weight": [0.5, "x"]}', r"s\.json: lm_weight is 'x'; expected a number"),
        ('{"token_bonus": NaN}', r"s\.json: token_bonus is nan; expected a number"),
        ('{"beam_width": 0}', r"s\.json: beam_width is 0; expected a positive integer\."),
        ('{"lm_boundary": 1}', r"s\.json: lm_boundary is 1; expected"),
        ('{"word_bonus": null}', r"s\.json: word_bonus is None; expected a number"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, content, message):
    (tmp_path / "s.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message):
        read_settings(tmp_path / "s.json")


def test_no_such_file(tmp_path):
    with pytest.raises(MissingFileError, match=r"s\.json: there is no such file\."):
        read_settings(tmp_path / "s.json")


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(DataError, match=r"'lexicon' is no setting of a file"):
        write_settings(tmp_path / "s.json", {"lexicon": ["a"]})
    with pytest.raises(DataError, match=r"s\.json: cannot be written \("):
        write_settings(tmp_path / "nowhere" / "s.json", {"token_bonus": 1.0})
    assert list(tmp_path.iterdir()) == []
