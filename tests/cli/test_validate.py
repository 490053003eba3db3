"""``ctckit validate``, with a tiny acoustic model."""

import numpy as np
import pytest
from typer.testing import CliRunner

from ctckit.cli import app
from tests.support import tiny_acoustic_model
from tests.support.tiny_acoustic_model import RATE, samples_of

runner = CliRunner()


def invoke(*arguments):
    return runner.invoke(app, ["validate", *map(str, arguments)])


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Six recordings with their texts."""
    soundfile = pytest.importorskip("soundfile")
    tiny_acoustic_model.install(
        tmp_path,
        tiny="tests.support.tiny_acoustic_model:load",
        speller="tests.support.tiny_acoustic_model:load_speller",
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "corpus"
    folder.mkdir()
    for n in range(6):
        soundfile.write(f"corpus/{n}.wav", samples_of("bad cab"), RATE)
        (folder / f"{n}.txt").write_text("Bad cab!", encoding="utf-8")
    return folder


def test_a_corpus_without_problems(corpus):
    result = invoke("corpus", "--model", "tiny")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "6 recordings, 0.2 minutes; 1,000 samples a second, 1 channel.",
        "12 words, 2 different.",
    ]


def test_what_cannot_be_used_is_listed(corpus):
    (corpus / "0.txt").unlink()
    (corpus / "1.txt").write_text("bad cab " * 9, encoding="utf-8")
    (corpus / "2.wav").write_bytes(b"no sound")
    (corpus / "7.txt").write_text("bad", encoding="utf-8")
    result = invoke("corpus", "--model", "tiny")
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert lines[0] == "ctckit: 4 files of corpus cannot be used:"
    assert lines[1].startswith("  corpus/0.wav: has no text beside it")
    assert lines[2].startswith("  corpus/7.txt: has no recording beside it")
    assert lines[3].startswith("  corpus/2.wav: not a recording that libsndfile reads")
    assert lines[4].startswith("  corpus/1.wav: the text cannot fit: 71 tokens with 0 adjacent repeats need 71 frames")


def test_rates_channels_and_unusual_paces_are_told(corpus):
    soundfile = pytest.importorskip("soundfile")
    soundfile.write("corpus/0.wav", np.repeat(samples_of("bad cab"), 2)[:, None].repeat(2, axis=1), 2 * RATE)
    soundfile.write("corpus/1.wav", samples_of("bad cab", lead=80), RATE)
    result = invoke("corpus", "--model", "tiny")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].endswith("; 1,000 samples a second, 1 channel: 5; 2,000 samples a second, 2 channels: 1.")
    assert lines[2] == "corpus/1.wav: the text would be said 4.8 times as slow as usual. Is it of this recording?"


def test_unknown_words_are_written_to_be_filled_in(corpus):
    (corpus / "0.txt").write_text("bad 42, 7 and 42", encoding="utf-8")
    result = invoke("corpus", "--model", "tiny", "--unknown-words", "words.txt")
    assert "3 words cannot be spelled: 42, 7, and." in result.stdout
    assert (corpus.parent / "words.txt").read_text(encoding="utf-8") == "42\t\n7\t\nand\t\n"
    again = invoke("corpus", "--model", "tiny", "--unknown-words", "words.txt")
    assert (again.exit_code, again.stderr.startswith("ctckit: words.txt: is there already")) == (2, True)
    (corpus.parent / "words.txt").write_text("42\tbad\n7\tcab\nand\tbad\n", encoding="utf-8")
    assert "cannot be spelled" not in invoke("corpus", "--model", "tiny", "--replacements", "words.txt").stdout


def test_words_that_the_dictionary_does_not_have(corpus):
    (corpus.parent / "d.dict").write_text("bad b a d\n", encoding="utf-8")
    (corpus / "0.txt").write_text("bad gab", encoding="utf-8")
    options = ("--dictionary", "d.dict", "--unknown-words", "words.dict")
    result = invoke("corpus", "--model", "speller:g", *options)
    assert "1 word cannot be spelled: gab.\n1 word is not in d.dict: cab." in result.stdout
    assert (corpus.parent / "words.dict").read_text(encoding="utf-8") == "gab \ncab b a c\n"


def test_words_in_parts_and_with_accents_are_looked_up_as_align_does(corpus):
    (corpus.parent / "d.dict").write_text("bad b a d\ncab c a b\n", encoding="utf-8")
    (corpus / "0.txt").write_text("bad-cab, bád ba\u0301d bad/gab", encoding="utf-8")
    options = ("--dictionary", "d.dict", "--unknown-words", "words.dict")
    result = invoke("corpus", "--model", "speller", "--dictionary-only", *options)
    assert result.exit_code == 0, result.output
    assert "1 word cannot be spelled: bad/gab.\n" in result.stdout
    assert "not in" not in result.stdout


def test_several_dictionaries_and_none_of_the_model(corpus):
    (corpus.parent / "first.dict").write_text("bad b a d\n", encoding="utf-8")
    (corpus.parent / "second.dict").write_text("cab c a b\n", encoding="utf-8")
    (corpus / "0.txt").write_text("bad cab gab", encoding="utf-8")
    options = ("corpus", "--model", "speller", "--dictionary", "first.dict")
    both = (*options, "--dictionary", "second.dict")
    assert "2 words are not in first.dict: cab, gab." in invoke(*options).stdout
    assert "1 word is not in first.dict, second.dict: gab." in invoke(*both).stdout
    assert "1 word cannot be spelled: gab." in invoke(*both, "--dictionary-only").stdout
