"""``ctckit read``: the texts of line images and of pages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ctckit._files import files_under, make_folder, write_atomically
from ctckit.cli.bulk.options import BulkOptions, recorded
from ctckit.cli.options import Device, DeviceOption, NBest, SearchOptions, WordMarks, refuse_option
from ctckit.cli.output import echo_json, progress_bar
from ctckit.cli.requirements import need_reading
from ctckit.errors import DataError, InvalidInputError

if TYPE_CHECKING:
    from ctckit import BeamDecoder
    from ctckit.ocr.page_reader import ReadLine, ReadPage
    from ctckit.ocr.recognizer import LineImage, Reading, Recognizer

_AT_ONCE = 256  # line images in memory


@dataclass(frozen=True)
class Input:
    """A file that is read.

    Attributes:
        path: The file.
        below: Its path below the folder that was named, or its name: where its result is, below ``--out``.
        is_page: Whether it is ALTO or PAGE XML, or an image of one line.
    """

    path: Path
    below: Path
    is_page: bool


def read(
    inputs: Annotated[
        list[Path],
        typer.Argument(help="Images of one text line each, ALTO or PAGE XML, or folders of these.", metavar="INPUT..."),
    ],
    *,
    model: Annotated[
        Path,
        typer.Option(
            "--model",
            "-m",
            help="A model folder, as ctckit train writes it; or an ONNX file, which needs no torch; or the name of one "
            'that a package has: "ppocr-v6-small".',
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Write the results into this folder: pages as they are, with the texts, words, characters and their "
            "boxes; name.txt for line images.",
            show_default=False,
        ),
    ] = None,
    n_best: NBest = 1,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print text, log-probability, confidence, spans and score as JSON; with --n-best above 1, a list of "
            '"readings" for each line.',
        ),
    ] = False,
    as_json_lines: Annotated[
        bool, typer.Option("--jsonl", help="Print the same as JSON lines: one object for each line, as it is read.")
    ] = False,
    max_width: Annotated[
        int, typer.Option(min=1, help="The most columns of an image, scaled to the height of the model.")
    ] = 8192,
    device: DeviceOption = Device.cpu,
    bulk: BulkOptions,
    marks: WordMarks,
    search: SearchOptions,
) -> None:
    """Read line images and pages.

    Prints the text; with several inputs, path and text. For a page, the lines in reading order.

    With --n-best above 1: path, rank, score and text. Tabs separate the columns.

    What cannot be read is named at the end, and the exit code is 2; all else is read.

    By default the best path is read. With --n-best above 1, or an option of the beam search, that search decodes.
    """
    need_reading("ctckit read", model)
    if bulk.shards is not None:
        for option, given in {"--out": out, "--json": as_json, "--jsonl": as_json_lines}.items():
            if given:
                refuse_option(option, "--shards is the folder for what is read")
        _read_to_shards(inputs, model, n_best, max_width, device, bulk, marks, search)
        return
    bulk.refuse()
    recognizer, decoder = _loaded(model, device, n_best, marks, search)
    files, problems = _files(inputs)
    if out is not None:
        _expect_free(out, files)
    reader = _Reader(recognizer, decoder, n_best, max_width, out, problems)
    alone = len(files) == 1 and len(inputs) == 1
    found: list[dict[str, Any]] = []
    with progress_bar("reading", len(files)) as move:
        for done, each in reader.read(files):
            move(done)
            if as_json:
                found.append(each.as_json(n_best))
            elif as_json_lines:
                typer.echo(json.dumps(each.as_json(n_best)))
            elif out is None:
                each.print(n_best, alone=alone)
    if as_json:
        echo_json(found)
    if out is not None:
        typer.echo(f"{reader.summary}: {out}/", err=True)
    if problems:
        kinds = "lines and pages" if any(each.is_page for each in files) else "images"
        count = [] if alone else [f"{len(problems)} of {reader.lines + len(problems)} {kinds} cannot be read:"]
        raise DataError("\n  ".join([*count, *problems]))


def _loaded(
    model: Path, device: Device, n_best: int, marks: WordMarks, search: SearchOptions
) -> tuple[Recognizer, BeamDecoder | None]:
    from ctckit.ocr.recognizer import Recognizer

    recognizer = Recognizer.load(model, device=device.value)
    beam_search = n_best > 1 or search != SearchOptions()
    return recognizer, search.decoder(marks.mark(recognizer.vocabulary)) if beam_search else None


def _read_to_shards(
    inputs: Sequence[Path],
    model: Path,
    n_best: int,
    max_width: int,
    device: Device,
    bulk: BulkOptions,
    marks: WordMarks,
    search: SearchOptions,
) -> None:
    from ctckit.bulk.settings import identity
    from ctckit.cli.bulk.job import Job
    from ctckit.cli.bulk.read import inputs_to_read
    from ctckit.distributed.read import ReadColumns, ReadWork
    from ctckit.ocr.bundled import path_of_model

    def start() -> ReadWork:
        recognizer, decoder = _loaded(model, device, n_best, marks, search)
        sizes = {} if device is Device.cpu else {"at_once": _AT_ONCE, "batch_size": 32}
        return ReadWork(recognizer, decoder, n_best, max_width, bulk.spans, **sizes)

    named = identity(path_of_model(model), str(model))
    settings = recorded(marks, search, command="read", model=named, n_best=n_best, max_width=max_width)
    job = Job("reading", start, inputs_to_read(inputs), ReadColumns, settings, gpu=device is Device.cuda)
    job.run(bulk, bulk.workers)


@dataclass(frozen=True)
class _Line:
    """A line that was read."""

    path: Path
    readings: Sequence[Reading]
    on_page: ReadLine | None = None

    def as_json(self, n_best: int) -> dict[str, Any]:
        found: dict[str, Any] = {"path": str(self.path)}
        if self.on_page is not None:
            found["line"] = self.on_page.name
        if n_best > 1:
            found["readings"] = [asdict(reading) for reading in self.readings]
        else:
            found |= asdict(self.readings[0])
        if self.on_page is not None:
            found["words"] = [
                {"text": word.text, "confidence": word.confidence, "outline": word.outline}
                for word in self.on_page.words
            ]
        return found

    def print(self, n_best: int, *, alone: bool) -> None:
        name = str(self.path) if self.on_page is None else f"{self.path}, {self.on_page.name}"
        for rank, reading in enumerate(self.readings, 1):
            if n_best > 1:
                typer.echo(f"{name}\t{rank}\t{reading.score:.4f}\t{reading.text}")
            else:
                typer.echo(reading.text if alone else f"{name}\t{reading.text}")


@dataclass
class _Reader:
    """Reads files, writes their results, and collects what cannot be read."""

    recognizer: Recognizer
    decoder: BeamDecoder | None
    n_best: int
    max_width: int
    out: Path | None
    problems: list[str]
    lines: int = 0
    pages: int = 0
    empty: int = 0

    @property
    def summary(self) -> str:
        """What was read, in numbers."""
        pages = [_count(self.pages, "page")] if self.pages else []
        return ", ".join(
            [*pages, _count(self.lines, "line"), *([f"{self.empty:,} without text"] if self.empty else [])]
        )

    def read(self, files: Sequence[Input]) -> Iterator[tuple[int, _Line]]:
        """Yield the lines in the order of the files, with the number of files that are done."""
        done, rest = 0, iter(files)
        while part := list(islice(rest, _AT_ONCE)):
            images = [each for each in part if not each.is_page]
            readings = dict(self._images(images))
            for each in part:
                done += 1
                for line in self._page(each) if each.is_page else readings.get(each.path, ()):
                    self.lines += 1
                    self.empty += not line.readings[0].text
                    yield done, line

    def _images(self, images: Sequence[Input]) -> Iterator[tuple[Path, list[_Line]]]:
        prepared: list[tuple[Input, LineImage]] = []
        for each in images:
            try:
                prepared.append((each, self.recognizer.prepare(each.path, max_width=self.max_width)))
            except DataError as error:
                self.problems.append(str(error))
        found = self.recognizer.read_n_best([image for _, image in prepared], self.n_best, decoder=self.decoder)
        for (each, _), readings in zip(prepared, found, strict=True):
            self._write(each, ".txt", f"{readings[0].text}\n".encode())
            yield each.path, [_Line(each.path, readings)]

    def _page(self, each: Input) -> list[_Line]:
        from ctckit.ocr.page_reader import read_page

        try:
            page: ReadPage = read_page(
                self.recognizer, each.path, n_best=self.n_best, decoder=self.decoder, max_width=self.max_width
            )
            self._write(each, each.path.suffix, page.xml() if self.out is not None else b"")
        except DataError as error:
            self.problems.append(str(error))
            return []
        self.pages += 1
        self.problems.extend(skipped.detail for skipped in page.skipped)
        return [_Line(each.path, line.readings, line) for line in page.lines]

    def _write(self, each: Input, suffix: str, content: bytes) -> None:
        if self.out is None:
            return
        path = (self.out / each.below).with_suffix(suffix)
        make_folder(path.parent)
        try:
            write_atomically(path, content)
        except OSError as error:
            raise DataError(f"{path}: cannot be written ({error.strerror}). Choose another folder.") from error


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _files(inputs: Sequence[Path]) -> tuple[list[Input], list[str]]:
    """Return the files of the inputs, those of folders ordered by path, and the messages about what cannot be read."""
    from ctckit.ocr.data.images import IMAGE_SUFFIXES
    from ctckit.ocr.data.page_lines import pages_among
    from ctckit.ocr.data.pages.files import PAGE_SUFFIX

    found: list[Input] = []
    problems: list[str] = []
    for given in inputs:
        if not given.is_dir():
            found.append(Input(given, Path(given.name), given.suffix.lower() == PAGE_SUFFIX))
            continue
        files = sorted(files_under(given))
        pages = pages_among(files)
        problems += [each.detail for each in pages.broken]
        images = [each for each in files if each.suffix.lower() in IMAGE_SUFFIXES and each not in pages.images]
        found += [Input(each, each.relative_to(given), each in pages.files) for each in sorted([*images, *pages.files])]
        if not images and not pages.files and not pages.broken:
            raise DataError(f"{given}: no images and no pages in this folder. Check the path.")
    return found, problems


def _expect_free(out: Path, files: Sequence[Input]) -> None:
    """Refuse an output that would replace an input, or two results of one name."""
    sources = {each.path.resolve(): each.path for each in files}
    taken: dict[Path, Path] = {}
    for each in files:
        target = (out / each.below).with_suffix(each.path.suffix if each.is_page else ".txt")
        if target.resolve() in sources:
            raise InvalidInputError(f"--out {out} would replace {sources[target.resolve()]}. Choose another folder.")
        if target in taken:
            raise InvalidInputError(
                f"{taken[target]} and {each.path} would both be written to {target}. Read them by two commands."
            )
        taken[target] = each.path
