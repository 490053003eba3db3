"""``TrainingReport``: a page that is written again and again while a model trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

import numpy as np

from ctckit._page.page import Figure, heading, percent, section, whole_page, write_page
from ctckit.alignment.forced import forced_align
from ctckit.lattices import lattice
from ctckit.ocr.comparing import compare_lines, find_confusions
from ctckit.ocr.data.lines import TextLine
from ctckit.ocr.data.pairs import Skipped
from ctckit.ocr.data.rules import LineRules
from ctckit.ocr.recognizer import CharacterSpan
from ctckit.ocr.report.alignment import draw_reading
from ctckit.ocr.report.curves import draw_curve
from ctckit.ocr.report.lines import draw_lines
from ctckit.ocr.report.tables import draw_confusions, draw_skipped
from ctckit.ocr.training.evaluation import compute_log_probs
from ctckit.ocr.training.observing import CurvePoint, Validation
from ctckit.ocr.training.record import TrainingRecord

_WORST = 20
_REFRESH = 10  # seconds
_CHARACTERS = 16  # of the line whose alignment is drawn, about: a trellis has two rows for each


class TrainingReport:
    """Writes a report at each validation, and at the end: curves, worst lines, confusions, skipped lines, an alignment.

    While the training runs, a browser loads the page again by itself. At the end it shows the held-out lines as the
    weights that are kept read them.

    Args:
        path: The HTML file.
        title: The name of the model.
        rules: The rules of the model: texts are shown in logical order.
        skipped: The lines that are left out.
    """

    def __init__(self, path: Path, *, title: str, rules: LineRules, skipped: Sequence[Skipped] = ()) -> None:
        self._path, self._title, self._rules = path, title, rules
        self._skipped = section("Skipped lines", "They cannot be used.", draw_skipped(skipped)) if skipped else ""
        self._kept = ""

    def on_start(self, step: int, record: TrainingRecord) -> None:
        """Wait for the first validation."""

    def on_point(self, point: CurvePoint) -> None:
        """Wait for the next validation: its record has this point."""

    def on_validation(self, validation: Validation) -> None:
        """Write the report of the run up to now."""
        shown = "\n\n".join(self._readings(validation))
        if validation.best or not self._kept:  # the best one may be of the run before it was resumed
            self._kept = shown
        self._write(validation.record, shown, running=True)

    def on_end(self, record: TrainingRecord) -> None:
        """Write the report of the whole run."""
        self._write(record, self._kept, running=False)

    def _write(self, record: TrainingRecord, readings: str, *, running: bool) -> None:
        parts = [heading(self._title, _lead(record, running=running), _figures(record)), _curves(record), readings]
        body = "\n\n".join(filter(None, [*parts, self._skipped, _FOOTER]))
        page = whole_page(f"{self._title}: training", body, refresh=_REFRESH if running else 0)
        write_page(self._path, page)

    def _readings(self, validation: Validation) -> Iterator[str]:
        """Yield what tells how the held-out lines are read now."""
        truths = [self._rules.displayed(text) for text in validation.evaluation.truths]
        reads = [self._rules.displayed(text) for text in validation.evaluation.reads]
        yield section(
            "The alignment of a line",
            "A held-out line with its text, as the model places it now. Shaded columns: the frames of each character. "
            "Below: a row for each state of the lattice (– is the blank), a column for each frame. A darker cell means "
            "a more likely state. The line is the best path.",
            _draw_alignment(validation),
        )
        note = f"Held-out lines after step {validation.step:,}, the most frequent first."
        yield section("What is confused", note, draw_confusions(find_confusions(truths, reads)))
        compared = compare_lines([line.name for line in validation.lines], truths, reads)
        wrong = [n for n, line in enumerate(compared) if not line.exact]
        worst = sorted(wrong, key=lambda n: (-compared[n].characters.errors, n))[:_WORST]
        yield section(
            "The worst lines",
            f"Held-out lines after step {validation.step:,}: {len(wrong):,} of {len(compared):,} have errors. Those "
            "with the most character errors first: the text, and below it what was read.",
            draw_lines([(compared[n], validation.lines[n].image) for n in worst]),
        )


def _lead(record: TrainingRecord, *, running: bool) -> str:
    step = max((*record.steps[-1:], *record.validation_steps[-1:]), default=0)
    if running:
        return f"Training, step {step:,}. This page loads itself again every {_REFRESH} seconds."
    return f"Trained until step {step:,}; the weights after step {record.best_step:,} are kept."


def _figures(record: TrainingRecord) -> list[Figure]:
    figures = []
    if record.validation_cer:
        best = record.validation_cer.index(min(record.validation_cer))
        figures = [
            Figure(percent(record.validation_cer[-1], 2), "CER of held-out lines, latest"),
            Figure(percent(record.validation_cer[best], 2), "CER of held-out lines, lowest"),
            Figure(percent(record.validation_exact[best]), "lines exact there"),
        ]
    return [
        *figures,
        Figure(f"{record.seconds / 60:.1f} min", "training"),
        Figure(f"{record.lines_per_second:,.0f}", "lines per second"),
    ]


def _curves(record: TrainingRecord) -> str:
    charts = []
    if record.validation_steps:
        charts.append(
            draw_curve(record.validation_steps, record.validation_cer, title="CER of held-out lines", percent=True)
        )
    if record.steps:
        charts += [
            draw_curve(record.steps, record.loss, title="CTC loss per character", logarithmic=True),
            draw_curve(record.steps, record.cer, title="CER of the training batch", percent=True),
            draw_curve(record.steps, record.learning_rate, title="learning rate"),
        ]
    drawn = "".join(f"<figure>{chart}</figure>" for chart in charts)
    return section("Training", "Horizontal axis: optimizer steps.", f'<div class="curves">{drawn}</div>')


def _draw_alignment(validation: Validation) -> str:
    """Return a drawing of a held-out line, always the same one, above the trellis of its text."""
    line = _short_line(validation.lines)
    vocabulary = validation.vocabulary
    target = np.array(vocabulary.encode(line.text), np.int64)
    (log_probs,) = compute_log_probs(validation.model, [line.image])
    (alignment,) = forced_align([log_probs.numpy()], [target], blank=vocabulary.blank)
    spans = [
        CharacterSpan(vocabulary.decode([span.token]), span.start, span.end, 0, 0, 0, 0, span.log_prob)
        for span in alignment.spans()
    ]
    drawing = draw_reading(
        line.image,
        spans,
        lattice(log_probs.numpy(), target, blank=vocabulary.blank),
        vocabulary.tokens,
        frame_pixels=validation.model.frame_pixels,
    )
    name = f'<figcaption class="quiet">{escape(line.name)}</figcaption>'
    return f'<figure class="card"><div class="scroll">{drawing}</div>{name}</figure>'


def _short_line(lines: Sequence[TextLine]) -> TextLine:
    return min(lines, key=lambda line: abs(len(line.text) - _CHARACTERS))


_FOOTER = "<footer>Made by <code>ctckit train</code>.</footer>"
