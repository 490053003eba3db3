"""Batches for diagnose: one that is read correctly, and its parts."""

import numpy as np

CLASSES = 6
TEXTS = ([1, 2, 3], [4, 5], [5, 5, 1], [3, 1, 4, 2], [2, 3], [4, 1, 5], [1, 1], [5, 3, 2, 4])


def padded(texts, fill=0):
    targets = np.full((len(texts), max(map(len, texts), default=0)), fill)
    for row, text in zip(targets, texts, strict=True):
        row[: len(text)] = text
    return targets


def reader(texts=TEXTS, *, blank=0, classes=CLASSES, frames=24, sure=6.0, shift=0):
    """Logits of a network that reads these texts: each token in one frame, then blanks."""
    logits = np.random.default_rng(0).standard_normal((len(texts), frames, classes)) * 0.3
    for b, text in enumerate(texts):
        said = np.full(frames, blank)
        said[1 : 2 * len(text) : 2] = np.array(text) + shift
        logits[b, np.arange(frames), said] += sure
    return logits


def sound(**options):
    """A batch that is read correctly, as keyword arguments."""
    texts = options.pop("texts", TEXTS)
    logits = reader(texts, **options)
    return {
        "logits": logits,
        "targets": padded(texts),
        "input_lengths": np.full(len(texts), logits.shape[1]),
        "target_lengths": np.array([len(text) for text in texts]),
    }


def codes(found):
    return [finding.code for finding in found.findings]


def only(found):
    (finding,) = found.findings
    return finding
