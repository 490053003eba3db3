"""Rendered lines of right-to-left scripts: trained on in logical order, and read in logical order."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, features

from ctckit.ocr import FitConfig, Recognizer, fit_lines
from ctckit.ocr.data.texts import display_order
from ctckit.ocr.training.evaluation import character_error_rate

HEBREW = "אבגדהוזחטיכלמנסעפצקרשתםןץףך"
ARABIC = "ابتثجحخدذرزسشصضطظعغفقكلمنهوي"


def font_of(size):
    import matplotlib as mpl  # it has DejaVu Sans inside, which has Hebrew and Arabic letters

    layout = ImageFont.Layout.RAQM if features.check("raqm") else ImageFont.Layout.BASIC
    path = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size, layout_engine=layout)


def text_of(letters, rng):
    words = ["".join(rng.choice(list(letters), size=rng.integers(2, 6))) for _ in range(rng.integers(2, 4))]
    words.insert(int(rng.integers(0, len(words) + 1)), str(rng.integers(10, 1000)))
    return " ".join(words)


def draw(text, rng):
    """Return the picture of a text in logical order."""
    font = font_of(int(rng.integers(20, 28)))
    shaped = features.check("raqm")
    shown, options = (text, {"direction": "rtl"}) if shaped else (display_order(text, rightward=False), {})
    left, top, right, bottom = font.getbbox(shown, **options)
    image = Image.new("L", (int(right - left) + 12, int(bottom - top) + 12), 245)
    ImageDraw.Draw(image).text((6 - left, 6 - top), shown, fill=15, font=font, **options)
    return image


def read_after_training(folder, letters, *, epochs):
    """Return the CER of 60 new lines after training on 240."""
    rng = np.random.default_rng(5)
    (folder / "lines").mkdir()
    for n in range(240):
        text = text_of(letters, rng)
        draw(text, rng).save(folder / "lines" / f"{n}.png")
        (folder / "lines" / f"{n}.gt.txt").write_text(text, encoding="utf-8")
    fit_lines(folder / "lines", folder / "model", config=FitConfig(epochs=epochs, validation=0.0))
    recognizer = Recognizer.load(folder / "model")
    assert recognizer.rules.direction == "rtl"
    texts = [text_of(letters, rng) for _ in range(60)]
    readings = recognizer.read([draw(text, rng) for text in texts])
    return character_error_rate(texts, [reading.text for reading in readings])


@pytest.mark.slow
def test_hebrew_is_learned_and_read_in_logical_order(tmp_path):
    assert read_after_training(tmp_path, HEBREW, epochs=60) <= 0.01


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("CTCKIT_LONG_TESTS"), reason="takes minutes: CTCKIT_LONG_TESTS=1 runs it")
@pytest.mark.skipif(not features.check("raqm"), reason="Pillow cannot shape Arabic here: it has no raqm")
def test_shaped_arabic_is_learned_and_read_in_logical_order(tmp_path):
    assert read_after_training(tmp_path, ARABIC, epochs=80) <= 0.05
