"""``ctckit align --shards``: one row for each recording with a text beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ctckit.acoustic_models.recordings import MEDIA
from ctckit.alignment.corpus.pairs import RECORDINGS, TEXTS
from ctckit.bulk.inputs import Inputs
from ctckit.bulk.settings import identity
from ctckit.cli.align.aligner import Aligner
from ctckit.cli.align.options import CorpusOptions
from ctckit.cli.bulk.job import Job
from ctckit.cli.bulk.options import Engine, ShardOptions, recorded
from ctckit.cli.options import Device, given_options, refuse_option
from ctckit.distributed.align import AlignColumns, align_columns
from ctckit.errors import DataError

SUFFIXES = tuple(dict.fromkeys((*RECORDINGS, *MEDIA)))
_TEXTS = tuple(".TextGrid" if each == ".textgrid" else each for each in TEXTS)


@dataclass(frozen=True)
class AlignWork:
    """Aligns recordings.

    Attributes:
        aligner: Aligns; its model is loaded.
        spans: Whether the rows have tokens.
        at_once: How many recordings a thread takes.
    """

    aligner: Aligner
    spans: bool
    at_once: int = 1

    def load(self, path: Path) -> tuple[Path, Path]:
        """Return a recording and its text."""
        texts = [text for suffix in _TEXTS if (text := path.with_suffix(suffix)).exists()]
        if len(texts) != 1:
            found = "no text" if not texts else f"{len(texts)} texts"
            raise DataError(f"{path}: {found} beside it; expected one of {path.stem}{{{','.join(_TEXTS)}}}.")
        return path, texts[0]

    def compute(self, loaded: Sequence[tuple[Path, Path]]) -> list[dict[str, Any]]:
        """Return the columns, see ``AlignColumns``."""
        return [self._columns(*each) for each in loaded]

    def _columns(self, recording: Path, text: Path) -> dict[str, Any]:
        found = self.aligner.align(recording, text)
        return align_columns(found.lines, found.tiers, found.source.duration_seconds, spans=self.spans)


def align_to_shards(source: Path, aligner: Aligner, corpus: CorpusOptions, shards: ShardOptions) -> None:
    """Align the recordings of a folder, a pattern or a manifest; write a row for each.

    Raises:
        InvalidInputError: If an option is given that is for files; see also ``Job.run``.
        DataError: See ``Job.run``.
    """
    for option in [*(["--format"] if corpus.form else []), *given_options(aligner.subtitles), *_options_of(aligner)]:
        refuse_option(option, "--shards is the folder for the times")

    def start() -> AlignWork:
        quiet = replace(aligner, show_progress=False)
        quiet.prepare()
        return AlignWork(quiet, shards.spans)

    recordings = replace(aligner.recordings, model=None, device=Device.auto, batch_size=1)
    named = {"model": aligner.recordings.model, "lag": aligner.lag.lag}  # files, or names and numbers
    digests = {name: identity(value) for name, value in named.items() if value is not None}
    groups = recordings, aligner.posteriors, aligner.texts, aligner.output
    settings = recorded(*groups, command="align", **digests)
    inputs, gpu = Inputs([source], SUFFIXES), aligner.recordings.device is Device.cuda
    workers = corpus.workers or (None if shards.engine is Engine.ray else 1)
    Job("aligning", start, inputs, AlignColumns, settings, gpu=gpu).run(shards, workers)


def _options_of(aligner: Aligner) -> list[str]:
    """Return the options for files, and for what the command says at its end, that are given."""
    output, kept = aligner.output, aligner.recordings.save_emissions
    given: dict[str, object] = {
        "--out": output.out,
        "--report": output.report,
        "--figure": output.figure,
        "--between": output.between,
        "--tier": output.tier,
        "--fail-below": output.fail_below,
        "--save-emissions": kept,
    }
    return [name for name, value in given.items() if value is not None]
