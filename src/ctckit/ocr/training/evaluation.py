"""Evaluation: read lines with known texts and count the errors."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from ctckit import _checks
from ctckit.decoding.greedy import greedy_decode
from ctckit.ocr.comparing import compare_characters
from ctckit.ocr.data.batches import group_by_width, pad_images
from ctckit.ocr.data.lines import GrayImage, TextLine
from ctckit.ocr.networks.base import Network
from ctckit.ocr.training.record import Evaluation
from ctckit.vocabulary import Vocabulary

_IN_MEMORY = 1024  # lines whose images and log-probabilities are in memory at once


def compute_log_probs(model: Network, images: Sequence[GrayImage], *, batch_size: int = 64) -> list[torch.Tensor]:
    """Return the log-probabilities of lines. Lines of similar width form a batch; the network runs in eval mode.

    Args:
        model: The network; its mode is restored afterwards.
        images: Lines (height, width) uint8, of the model's height.
        batch_size: The most lines at once; of very wide lines fewer.

    Returns:
        For each line, in the order given, log_probs (T, C) float32 on the CPU.
    """
    _checks.positive_integer(batch_size, "batch_size")
    device = next(model.parameters()).device
    width_of = [image.shape[1] for image in images]
    order = np.argsort(width_of, kind="stable")
    results: list[torch.Tensor] = [torch.empty(0)] * len(images)
    with eval_mode(model), torch.inference_mode():
        for part in group_by_width(sorted(width_of), batch_size):
            positions = order[part]
            padded, widths = pad_images([images[position] for position in positions])
            logits, lengths = model(padded.to(device), widths.to(device))
            log_probs = logits.float().log_softmax(dim=2).cpu()
            for position, item, length in zip(positions, log_probs, lengths.tolist(), strict=True):
                results[position] = item[:length]
    return results


def evaluate(model: Network, vocabulary: Vocabulary, lines: Sequence[TextLine], *, batch_size: int = 64) -> Evaluation:
    """Return how well a network reads lines: greedy readings compared with the known texts.

    Args:
        model: The network.
        vocabulary: Its classes.
        lines: At least one line, of the model's height.
        batch_size: Lines at once.
    """
    start = time.perf_counter()
    reads = read_lines(model, vocabulary, lines, batch_size=batch_size)
    return compare(lines, reads, seconds=time.perf_counter() - start)


def read_lines(model: Network, vocabulary: Vocabulary, lines: Sequence[TextLine], *, batch_size: int = 64) -> list[str]:
    """Return the greedy reading of each line; arguments as for :func:`evaluate`, but there may be no line."""
    reads = []
    for first in range(0, len(lines), _IN_MEMORY):
        images = [line.image for line in lines[first : first + _IN_MEMORY]]
        for log_probs in compute_log_probs(model, images, batch_size=batch_size):
            (hypothesis,) = greedy_decode(log_probs, blank=vocabulary.blank)
            reads.append(vocabulary.decode(hypothesis.tokens))
    return reads


def compare(lines: Sequence[TextLine], reads: Sequence[str], *, seconds: float) -> Evaluation:
    """Return the readings of at least one line, with their errors.

    Args:
        lines: The lines.
        reads: Their readings, in the same order.
        seconds: The time of reading.
    """
    truths = [line.text for line in lines]
    exact = sum(truth == read for truth, read in zip(truths, reads, strict=True)) / len(lines)
    return Evaluation(tuple(truths), tuple(reads), character_error_rate(truths, reads), exact, seconds)


def character_error_rate(truths: Sequence[str], reads: Sequence[str]) -> float:
    """Return the number of character errors per true character, over all texts together.

    Example:
        >>> from ctckit.ocr.training.evaluation import character_error_rate
        >>> character_error_rate(["1234", "5678"], ["1234", "568"])
        0.125
    """
    return float(compare_characters(truths, reads).cer)


@contextmanager
def eval_mode(model: Network) -> Iterator[None]:
    """Keep a network in eval mode while the block runs."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
