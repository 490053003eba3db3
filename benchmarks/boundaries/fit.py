"""How the lag of hama and the share of ``contiguous`` were fitted: ``python -m benchmarks.boundaries.fit``.

The recordings are those of Debian's package pocketsphinx-testdata, of two speakers: five sentences of a reader, five
short commands. None has labels; the borders are those that pocketsphinx finds. Where both models use the same number of
sounds for a word, the time from the start of a sound to its spike is compared with the time since the spike before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.boundaries.aligners import aligned, hama, pocketsphinx_words

FOLDER = Path("/usr/share/pocketsphinx/test/data")


def sentences() -> Iterator[tuple[Path, str]]:
    """Yield recordings with their texts."""
    for folder, table in (("librivox", "transcription"), ("cards", "cards.transcription")):
        for line in (FOLDER / folder / table).read_text(encoding="utf-8").splitlines():
            text, _, name = line.rpartition("(")
            yield (
                FOLDER / folder / f"{name.strip(') ')}.wav",
                text.replace("<s>", "").replace("</s>", "").strip().lower(),
            )


def delays() -> Iterator[tuple[float, float, bool]]:
    """Yield seconds from the spike before a sound to its own, seconds from its start to it, if it begins a word."""
    for sound, text in sentences():
        said, found = aligned(sound, text)
        spikes = found.starts * hama().frame_seconds
        words = iter(said.words)
        before = None  # the last spike of the word before this one; None after silence
        for name, _, starts in pocketsphinx_words(sound, text):
            if name.startswith("<"):
                before = None
                continue
            positions = next(words).positions
            if len(positions) == len(starts):
                for k, (position, (start, _)) in enumerate(zip(positions, starts, strict=True)):
                    last = spikes[positions[k - 1]] if k else before
                    if last is not None:
                        yield spikes[position] - last, spikes[position] - start, not k
            before = spikes[positions[-1]]


def main() -> None:
    """Print the median lag of sounds within words, and the line through all delays."""
    since, delay, first = (np.array(column) for column in zip(*delays(), strict=True))
    share, lag = np.polyfit(since, delay, 1)
    print(f"{(~first).sum()} sounds within words: median delay {np.median(delay[~first]):.3f} s")
    print(f"{first.sum()} first sounds of words: median delay {np.median(delay[first]):.3f} s")
    print(f"all: delay = {lag:.3f} s + {share:.2f} times the time since the spike before")


if __name__ == "__main__":
    main()
