"""Draw the trellis of the README: ``python docs/_figures/trellis.py``."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import ctckit
from ctckit.viz.figures import draw_trellis


def posterior(target: list[int], classes: int, frames: int) -> np.ndarray:
    """Return (T, C) log-probabilities of an unsure network: a bump for each token, the blank between tokens."""
    t = np.arange(frames)
    logits = np.zeros((frames, classes))
    for n, token in enumerate(target):
        center = (n + 0.5) * frames / len(target) - 0.5
        logits[:, token] = np.maximum(logits[:, token], 3.2 - 0.55 * (t - center) ** 2)
    logits[:, 0] = 1.6
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def main() -> None:
    """Write docs/images/trellis.png."""
    vocabulary = ctckit.Vocabulary.from_characters("aelp")
    target = vocabulary.encode("apple")
    figure = Figure(figsize=(8.6, 3.9), layout="constrained")
    lattice = ctckit.lattice(posterior(target, len(vocabulary), 20), target)
    draw_trellis(lattice, names=vocabulary.tokens, axes=figure.add_subplot())
    figure.savefig(Path(__file__).parents[1] / "images" / "trellis.png", dpi=110)


if __name__ == "__main__":
    main()
