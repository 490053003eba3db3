"""A character language model on top of a trained model: fewer errors, without training the network again.

The model of characters is made from the texts of the training lines. Its weight is tuned on the lines that the training
held out; the errors are counted on the test lines. It runs in a process of its own:
``python -m benchmarks.ocr.language DATA MODEL RESULT``.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.common.results import Results
from benchmarks.ocr.cases import Case
from benchmarks.ocr.training import run_alone

ORDER = 6
HELD_OUT = Case.held_out


def measure(data: Path, model: Path) -> Results:
    """Return the errors with a language model, measured in a process of its own.

    Args:
        data: The folder with ``train`` and ``test``.
        model: The model folder.

    Raises:
        WorkerError: If the process fails.
    """
    return run_alone("benchmarks.ocr.language", model.with_suffix(".language.json"), data, model)


def read(data: Path, model: Path) -> Results:
    """Return the errors with and without a language model."""
    import jiwer

    import ctckit
    from ctckit.language_models import NGramModel
    from ctckit.ocr.data.lines import load_lines, split_lines
    from ctckit.ocr.model_folder import load_model
    from ctckit.ocr.training.evaluation import character_error_rate, compute_log_probs

    saved = load_model(model)

    def lines_of(name: str) -> list[Any]:
        return list(load_lines(data / name, height=saved.model.height, max_width=8192, rules=saved.rules).lines)

    def log_probs_of(lines: list[Any]) -> list[Any]:
        found = compute_log_probs(saved.model, [line.image for line in lines], batch_size=16)
        return [each.numpy() for each in found]

    training, held_out = split_lines(lines_of("train"), HELD_OUT, seed=0, by="document")  # as the training did
    test = lines_of("test")
    language_model = NGramModel.train([line.text for line in training], order=ORDER, unit="char")
    decoder = ctckit.BeamDecoder(saved.vocabulary, blank=saved.vocabulary.blank, language_model=language_model)
    started = time.process_time()
    tuned = ctckit.tune(decoder, log_probs_of(held_out), [line.text for line in held_out])
    log_probs = log_probs_of(test)
    truths = [line.text for line in test]
    reads = [hypotheses[0].text for hypotheses in tuned.decoder.decode(log_probs)]
    greedy = [
        saved.vocabulary.decode(ctckit.greedy_decode(each[None], blank=saved.vocabulary.blank)[0].tokens)
        for each in log_probs
    ]
    return {
        "settings": dict(tuned.settings),
        "order": ORDER,
        "cpu_minutes": round((time.process_time() - started) / 60.0, 2),
        "greedy": {"cer": character_error_rate(truths, greedy), "wer": float(jiwer.wer(truths, greedy))},
        "with_model": {"cer": character_error_rate(truths, reads), "wer": float(jiwer.wer(truths, reads))},
    }


def main() -> None:
    """Measure one model."""
    data, model, result = map(Path, sys.argv[1:])
    result.write_text(json.dumps(read(data, model)), encoding="utf-8")


if __name__ == "__main__":
    main()
