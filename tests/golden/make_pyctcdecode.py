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
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import pyctcdecode_cases as cases  # noqa: E402, it lies beside this folder

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
            noise = np.random.default_rng([run, seed]).uniform(-NUDGE, NUDGE, case.logits.shape)
            case.logits = (case.logits * (1 + noise)).astype(case.logits.dtype)
        return cases.answer(decoder(case), case)

    return {
        "random": [answer(cases.random_case(seed), seed) for seed in range(cases.RANDOM_CASES)],
        "real": [answer(cases.real_case(*name), seed) for seed, name in enumerate(cases.real_names())],
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
    kept = {kind: [combined(answers) for answers in zip(*(run[kind] for run in runs), strict=True)] for kind in runs[0]}
    content = json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()
    (HERE / "pyctcdecode.json.xz").write_bytes(lzma.compress(content, preset=9))
    for kind, answers in kept.items():
        differ = sum("differing" in each for each in answers)
        print(f"{kind}: {len(answers)} cases, {differ} with parts that depend on hashes or rounding", file=sys.stderr)


if __name__ == "__main__":
    main()
