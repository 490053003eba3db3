"""The demo's network on short digit strings: healthy, and sabotaged. The diagnosis names the cause."""

import dataclasses
import io

import numpy as np
import pytest
import torch
from rich.console import Console

import ctckit
from ctckit.errors import InvalidInputError
from ctckit.ocr.data.batches import LineBatches, make_batch
from ctckit.ocr.data.synthetic import CHARSET, TEST_STYLE, compose_strings, load_digit_slice
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from ctckit.ocr.training.loop import TrainingConfig, train
from ctckit.ocr.training.progress import TrainingProgress
from ctckit.vocabulary import Vocabulary

pytestmark = pytest.mark.slow

VOCABULARY = Vocabulary.from_characters(CHARSET)
SHORT = dataclasses.replace(TEST_STYLE, digits=(1, 3))  # few steps are enough to read these
NETWORK = CRNNConfig(num_classes=11, dropout=0.1)
CONFIG = TrainingConfig(steps=160, learning_rate=3e-3, warmup=0.2, patience=100)
LINES = compose_strings(load_digit_slice("train"), 64, seed=3, style=SHORT)


class InPixels(CRNN):
    """Returns the widths of the images in place of their numbers of frames."""

    def forward(self, images, widths):
        logits, _ = super().forward(images, widths)
        return logits, widths


def run(config, *, lines=LINES, network=NETWORK, kind=CRNN):
    """Train; return the network, the printed texts, and the error if there was one."""
    torch.manual_seed(0)
    model = kind(network)
    source = LineBatches(lines, VOCABULARY, network, batch_size=16, seed=0, distort=False)
    printed = io.StringIO()
    progress = TrainingProgress(Console(file=printed, width=200))
    error = None
    try:
        train(model, source, VOCABULARY, config=config, progress=progress)
    except InvalidInputError as raised:
        error = raised
    return model, printed.getvalue(), error


def first_cause(printed):
    """The code of the first printed page, or None."""
    pages = [line for line in printed.splitlines() if line.startswith("diagnosis: ")]
    return pages[0].removeprefix("diagnosis: ").split(",")[0] if pages else None


@pytest.fixture(scope="module")
def healthy():
    model, printed, error = run(CONFIG)
    assert error is None
    return model, printed


def evaluation_batch(model, charset):
    batch = make_batch(LINES[:32], Vocabulary.from_characters(charset))
    with torch.no_grad():
        logits, lengths = model.eval()(batch.images, batch.widths)
    return logits, batch.targets, lengths, batch.target_lengths


def test_a_healthy_run_gives_no_alarm(healthy):
    model, printed = healthy
    assert first_cause(printed) is None
    found = ctckit.diagnose(*evaluation_batch(model, CHARSET))
    assert not found.explains_trouble, found
    assert found.reading.agreement > 0.5


def test_lengths_in_pixels():
    _, printed, error = run(CONFIG, kind=InPixels)
    assert first_cause(printed) == "lengths-not-in-frames"
    assert "divides by 4" in " ".join(printed.split())
    assert "input_lengths[0] is" in str(error)


def test_too_few_frames():
    strides = ((2, 4), (2, 4), (1, 2), (2, 1), (1, 1))  # 32 pixels for each frame: a digit has about 20
    _, printed, error = run(CONFIG, network=dataclasses.replace(NETWORK, strides=strides))
    assert first_cause(printed) == "infeasible-data"
    assert "cannot be emitted" in str(error)


def test_another_charset(healthy):
    model, _ = healthy
    found = ctckit.diagnose(*evaluation_batch(model, "_" + CHARSET))
    assert found.cause == "charset-mismatch", found
    shuffled = "".join(np.random.default_rng(0).permutation(list(CHARSET)))
    found = ctckit.diagnose(*evaluation_batch(model, shuffled))
    assert found.cause == "charset-mismatch", found


def test_images_lost_on_the_way():
    white = [dataclasses.replace(line, image=np.full_like(line.image, 255)) for line in LINES]
    _, printed, _ = run(dataclasses.replace(CONFIG, steps=120, patience=60), lines=white)
    assert first_cause(printed) == "blank-phase"


def test_a_learning_rate_of_nearly_nothing():
    _, printed, _ = run(dataclasses.replace(CONFIG, steps=30, patience=30, learning_rate=1e-9))
    assert first_cause(printed) == "constant-output"
