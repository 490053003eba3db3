"""``ctckit align CORPUS/``: every recording of a folder, with one load of the model, and continued after a stop."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ctckit.cli.align.aligner import Aligned, Aligner
from ctckit.cli.align.files import expect_writable, write_all, write_tiers
from ctckit.cli.align.options import CorpusOptions
from ctckit.cli.align.report import write_corpus_report
from ctckit.cli.align.summary import DOES_NOT_FIT, tell, tell_suspicious
from ctckit.cli.align.workers import results_of
from ctckit.cli.options import refuse_option
from ctckit.cli.output import progress_bar, some
from ctckit.errors import CTCKitError, DataError, InvalidInputError, MissingDependencyError

if TYPE_CHECKING:
    from ctckit.alignment.corpus.journal import Journal
    from ctckit.alignment.corpus.pairs import Corpus, Pair
    from ctckit.alignment.corpus.record import Record

REPORT = "alignment_report.csv"
JOURNAL = ".alignment_journal.jsonl"


@dataclass(frozen=True)
class Job:
    """A recording to align.

    Attributes:
        pair: The recording and its text.
        files: The files to write.
        emissions: The file for its emissions, if they are kept.
        key: The options and the state of the files that the result is made from.
    """

    pair: Pair
    files: tuple[Path, ...]
    emissions: Path | None
    key: str


def align_corpus(folder: Path, aligner: Aligner, options: CorpusOptions) -> None:
    """Align all recordings of a folder; write their files and a report with a score for each line.

    Raises:
        DataError: At the end, with all files that could not be aligned.
        typer.Exit: With code 3, if a line has a lower confidence than ``--fail-below``.
    """
    from ctckit._files import locked, make_folder
    from ctckit.alignment.corpus.journal import Journal
    from ctckit.alignment.corpus.pairs import find_pairs

    out = _output_folder(folder, aligner)
    forms = _forms(options)
    corpus = find_pairs(folder, apart_from=_folders_of_results(out, aligner, folder))
    _expect_model(corpus, aligner)
    jobs = [_job(pair, out, forms, aligner) for pair in corpus.pairs]
    make_folder(out)
    with locked(out, ".alignment.lock", doing="is aligning a corpus into it"):
        journal = Journal(out / JOURNAL)
        try:
            _run([job for job in jobs if not _is_done(job, journal)], aligner, options.workers or 1, journal)
        finally:
            journal.close()
            records = [journal.records[job.pair.name] for job in jobs if job.pair.name in journal.records]
            _write_report(out / REPORT, records, aligner)
    _conclude(corpus, records, aligner, out / REPORT)


def work(aligner: Aligner, job: Job) -> Record:
    """Align a recording and write its files. What is wrong with it is in the record.

    Raises:
        CTCKitError: If no recording can be aligned, because the model or a file of words cannot be loaded.
    """
    from ctckit.alignment.corpus.record import Record

    aligner.prepare()
    try:
        found = aligner.align(job.pair.recording, job.pair.text, emissions=job.emissions)
        write_all({path: lambda path: _write(path, found, aligner) for path in job.files})
    except MissingDependencyError:
        raise
    except CTCKitError as error:
        return Record(job.pair.name, job.key, problem=_named(str(error), job.pair.recording))
    return Record(job.pair.name, job.key, found.summary.words, found.summary.lines, tuple(found.unspelled))


def _output_folder(folder: Path, aligner: Aligner) -> Path:
    output = aligner.output
    if output.out is None or len(output.out) != 1:
        raise InvalidInputError(f"{folder} is a folder; expected --out with one folder to write into.")
    if output.figure is not None or output.between is not None:
        refuse_option("--figure" if output.figure is not None else "--between", f"{folder} is a folder")
    if output.report is not None:
        expect_writable([output.report])
    [out] = output.out
    if out.resolve() == folder.resolve():
        raise InvalidInputError(f"--out is {out}, the corpus itself; expected another folder.")
    return out


def _folders_of_results(out: Path, aligner: Aligner, folder: Path) -> list[Path]:
    kept = aligner.recordings.save_emissions
    if kept is not None and kept.resolve() == folder.resolve():
        raise InvalidInputError(f"--save-emissions is {kept}, the corpus itself; expected another folder.")
    return [out] if kept is None else [out, kept]


def _forms(options: CorpusOptions) -> list[str]:
    """Return the endings of the files to write; a wrong one is an error."""
    from ctckit.alignment.writers import format_of

    forms = [form.removeprefix(".") for form in options.form or ["TextGrid"]]
    for form in forms:
        format_of(Path(f"name.{form}"))
    return forms


def _expect_model(corpus: Corpus, aligner: Aligner) -> None:
    heard = [pair.recording for pair in corpus.pairs if pair.recording.suffix.lower() != ".npz"]
    if heard and aligner.recordings.model is None:
        raise InvalidInputError(f"{heard[0]} is a recording, which needs --model, an acoustic model.")


def _job(pair: Pair, out: Path, forms: Sequence[str], aligner: Aligner) -> Job:
    kept = aligner.recordings.save_emissions
    named = f"{pair.name}.npz"
    emissions = None if kept is None or pair.recording.suffix.lower() == ".npz" else kept / named
    return Job(pair, tuple(out / f"{pair.name}.{form}" for form in forms), emissions, _key(pair, aligner))


def _key(pair: Pair, aligner: Aligner) -> str:
    """Return a digest of what the result depends on: version, options, and the size and time of each file."""
    output, texts = aligner.output, aligner.texts
    files = [pair.recording, pair.text, *texts.dictionaries, *([texts.replacements] if texts.replacements else [])]
    states = [(stat.st_size, stat.st_mtime_ns) for path in files if path.exists() for stat in [path.stat()]]
    heard = replace(aligner.recordings, save_emissions=None)
    options = heard, aligner.posteriors, texts, aligner.subtitles, output.boundaries, output.offset, output.tier
    content = json.dumps([metadata.version("ctckit"), repr(options), states])
    return hashlib.sha256(content.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _is_done(job: Job, journal: Journal) -> bool:
    known = journal.records.get(job.pair.name)
    return (
        known is not None
        and known.key == job.key
        and known.problem is None
        and all(path.exists() for path in job.files)
    )


def _run(jobs: Sequence[Job], aligner: Aligner, workers: int, journal: Journal) -> None:
    quiet = replace(aligner, show_progress=False)
    with progress_bar(f"{len(jobs)} recordings", len(jobs)) as show:
        for n, record in enumerate(_records(jobs, quiet, workers), 1):
            journal.add(record)
            show(n)


def _records(jobs: Sequence[Job], aligner: Aligner, workers: int) -> Iterator[Record]:
    if workers == 1 or len(jobs) < 2:
        return (work(aligner, job) for job in jobs)
    return results_of(work, aligner, jobs, min(workers, len(jobs)))


def _write(path: Path, found: Aligned, aligner: Aligner) -> None:
    from ctckit._files import make_folder

    make_folder(path.parent)
    write_tiers(path, found, aligner.output, aligner.subtitles)


def _named(message: str, recording: Path) -> str:
    return message if str(recording.with_suffix("")) in message else f"{recording}: {message}"


def _write_report(path: Path, records: Sequence[Record], aligner: Aligner) -> None:
    from ctckit.alignment.corpus.report import write_report

    write_report(path, records, below=aligner.suspicious_below)


def _conclude(corpus: Corpus, records: Sequence[Record], aligner: Aligner, report: Path) -> None:
    """Print the summary; end with an error if files could not be aligned, or do not fit."""
    from ctckit.alignment.summary import summarize_lines

    below = aligner.suspicious_below
    lines = [line for record in records for line in record.lines]
    summary = summarize_lines(lines, sum(record.words for record in records), below=below)
    tell(f"{len(records):,} recordings, {summary}. Each line: {report}.")
    unspelled = sorted({word for record in records for word in record.unspelled})
    if unspelled:
        tell(f"{len(unspelled):,} words cannot be spelled: {some(unspelled)}.")
    suspicious = [(r.name, line) for r in records for line in r.lines if line.is_suspicious(below)]
    tell_suspicious([f"{name}, line {line}" for name, line in suspicious], below)
    if aligner.output.report is not None:
        files = {pair.name: pair.recording for pair in corpus.pairs}
        stretches = [(name, files[name], line) for name, line in suspicious]
        write_corpus_report(aligner.output.report, corpus.folder.name, summary, stretches, aligner.output.offset)
    problems = [*corpus.problems, *(record.problem for record in records if record.problem is not None)]
    if problems:
        raise DataError("\n  ".join([f"{len(problems):,} files of {corpus.folder} cannot be aligned:", *problems]))
    if aligner.output.fail_below is not None and suspicious:
        raise typer.Exit(DOES_NOT_FIT)
