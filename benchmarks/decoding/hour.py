"""Greedy decoding of one hour: ``python -m benchmarks.decoding.hour``.

One hour of frames of 20 ms: the recordings of ``asr_hama`` again and again, with their 191 classes, and spread over
5,000 classes. The frames are in memory in pieces of five minutes, which are decoded one after another; with 191
classes, also the whole hour at once. With 5,000 classes, all pieces are the same one. Libraries that are not installed
have no figure.
"""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.common import machine, pages, results
from benchmarks.common.arrays import Array
from benchmarks.common.posteriors import read, spread
from benchmarks.common.tables import markdown_table
from ctckit import greedy_decode

FRAMES = 180_000
PIECE = 15_000  # frames
WIDE = 5000  # classes
ROUNDS = 5
SLOW = 60.0  # seconds: a library that needs more for the hour gets one piece
RESULTS = pages.RESULTS / "decoding-hour.json"

Decode = Callable[[Array], list[int]]


def with_ctckit(blank: int, classes: int) -> Decode:
    """Return tokens with spans and scores."""
    return lambda frames: list(greedy_decode(frames, blank=blank)[0].tokens)


def with_numpy(blank: int, classes: int) -> Decode:
    """Return tokens, nothing else: what one writes by hand."""

    def decode(frames: Array) -> list[int]:
        best = frames.argmax(axis=1)
        best = best[np.append(True, best[1:] != best[:-1])]
        tokens: list[int] = best[best != blank].tolist()
        return tokens

    return decode


def with_torch(blank: int, classes: int) -> Decode:
    """Return tokens as torchaudio's tutorial does."""
    import torch

    torch.set_num_threads(1)

    def decode(frames: Array) -> list[int]:
        best = torch.unique_consecutive(torch.argmax(torch.from_numpy(frames), dim=-1), dim=-1)
        return [token for token in best.tolist() if token != blank]

    return decode


def with_fast_ctc_decode(blank: int, classes: int) -> Decode:
    """Return tokens by ``viterbi_search``, which takes probabilities with the blank first."""
    from fast_ctc_decode import viterbi_search

    order = [blank, *(k for k in range(classes) if k != blank)]
    names = [chr(0x10000 + k) for k in order]

    def decode(frames: Array) -> list[int]:
        text, _ = viterbi_search(frames, names)
        return [ord(each) - 0x10000 for each in text]

    decode.prepare = lambda frames: np.ascontiguousarray(np.exp(frames[:, order]))  # type: ignore[attr-defined]
    return decode


def with_pyctcdecode(blank: int, classes: int) -> Decode:
    """Return tokens of its beam search with a beam of 1: it has no greedy decoding."""
    import logging

    from pyctcdecode import build_ctcdecoder

    logging.disable(logging.WARNING)
    decoder = build_ctcdecoder(["" if k == blank else chr(0x10000 + k) for k in range(classes)])

    def decode(frames: Array) -> list[int]:
        return [ord(each) - 0x10000 for each in decoder.decode(frames, beam_width=1)]

    return decode


LIBRARIES: dict[str, tuple[Callable[[int, int], Decode], str]] = {
    "ctckit": (with_ctckit, "ctckit"),
    "NumPy, by hand": (with_numpy, "numpy"),
    "torch, by hand": (with_torch, "torch"),
    "fast-ctc-decode": (with_fast_ctc_decode, "fast-ctc-decode"),
    "pyctcdecode, beam 1": (with_pyctcdecode, "pyctcdecode"),
}


def hour() -> tuple[Array, int]:
    """Return one hour of frames, and their blank."""
    about, log_probs, _ = read("asr_hama")
    log_probs = log_probs.astype(np.float32)
    log_probs -= np.logaddexp.reduce(log_probs, axis=1, keepdims=True)
    return np.resize(log_probs, (FRAMES, log_probs.shape[1])), int(about["blank"])


def measure(pieces: list[Array], times: int, blank: int, rounds: int) -> dict[str, dict[str, Any]]:
    """Return the seconds of each library for all pieces, ``times`` times; the libraries take turns."""
    found: dict[str, dict[str, Any]] = {}
    decoders: dict[str, tuple[Decode, list[Array]]] = {}
    for name, (make, _) in LIBRARIES.items():
        try:
            decode = make(blank, pieces[0].shape[1])
        except ImportError:
            continue
        inputs = [getattr(decode, "prepare", lambda frames: frames)(piece) for piece in pieces]
        begin = time.perf_counter()
        decode(inputs[0][:1500])
        expected = (time.perf_counter() - begin) * FRAMES / min(1500, len(inputs[0]))
        found[name] = {"seconds": [], "share": 1 if expected < SLOW else len(inputs[0]) / FRAMES}
        decoders[name] = decode, inputs
    tokens: dict[str, list[int]] = {}
    for _ in range(rounds):
        for name, (decode, inputs) in decoders.items():
            whole = found[name]["share"] == 1
            begin = time.perf_counter()
            for piece in (inputs if whole else inputs[:1]) * (times if whole else 1):
                tokens[name] = decode(piece)
            found[name]["seconds"].append((time.perf_counter() - begin) / found[name]["share"])
    for name, each in found.items():
        seconds = np.percentile(each["seconds"], [50, 25, 75]).round(4).tolist()
        # Inputs of ctckit are checked and results have spans; the last piece tells whether the tokens are the same.
        each |= (
            {"seconds": seconds, "same_tokens": tokens[name] == tokens["ctckit"]}
            if each["share"] == 1
            else {"seconds": seconds}
        )
    return found


def tables(found: results.Results) -> str:
    """Return the measurements as a table in Markdown."""
    names = list(dict.fromkeys(name for case in found["cases"].values() for name in case))

    def cell(case: dict[str, Any], name: str) -> str:
        if name not in case:
            return "–"
        median, first, third = case[name]["seconds"]
        return f"{median:.3g} s ({first:.3g}–{third:.3g})" + ("" if case[name]["share"] == 1 else ", from five minutes")

    rows = ((name, *(cell(case, name) for case in found["cases"].values())) for name in names)
    where = f"{found['processor']}, {found['date']}, commit {found['commit']}, load before: {found['load_before']}"
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return f"{markdown_table(('', *found['cases']), rows)}\n\n{where}; {versions}."


def main() -> None:
    """Measure, save and print."""
    about = machine.about()
    whole, blank = hour()
    cases = {
        "191 classes, at once": measure([whole], 1, blank, ROUNDS),
        "191 classes, pieces": measure(np.array_split(whole, FRAMES // PIECE), 1, blank, ROUNDS),
    }
    piece, places = spread(whole[:PIECE], WIDE)
    del whole
    cases["5,000 classes, pieces"] = measure([piece], FRAMES // PIECE, int(places[blank]), ROUNDS)
    measured = {name for case in cases.values() for name in case}
    versions = {
        package: importlib.metadata.version(package) for name, (_, package) in LIBRARIES.items() if name in measured
    }
    found = {**about, "versions": versions, "cases": cases}
    results.write(found, RESULTS)
    print(tables(found))


if __name__ == "__main__":
    main()
