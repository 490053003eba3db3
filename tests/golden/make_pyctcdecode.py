"""Asks pyctcdecode itself, and keeps its answers in pyctcdecode.json.xz.

Runs where pyctcdecode 0.5.0 and kenlm are installed, ctckit need not be:

    python tests/golden/make_pyctcdecode.py

Each case is asked in several processes, each with its own seed of Python's hashes and, but for the first, with scores
changed by a part in ten million. Where answers differ the case is a tie, or one that rounding decides: what the
comparison may ask for is then only what all of them share.
"""

import argparse
import json
import logging
import lzma
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.support import pyctcdecode_cases as cases  # noqa: E402, found from the repository's root

RUNS = 4
NUDGE = 1e-7  # of each score


def ask(run, folder):
    """Every case's answer, in this process."""
    import pyctcdecode

    logging.disable(logging.WARNING)
    models = {"small": str(folder / "small.arpa"), "word3": str(folder / "word3.arpa"), None: None}
    decoders = {}

    def decoder(case):
        key = json.dumps([case.labels, case.language_model, case.build])
        if key not in decoders:
            for other in decoders.values():
                other.cleanup()
            decoders.clear()
            decoders[key] = pyctcdecode.build_ctcdecoder(case.labels, models[case.language_model], **case.build)
        return decoders[key]

    def answer(case, seed):
        if run:
            case.logits = nudged(case.logits, np.random.default_rng([run, seed]))
        return cases.answer(decoder(case), case)

    return {
        "alphabets": alphabets(),
        "files": saved_files(folder),
        "random": [answer(cases.random_case(seed), seed) for seed in range(cases.RANDOM_CASES)],
        "real": [answer(cases.real_case(*name), seed) for seed, name in enumerate(cases.real_names())],
    }


def nudged(logits, rng):
    """Scores that are hardly others; what the original takes for probabilities stays that."""
    found = logits * (1 + rng.uniform(-NUDGE, NUDGE, logits.shape))
    if len(logits) and math.isclose(logits.sum(axis=1).mean(), 1):
        found /= found.sum(axis=1, keepdims=True)
    return found.astype(logits.dtype)


def alphabets():
    """What becomes of lists of labels; None where they are refused."""
    from pyctcdecode import Alphabet

    found = []
    for labels in cases.ALPHABETS:
        try:
            alphabet = Alphabet.build_alphabet(labels)
            found.append([alphabet.labels, alphabet.is_bpe, alphabet.dumps()])
        except ValueError:
            found.append(None)
    return found


def saved_files(folder):
    """Names and contents of what ``save_to_dir`` writes; of the model only the name."""
    import pyctcdecode

    saved = Path(tempfile.mkdtemp(dir=folder))
    words = [*cases.vocabulary()[::3], "zebra"]
    decoder = pyctcdecode.build_ctcdecoder(["", " ", *"abc"], str(folder / "small.arpa"), words, alpha=0.25, beta=2.0)
    decoder.save_to_dir(str(saved))
    files = sorted(path for path in saved.rglob("*") if path.is_file())
    return {
        str(path.relative_to(saved)): None if path.suffix == ".arpa" else path.read_text(encoding="utf-8")
        for path in files
    }


def combined(answers):
    """The first run's answer, and which parts of it the others do not share."""
    first = answers[0]
    differing = {
        part
        for part in ("text", "words", "count", "digest")
        if any(other[part] != first[part] for other in answers[1:])
    }
    texts = [[beam[0] for beam in answer["beams"]] for answer in answers]
    if any(other != texts[0] for other in texts[1:]):
        differing.add("beams")
    if any(other[:1] != texts[0][:1] for other in texts[1:]):
        differing.add("best")
    return {**first, "differing": sorted(differing)} if differing else first


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=int)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.run is not None:
        print(json.dumps(ask(options.run, options.folder)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "small.arpa").write_text(cases.small_arpa(), encoding="utf-8")
        (folder / "word3.arpa").write_bytes(lzma.decompress((cases.DATA / "word3.arpa.xz").read_bytes()))
        runs = []
        for run in range(RUNS):
            command = [sys.executable, __file__, "--run", str(run), "--folder", name]
            environment = {**os.environ, "PYTHONHASHSEED": str(100 + run)}
            done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
            runs.append(json.loads(done.stdout))
            print(f"run {run} of {RUNS} done", file=sys.stderr)
    kept = {
        kind: [combined(answers) for answers in zip(*(run[kind] for run in runs), strict=True)]
        for kind in ("random", "real")
    }
    kept |= {kind: runs[0][kind] for kind in ("alphabets", "files")}
    content = json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()
    (HERE / "pyctcdecode.json.xz").write_bytes(lzma.compress(content, preset=9))
    for kind in ("random", "real"):
        differ = sum("differing" in each for each in kept[kind])
        print(
            f"{kind}: {len(kept[kind])} cases, {differ} with parts that depend on hashes or rounding", file=sys.stderr
        )


if __name__ == "__main__":
    main()
