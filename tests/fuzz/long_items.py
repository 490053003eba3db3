"""Long items: ``python -m tests.fuzz.long_items --rounds 60 --seed 2`` (``make fuzz``).

The time for a frame and the memory do not grow with the length of an item, whatever the posteriors.
"""

import resource
import time
import warnings
from dataclasses import dataclass, replace

import numpy as np

import ctckit
from ctckit import BeamDecoder, Vocabulary
from ctckit.kernels.search.native import log_prob_after
from ctckit.kernels.search.plan import Border
from tests.fuzz.rounds import Rounds, expect, shown
from tests.support.tolerances import CUTS_NATS

SHORT, LONGEST = 1000, 20000  # frames
# A long item is cut every few thousand frames, a short one is not: measured up to 6 times the time of a frame. It was
# 300 times at 8,000 frames once.
MOST_TIMES, LEAST_SECONDS = 15, 20e-6
# Beside a copy of the frames: the beam, the windows and the result, measured up to 60 MB.
MOST_BYTES, COPIES = 200 << 20, 3
KINDS = {"equal": 0.0, "flat": 0.05, "random": 1.0, "peaked": 10.0}


@dataclass(frozen=True)
class LongItem:
    """A long item: the kind of its frames, and how it is decoded."""

    kind: str
    frames: int
    classes: int
    beam: int
    lasting: int  # frames that each frame is repeated
    blank: float  # nats that the blank has more
    seed: int

    def log_probs(self):
        """Return the (T, C) log-probabilities."""
        rng = np.random.default_rng(self.seed)
        logits = rng.standard_normal((-(-self.frames // self.lasting), self.classes)) * KINDS[self.kind]
        logits[:, 0] += self.blank
        logits = logits.repeat(self.lasting, axis=0)[: self.frames]
        return (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)


def random_item(rng):
    return LongItem(
        kind=str(rng.choice(list(KINDS))),
        frames=int(rng.integers(SHORT, LONGEST + 1)),
        classes=int(rng.choice([2, 5, 12, 32, 100])),
        beam=int(rng.choice([1, 5, 20])),
        lasting=int(rng.choice([1, 1, 3, 50, LONGEST])),
        blank=float(rng.choice([0.0, 0.0, 1.0, 4.0])),
        seed=int(rng.integers(1 << 30)),
    )


def check_long_item(rng):
    """Check one long item, decoded at once, as a stream, and greedily."""
    item = random_item(rng)
    with shown(item):
        vocabulary = Vocabulary(("", *(chr(0x4E00 + k) for k in range(item.classes - 1))))
        decoder = BeamDecoder(vocabulary, beam_width=item.beam)
        results = [
            check_time(item, decode, what)
            for decode, what in (
                (lambda frames: decoder.decode(frames)[0][0], "decode"),
                (lambda frames: streamed(decoder, frames), "a stream"),
                (greedy, "greedy_decode"),
            )
        ]
        expect(results[0] == results[1], f"decode gives {results[0]!r}, a stream {results[1]!r}")
        check_probabilities(item, results)


def check_probabilities(item, results):
    """Compare the log-probability, which is summed up over cuts, with that of all alignments; and check the spans."""
    for found in results:
        exact = log_prob_after(Border(), item.log_probs(), found.tokens, 0)
        off = abs(found.log_prob - exact)
        expect(off <= CUTS_NATS * item.frames / SHORT, f"log_prob is {found.log_prob}, over all alignments {exact}")
        path = np.zeros(item.frames, dtype=np.int64)
        at = 0
        for token, span in zip(found.tokens, found.spans, strict=True):
            expect(at <= span.start < span.end <= item.frames, f"a span of {span.start}..{span.end} after {at}")
            at = span.end
            path[span.start : at] = token
        merged = path[np.flatnonzero(np.diff(path, prepend=0))]
        expect(tuple(merged[merged > 0].tolist()) == found.tokens, "the spans are not a path of the tokens")


def streamed(decoder, frames):
    stream = decoder.stream()
    for at in range(0, len(frames), 100):
        stream.push(frames[at : at + 100])
    return stream.finish()


def greedy(frames):
    (found,) = ctckit.greedy_decode(frames)
    assert np.isfinite(found.log_prob)  # computed when it is asked for
    return found


def check_time(item, decode, what):
    """Check the time for a frame and the memory, and return the result."""
    short = replace(item, frames=SHORT).log_probs()
    allowed = MOST_TIMES * max(seconds_of(decode, short)[0] for _ in range(3)) / SHORT + LEAST_SECONDS
    frames = item.log_probs()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, result = seconds_of(decode, frames)
    if seconds > allowed * item.frames:  # another process may have had the caches
        seconds = min(seconds, seconds_of(decode, frames)[0])
    spent = seconds / item.frames
    expect(spent <= allowed, f"{what}: {1e6 * spent:.1f} µs a frame; expected at most {1e6 * allowed:.1f}")
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    expect(grown <= MOST_BYTES + COPIES * frames.nbytes, f"{what}: memory grew by {grown >> 20} MiB")
    return result


def seconds_of(decode, frames):
    """Return the processor's time, which does not count what other programs use, and the result."""
    begin = time.process_time()
    result = decode(frames)
    return time.process_time() - begin, result


ROUNDS = Rounds("tests.fuzz.long_items", check_long_item, "{} long items took linear time and bounded memory", 60)

if __name__ == "__main__":
    warnings.simplefilter("ignore", ctckit.errors.InputWarning)
    ROUNDS.command()
