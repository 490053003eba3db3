"""What a language model of our own is worth on lines that had no say: ``python -m benchmarks.decoding.held_out``.

`ctckit lm train` makes a model of characters, ``ctckit.tune`` chooses its weights on a part of the lines, and the
errors are counted on the others, in turns, until each line was held out once.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import jiwer
from rich.console import Console

from benchmarks.common.posteriors import FOLDER, lines
from benchmarks.decoding.files import unpack
from ctckit import BeamDecoder, NGramModel, Vocabulary, greedy_decode, tune

RESULTS = Path(__file__).parent.parent / "results" / "decoding-held-out.json"
ORDER = 8
FOLDS = (2, 5, 10, 20)


def trained_model(folder: Path) -> NGramModel:
    """By the command, as a user makes one."""
    text, model = folder / "text.txt", folder / "model.ctclm"
    unpack(FOLDER / "lm_text.txt.xz", text)
    command = ["-m", "ctckit", "lm", "train", text, "--order", str(ORDER), "--unit", "char", "--out", model]
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return NGramModel.load(model)


def errors(texts: list[str], references: list[str]) -> dict[str, float]:
    """Words and characters wrong, in shares of the references'."""
    return {"wer": jiwer.wer(references, texts), "cer": jiwer.cer(references, texts)}


def measure(model: NGramModel) -> dict[str, object]:
    """Greedy, and held out for each number of folds and each metric that the weights were chosen by."""
    data = lines("ocr_ppv4")
    items = [data[b] for b in range(len(data))]
    references = ["".join(data.tokens[token] for token in each) for each in data.references or ()]
    vocabulary = Vocabulary(data.tokens, data.blank, separator=data.tokens[data.space])
    greedy = [greedy_decode(item, vocabulary=vocabulary)[0].text for item in items]
    decoder = BeamDecoder(vocabulary, language_model=model, lm_boundary=False)
    rows = []
    for metric in ("cer", "wer"):
        for folds in FOLDS:
            tuning = tune(decoder, items, references, metric=metric, folds=folds)
            texts = [""] * len(items)
            for first, fold in enumerate(tuning.folds):
                chosen = decoder.with_settings(**fold.settings)
                for b in range(first, len(items), folds):
                    texts[b] = chosen.decode(items[b])[0][0].text
            rows.append({"metric": metric, "folds": folds, **errors(texts, references)})
    return {"order": ORDER, "lines": len(items), "greedy": errors(greedy, references), "held_out": rows}


def main() -> None:
    """Measure, save, show."""
    with tempfile.TemporaryDirectory() as name:
        results = measure(trained_model(Path(name)))
    draft = RESULTS.with_suffix(".draft")
    draft.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    draft.replace(RESULTS)
    console = Console()
    console.print(table(results))


def table(results: dict[str, object]) -> str:
    """In Markdown."""
    greedy = results["greedy"]
    lines_of_table = ["| weights chosen by | on | WER | fall | CER | fall |", "|---|---|---|---|---|---|"]
    for row in results["held_out"]:
        share = f"{row['folds'] - 1} of {row['folds']} parts"
        cells = [f"{100 * row[each]:.1f} % | {100 * (1 - row[each] / greedy[each]):.0f} %" for each in ("wer", "cer")]
        lines_of_table.append(f"| {row['metric'].upper()} | {share} | {cells[0]} | {cells[1]} |")
    lines_of_table.append(f"| (greedy) | | {100 * greedy['wer']:.1f} % | | {100 * greedy['cer']:.1f} % | |")
    return "\n".join(lines_of_table)


if __name__ == "__main__":
    main()
