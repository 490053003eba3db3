"""Synthetic posteriors like those of a CTC network, in which the frames of each token are known.

A recording is composed of pieces: texts (a spike of one to three frames for each token, blanks between), silence, noise
(no class is certain), and other speech (spikes of texts that are not in the transcript). Some tokens are misread.
"""

from dataclasses import dataclass

import numpy as np

CLASSES = 30
MISREAD = 0.04  # share of the tokens that the network reads as others


@dataclass
class Recording:
    log_probs: np.ndarray  # (T, C) float32
    spans: list  # for each text piece its (N, 2) frames


def text(rng, count, classes=CLASSES):
    """Random tokens, with equal neighbors among them."""
    return rng.integers(1, classes, count).tolist()


def recording(pieces, seed, *, classes=CLASSES, misread=MISREAD):
    """pieces: ("text", tokens), ("speech", tokens), ("silence", frames), ("noise", frames)."""
    rng = np.random.default_rng(seed)
    rows, spans = [], []
    for kind, what in pieces:
        if kind == "silence":
            rows += [blank_row(rng, classes) for _ in range(what)]
        elif kind == "noise":
            rows += list(rng.dirichlet(np.full(classes, 0.3), what))
        else:
            places = []
            for token in what:
                rows += [blank_row(rng, classes) for _ in range(rng.integers(1, 5))]
                lasting = int(rng.integers(1, 4))
                places.append((len(rows), len(rows) + lasting))
                read = token if rng.random() >= misread else int(rng.integers(1, classes))
                rows += [spike_row(rng, token, read, classes) for _ in range(lasting)]
            rows += [blank_row(rng, classes)]
            if kind == "text":
                spans.append(np.array(places).reshape(-1, 2))
    return Recording(np.log(np.array(rows)).astype(np.float32), spans)


def blank_row(rng, classes):
    row = rng.dirichlet(np.full(classes, 0.1)) + 1e-6
    sure = rng.uniform(0.9, 0.999)
    row *= (1 - sure) / row.sum()
    row[0] += sure
    return row


def spike_row(rng, token, read, classes):
    row = rng.dirichlet(np.full(classes, 0.1)) + 1e-4
    sure = rng.uniform(0.5, 0.99)
    row *= (1 - sure) / row.sum()
    row[read] += 0.9 * sure
    row[token] += 0.1 * sure
    return row


def off(found, truth):
    """(N,) frames by which a token's start or end is off, the worse of the two."""
    return np.abs(found - truth).max(axis=1)
