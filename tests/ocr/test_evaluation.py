"""``evaluate_model``: the numbers of a model that reads pictures of bars without errors, so errors are in the texts."""

import json
from dataclasses import replace

import jiwer
import numpy as np
import pytest

from ctckit import BeamDecoder
from ctckit.errors import DataError
from ctckit.ocr import evaluate_model
from ctckit.ocr.comparing import Confusion
from ctckit.ocr.data.rules import LineRules
from ctckit.ocr.judging import run
from tests.support import bars_network
from tests.support.bars_network import draw, write
from tests.support.page_files import page_xml, write_page

RULES = LineRules(direction="ltr", invert="no", find="no")
#: document, what the picture shows (and the model reads), the text
LINES = (
    ("will_1-1_01", "ab ba", "ab ba"),
    ("will_1-1_02", "ab ba", "ab aa"),
    ("will_1-2_01", "abc", "abcc"),
    ("will_2-1_01", "cab cab", "cb cab a"),
    ("will_2-1_02", "aaa", "bbb"),
)


@pytest.fixture
def data(tmp_path):
    for name, drawn, text in LINES:
        write(tmp_path / "lines", name, drawn, text)
    return tmp_path / "lines"


def evaluate(data, *, odds=1e6, rules=RULES, characters=bars_network.CHARACTERS, **options):
    return evaluate_model(bars_network.recognizer(odds=odds, rules=rules, characters=characters), data, **options)


def test_the_numbers_are_those_of_jiwer(data):
    found = evaluate(data)
    reads, truths = [drawn for _, drawn, _ in LINES], [text for *_, text in LINES]
    assert [(line.read, line.text) for line in found.lines] == list(zip(reads, truths, strict=True))
    assert (found.cer, found.wer) == (jiwer.cer(truths, reads), jiwer.wer(truths, reads))
    assert found.exact == 1 / 5
    assert list(found.documents) == ["will_2", "will_1"]  # the worse one first
    for name, part in (("will_1", slice(0, 3)), ("will_2", slice(3, 5))):
        rates = found.documents[name]
        expected = (part.stop - part.start, jiwer.cer(truths[part], reads[part]), jiwer.wer(truths[part], reads[part]))
        assert (rates.lines, rates.cer, rates.wer) == expected
    assert found.documents["will_1"].exact == 1 / 3


def test_confusions(data):
    found = evaluate(data).confusions
    assert found[0] == Confusion("b", "a", 3)
    assert set(found[1:]) == {
        Confusion("a", "b", 1),
        Confusion("c", "", 1),
        Confusion("", "a", 1),
        Confusion(" ", "", 1),
        Confusion("a", "", 1),
    }


def test_the_worst_lines_have_their_pictures(data, monkeypatch):
    found = evaluate(data)
    assert [each.line.text for each in found.worst] == ["bbb", "cb cab a", "abcc", "ab aa"]
    assert [each.line.characters.errors for each in found.worst] == [3, 3, 1, 1]
    assert all(each.line in found.lines for each in found.worst)
    assert np.array_equal(found.worst[0].image, draw("aaa"))
    assert [each.line.text for each in evaluate(data, worst=1).worst] == ["bbb"]
    monkeypatch.setattr(run, "_AT_ONCE", 2)
    parts = evaluate(data)
    assert parts.lines == found.lines
    assert parts.worst == found.worst
    assert parts.characters == found.characters


def test_calibration(tmp_path):
    """With odds of 36 each character is read with 36/(36 + 4) = 0.9: calibrated if one of ten is wrong."""
    write(tmp_path, "x", "abc" * 6 + "bc", "abc" * 6 + "aa")
    found = evaluate(tmp_path, odds=36)
    (used,) = [each for each in found.characters.bins if each.count]
    assert used.count == 20
    assert used.confidence == pytest.approx(0.9)
    assert used.right == pytest.approx(0.9)
    assert found.characters.error == pytest.approx(0.0, abs=1e-6)
    assert found.words.right == 0.0
    assert found.words.error == pytest.approx(0.9)
    assert found.lines[0].confidence is not None


def test_texts_are_compared_in_the_form_of_the_model(tmp_path):
    write(tmp_path, "x", " ab", "  a\u200bb ")
    write(tmp_path, "y", "ba", "ba")
    found = evaluate(tmp_path)
    assert found.lines[0].read == "ab"  # the model reads the space
    assert found.exact == 1.0
    assert found.normalized == 1
    kept = evaluate(tmp_path, rules=LineRules(spaces="keep", direction="ltr", invert="no", find="no"))
    assert (kept.lines[0].text, kept.lines[0].read) == ("  ab ", " ab")


def test_right_to_left_texts_are_compared_in_logical_order(tmp_path):
    """The picture has "aab c" from left to right, which is read from right to left."""
    write(tmp_path, "x", "aab c", "\u05d2 \u05d1\u05d0\u05d0")
    found = evaluate(
        tmp_path, rules=LineRules(direction="rtl", invert="no", find="no"), characters="\u05d0\u05d1\u05d2 "
    )
    assert found.lines[0].read == found.lines[0].text == "\u05d2 \u05d1\u05d0\u05d0"
    assert (found.characters.right, found.words.right) == (1.0, 1.0)
    assert found.unknown == {}


def test_unknown_characters_are_counted(tmp_path):
    write(tmp_path, "x", "ab", "aéé!")
    assert evaluate(tmp_path).unknown == {"é": 2, "!": 1}


def test_a_blank_line_is_read_as_nothing(tmp_path):
    write(tmp_path, "x", "", "ab")
    found = evaluate(tmp_path)
    assert found.lines[0].read == ""
    assert found.rates.characters.deletions == 2
    assert found.lines[0].confidence == 0.0
    assert found.characters.count == found.words.count == 0


def test_a_line_with_too_few_frames_counts(tmp_path):
    write(tmp_path, "x", "ab", "ab" * 20)
    found = evaluate(tmp_path)
    assert found.rates.characters.deletions == 38
    assert found.skipped == ()


def test_lines_that_cannot_be_used_are_left_out_and_listed(data):
    (data / "will_1-1_03.gt.txt").write_text("a")
    (data / "will_1-1_04.png").write_text("no image")
    (data / "will_1-1_04.gt.txt").write_text("a")
    found = evaluate(data)
    assert len(found.lines) == len(LINES)
    assert [each.reason for each in found.skipped] == ["no image", "the image cannot be read"]
    assert found.skipped_counts == "1 × no image, 1 × the image cannot be read"
    with pytest.raises(DataError, match=r"2 of 7 lines cannot be used") as error:
        evaluate(data, strict=True)
    assert "will_1-1_03" in str(error.value)
    assert "will_1-1_04" in str(error.value)


def test_without_a_line_there_is_nothing_to_tell(tmp_path):
    (tmp_path / "x.gt.txt").write_text("a")
    (tmp_path / "x.png").write_text("no image")
    with pytest.raises(DataError, match=r"x\.png: "):
        evaluate(tmp_path)
    (tmp_path / "none.tsv").write_text("path\ttext\n")
    with pytest.raises(DataError, match=r"none\.tsv: "):
        evaluate(tmp_path / "none.tsv")


def test_a_decoder_reads(data):
    recognizer = bars_network.recognizer(odds=3, rules=RULES)
    vocabulary = replace(recognizer.vocabulary, separator=" ")
    words = BeamDecoder(vocabulary, lexicon=["cc"], oov_charge=None)
    found = evaluate_model(recognizer, data, decoder=words)
    assert {word for line in found.lines for word in line.read.split()} == {"cc"}


def test_tables_and_pages(tmp_path, data):
    table = "".join(f"lines/{name}.png\t{text}\n" for name, _, text in LINES)
    (tmp_path / "table.tsv").write_text(table)
    assert evaluate(tmp_path / "table.tsv").cer == evaluate(data).cer
    write_page(tmp_path / "pages", page_xml, texts=("one line", "another"))
    found = evaluate(tmp_path / "pages")
    assert [line.text for line in found.lines] == ["one line", "another"]
    assert list(found.documents) == ["page"]


def test_progress_is_told(data):
    told = []
    evaluate(data, done=lambda ready, total: told.append((ready, total)))
    assert told == [(n, 5) for n in range(1, 6)]


def test_it_is_json(data):
    (data / "alone.gt.txt").write_text("a")
    found = evaluate(data)
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert values["cer"] == found.cer
    assert values["documents"]["will_1"]["lines"] == 3
    assert values["confusions"][0] == {"true": "b", "read": "a", "count": 3}
    assert values["calibration"]["characters"]["expected_calibration_error"] == found.characters.error
    assert values["skipped"][0]["reason"] == "no image"
    assert values["rules"] == RULES.to_dict()
    assert [line["read"] for line in values["readings"]] == [drawn for _, drawn, _ in LINES]
    assert values["readings"][0]["document"] == "will_1"
