"""How well a model reads lines that look unlike its training lines: ``python -m benchmarks.ocr.robustness``.

A CRNN is trained on printed lines with margins of 4 to 8 pixels. Then it reads 100 new lines in each situation of
``situations.py``: other margins, faint ink, slopes, shadows, borders. The table has the CER of each, and the CPU time.

::

    printed.py      text in the fonts of this machine, and captchas
    situations.py   the situations
    captchas.py     exact readings of captchas: python -m benchmarks.ocr.captchas
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from benchmarks.ocr.printed import Ink, sentence, some_fonts, write
from benchmarks.ocr.situations import SITUATIONS
from ctckit.ocr import FitConfig, Recognizer, fit_lines
from ctckit.ocr.data.rules import LineRules
from ctckit.ocr.training.evaluation import character_error_rate

TRAINED = next(iter(SITUATIONS))
SIZES = (18, 30)  # of the letters in pixels


def new_lines(count: int, fonts: tuple[str, ...], words: int, *, seed: int) -> list[Ink]:
    """Return written sentences of up to so many words."""
    rng = np.random.default_rng(seed)
    return [
        write(sentence(rng, words), fonts[rng.integers(len(fonts))], int(rng.integers(*SIZES))) for _ in range(count)
    ]


def save_lines(lines: list[Ink], folder: Path, *, seed: int) -> None:
    """Save lines as they are trained on."""
    rng = np.random.default_rng(seed)
    for number, ink in enumerate(lines):
        SITUATIONS[TRAINED](ink, rng).save(folder / f"{number:04}.png")
        (folder / f"{number:04}.gt.txt").write_text(ink.text, encoding="utf-8")


def measure(recognizer: Recognizer, lines: list[Ink]) -> dict[str, float]:
    """Return the CER in each situation."""
    rates = {}
    for name, situation in SITUATIONS.items():
        rng = np.random.default_rng(3)
        readings = recognizer.read([situation(ink, rng) for ink in lines])
        rates[name] = character_error_rate([ink.text for ink in lines], [reading.text for reading in readings])
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=600, help="lines that are trained on")
    parser.add_argument("--fonts", type=int, default=8, help="fonts")
    parser.add_argument("--words", type=int, default=4, help="the most words of a line")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--find", choices=("yes", "no"), default="yes", help="find the line in its image")
    parser.add_argument("--model", type=Path, help="keep the model here; if it is there, it is not trained again")
    parser.add_argument("--new", type=int, default=100, help="lines that are read in each situation")
    options = parser.parse_args()
    torch.set_num_threads(1)
    fonts = some_fonts(options.fonts)
    started = time.process_time()
    with TemporaryDirectory() as temporary:
        model = options.model or Path(temporary) / "model"
        if not model.exists():
            folder = Path(temporary) / "lines"
            folder.mkdir()
            save_lines(new_lines(options.lines, fonts, options.words, seed=1), folder, seed=2)
            config = FitConfig(epochs=options.epochs, validation=0.0, rules=LineRules(find=options.find))
            fit_lines(folder, model, config=config)
        print(
            f"{options.lines} lines in {len(fonts)} fonts, {time.process_time() - started:.0f} s of CPU time to train"
        )
        started = time.process_time()
        rates = measure(Recognizer.load(model), new_lines(options.new, fonts, options.words, seed=9))
        print(f"{options.new * len(rates) / (time.process_time() - started):.0f} lines a second, drawn and read\n")
    print(f"| {options.new} new lines | CER % |\n|---|---|")
    for name, rate in rates.items():
        print(f"| {name} | {100 * rate:.1f} |")


if __name__ == "__main__":
    main()
