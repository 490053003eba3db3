"""Reading with an ONNX file: ctckit against a plain loop over ONNX Runtime, line by line.

    python -m benchmarks.ocr.reading LINES MODEL.onnx [MODEL.onnx …]

The loop is what programs around PP-OCR's files do: scale to the height of the network, at least 320 columns, one line
at a time, the likeliest class of each frame, collapsed. ctckit reads all lines in one call: log-probabilities, texts,
confidences and the place of each character. Both have one thread and the same images in memory, and take turns; the
numbers are the CPU time of the fastest turn.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from ctckit import set_num_threads
from ctckit.ocr.data.pairs import Pair, Skipped
from ctckit.ocr.data.rules import LineRules
from ctckit.ocr.data.sources import find_pairs
from ctckit.ocr.onnx.session import OnnxSession
from ctckit.ocr.recognizer import Recognizer
from ctckit.ocr.training.evaluation import character_error_rate

LEAST_RATIO = 320 / 48  # width to height of PP-OCR's inputs


@dataclass(frozen=True)
class ReadingSpeed:
    """How fast lines are read on one core.

    Attributes:
        model: The file that ctckit reads with.
        plain_model: The file of the plain loop.
        lines: The number of lines.
        lines_per_second: Of ctckit, by CPU time.
        plain_lines_per_second: Of the plain loop.
        cer: The character error rate of ctckit's texts.
        plain_cer: That of the plain loop.
    """

    model: str
    plain_model: str
    lines: int
    lines_per_second: float
    plain_lines_per_second: float
    cer: float
    plain_cer: float

    @property
    def ratio(self) -> float:
        """How many times as fast ctckit is."""
        return self.lines_per_second / self.plain_lines_per_second


class PlainLoop:
    """Reads line by line with ONNX Runtime."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0]
        known = OnnxSession(path, threads=1)
        self.height, self.tokens = known.height, known.vocabulary.tokens

    def read(self, images: Sequence[Image.Image]) -> list[str]:
        """Return the texts of images."""
        return [self._read(image) for image in images]

    def _read(self, image: Image.Image) -> str:
        width = int(np.ceil(self.height * image.width / image.height))
        scaled = image.resize((width, self.height), Image.Resampling.BILINEAR).convert("RGB")
        levels = (np.asarray(scaled, dtype=np.float32).transpose(2, 0, 1) / 255 - 0.5) / 0.5
        batch = np.zeros((1, 3, self.height, max(width, int(self.height * LEAST_RATIO))), dtype=np.float32)
        batch[0, :, :, :width] = levels
        frames = self.session.run(None, {self.input.name: batch})[0][0]
        best = frames.argmax(axis=1)
        kept = best[(best != 0) & (np.diff(best, prepend=-1) != 0)]
        return "".join(self.tokens[token] for token in kept)


def measure(
    model: Path,
    pairs: Sequence[Pair],
    *,
    plain_model: Path | None = None,
    rounds: int = 3,
    progress: Callable[[str], None] = lambda text: None,
) -> ReadingSpeed:
    """Return how fast ctckit reads lines, and a plain loop.

    Args:
        model: The file that ctckit reads with.
        pairs: The lines.
        plain_model: The file of the plain loop; None is the same.
        rounds: The number of turns.
        progress: Is told what was measured.
    """
    set_num_threads(1)
    plain_model = plain_model or model
    images = [pair.picture.load() for pair in pairs]
    truths = [LineRules().normalized(pair.written) for pair in pairs]
    recognizer, plain = Recognizer.load(model), PlainLoop(plain_model)
    readers: dict[str, Callable[[], list[str]]] = {
        "ctckit": lambda: [reading.text for reading in recognizer.read(images)],
        "plain": lambda: plain.read(images),
    }
    seconds = dict.fromkeys(readers, float("inf"))
    texts: dict[str, list[str]] = {}
    for turn in range(rounds):
        for name, read in readers.items():
            start = time.process_time()
            texts[name] = read()
            seconds[name] = min(seconds[name], time.process_time() - start)
        progress(f"{model.name}, turn {turn + 1}: {seconds['plain'] / seconds['ctckit']:.2f} × as fast")
    rates = {name: len(images) / each for name, each in seconds.items()}
    errors = {name: character_error_rate(truths, each) for name, each in texts.items()}
    return ReadingSpeed(
        model.name, plain_model.name, len(images), rates["ctckit"], rates["plain"], errors["ctckit"], errors["plain"]
    )


def main() -> None:
    """Measure the files of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lines", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--plain", type=Path, help="the file of the plain loop, by default the same")
    parser.add_argument("--every", type=int, default=1, help="every n-th line only")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    pairs = [pair for pair in find_pairs(options.lines) if not isinstance(pair, Skipped)][:: options.every]
    for model in options.models:
        found = measure(model, pairs, plain_model=options.plain, rounds=options.rounds)
        print(json.dumps({**asdict(found), "ratio": found.ratio}), flush=True)


if __name__ == "__main__":
    main()
