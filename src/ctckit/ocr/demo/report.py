"""The report of the demo: one self-contained HTML file, for light and dark screens."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

import numpy as np
import numpy.typing as npt

from ctckit._page.page import Figure, tiles, whole_page, write_page
from ctckit.lattices import lattice
from ctckit.ocr.comparing import compare_characters
from ctckit.ocr.data.lines import Line
from ctckit.ocr.demo import drawings
from ctckit.ocr.demo.report_page import BODY
from ctckit.ocr.recognizer import Recognizer
from ctckit.ocr.report.alignment import draw_reading
from ctckit.ocr.report.curves import draw_curve
from ctckit.ocr.report.images import image_uri
from ctckit.ocr.report.texts import draw_alignment
from ctckit.ocr.training.record import Evaluation, TrainingRecord

_SHOWN_LINES = 10
_SHOWN_ERRORS = 60


def write_report(
    path: Path,
    recognizer: Recognizer,
    lines: Sequence[Line],
    evaluation: Evaluation,
    record: TrainingRecord,
    *,
    figures: Sequence[Figure] = (),
) -> None:
    """Write the report.

    Args:
        path: The HTML file; its folder is created if it does not exist.
        recognizer: The trained model.
        lines: The held-out lines; the first ten are shown with their trellises.
        evaluation: The evaluation on these lines.
        record: The training curves.
        figures: The numbers at the top.

    Raises:
        DataError: If the file cannot be written.
    """
    body = Template(BODY).substitute(
        tiles=tiles(figures),
        curves=_curves(record),
        readings=_readings(recognizer, lines[:_SHOWN_LINES]),
        confusion=_confusion(recognizer, evaluation),
        errors=_errors(lines, evaluation),
        count=f"{len(lines):,}",
    )
    write_page(path, whole_page("ctckit demo report", body))


def _curves(record: TrainingRecord) -> str:
    if not record.steps:
        return '<p class="quiet">No curve was recorded.</p>'
    charts = [
        draw_curve(record.steps, record.loss, title="CTC loss per digit", logarithmic=True),
        draw_curve(record.steps, record.cer, title="CER of the training batch", percent=True, logarithmic=True),
        draw_curve(record.steps, record.learning_rate, title="learning rate"),
    ]
    return "".join(f"<figure>{chart}</figure>" for chart in charts)


def _readings(recognizer: Recognizer, lines: Sequence[Line]) -> str:
    images = [line.image for line in lines]
    readings = recognizer.read(images)
    vocabulary, pixels = recognizer.vocabulary, recognizer.model.frame_pixels
    cards = []
    for line, reading, log_probs in zip(lines, readings, recognizer.compute_log_probs(images), strict=True):
        item = lattice(log_probs.numpy(), np.array(vocabulary.encode(reading.text), np.int64), blank=vocabulary.blank)
        drawing = draw_reading(line.image, reading.spans, item, vocabulary.tokens, frame_pixels=pixels)
        verdict = "" if reading.text == line.text else f' <span class="bad">truth {escape(line.text)}</span>'
        cards.append(
            f'<figure class="card"><figcaption><b class="digits">{escape(reading.text) or "(nothing)"}</b>{verdict}'
            f'<span class="quiet">'
            f"confidence {reading.confidence:.1%} · ln p = {reading.log_prob:.3f}</span></figcaption>"
            f'<div class="scroll">{drawing}</div></figure>'
        )
    return "".join(cards)


def count_confusions(truths: Sequence[str], reads: Sequence[str], characters: Sequence[str]) -> npt.NDArray[np.int64]:
    """Count the confusions of characters, along the alignment with the fewest errors of each truth and reading.

    Args:
        truths: The known texts.
        reads: The texts that were read.
        characters: K characters: all that occur in both.

    Returns:
        (K + 1, K + 1) counts; rows are the truth, columns the reading. The last row counts insertions, the last column
        deletions.
    """
    index = {character: position for position, character in enumerate(characters)}
    nothing = len(characters)
    counts = np.zeros((nothing + 1, nothing + 1), dtype=np.int64)
    result = compare_characters(truths, reads)
    for truth, read, chunks in zip(truths, reads, result.alignments, strict=True):
        for chunk in chunks:
            rows = [index[c] for c in truth[chunk.ref_start_idx : chunk.ref_end_idx]]
            columns = [index[c] for c in read[chunk.hyp_start_idx : chunk.hyp_end_idx]]
            length = max(len(rows), len(columns))
            rows += [nothing] * (length - len(rows))
            columns += [nothing] * (length - len(columns))
            np.add.at(counts, (rows, columns), 1)
    return counts


def _confusion(recognizer: Recognizer, evaluation: Evaluation) -> str:
    characters = [token for token in recognizer.vocabulary.tokens if token]
    counts = count_confusions(evaluation.truths, evaluation.reads, characters)
    return drawings.draw_confusion(counts, [*characters, "none"])


def _errors(lines: Sequence[Line], evaluation: Evaluation) -> str:
    if not evaluation.errors:
        return '<p class="quiet">None.</p>'
    cards = []
    for position in evaluation.errors[:_SHOWN_ERRORS]:
        line, read = lines[position], evaluation.reads[position]
        height, width = line.image.shape
        cards.append(
            f'<figure class="error"><img alt="{escape(line.text)}" src="{image_uri(line.image)}" '
            f'width="{round(width * 1.6)}" height="{round(height * 1.6)}"><figcaption class="digits">'
            f"{draw_alignment(line.text, read)}</figcaption></figure>"
        )
    hidden = len(evaluation.errors) - len(cards)
    rest = f'<p class="quiet">and {hidden} more</p>' if hidden else ""
    return f'<div class="errors">{"".join(cards)}</div>{rest}'
