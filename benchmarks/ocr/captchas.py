"""How many captchas a model reads exactly: ``python -m benchmarks.ocr.captchas``.

Two networks are trained on the same captchas of five or six characters in 20 fonts, with crossing lines, dots and
noise, for as many passes: a CRNN with the defaults of ``ctckit train``, and the network of a published example,
``published.py``. Then both read new captchas.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

from benchmarks.ocr import published
from benchmarks.ocr.printed import captcha, captcha_text, some_fonts
from ctckit.ocr import FitConfig, Recognizer, fit_lines
from ctckit.ocr.training.evaluation import character_error_rate

Captchas = Sequence[tuple[str, Image.Image]]


def new_captchas(count: int, fonts: tuple[str, ...], *, seed: int) -> Captchas:
    """Return texts and their pictures."""
    rng = np.random.default_rng(seed)
    texts = [captcha_text(rng) for _ in range(count)]
    return [(text, captcha(text, fonts, rng)) for text in texts]


def read_with_ctckit(known: Captchas, new: Captchas, epochs: int) -> list[str]:
    """Train a CRNN on captchas, and return what it reads in others."""
    with TemporaryDirectory() as temporary:
        lines, model = Path(temporary) / "lines", Path(temporary) / "model"
        lines.mkdir()
        for number, (text, picture) in enumerate(known):
            picture.save(lines / f"{number:04}.png")
            (lines / f"{number:04}.gt.txt").write_text(text, encoding="utf-8")
        fit_lines(lines, model, config=FitConfig(epochs=epochs, validation=0.0))
        return [reading.text for reading in Recognizer.load(model).read([picture for _, picture in new])]


def read_with_the_published_network(known: Captchas, new: Captchas, epochs: int) -> list[str]:
    """Train the published network on captchas, and return what it reads in others."""
    reader = published.train([picture for _, picture in known], [text for text, _ in known], epochs=epochs)
    return reader.read([picture for _, picture in new])


READERS: dict[str, Callable[[Captchas, Captchas, int], list[str]]] = {
    "ctckit": read_with_ctckit,
    "published network": read_with_the_published_network,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captchas", type=int, default=360, help="captchas that are trained on")
    parser.add_argument("--fonts", type=int, default=20, help="fonts")
    parser.add_argument("--epochs", type=int, default=100, help="passes over the captchas, in batches of 16")
    parser.add_argument("--readers", nargs="+", choices=list(READERS), default=list(READERS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    fonts = some_fonts(options.fonts)
    known, new = (new_captchas(count, fonts, seed=seed) for count, seed in ((options.captchas, 1), (300, 2)))
    truths = [text for text, _ in new]
    print(
        f"| {options.captchas} captchas, {options.epochs} passes | exact % | CER % | CPU seconds |\n|---|---|---|---|"
    )
    for name in options.readers:
        started = time.process_time()
        reads = READERS[name](known, new, options.epochs)
        exact = sum(truth == read for truth, read in zip(truths, reads, strict=True)) / len(new)
        cer, seconds = character_error_rate(truths, reads), time.process_time() - started
        print(f"| {name} | {100 * exact:.1f} | {100 * cer:.1f} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
