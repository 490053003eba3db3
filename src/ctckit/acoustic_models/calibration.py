"""How late an acoustic model is: its lag, measured with recordings whose word borders are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ctckit.acoustic_models.chunked import listen
from ctckit.acoustic_models.labels import LabeledWord, labeled_words
from ctckit.acoustic_models.model import AcousticModel
from ctckit.alignment.forced import forced_align
from ctckit.alignment.result import Alignment
from ctckit.alignment.spelling_choice import SpellingChoice
from ctckit.alignment.timing import CONTIGUOUS, token_times
from ctckit.alignment.transcript import Transcript
from ctckit.errors import CTCKitError, DataError
from ctckit.vocabulary import Vocabulary

SOUND = (".wav", ".flac", ".ogg", ".mp3")
LABELS = ".textgrid"
STAR = -1
TOUCHING_SECONDS = 0.001

Spellings = Callable[[str], Sequence[Sequence[str]]]


@dataclass(frozen=True)
class MeasuredLag:
    """The lag of an acoustic model, as measured.

    Attributes:
        seconds: The lag, for ``AcousticModel.lag``: the median over the words.
        spread_seconds: The median distance of a word's lag from it.
        words: The number of words.
        recordings: The number of recordings.
        left_out: The recordings that could not be used, each with the reason.

    Example:
        >>> from ctckit.acoustic_models import MeasuredLag
        >>> lag = MeasuredLag(seconds=0.06, spread_seconds=0.01, words=21, recordings=4, left_out=())
        >>> f"{lag.seconds} s, from {lag.words} words"
        '0.06 s, from 21 words'
    """

    seconds: float
    spread_seconds: float
    words: int
    recordings: int
    left_out: tuple[str, ...]

    def __str__(self) -> str:
        recordings = "1 recording" if self.recordings == 1 else f"{self.recordings} recordings"
        return (
            f"lag {self.seconds:.3f} s ± {self.spread_seconds:.3f} s (medians over the starts of {self.words} words in "
            f"{recordings})"
        )


def measure_lag(folder: Path, model: AcousticModel, spellings: Spellings | None = None) -> MeasuredLag:
    """Return the lag of a model, measured with recordings and the borders of their words.

    Each word that follows another one without a pause counts. Its lag is the time from its labeled start to its start
    by ``contiguous`` without a lag.

    Args:
        folder: Recordings, each with a TextGrid of the same name, whose tier "words" has the words.
        model: Its own ``lag`` does not matter.
        spellings: The spellings of a word in the model's tokens; None where letters spell the words.

    Raises:
        DataError: If no recording can be used; names the reasons.

    Example:
        >>> from pathlib import Path
        >>> from ctckit.acoustic_models import AcousticModel, measure_lag
        >>> from tempfile import mkdtemp
        >>> import soundfile
        >>> from ctckit.acoustic_models import example_recording
        >>> from ctckit.alignment import TimedText, write_alignment
        >>> example, folder = example_recording(), Path(mkdtemp())
        >>> soundfile.write(folder / "one.wav", example.samples, example.rate)
        >>> labels = [TimedText("ten", 1.18, 1.44, None), TimedText("meters", 1.44, 1.96, None)]    # by hand
        >>> write_alignment(folder / "one.TextGrid", {"words": labels})
        >>> sounds = {"ten": ["t", "ɛ", "n"], "meters": ["m", "i", "t", "ɝ", "z"]}
        >>> heard = example.emissions
        >>> model = AcousticModel(heard.vocabulary, example.rate, 320, lambda samples: heard.log_probs)
        >>> lag = measure_lag(folder, model, lambda word: [sounds[word]])
        >>> lag.words, lag.recordings, lag.left_out
        (1, 1, ())
    """
    found: list[float] = []
    used, left_out = 0, []
    for sound, labels in _pairs(folder):
        try:
            own = _word_lags(sound, labeled_words(labels), model, spellings)
        except CTCKitError as error:
            left_out.append(str(error))
            continue
        used += 1
        found += own
    if not found:
        reasons = " ".join(left_out) or "It has no recording with a TextGrid of the same name."
        raise DataError(f"{folder}: no word to measure the lag with; expected recordings with TextGrids. {reasons}")
    lags = np.array(found)
    lag = float(np.median(lags))
    return MeasuredLag(lag, float(np.median(np.abs(lags - lag))), len(lags), used, tuple(left_out))


def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    files = sorted(folder.rglob("*"))
    labels = {path.with_suffix(""): path for path in files if path.suffix.lower() == LABELS}
    sounds = [path for path in files if path.suffix.lower() in SOUND]
    return [(path, labels[path.with_suffix("")]) for path in sounds if path.with_suffix("") in labels]


def _word_lags(
    sound: Path, words: Sequence[LabeledWord], model: AcousticModel, spellings: Spellings | None
) -> list[float]:
    """Return the lag of each word that touches the one before it."""
    text = " ".join("_".join(word.text.split()) for word in words)  # an interval is one word
    said, found = aligned_text(listen(sound, model).log_probs, text, model.vocabulary, spellings)
    starts = token_times(found, model.vocabulary, model.frame_seconds, 0.0, boundaries=CONTIGUOUS, lag=0.0, quiet=None)[
        :, 0
    ]
    lags = []
    for before, word, spelled in zip(words, words[1:], said.words[1:], strict=False):
        touches = abs(word.start_seconds - before.end_seconds) < TOUCHING_SECONDS
        if touches and spelled.positions and not spelled.dropped:
            lags.append(float(starts[spelled.positions[0]]) - word.start_seconds)
    return lags


def aligned_text(
    log_probs: npt.NDArray[np.float32], text: str, vocabulary: Vocabulary, spellings: Spellings | None
) -> tuple[Transcript, Alignment]:
    """Align a text; where words have several spellings, choose the best ones and align again."""
    spell = None if spellings is None else SpellingChoice(spellings, vocabulary)

    def aligned() -> tuple[Transcript, Alignment]:
        said = Transcript(text, vocabulary, spell=spell, star=STAR)
        return said, forced_align(log_probs, said.tokens, blank=vocabulary.blank, star=STAR)[0]

    said, found = aligned()
    if spell is not None and spell.choose(said, found):
        said, found = aligned()
    return said, found
