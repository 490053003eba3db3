"""Errors with a language model of ctckit on held-out lines: ``python -m benchmarks.decoding.held_out``.

`ctckit lm train` makes a character model. ``ctckit.tune`` tunes the weights on a part of the lines. Errors are counted
on the other lines. Each line is held out once.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import jiwer
from rich.console import Console

from benchmarks.common import pages, results
from benchmarks.common.posteriors import FOLDER, lines
from benchmarks.common.tables import markdown_table
from benchmarks.decoding.files import unpack
from ctckit import BeamDecoder, NGramModel, Vocabulary, greedy_decode, tune

RESULTS = pages.RESULTS / "decoding-held-out.json"
ORDER = 8
FOLDS = (2, 5, 10, 20)


def trained_model(folder: Path) -> NGramModel:
    """Train a model by the command line."""
    text, model = folder / "text.txt", folder / "model.ctclm"
    unpack(FOLDER / "lm_text.txt.xz", text)
    command = ["-m", "ctckit", "lm", "train", text, "--order", str(ORDER), "--unit", "char", "--out", model]
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return NGramModel.load(model)


def errors(texts: list[str], references: list[str]) -> dict[str, float]:
    """Return word and character error rates."""
    return {"wer": jiwer.wer(references, texts), "cer": jiwer.cer(references, texts)}


def measure(model: NGramModel) -> dict[str, object]:
    """Return error rates: of greedy decoding, and held out for each number of folds and each metric of the tuning."""
    data = lines("ocr_ppv4")
    items = [data[b] for b in range(len(data))]
    references = ["".join(data.tokens[token] for token in each) for each in data.references or ()]
    vocabulary = Vocabulary(data.tokens, data.blank, separator=data.tokens[data.space])
    greedy = [greedy_decode(item, vocabulary=vocabulary)[0].text for item in items]
    decoder = BeamDecoder(vocabulary, language_model=model, lm_boundary=False)
    measurements = []
    for metric in ("cer", "wer"):
        for folds in FOLDS:
            tuning = tune(decoder, items, references, metric=metric, folds=folds)
            texts = [""] * len(items)
            for first, fold in enumerate(tuning.folds):
                chosen = decoder.with_settings(**fold.settings)
                for b in range(first, len(items), folds):
                    texts[b] = chosen.decode(items[b])[0][0].text
            measurements.append({"metric": metric, "folds": folds, **errors(texts, references)})
    return {"order": ORDER, "lines": len(items), "greedy": errors(greedy, references), "held_out": measurements}


def main() -> None:
    """Measure, save and print."""
    with tempfile.TemporaryDirectory() as name:
        found = measure(trained_model(Path(name)))
    results.write(found, RESULTS)
    Console().print(table(found))


def table(found: results.Results) -> str:
    """Return the error rates as a table in Markdown."""
    greedy = found["greedy"]
    lines_of_table = [
        (
            each["metric"].upper(),
            f"{each['folds'] - 1} of {each['folds']} parts",
            *(
                text
                for kind in ("wer", "cer")
                for text in (f"{100 * each[kind]:.1f} %", f"{100 * (1 - each[kind] / greedy[kind]):.0f} %")
            ),
        )
        for each in found["held_out"]
    ]
    lines_of_table.append(("(greedy)", "", f"{100 * greedy['wer']:.1f} %", "", f"{100 * greedy['cer']:.1f} %", ""))
    return markdown_table(("weights tuned for", "on", "WER", "reduction", "CER", "reduction"), lines_of_table, left=2)


if __name__ == "__main__":
    main()
