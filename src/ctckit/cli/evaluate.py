"""``ctckit evaluate``: how well a model reads lines with known texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctckit.cli.options import LINES, Device, DeviceOption, SearchOptions, WordMarks
from ctckit.cli.output import echo_json, progress_bar
from ctckit.cli.requirements import need_ocr

if TYPE_CHECKING:
    from rich.table import Table

    from ctckit.ocr.comparing import ErrorRates
    from ctckit.ocr.judging.result import ModelEvaluation

_SHOWN_DOCUMENTS = 10
_SHOWN_CONFUSIONS = 8


def evaluate(
    model: Annotated[
        Path,
        typer.Argument(
            help="A model folder, as ctckit train or demo writes it; an ONNX file; or a name such as "
            '"ppocr-v6-small": how it reads before training.'
        ),
    ],
    data: Annotated[Path, LINES],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all numbers, and the text and the reading of every line, as JSON.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write a page to look at: an HTML file with documents, confusions, calibration and the worst lines.",
            show_default=False,
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="A line that cannot be used is an error; by default it is left out.")
    ] = False,
    max_width: Annotated[
        int, typer.Option(min=1, help="The most columns of a line, scaled to the height of the model.")
    ] = 8192,
    device: DeviceOption = Device.cpu,
    marks: WordMarks,
    search: SearchOptions,
) -> None:
    """Compare what a model reads with the known texts: error rates, confusions, calibration.

    Texts and readings are compared in the form that the model was trained for, such as Unicode NFC and single spaces.

    By default the best path is read. With an option of the beam search, that search decodes.

    Lines that cannot be used are left out, and counted by reason.
    """
    need_ocr("ctckit evaluate")
    from ctckit.ocr.judging.run import evaluate_model
    from ctckit.ocr.recognizer import Recognizer
    from ctckit.ocr.report.evaluation import write_evaluation

    recognizer = Recognizer.load(model, device=device.value)
    decoder = search.decoder(marks.mark(recognizer.vocabulary)) if search != SearchOptions() else None
    with progress_bar("reading", 1.0) as move:
        found = evaluate_model(
            recognizer,
            data,
            decoder=decoder,
            max_width=max_width,
            strict=strict,
            done=lambda ready, total: move(ready / total),
        )
    if report is not None:
        write_evaluation(report, found, model=model.name, data=data.name)
    if as_json:
        echo_json(found.to_dict())
    else:
        _print(found)
        if report is not None:
            typer.echo(f"Report: {report}")


def _print(found: ModelEvaluation) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print(_numbers(found))
    console.print(_confidences(found))
    if len(found.documents) > 1:
        console.print(_documents(found))
    if found.confusions:
        console.print(_confusions(found))
    for note in _notes(found):
        console.print(note, markup=False, soft_wrap=True)


def _notes(found: ModelEvaluation) -> list[str]:
    notes = []
    if found.unknown:
        from ctckit.ocr.data.texts import show_characters

        unknown = ", ".join(f"{show_characters(character)} ({count:,})" for character, count in found.unknown.items())
        notes.append(f"Characters that the model does not have: {unknown}.")
    if found.skipped:
        total = len(found.skipped) + len(found.lines)
        notes.append(f"{len(found.skipped):,} of {total:,} lines are left out: {found.skipped_counts}.")
    return notes


def _table(title: str, *columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for n, column in enumerate(columns):
        table.add_column(column, justify="right" if n else "left")
    return table


def _numbers(found: ModelEvaluation) -> Table:
    rates = found.rates
    table = _table(f"{rates.lines:,} lines", "", "", "of", "wrong", "missing", "too many")
    for name, unit, counts in (("CER", "characters", rates.characters), ("WER", "words", rates.words)):
        errors = (counts.substitutions, counts.deletions, counts.insertions)
        table.add_row(name, _percent(counts.rate, 2), f"{counts.true:,} {unit}", *(f"{each:,}" for each in errors))
    table.add_row("exact", _percent(rates.exact, 2), f"{rates.lines:,} lines")
    return table


def _confidences(found: ModelEvaluation) -> Table:
    table = _table("confidence", "of", "mean", "right", "calibration error")
    for name, each in (("characters", found.characters), ("words", found.words)):
        table.add_row(name, _percent(each.confidence), _percent(each.right), _percent(each.error))
    return table


def _documents(found: ModelEvaluation) -> Table:
    documents = list(found.documents.items())
    shown = f", the worst {_SHOWN_DOCUMENTS}" if len(documents) > _SHOWN_DOCUMENTS else ""
    table = _table(f"{len(documents):,} documents{shown}", "document", "lines", "CER", "WER", "exact")
    for name, rates in documents[:_SHOWN_DOCUMENTS]:
        table.add_row(name, *_row(rates))
    return table


def _row(rates: ErrorRates) -> list[str]:
    return [f"{rates.lines:,}", _percent(rates.cer), _percent(rates.wer), _percent(rates.exact)]


def _confusions(found: ModelEvaluation) -> Table:
    from ctckit.ocr.data.texts import show_characters

    def named(character: str) -> str:
        return show_characters(character).replace(" ", "␣") or "nothing"

    table = _table("confusions", "text", "read", "times")
    for each in found.confusions[:_SHOWN_CONFUSIONS]:
        table.add_row(named(each.true), named(each.read), f"{each.count:,}")
    return table


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"
