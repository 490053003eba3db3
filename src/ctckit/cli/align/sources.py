"""From a file to log-probabilities: posteriors, saved emissions, or a recording and an acoustic model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctckit._files import make_folder
from ctckit._posterior_files import read_posteriors
from ctckit.alignment.pronunciation import spellings_in, word_spellings
from ctckit.cli.align.options import PosteriorOptions, RecordingOptions
from ctckit.cli.options import given_options, refuse_option
from ctckit.cli.output import progress_bar, some
from ctckit.errors import DataError, InvalidInputError

if TYPE_CHECKING:
    import numpy.typing as npt

    from ctckit.acoustic_models import AcousticModel, Emissions
    from ctckit.alignment import PronouncingDictionary
    from ctckit.vocabulary import Vocabulary

Spellings = Callable[[str], Sequence[Sequence[str]]]
Spell = Callable[[str], Sequence[str] | None]


@dataclass(frozen=True, eq=False)
class Source:
    """Log-probabilities of one input, with what is needed to align a text to them.

    Attributes:
        log_probs: (T, C) natural logarithms.
        vocabulary: The tokens of the C classes.
        frame_seconds: The length of a frame.
        duration_seconds: The length of the input.
        spellings: From a word to its spellings in tokens; None where words are spelled by their letters.
        media: The name of the recording, if it is known.
        recording: The audio file; None for posteriors.
        channel: The channel of it that was asked for.
        model: The acoustic model, if it is known.
    """

    log_probs: npt.NDArray[Any]
    vocabulary: Vocabulary
    frame_seconds: float
    duration_seconds: float
    spellings: Spellings | None
    media: str | None = None
    recording: Path | None = None
    channel: int | None = None
    model: AcousticModel | None = None


@dataclass(frozen=True)
class Sources:
    """Reads inputs; the acoustic model is loaded once, at the first input that needs it.

    Attributes:
        recordings: How to run the model.
        posteriors: How to read posteriors.
        dictionaries: Pronouncing dictionaries.
        show_progress: Whether to show how far the model is in a recording.
        dictionary_only: Whether the model's own pronunciations do not count.
    """

    recordings: RecordingOptions
    posteriors: PosteriorOptions
    dictionaries: tuple[Path, ...]
    show_progress: bool = True
    dictionary_only: bool = False

    def prepare(self) -> None:
        """Load the acoustic model and the dictionary, if they are not loaded yet."""
        if self.recordings.model is not None:
            model = self.model(self.recordings.model)
            self.spellings(model)

    def spellings(self, model: AcousticModel) -> Spellings | None:
        """Return a function from a word to its spellings; None where letters spell words."""
        return self._spellings(model.vocabulary, model.spell)

    def not_in_dictionary(self, words: Iterable[str], model: AcousticModel) -> list[str]:
        """Return the words that the dictionaries do not have, in whole or in parts; none without a dictionary."""
        from ctckit.alignment import Transcript

        if not self.dictionaries:
            return []
        known = self._dictionaries(model.vocabulary)

        def spell(word: str) -> Sequence[str] | None:
            return next(iter(spellings_in(known, word.lower())), None)

        return [word for word in words if Transcript(word, model.vocabulary, spell=spell).unspelled]

    def read(self, path: Path, kept: Path | None = None) -> Source:
        """Return the log-probabilities of an input.

        Args:
            path: The input.
            kept: Where the emissions of a recording are kept. If they are there, and those of this recording and
                model, they are read; otherwise they are computed and written.
        """
        from ctckit.acoustic_models import saved

        if path.suffix.lower() not in (".npz", ".npy"):
            self._refuse_posterior_options(f"{path} is a recording, and this option is for posteriors")
            return self._of_recording(path, kept)
        if kept is not None:
            refuse_option("--save-emissions", f"{path} is not a recording")
        if saved.are_emissions(path):
            self._refuse_posterior_options(f"{path} holds emissions with their vocabulary and times")
            return self._of_emissions(path)
        if self.recordings.model is not None:
            refuse_option("--model", f"{path} holds posteriors")
        return self._of_posteriors(path)

    @cached_property
    def model(self) -> Callable[[str], AcousticModel]:
        """Returns the acoustic model of a name, which is loaded once."""
        from ctckit.acoustic_models.model import guarded

        return cache(lambda name: guarded(self.recordings.load(name)))

    def _refuse_posterior_options(self, why: str) -> None:
        for option in given_options(self.posteriors):
            refuse_option(option, why)

    def _of_recording(self, path: Path, kept: Path | None) -> Source:
        if self.recordings.model is None:
            raise InvalidInputError(
                f"{path} is a recording, which needs --model, an acoustic model. Posteriors are read from .npz and "
                ".npy files."
            )
        model = self.model(self.recordings.model)
        found = self._heard(path, model, kept)
        spellings = self.spellings(model)
        frame, seconds = found.frame_seconds, found.duration_seconds
        return Source(
            found.log_probs,
            model.vocabulary,
            frame,
            seconds,
            spellings,
            path.name,
            path,
            self.recordings.channel,
            model,
        )

    def _heard(self, path: Path, model: AcousticModel, kept: Path | None) -> Emissions:
        from ctckit.acoustic_models.saved import load_emissions, save_emissions

        if kept is None:
            return self._listen(path, model)
        origin = self.recordings.origin(path)
        if kept.exists():
            saved = load_emissions(kept)
            if saved.origin == origin and saved.emissions.vocabulary == model.vocabulary:
                return saved.emissions
        found = self._listen(path, model)
        make_folder(kept.parent)
        save_emissions(kept, found, origin)
        return found

    def _listen(self, path: Path, model: AcousticModel) -> Emissions:
        from ctckit.acoustic_models import audio, listen

        with progress_bar("acoustic model", audio.duration_seconds(path), shown=self.show_progress) as show:
            return listen(path, model, **self.recordings.reading(), progress=show)

    def _of_emissions(self, path: Path) -> Source:
        from ctckit.acoustic_models.saved import load_emissions

        found = load_emissions(path)
        emissions = found.emissions
        model, media = (None, None) if found.origin is None else (found.origin.model, found.origin.media)
        name = self.recordings.model or model
        acoustic = None if name is None else self.model(name)
        return Source(
            emissions.log_probs,
            emissions.vocabulary,
            emissions.frame_seconds,
            emissions.duration_seconds,
            self._spellings(emissions.vocabulary, None if acoustic is None else acoustic.spell),
            media,
            model=acoustic,
        )

    def _of_posteriors(self, path: Path) -> Source:
        options = self.posteriors
        if options.vocabulary is None or options.frame_ms is None:
            missing = "--vocabulary" if options.vocabulary is None else "--frame-ms"
            raise InvalidInputError(f"{path} holds posteriors, which need {missing}.")
        if not 0 < options.frame_ms < float("inf"):
            raise InvalidInputError(f"--frame-ms is {options.frame_ms}; expected a positive number.")
        log_probs = _item(path, options.item)
        vocabulary = self._posterior_vocabulary(options.vocabulary)
        if len(vocabulary) != log_probs.shape[1]:
            raise DataError(
                f"{path} has C = {log_probs.shape[1]} classes, but {options.vocabulary} has {len(vocabulary)} tokens."
            )
        if not self.dictionaries and (vocabulary.word_start or vocabulary.continuation):
            raise InvalidInputError(
                f"{options.vocabulary} has pieces of words, in which a word can be written in many ways; expected "
                "--dictionary, with the pieces of each word."
            )
        seconds = options.frame_ms / 1000
        return Source(log_probs, vocabulary, seconds, len(log_probs) * seconds, self._spellings(vocabulary, None))

    @cached_property
    def _posterior_vocabulary(self) -> Callable[[Path], Vocabulary]:
        return cache(self.posteriors.load)

    @cached_property
    def _read_dictionary(self) -> Callable[[Path, Vocabulary], Any]:
        from ctckit.alignment import PronouncingDictionary

        return cache(PronouncingDictionary)

    def _spellings(self, vocabulary: Vocabulary, spell: Spell | None) -> Spellings | None:
        """Return a function from a word to its spellings, the dictionary's first; None where letters spell words."""
        return word_spellings(self._dictionaries(vocabulary), None if self.dictionary_only else spell)

    def _dictionaries(self, vocabulary: Vocabulary) -> list[PronouncingDictionary]:
        return [self._read_dictionary(path, vocabulary) for path in self.dictionaries]


def _item(path: Path, item: str | None) -> npt.NDArray[Any]:
    names, items = read_posteriors(path)
    if item is None and len(items) > 1:
        raise InvalidInputError(f"{path} holds {len(items)} items: {some(names)}; expected --item with one of them.")
    if item is not None and item not in names:
        raise InvalidInputError(f"--item is {item!r}; {path} has {some(names)}.")
    return items[0 if item is None else names.index(item)]
