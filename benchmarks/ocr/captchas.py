"""How many captchas a model reads exactly: ``python -m benchmarks.ocr.captchas``.

A CRNN is trained with the defaults of ``ctckit train`` on captchas of five or six characters in 20 fonts, with crossing
lines, dots and noise. Then it reads new ones.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

from benchmarks.ocr.printed import captcha, captcha_text, some_fonts
from ctckit.ocr import FitConfig, Recognizer, fit_lines
from ctckit.ocr.data.rules import LineRules
from ctckit.ocr.training.evaluation import character_error_rate


def new_captchas(count: int, fonts: tuple[str, ...], *, seed: int) -> list[tuple[str, Image.Image]]:
    """Return texts and their pictures."""
    rng = np.random.default_rng(seed)
    texts = [captcha_text(rng) for _ in range(count)]
    return [(text, captcha(text, fonts, rng)) for text in texts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=360, help="captchas that are trained on")
    parser.add_argument("--fonts", type=int, default=20, help="fonts")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--height", type=int, help="the height of the network; by default the usual one")
    parser.add_argument("--find", choices=("yes", "no"), default="yes", help="find the line in its image")
    options = parser.parse_args()
    torch.set_num_threads(1)
    fonts = some_fonts(options.fonts)
    started = time.process_time()
    with TemporaryDirectory() as temporary:
        lines, model = Path(temporary) / "lines", Path(temporary) / "model"
        lines.mkdir()
        for number, (text, picture) in enumerate(new_captchas(options.lines, fonts, seed=1)):
            picture.save(lines / f"{number:04}.png")
            (lines / f"{number:04}.gt.txt").write_text(text, encoding="utf-8")
        rules = LineRules(find=options.find)
        config = FitConfig(epochs=options.epochs, validation=0.0, height=options.height, rules=rules)
        result = fit_lines(lines, model, config=config)
        new = new_captchas(300, fonts, seed=2)
        reads = [reading.text for reading in Recognizer.load(model).read([picture for _, picture in new])]
    truths = [text for text, _ in new]
    exact = sum(truth == read for truth, read in zip(truths, reads, strict=True)) / len(new)
    print(
        f"{100 * exact:.1f} % of {len(new)} exact, CER {100 * character_error_rate(truths, reads):.1f} %, after "
        f"{result.record.steps[-1]} steps, {time.process_time() - started:.0f} s of CPU time; {len(fonts)} fonts"
    )


if __name__ == "__main__":
    main()
