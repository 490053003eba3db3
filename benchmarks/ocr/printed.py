"""Text rendered with the fonts of this machine: lines as scanners give them, and captchas."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parents[2]
CAPTCHA_CHARACTERS = "2345678bcdefghkmnprwxy"
_CAPTCHA_SIZE = (200, 60)
_UNUSABLE = re.compile(r"Thin|Hairline|Math|ExtraLight", re.IGNORECASE)  # gray hairs, and a font of formulas


@lru_cache(maxsize=1)
def installed_fonts() -> tuple[str, ...]:
    """Return the files of the fonts that can be used, ordered by name."""
    listed = subprocess.run(["fc-list", "--format=%{file}\n"], capture_output=True, text=True, check=True).stdout
    found = {path for path in listed.split("\n") if path.endswith((".ttf", ".otf")) and not _UNUSABLE.search(path)}
    return tuple(sorted(found, key=lambda path: Path(path).name))


def some_fonts(count: int, *, seed: int = 0) -> tuple[str, ...]:
    """Return different fonts; fewer if there are not so many."""
    fonts = installed_fonts()
    order = np.random.default_rng(seed).permutation(len(fonts))[:count]
    return tuple(fonts[n] for n in order)


@lru_cache(maxsize=512)
def load_font(path: str, size: int) -> ImageFont.FreeTypeFont:
    """Return a font of a size in pixels."""
    return ImageFont.truetype(path, size)


@dataclass(frozen=True)
class Ink:
    """A text as ink alone.

    Attributes:
        levels: (height, width) uint8, 255 full ink; as high as the font's ascent and descent, as wide as the ink.
        text: The text.
    """

    levels: np.ndarray
    text: str


def write(text: str, font: str, size: int) -> Ink:
    """Return a text, written in a font."""
    face = load_font(font, size)
    ascent, descent = face.getmetrics()
    left, _, right, _ = face.getbbox(text)
    image = Image.new("L", (int(right - left) + 2, ascent + descent), 0)
    ImageDraw.Draw(image).text((1 - left, 0), text, fill=255, font=face)
    return Ink(np.asarray(image), text)


@lru_cache(maxsize=1)
def words() -> tuple[str, ...]:
    """Return the words of this repository's own English texts."""
    text = " ".join(path.read_text("utf-8") for path in sorted((ROOT / "docs" / "guides").glob("*.md")))
    return tuple(re.findall(r"\b[A-Z]?[a-z]{1,11}\b[,.:;]?", text))


def sentence(rng: np.random.Generator, most: int = 4) -> str:
    """Return up to so many words, and sometimes a number."""
    vocabulary = words()
    parts = [vocabulary[n] for n in rng.integers(0, len(vocabulary), size=rng.integers((most + 1) // 2, most + 1))]
    if rng.random() < 0.4:
        parts.insert(int(rng.integers(0, len(parts) + 1)), str(rng.integers(1, 3000)))
    return " ".join(parts)


def on_paper(ink: np.ndarray, *, dark: float, light: float) -> np.ndarray:
    """Return gray levels (float64): ``dark`` where the ink is full, ``light`` where there is none."""
    return light + (dark - light) * ink.astype(np.float64) / 255.0


def captcha(text: str, fonts: tuple[str, ...], rng: np.random.Generator) -> Image.Image:
    """Return a text as a captcha: turned characters in one of the fonts, crossing lines, dots and noise."""
    width, height = _CAPTCHA_SIZE
    font = fonts[rng.integers(0, len(fonts))]
    ink = np.zeros((height, width))
    left, room = float(rng.uniform(4, 14)), (width - 24) / len(text)
    for character in text:
        face = load_font(font, int(rng.integers(30, 41)))
        letter = Image.new("L", (64, 64), 0)
        ImageDraw.Draw(letter).text((32, 32), character, fill=255, font=face, anchor="mm")
        turned = np.asarray(letter.rotate(float(rng.uniform(-12, 12)), Image.Resampling.BICUBIC))
        shown = turned[:, np.flatnonzero(turned.max(axis=0) > 60)]
        top = int(rng.integers(-4, 5)) - 2
        x = int(left + rng.uniform(0, 3))
        part = shown[max(0, -top) : max(0, -top) + height, : max(0, width - x)]
        window = ink[max(0, top) : max(0, top) + len(part), x : x + part.shape[1]]
        np.maximum(window, part[: len(window)], out=window)
        left += max(room * 0.8, shown.shape[1] + rng.uniform(-2, 4))
    drawn = Image.fromarray(ink.astype(np.uint8))
    pen = ImageDraw.Draw(drawn)
    for _ in range(rng.integers(1, 4)):
        ends = [
            (int(x), int(y)) for x, y in zip(sorted(rng.uniform(0, width, 2)), rng.uniform(0, height, 2), strict=True)
        ]
        pen.line(ends, fill=int(rng.integers(120, 256)), width=int(rng.integers(1, 3)))
    for x, y in zip(rng.integers(0, width, 30), rng.integers(0, height, 30), strict=True):
        pen.point((int(x), int(y)), fill=200)
    levels = on_paper(np.asarray(drawn), dark=float(rng.uniform(0, 90)), light=float(rng.uniform(190, 255)))
    levels += rng.normal(0.0, rng.uniform(0, 10), levels.shape)
    return Image.fromarray(levels.clip(0, 255).round().astype(np.uint8))


def captcha_text(rng: np.random.Generator) -> str:
    """Return five or six random characters."""
    return "".join(CAPTCHA_CHARACTERS[n] for n in rng.integers(0, len(CAPTCHA_CHARACTERS), size=rng.integers(5, 7)))
