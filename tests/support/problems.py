"""Random problems, shared by the tests."""

import numpy as np

from ctckit.kernels.batch import target_batch


def random_batch(seed, *, items=4, frames=12, classes=6, tokens=5, blank=0, scale=2.0, masks=False, dtype=np.float64):
    """Return logits (B, T, C), NaN beyond the lengths, and a checked TargetBatch; every fourth token is a repeat."""
    rng = np.random.default_rng(seed)
    logits = (rng.standard_normal((items, frames, classes)) * scale).astype(dtype)
    if masks:
        logits[rng.random(logits.shape) < 0.15] = -np.inf
    input_lengths = rng.integers(0, frames + 1, items)
    input_lengths[0] = frames
    target_lengths = rng.integers(0, tokens + 1, items)
    target_lengths[0] = tokens
    others = np.array([c for c in range(classes) if c != blank])
    targets = others[rng.integers(0, classes - 1, (items, tokens))]
    for n in range(1, tokens):
        repeat = rng.random(items) < 0.25
        targets[repeat, n] = targets[repeat, n - 1]
    for b in range(items):
        logits[b, input_lengths[b] :] = np.nan
    return logits, target_batch(logits.shape, targets, input_lengths, target_lengths, blank, name="logits")


def random_probs(rng, frames, classes, sharpness=1.0):
    return rng.dirichlet(np.full(classes, 1 / sharpness), size=frames)
