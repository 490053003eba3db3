"""Recognizers of handwriting, one thread: ``python -m benchmarks.ocr --out results.json``.

The trainings take as many CPU minutes as their names say, 105 together, and kraken 30 more. With ``--resume``, only
what ``--out`` does not have yet is measured. The models stay in ``--models``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.common import commands, results
from benchmarks.common.commands import chosen
from benchmarks.common.results import Results
from benchmarks.common.workers import WorkerError
from benchmarks.ocr import kraken, language, training
from benchmarks.ocr.cases import BY_NAME, CASES, Case
from benchmarks.ocr.lines import MissingLinesError, unpack
from benchmarks.ocr.page import print_tables

LANGUAGE = "language model"
NAMES = [*BY_NAME, LANGUAGE]
PEERS = ("ctckit", "kraken")
Models = Annotated[Path | None, typer.Option(help="Keep the models in this folder; by default they are removed.")]


class Run(results.Recorder):
    """One run: where the models are, and the results so far."""

    def __init__(self, found: Results, out: Path | None, console: Console, models: Path) -> None:
        super().__init__(found, out, console)
        self.models = models

    def measure(self, case: Case, peer: str) -> None:
        """Measure a library on a case."""
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder)
            unpack(data, first=case.lines)
            if peer == "kraken":
                figures = kraken.measure(case.minutes, data, self.models / "kraken")
            else:
                figures = training.measure(case, data, self.models / case.name)
        self.found["versions"] |= figures.pop("versions")
        about = {"case": case.name, "about": case.about, "minutes": case.minutes}
        self.add({**about, "peers": {peer: figures}, **results.run_of_its_own(self.found)}, NAMES, list(PEERS))

    def measure_language(self, case: str) -> None:
        """Measure a language model on top of the model of a case."""
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder)
            unpack(data)
            figures = language.measure(data, self.models / case)
        about = {"case": LANGUAGE, "about": f"{case}, with a model of characters", "of": case}
        self.add({**about, "peers": {"ctckit": figures}, **results.run_of_its_own(self.found)}, NAMES, list(PEERS))

    def is_missing(self, case: str, peer: str) -> bool:
        """Return whether a library has no figures on a case."""
        return results.figures_of(self.found, case, peer) is None


def main(
    peers: commands.Peers = "all",
    cases: commands.Cases = "all",
    resume: commands.Resume = False,
    models: Models = None,
    out: commands.Out = None,
) -> None:
    """Measure recognizers."""
    wanted, names = chosen(peers, PEERS, "--peers"), chosen(cases, tuple(NAMES), "--cases")
    found = results.begin(out, resume, quick=False)
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        run = Run(found, out, console, models or Path(folder))
        run.models.mkdir(parents=True, exist_ok=True)
        tasks = [(case, peer) for case in CASES for peer in wanted if peer == "ctckit" or not case.start]
        for case, peer in tasks:
            if case.name in names and run.is_missing(case.name, peer):
                console.print(f"{case.name}, {peer}: {case.minutes:g} CPU minutes")
                _try(run, f"{peer}, {case.name}", partial(run.measure, case, peer))
        if LANGUAGE in names and run.is_missing(LANGUAGE, "ctckit") and (best := _best(run)):
            _try(run, LANGUAGE, partial(run.measure_language, best))
    print_tables(console, found)


def _try(run: Run, where: str, measure: Callable[[], None]) -> None:
    try:
        measure()
    except WorkerError as error:
        run.refuse(where, "", error)
        run.write()
    except MissingLinesError as error:
        raise typer.BadParameter(str(error)) from None


def _best(run: Run) -> str | None:
    """Return the case whose model is here and has the fewest errors."""
    errors = {
        case["case"]: case["peers"]["ctckit"]["cer"]
        for case in run.found["cases"]
        if case["case"] in BY_NAME and "ctckit" in case["peers"] and (run.models / case["case"]).is_dir()
    }
    return min(errors, key=errors.__getitem__, default=None)


if __name__ == "__main__":
    typer.run(main)
