"""``ctckit transcribe``: from recordings to texts and subtitles, by an acoustic model and the beam search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ctckit._warning import warn
from ctckit.cli.acoustic_options import AcousticOptions
from ctckit.cli.bulk.options import BulkOptions, recorded
from ctckit.cli.inputs import read_lexicon
from ctckit.cli.options import ACOUSTIC_MODEL, Device, SearchOptions, given_options, refuse_option
from ctckit.cli.output import progress_bar, some
from ctckit.cli.subtitle_options import SubtitleOptions
from ctckit.errors import DataError, InvalidInputError, MissingDependencyError

if TYPE_CHECKING:
    from ctckit import BeamDecoder, Hypothesis, NGramModel
    from ctckit.acoustic_models import AcousticModel
    from ctckit.alignment import TimedText


class Format(str, Enum):
    """What to write."""

    text = "text"
    srt = "srt"
    vtt = "vtt"
    ttml = "ttml"
    ass = "ass"
    lrc = "lrc"
    json = "json"


ENDINGS = {Format.text: "txt"}  # the others are the names of the formats


def transcribe(
    recordings: Annotated[
        list[Path],
        typer.Argument(
            help="Recordings: WAV, FLAC, OGG, MP3; with the package av also MP4, M4A, WebM and others.",
            metavar="RECORDING...",
        ),
    ],
    *,
    model: Annotated[str, ACOUSTIC_MODEL],
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            "-f",
            help="text; subtitles as srt, vtt, ttml or ass; lyrics as lrc; or json: lines and words with their times "
            "and confidences, as ctckit align writes it.",
        ),
    ] = Format.text,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="A folder for one file for each recording. By default they are printed."),
    ] = None,
    dictionary: Annotated[
        Path | None,
        typer.Option(
            "--dictionary",
            "-d",
            help="For models of sounds: the pronunciations of words, in the format of the CMU dictionary. The known "
            "words are those of --lexicon, or of a model of words, or else all of the dictionary.",
        ),
    ] = None,
    reading: AcousticOptions,
    subtitles: SubtitleOptions,
    bulk: BulkOptions,
    search: SearchOptions,
) -> None:
    """Transcribe recordings: an acoustic model, then the beam search with lexicon and language model.

    Prints the text; with several recordings, path and text with a tab between them.

    Recordings that cannot be read are named at the end, and the exit code is 2; the others are transcribed.

    If the tokens of the model are sounds, as those of hama, the text is in words only with --lexicon, --dictionary or a
    language model of words. The pronunciations are those of the dictionary. Those of words in --lexicon that it does
    not have, and all without a dictionary, come from the model itself, which is slow for very many words.
    """
    from ctckit._files import make_folder
    from ctckit.acoustic_models import audio

    if bulk.shards is not None:
        for option in [
            *(["--out"] if out else []),
            *(["--format"] if form is not Format.text else []),
            *given_options(subtitles),
        ]:
            refuse_option(option, "--shards is the folder for the texts")
        _transcribe_to_shards(recordings, model, dictionary, reading, bulk, search)
        return
    bulk.refuse()
    targets = _targets(recordings, out, form)
    acoustic, decoder = _loaded(model, dictionary, reading, search)
    if out is not None:
        make_folder(out)
    problems = []
    for n, (recording, target) in enumerate(zip(recordings, targets, strict=True), 1):
        try:
            with progress_bar(f"{n}/{len(recordings)} {recording.name}", audio.duration_seconds(recording)) as show:
                found, seconds = _decoded(recording, acoustic, decoder, show, **reading.reading())
        except MissingDependencyError:
            raise
        except (DataError, InvalidInputError) as error:
            problems.append(str(error) if str(error).startswith(f"{recording}:") else f"{recording}: {error}")
            continue
        content = _content(found, acoustic, form, subtitles, seconds, recording, target)
        if out is not None:
            _write(target, content)
        else:
            typer.echo(content if len(recordings) == 1 else f"{recording}\t{content}", nl=False)
    if problems:
        count = f"{len(problems)} of {len(recordings)} recordings cannot be transcribed:"
        raise DataError("\n  ".join(problems if len(recordings) == 1 else [count, *problems]))


def _loaded(
    model: str, dictionary: Path | None, reading: AcousticOptions, search: SearchOptions
) -> tuple[AcousticModel, BeamDecoder]:
    acoustic = reading.load(model)
    models = search.models()
    lexicon = _lexicon(search, models, acoustic, dictionary)
    return acoustic, search.decoder(acoustic.vocabulary, models=models, lexicon=lexicon)


def _transcribe_to_shards(
    recordings: Sequence[Path],
    model: str,
    dictionary: Path | None,
    reading: AcousticOptions,
    bulk: BulkOptions,
    search: SearchOptions,
) -> None:
    from ctckit.bulk.inputs import Inputs
    from ctckit.bulk.settings import identity
    from ctckit.cli.bulk.job import Job
    from ctckit.distributed.transcribe import SUFFIXES, TranscribeColumns, TranscribeWork

    def start() -> TranscribeWork:
        acoustic, decoder = _loaded(model, dictionary, reading, search)

        def decode(recording: Path) -> tuple[Hypothesis, float]:
            return _decoded(recording, acoustic, decoder, lambda at: None, **reading.reading())

        return TranscribeWork(acoustic, decode, bulk.spans)

    heard = replace(reading, device=Device.auto, batch_size=1)  # these change nothing but rounding
    settings = recorded(heard, search, command="transcribe", model=identity(model), dictionary=dictionary)
    inputs, gpu = Inputs(recordings, SUFFIXES), reading.device is Device.cuda
    Job("transcribing", start, inputs, TranscribeColumns, settings, gpu=gpu).run(bulk, bulk.workers)


def _targets(recordings: Sequence[Path], out: Path | None, form: Format) -> list[Path]:
    """Return the file for each recording. What cannot be written, or printed, is an error before the work starts."""
    if out is None and form is not Format.text and len(recordings) > 1:
        raise InvalidInputError(f"--format {form.value} is for one recording each; expected --out, a folder for them.")
    targets = [(out or Path()) / f"{recording.stem}.{ENDINGS.get(form, form.value)}" for recording in recordings]
    first: dict[Path, Path] = {}
    for recording, target in zip(recordings, targets, strict=True):
        if out is not None and target in first:
            raise InvalidInputError(
                f"{first[target]} and {recording} would both be written to {target}; transcribe one of them with "
                "another --out."
            )
        first[target] = recording
    return targets


def _lexicon(
    search: SearchOptions, models: Sequence[NGramModel], acoustic: AcousticModel, dictionary: Path | None
) -> Mapping[str, Sequence[Sequence[str]]] | None:
    """Return the known words with their pronunciations; None where letters spell words, or no words are known."""
    from ctckit.alignment import PronouncingDictionary
    from ctckit.language_models.ngram import SPECIAL

    if dictionary is None and acoustic.spell is None:
        return None
    known = None if dictionary is None else PronouncingDictionary(dictionary, acoustic.vocabulary)
    if search.lexicon is not None:
        lexicon = read_lexicon(search.lexicon)
        if isinstance(lexicon, Mapping):
            if known is not None:
                refuse_option("--dictionary", f"{search.lexicon} has the spellings of its words")
            return lexicon
        return _spelled(lexicon, known, acoustic.spell)
    for each in models:
        if each.unit == "word":  # it may have very many words: a dictionary is quick, the network of a model is not
            words = [word for word in each if word not in SPECIAL]
            return _spelled(words, known, acoustic.spell if known is None else None)
    return known


def _spelled(
    words: Sequence[str],
    known: Mapping[str, Sequence[Sequence[str]]] | None,
    spell: Callable[[str], Sequence[str] | None] | None,
) -> dict[str, Sequence[Sequence[str]]]:
    """Return words with their pronunciations: the dictionary's, or else that of ``spell``; warn of words without."""
    found: dict[str, Sequence[Sequence[str]]] = {}
    with progress_bar("spelling words", len(words)) as show:
        for n, word in enumerate(words, 1):
            ways = () if known is None or word not in known else known[word]
            if not ways and spell is not None:
                own = spell(word.lower())
                ways = () if own is None else (own,)
            if ways:
                found[word] = ways
            show(n)
    missing = [word for word in words if word not in found]
    if not found:
        raise DataError(f"no word has a pronunciation ({some(missing)}); expected --dictionary with these words.")
    if missing:
        warn(
            f"{len(missing)} of {len(words)} words have no pronunciation and are left out: {some(missing)}. "
            "Add them to --dictionary."
        )
    return found


def _decoded(
    recording: Path, acoustic: AcousticModel, decoder: BeamDecoder, show: Callable[[float], None], **reading: Any
) -> tuple[Hypothesis, float]:
    """Return the text and the length of a recording. It is decoded while it is read, in bounded memory.

    ``reading``: See ``listen_in_chunks``.
    """
    from ctckit.acoustic_models import listen_in_chunks
    from ctckit.acoustic_models.model import guarded

    stream, seconds = decoder.stream(), 0.0
    for chunk in listen_in_chunks(recording, guarded(acoustic), **reading):
        stream.push(chunk.log_probs)
        seconds = chunk.end_seconds
        show(seconds)
    return stream.finish(), seconds


def _content(
    found: Hypothesis,
    acoustic: AcousticModel,
    form: Format,
    subtitles: SubtitleOptions,
    seconds: float,
    recording: Path,
    target: Path,
) -> str:
    from ctckit.alignment import subtitle_lines
    from ctckit.alignment.writers import alignment_content

    if form is Format.text:
        return f"{found.text}\n"
    entries = found.times(acoustic.frame_seconds, acoustic.lag or 0.0)
    name = "words" if acoustic.vocabulary.has_words else "tokens"
    words = entries if name == "words" else tuple(_glued(entries))
    if form is Format.json:
        tiers = {"lines": subtitle_lines(words), name: entries}
    else:
        tiers = {"lines": subtitles.cues(words, seconds)}
        if subtitles.karaoke and form is not Format.srt:
            tiers["words"] = words
    return alignment_content(target, tiers, duration_seconds=seconds, media=recording.name).decode()


def _glued(tokens: Sequence[TimedText]) -> Iterator[TimedText]:
    """Yield the tokens that are not white space, with spaces only where a token of white space was."""
    space = " "
    for token in tokens:
        text = token.text.replace("␣", " ")
        if text.strip():
            yield replace(token, text=text.strip(), before=space or text[: text[0].isspace()])
            space = text[len(text.rstrip()) :]
        else:
            space = " "


def _write(path: Path, content: str) -> None:
    from ctckit._files import write_atomically

    try:
        write_atomically(path, content.encode())
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}).") from error
