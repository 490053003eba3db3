"""The rules of a model: the form of texts, their direction, and light ink."""

import json
import unicodedata

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from ctckit.errors import InvalidInputError, ModelFormatError
from ctckit.ocr.data.images import has_light_ink
from ctckit.ocr.data.lines import Line, LineSet, in_display_order, load_lines
from ctckit.ocr.data.rules import BEFORE, LineRules
from ctckit.ocr.fit import FitConfig, fit_lines
from ctckit.ocr.model_folder import _build, load_model, save_model
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from ctckit.ocr.recognizer import Recognizer
from ctckit.vocabulary import Vocabulary
from tests.support.line_files import TINY, bars, register_tiny, write_line, write_lines

SHALOM = "\u05e9\u05dc\u05d5\u05dd"
SALAM = "\u0633\u0644\u0627\u0645"
POINTED = "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd"  # with vowel points
HINDI = "\u0915\u094d\u0937\u093f\u0924\u093f"
VIETNAMESE = "Ti\u1ebfng Vi\u1ec7t"

# --- texts


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize("text", [VIETNAMESE, HINDI, POINTED, "\ufb01\u00b2", SALAM])
def test_the_form_of_texts(tmp_path, form, text):
    write_line(tmp_path, "x", text, image=bars("abababab").image)
    (line,) = load_lines(tmp_path, rules=LineRules(unicode=form)).lines
    assert line.text == unicodedata.normalize(form, text)


def test_a_text_stays_as_it_is_without_a_form(tmp_path):
    mixed = "e\u0301\u00e9"
    write_line(tmp_path, "x", mixed, image=bars("abab").image)
    (line,) = load_lines(tmp_path, rules=LineRules(unicode="none")).lines
    assert line.text == mixed


def test_white_space_is_kept_if_asked(tmp_path):
    write_line(tmp_path, "x", " a  b\t", image=bars("abab").image)
    (line,) = load_lines(tmp_path, rules=LineRules(spaces="keep")).lines
    assert line.text == " a  b\t"


def test_wrong_rules_are_refused():
    with pytest.raises(InvalidInputError, match="unicode"):
        LineRules(unicode="NFX")
    with pytest.raises(InvalidInputError, match="direction"):
        LineRules(direction="up")
    with pytest.raises(InvalidInputError, match="the rules are"):
        LineRules.from_dict({"unknown": 1})


# --- direction


@pytest.mark.parametrize(
    ("logical", "displayed"),
    [
        (SHALOM, SHALOM[::-1]),
        (f"{SHALOM} 1948", f"1948 {SHALOM[::-1]}"),
        (f"({SHALOM})", f"({SHALOM[::-1]})"),
        (f"{SHALOM} (abc) 12.50", f"12.50 (abc) {SHALOM[::-1]}"),
        (f"([{SHALOM}])", f"([{SHALOM[::-1]}])"),
        (f"{SHALOM} ([abc])", f"([abc]) {SHALOM[::-1]}"),
        (SALAM, SALAM[::-1]),
        ("abc 12", "abc 12"),
        (HINDI, HINDI),
        (VIETNAMESE, VIETNAMESE),
    ],
)
def test_display_order(logical, displayed):
    rules = LineRules(direction="rtl")
    assert rules.displayed(logical) == displayed
    assert rules.displayed(displayed) == logical


WORDS = st.lists(
    st.sampled_from([SHALOM, SALAM, POINTED, "abc", "12", "3.5", f"({SHALOM})", f"{SHALOM},", "x-ray", "12%"]),
    min_size=1,
    max_size=5,
)


@given(WORDS, st.sampled_from(["rtl", "ltr"]))
def test_display_order_keeps_all_letters(words, direction):
    text = " ".join(words)
    displayed = LineRules(direction=direction).displayed(text)
    letters = lambda each: sorted(c for c in each if c.isalnum() or unicodedata.combining(c))  # noqa: E731
    assert letters(displayed) == letters(text)
    assert len(displayed) == len(text)


@given(st.lists(st.sampled_from([SHALOM, SALAM, POINTED, f"({SHALOM})", "1948"]), min_size=1, max_size=6))
def test_right_to_left_texts_come_back(words):
    rules, text = LineRules(direction="rtl"), " ".join(words)
    assert rules.displayed(rules.displayed(text)) == text


def test_the_direction_is_that_of_most_texts():
    rules = LineRules()
    assert rules.for_texts([SHALOM, SHALOM, "abc"]).direction == "rtl"
    assert rules.for_texts([SHALOM, "abc", "abc"]).direction == "ltr"
    assert rules.for_texts([]).direction == "ltr"
    assert LineRules(direction="none").for_texts([SHALOM]).displayed(SHALOM) == SHALOM


def test_a_model_learns_display_order_and_reads_logical_order(tmp_path, monkeypatch):
    text = "\u05d0\u05d1"  # alef, bet: in the picture bet is on the left
    found = in_display_order(LineSet((Line(bars("ab").image, text, "x"),)), LineRules(direction="rtl"))
    assert found.lines[0].text == text[::-1]
    vocabulary = Vocabulary.from_characters("\u05d0\u05d1")
    model = CRNN(CRNNConfig(num_classes=3, **TINY))
    recognizer = Recognizer(model, vocabulary, rules=LineRules(direction="rtl"))
    bet_then_alef = torch.tensor([[0.01, 0.01, 0.98], [0.98, 0.01, 0.01], [0.01, 0.98, 0.01]]).log()
    monkeypatch.setattr(recognizer, "compute_log_probs", lambda lines, batch_size: [bet_then_alef])
    (reading,) = recognizer.read([bars("ab").image])
    assert reading.text == text
    assert [span.character for span in reading.spans] == [text[1], text[0]]  # from left to right


def test_the_rules_travel_with_the_model(tmp_path, monkeypatch):
    register_tiny(monkeypatch)
    data = write_lines(tmp_path / "lines", [SHALOM[:2], SHALOM[:2], SHALOM[1:3]] * 2)
    result = fit_lines(data, tmp_path / "m", config=FitConfig(epochs=1, network="tiny", rules=LineRules(unicode="NFD")))
    recognizer = Recognizer.load(result.model)
    assert recognizer.rules == LineRules(unicode="NFD", direction="rtl")


def test_a_model_without_rules_reads_as_before(tmp_path):
    save_model(tmp_path, CRNN(CRNNConfig(num_classes=3, **TINY)), Vocabulary.from_characters("ab"))
    description = (tmp_path / "model.json").read_text()
    assert load_model(tmp_path).rules == BEFORE
    assert '"direction": "none"' in description


def test_damaged_rules_are_told(tmp_path):
    save_model(tmp_path, CRNN(CRNNConfig(num_classes=3, **TINY)), Vocabulary.from_characters("ab"))
    description = json.loads((tmp_path / "model.json").read_text())
    with pytest.raises(ModelFormatError, match="the rules are"):
        _build(tmp_path, {**description, "lines": [1]}, load_model(tmp_path).model.state_dict())


# --- light ink


def drawn(text="the ink of a line", *, size=28, ink=30, paper=225, seed=0):
    font = ImageFont.load_default(size)
    width = round(font.getlength(text)) + 8
    image = Image.new("L", (width, size + 8), paper)
    ImageDraw.Draw(image).text((4, 2), text, font=font, fill=ink)
    noise = np.random.default_rng(seed).normal(0, 6, (size + 8, width))
    return (np.asarray(image) + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("text", ["i", "the ink of a line", "MMMMWWWW", "8888", "...", "\u2014"])
def test_light_ink_is_found(text):
    image = drawn(text)
    assert not has_light_ink(image)
    assert has_light_ink(255 - image)


def test_shadows_and_gray_grounds_are_no_light_ink():
    shadow = np.linspace(1.0, 0.3, drawn().shape[1])
    for image in ((drawn() * shadow).astype(np.uint8), drawn(ink=20, paper=90), drawn(ink=150, paper=190)):
        assert not has_light_ink(image)
        assert has_light_ink(255 - image)


def test_nothing_is_inverted_without_ink():
    rng = np.random.default_rng(1)
    assert not has_light_ink(np.full((32, 100), 20, np.uint8))
    assert not has_light_ink((128 + rng.normal(0, 20, (32, 400))).astype(np.uint8))
    assert not has_light_ink(np.zeros((1, 1), np.uint8))


@pytest.mark.parametrize(
    ("invert", "light", "dark"), [("auto", True, False), ("yes", True, True), ("no", False, False)]
)
def test_what_is_inverted(invert, light, dark):
    image = drawn()
    rules = LineRules(invert=invert)
    assert (rules.seen(255 - image) == image).all() == light
    assert (rules.seen(image) == 255 - image).all() == dark


def test_light_ink_is_inverted_in_training_and_in_reading(tmp_path):
    write_line(tmp_path, "x", "ab", image=255 - drawn())
    (line,) = load_lines(tmp_path, height=36).lines
    assert np.median(line.image) > 200
    recognizer = Recognizer(CRNN(CRNNConfig(num_classes=3)), Vocabulary.from_characters("ab"), rules=LineRules())
    assert np.median(recognizer.prepare(255 - drawn()).levels) > 200
