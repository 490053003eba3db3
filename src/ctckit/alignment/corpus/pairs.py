"""Recordings and texts of the same name, in a folder and its subfolders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctckit.errors import DataError, MissingFileError

RECORDINGS = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".npz")
TEXTS = (".txt", ".lab", ".textgrid", ".srt", ".vtt", ".eaf")


@dataclass(frozen=True)
class Pair:
    """A recording and its text.

    Attributes:
        name: The path of both in the corpus, without an ending, with "/" between folders.
        recording: The recording; a .npz file holds its emissions.
        text: Its text.
    """

    name: str
    recording: Path
    text: Path


@dataclass(frozen=True)
class Corpus:
    """The files of a corpus.

    Attributes:
        folder: The corpus.
        pairs: The recordings with their texts, in the order of their names.
        problems: Files without a partner, or with several: a sentence for each.
    """

    folder: Path
    pairs: tuple[Pair, ...]
    problems: tuple[str, ...]


def find_pairs(folder: Path, *, apart_from: Iterable[Path] = ()) -> Corpus:
    """Return the recordings and texts of a folder and its subfolders: ``name.wav`` belongs to ``name.txt`` beside it.

    Args:
        folder: The corpus.
        apart_from: Folders in it that are left out, such as that of the results.

    Raises:
        DataError: If there is no such folder, or it has no recording with a text.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("anna/1.wav", "anna/1.lab", "ben/1.flac"):
        ...         path = Path(folder) / name
        ...         path.parent.mkdir(exist_ok=True)
        ...         path.touch()
        ...     found = find_pairs(Path(folder))
        >>> [pair.name for pair in found.pairs]
        ['anna/1']
        >>> [problem.partition("ben/")[2] for problem in found.problems]
        ['1.flac: has no text beside it; expected 1.txt, 1.lab, 1.TextGrid, 1.srt, 1.vtt or 1.eaf.']
    """
    if not folder.is_dir():
        raise MissingFileError(f"{folder}: there is no such folder.")
    named: dict[Path, tuple[list[Path], list[Path]]] = {}
    for path in _files(folder, apart_from):
        recordings, texts = named.setdefault(path.with_suffix(""), ([], []))
        (recordings if path.suffix.lower() in RECORDINGS else texts).append(path)
    pairs, problems = [], []
    for stem, (recordings, texts) in sorted(named.items()):
        if len(recordings) == len(texts) == 1:
            pairs.append(Pair(stem.relative_to(folder).as_posix(), recordings[0], texts[0]))
        else:
            problems.append(_problem(recordings, texts))
    if not pairs:
        few = "".join(f"\n  {each}" for each in problems[:8])
        raise DataError(f"{folder}: it has no recording with a text beside it, such as a.wav and a.txt.{few}")
    return Corpus(folder, tuple(pairs), tuple(problems))


def _files(folder: Path, apart_from: Iterable[Path]) -> Iterator[Path]:
    left_out = {path.resolve() for path in apart_from}
    for path in sorted(folder.rglob("*")):
        known = path.suffix.lower() in RECORDINGS + TEXTS and not path.name.startswith(".")
        if known and path.is_file() and left_out.isdisjoint(path.resolve().parents):
            yield path


def _problem(recordings: Sequence[Path], texts: Sequence[Path]) -> str:
    if not texts:
        stem = recordings[0].stem
        return (
            f"{recordings[0]}: has no text beside it; expected {stem}.txt, {stem}.lab, {stem}.TextGrid, {stem}.srt, "
            f"{stem}.vtt or {stem}.eaf."
        )
    if not recordings:
        return f"{texts[0]}: has no recording beside it; expected {texts[0].stem}.wav, .flac, .mp3 or .ogg."
    several, what = (recordings, "recordings") if len(recordings) > 1 else (texts, "texts")
    return f"{several[0]}: there are {len(several)} {what} of this name: {_names(several)}; expected one."


def _names(paths: Iterable[Path]) -> str:
    return ", ".join(path.name for path in paths)
