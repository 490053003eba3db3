"""The report of an evaluation: numbers, documents, confusions, calibration, the worst lines, what was skipped."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from ctckit._page.page import Figure, heading, percent, section, whole_page, write_page
from ctckit.ocr.judging.calibration import Calibration
from ctckit.ocr.judging.result import ModelEvaluation
from ctckit.ocr.report.lines import draw_lines
from ctckit.ocr.report.reliability import draw_reliability
from ctckit.ocr.report.tables import draw_confusions, draw_documents, draw_skipped, draw_unknown


def write_evaluation(path: str | Path, evaluation: ModelEvaluation, *, model: str = "", data: str = "") -> None:
    """Write an evaluation as one self-contained HTML file.

    Args:
        path: The file; its folder is created if it does not exist.
        evaluation: The evaluation.
        model: The name of the model.
        data: The name of the data set.

    Raises:
        DataError: If the file cannot be written.
    """
    title = " on ".join(filter(None, (model, data))) or "Evaluation"
    body = "\n\n".join([heading(title, _lead(evaluation), figures_of(evaluation)), *_sections(evaluation), _FOOTER])
    write_page(Path(path), whole_page(f"{title}: evaluation", body))


def figures_of(evaluation: ModelEvaluation) -> list[Figure]:
    """Return the most important numbers."""
    rates = evaluation.rates
    figures = [
        Figure(percent(rates.cer, 2), "character error rate (CER)"),
        Figure(percent(rates.wer, 2), "word error rate (WER)"),
        Figure(percent(rates.exact), "lines exact"),
        Figure(f"{rates.lines:,}", "lines"),
        Figure(percent(evaluation.characters.error), "calibration error, characters"),
    ]
    skipped = [Figure(f"{len(evaluation.skipped):,}", "lines skipped")] if evaluation.skipped else []
    return figures + skipped


def _lead(evaluation: ModelEvaluation) -> str:
    rules = evaluation.rules
    form = "any Unicode form" if rules.unicode == "none" else f"Unicode {escape(rules.unicode)}"
    spaces = "white space as it is" if rules.spaces == "keep" else "single spaces, none at the ends"
    return (
        f"{evaluation.rates.characters.true:,} characters and {evaluation.rates.words.true:,} words in "
        f"{len(evaluation.lines):,} lines. Texts and readings are compared in logical order, in the form of the model: "
        f"{form}, {spaces}."
    )


def _sections(evaluation: ModelEvaluation) -> Iterator[str]:
    if len(evaluation.documents) > 1:
        yield section(
            "By document", "Documents are told by the names of the lines.", draw_documents(evaluation.documents)
        )
    yield section("What is confused", _what_is_wrong(evaluation), draw_confusions(evaluation.confusions))
    if evaluation.unknown:
        yield section(
            "Characters that the model does not have",
            "It cannot read them. Train with texts that contain them.",
            draw_unknown(evaluation.unknown),
        )
    charts = "".join(
        f"<figure>{draw_reliability(each, title=f'{name}: calibration error {percent(each.error)}')}</figure>"
        for name, each in (("characters", evaluation.characters), ("words", evaluation.words))
    )
    yield section("Confidence", _how_sure(evaluation), f'<div class="curves">{charts}</div>')
    yield section(
        "The worst lines",
        "The lines with the most character errors, the worst first: the text, and below it what was read.",
        draw_lines([(each.line, each.image) for each in evaluation.worst]),
    )
    if evaluation.skipped:
        yield section(
            "Skipped lines", "They cannot be used, and no number counts them.", draw_skipped(evaluation.skipped)
        )


def _what_is_wrong(evaluation: ModelEvaluation) -> str:
    counts = evaluation.rates.characters
    return (
        f"Of {counts.true:,} characters, {counts.substitutions:,} were read as others and {counts.deletions:,} were "
        f"not read; {counts.insertions:,} were read that are not there."
    )


def _how_sure(evaluation: ModelEvaluation) -> str:
    return (
        f"Is a confidence of 90 % right nine times of ten? {_said(evaluation.characters, 'Characters')} "
        f"{_said(evaluation.words, 'Words')} Bars: the share that is right. Short lines: the mean confidence. On the "
        "dotted line the two are equal. Gray bars: the number of readings."
    )


def _said(calibration: Calibration, what: str) -> str:
    return (
        f"{what}: mean confidence {percent(calibration.confidence)}, {percent(calibration.right)} of those that were "
        "read are right."
    )


_FOOTER = "<footer>Made by <code>ctckit evaluate</code>.</footer>"
