"""``ctckit demo``: train on synthetic digit strings, read held-out ones, print and report the result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from ctckit._files import locked, make_folder
from ctckit._page.page import Figure
from ctckit.errors import DataError
from ctckit.lattices import lattice
from ctckit.ocr.data.lines import TEXT_SUFFIX, GrayImage, Line
from ctckit.ocr.data.synthetic import CHARSET, DigitBatches, held_out_strings, load_digit_slice
from ctckit.ocr.demo.report import write_report
from ctckit.ocr.model_folder import save_model
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from ctckit.ocr.recognizer import Recognizer
from ctckit.ocr.training.config import TrainingConfig
from ctckit.ocr.training.evaluation import evaluate
from ctckit.ocr.training.loop import train
from ctckit.ocr.training.progress import TrainingProgress
from ctckit.ocr.training.record import Evaluation, TrainingRecord
from ctckit.vocabulary import Vocabulary

STEPS = 1600
BATCH_SIZE = 64
LEARNING_RATE = 3e-3
_SAMPLES = 10
_REPORT, _MODEL, _LINES = "index.html", "model", "lines"
_LOCK_FILE = "demo.lock"


@dataclass(frozen=True)
class DemoResult:
    """The result of the demo.

    Attributes:
        evaluation: The evaluation on the held-out strings.
        record: The training record.
        parameters: The number of trained parameters.
        seconds: Wall time of the whole demo.
        report: The HTML report.
        model: The model folder.
        samples: A folder with some of the held-out strings as images.
    """

    evaluation: Evaluation
    record: TrainingRecord
    parameters: int
    seconds: float
    report: Path
    model: Path
    samples: Path


def run_demo(
    folder: Path,
    *,
    steps: int = STEPS,
    strings: int = 1000,
    seed: int = 0,
    console: Console | None = None,
    overwrite: bool = False,
) -> DemoResult:
    """Train and evaluate; print a table and an alignment; write the report and the model.

    The settings were chosen on training digits that were held out for this (1077..1436, then the harder 479..957). The
    test digits 1437..1796 were not used for the choice.

    Args:
        folder: The folder for ``index.html``, ``model/`` and ``lines/``.
        steps: Optimizer steps.
        strings: The number of held-out strings to read.
        seed: Seeds all random numbers.
        console: Where to print; standard output by default.
        overwrite: Replace the report, the model and the lines that are already in the folder.

    Raises:
        DataError: If the folder is not free or not writable, or another demo writes into it.
    """
    console = console or Console()
    make_folder(folder)
    with locked(folder, _LOCK_FILE, doing="is running the demo in it"):  # fails before the training, not after it
        if not overwrite:
            _expect_free(folder)
        return _run(folder, steps, strings, seed, console)


def _expect_free(folder: Path) -> None:
    found = [name for name in (_REPORT, _MODEL, _LINES) if (folder / name).exists()]
    if found:
        raise DataError(
            f"{folder}: {', '.join(found)} {'are' if len(found) > 1 else 'is'} already in this folder. "
            "Choose another folder, or replace them with overwrite=True (--overwrite)."
        )


def _run(folder: Path, steps: int, strings: int, seed: int, console: Console) -> DemoResult:
    start = time.perf_counter()
    vocabulary = Vocabulary.from_characters(CHARSET)
    torch.manual_seed(seed)
    model = CRNN(CRNNConfig(num_classes=len(vocabulary)))
    digits = load_digit_slice("train+validation")
    console.print(
        f"Training a CRNN of {model.parameter_count:,} parameters for {steps:,} steps of {BATCH_SIZE} strings, "
        f"composed of {len(digits):,} handwritten digits.",
        highlight=False,
        soft_wrap=True,
    )
    source = DigitBatches(digits, vocabulary, batch_size=BATCH_SIZE, seed=seed)
    config = TrainingConfig(steps=steps, learning_rate=LEARNING_RATE, weight_decay=0.05, seed=seed)
    record = train(model, source, vocabulary, config=config, progress=TrainingProgress(console))
    lines = held_out_strings(strings)
    recognizer = Recognizer(model, vocabulary, record=record)
    evaluation = evaluate(model, vocabulary, lines)
    save_model(folder / _MODEL, model, vocabulary, record=record)
    figures = _figures(evaluation, record, model.parameter_count)
    write_report(folder / _REPORT, recognizer, lines, evaluation, record, figures=figures)
    samples = _save_samples(folder / _LINES, lines[:_SAMPLES])
    seconds = time.perf_counter() - start
    console.print(_table([*figures, Figure(f"{seconds:.0f} s", "the whole demo")], strings))
    _print_alignment(console, recognizer, lines[0].image)
    return DemoResult(evaluation, record, model.parameter_count, seconds, folder / _REPORT, folder / _MODEL, samples)


def _save_samples(folder: Path, lines: Sequence[Line]) -> Path:
    make_folder(folder)
    for number, line in enumerate(lines):
        Image.fromarray(line.image).save(folder / f"{number:02}.png")
        (folder / f"{number:02}{TEXT_SUFFIX}").write_text(line.text + "\n", encoding="utf-8")
    return folder


def _figures(evaluation: Evaluation, record: TrainingRecord, parameters: int) -> list[Figure]:
    return [
        Figure(f"{100 * evaluation.cer:.2f} %", "character error rate (CER)"),
        Figure(f"{100 * evaluation.exact:.1f} %", "strings read exactly"),
        Figure(f"{record.seconds:.0f} s", "training"),
        Figure(f"{parameters:,}", "parameters"),
        Figure(f"{record.lines_per_second:,.0f}", "lines per second, training"),
        Figure(f"{evaluation.lines_per_second:,.0f}", "lines per second, reading"),
        Figure(f"{100 * record.loss_share:.1f} %", "of the training time in the CTC loss"),
    ]


def _table(figures: list[Figure], strings: int) -> Table:
    table = Table(title=f"{strings:,} held-out strings of unseen digits", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for figure in figures:
        table.add_row(figure.name, figure.value)
    return table


def _print_alignment(console: Console, recognizer: Recognizer, image: GrayImage) -> None:
    (reading,) = recognizer.read([image])
    (log_probs,) = recognizer.compute_log_probs([image])
    vocabulary = recognizer.vocabulary
    item = lattice(log_probs.numpy(), np.array(vocabulary.encode(reading.text), np.int64), blank=vocabulary.blank)
    console.print(f"\nThe first string, read as {reading.text}, and the digit of each frame\n", highlight=False)
    console.print(item.draw(vocabulary.tokens), markup=False, highlight=False, soft_wrap=True)
