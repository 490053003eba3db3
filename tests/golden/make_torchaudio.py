"""Asks torchaudio itself, and keeps its answers in torchaudio.json.xz.

Runs where torchaudio 2.11.0 and torch are installed, ctckit need not be, from the root of the repository:

    python -m tests.golden.make_torchaudio
"""

import json
import lzma
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from benchmarks.alignment.no_cuda import import_torchaudio  # noqa: E402
from tests.support import torchaudio_cases as cases  # noqa: E402, found from the repository's root


def refusal(function, arguments):
    """The type of the error, and its words without the place in the source."""
    try:
        function(*arguments)
    except (RuntimeError, ValueError) as error:
        return [type(error).__name__, re.sub(r"^.*compute\.cpp:\d+, ", "", str(error).splitlines()[0])]
    raise AssertionError("it was not refused")


def main():
    """Writes the file."""
    torchaudio = import_torchaudio()
    import torch

    functional = torchaudio.functional

    def long_score(dtype):
        case = cases.long_case(dtype)
        return cases.score(case, cases.answer(functional, torch, case)["path"])

    answers = {
        "version": torchaudio.__version__.partition("+")[0],
        "random": [cases.answer(functional, torch, cases.random_case(seed)) for seed in range(cases.RANDOM_CASES)],
        "long": {dtype: long_score(dtype) for dtype in cases.LONG},
        "wrong": {name: refusal(functional.forced_align, each) for name, each in cases.wrong_calls(torch).items()},
        "wrong merges": {
            name: refusal(functional.merge_tokens, each) for name, each in cases.wrong_merges(torch).items()
        },
    }
    text = json.dumps(answers, separators=(",", ":"))
    (HERE / "torchaudio.json.xz").write_bytes(lzma.compress(text.encode("utf-8"), preset=9))


if __name__ == "__main__":
    main()
