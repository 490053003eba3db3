"""``ctckit validate``: what is wrong with a corpus, before it is aligned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctckit.cli.align.aligner import read_replacements
from ctckit.cli.align.options import PosteriorOptions, RecordingOptions, WordOptions
from ctckit.cli.align.sources import Sources, Spellings
from ctckit.cli.options import ACOUSTIC_MODEL
from ctckit.cli.output import progress_bar, some
from ctckit.errors import CTCKitError, DataError

if TYPE_CHECKING:
    from ctckit.alignment.corpus.checks import CheckedText, TextChecker
    from ctckit.alignment.corpus.pairs import Pair


def validate(
    corpus: Annotated[Path, typer.Argument(help="A folder of recordings with their texts.", metavar="CORPUS")],
    *,
    model: Annotated[str, ACOUSTIC_MODEL],
    unknown_words: Annotated[
        Path | None,
        typer.Option(
            help="A file to write: the words that cannot be spelled, one a line, to fill in. With --dictionary also "
            "the words that it does not have, with the pronunciations that the model would use."
        ),
    ] = None,
    texts: WordOptions,
) -> None:
    """Check a corpus before it is aligned: files, lengths, sampling rates, words.

    Nothing is listened to, so that it takes seconds. Whether a text is what a recording says is told by ctckit align,
    in its report.

    Files without a partner, files that cannot be read and texts that cannot fit are listed, and the exit code is 2.
    """
    from ctckit.alignment.corpus.checks import TextChecker, unusual
    from ctckit.alignment.corpus.pairs import find_pairs

    if unknown_words is not None and unknown_words.exists():
        raise DataError(f"{unknown_words}: is there already, and may be filled in. Choose another file, or remove it.")
    found = find_pairs(corpus)
    replacements = texts.spoken_words({} if texts.replacements is None else read_replacements(texts.replacements))
    sources = Sources(
        RecordingOptions(model=model), PosteriorOptions(), texts.dictionaries, dictionary_only=texts.dictionary_only
    )
    acoustic = sources.model(model)
    spellings = sources.spellings(acoustic)
    checker = TextChecker(acoustic.vocabulary, acoustic.frame_seconds, spellings, replacements)
    checked: list[CheckedText] = []
    forms: Counter[str] = Counter()
    problems = list(found.problems)
    with progress_bar("checking", len(found.pairs)) as show:
        for n, pair in enumerate(found.pairs, 1):
            try:
                checked.append(_checked(pair, checker, texts.text_tier, forms))
            except CTCKitError as error:
                problems.append(str(error))
            show(n)
    problems += [f"{each.name}: the text cannot fit: {each.impossible}" for each in checked if each.impossible]
    seconds = sum(each.seconds for each in checked)
    readable = f"; {_counted(forms)}" if forms else ""
    typer.echo(f"{_number(len(found.pairs), 'recording')}, {seconds / 60:.1f} minutes{readable}.")
    typer.echo(f"{checker.words.total():,} words, {len(checker.words):,} different.")
    known = [word for word, _ in checker.words.most_common() if word not in checker.unknown]
    unknown = [word for word, _ in checker.unknown.most_common()]
    guessed = sources.not_in_dictionary(known, acoustic)
    if unknown:
        typer.echo(f"{_number(len(unknown), 'word')} cannot be spelled: {some(unknown)}.")
    if guessed:
        verb, names = "is" if len(guessed) == 1 else "are", ", ".join(map(str, texts.dictionaries))
        typer.echo(f"{_number(len(guessed), 'word')} {verb} not in {names}: {some(guessed)}.")
    if unknown_words is not None:
        _write_words(unknown_words, unknown, guessed, spellings)
    for each, ratio in unusual(checked):
        pace = f"{ratio:.1f} times as fast" if ratio > 1 else f"{1 / ratio:.1f} times as slow"
        typer.echo(f"{each.name}: the text would be said {pace} as usual. Is it of this recording?")
    if problems:
        raise DataError("\n  ".join([f"{_number(len(problems), 'file')} of {corpus} cannot be used:", *problems]))


def _checked(pair: Pair, checker: TextChecker, tier: str | None, forms: Counter[str]) -> CheckedText:
    from ctckit.acoustic_models import audio
    from ctckit.acoustic_models.saved import load_emissions
    from ctckit.alignment.readers import read_lines

    text = read_lines(pair.text, tier)
    if pair.recording.suffix.lower() == ".npz":
        seconds, form = load_emissions(pair.recording).emissions.duration_seconds, "emissions"
    else:
        seconds, rate, channels = audio.form(pair.recording)
        form = f"{rate:,} samples a second, {channels} channel{'s' * (channels != 1)}"
    forms[form] += 1
    return checker.check(str(pair.recording), text, seconds)


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _counted(forms: Counter[str]) -> str:
    if len(forms) == 1:
        return next(iter(forms))
    return "; ".join(f"{form}: {count:,}" for form, count in forms.most_common())


def _write_words(path: Path, unknown: Iterable[str], guessed: Iterable[str], spellings: Spellings | None) -> None:
    """Write words to fill in: as a dictionary where words have pronunciations, or else as replacements."""
    from ctckit._files import write_atomically

    lines = [f"{word}\t\n" if spellings is None else f"{word} \n" for word in unknown]
    if spellings is not None:
        lines += [f"{word} {' '.join(next(iter(spellings(word)), ()))}\n" for word in guessed]
    try:
        write_atomically(path, "".join(lines).encode())
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}).") from error
