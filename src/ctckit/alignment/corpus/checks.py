"""Checks of a corpus that need no acoustic model: do the texts fit the lengths, and which words are unknown?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from ctckit.alignment.forced import why_impossible
from ctckit.alignment.readers import TextFile
from ctckit.alignment.spelling import bare
from ctckit.alignment.spoken import Replacements
from ctckit.alignment.transcript import Transcript
from ctckit.alignment.utterances import STAR
from ctckit.vocabulary import Vocabulary

Spellings = Callable[[str], Sequence[Sequence[str]]]
UNUSUAL = 2.5  # a text is said so many times as fast, or as slowly, as the usual one
ENOUGH = 5  # recordings that say what is usual


@dataclass(frozen=True)
class CheckedText:
    """A text beside its recording.

    Attributes:
        name: The recording.
        tokens: The number of tokens of the text.
        seconds: The length of the recording.
        impossible: Why it cannot be the text of the recording; None if it can.
    """

    name: str
    tokens: int
    seconds: float
    impossible: str | None

    @property
    def pace(self) -> float:
        """Tokens per second."""
        return self.tokens / max(self.seconds, 1e-3)


class TextChecker:
    """Checks texts, and collects their words.

    Args:
        vocabulary: The tokens of the model.
        frame_seconds: The length of its frames.
        spellings: From a word to its spellings; None where words are spelled by their letters.
        replacements: Words that are spoken differently.

    Attributes:
        words: How often each word is in the texts, in lower case and without punctuation.
        unknown: How often each word that cannot be spelled is in them.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        frame_seconds: float,
        spellings: Spellings | None,
        replacements: Replacements,
    ) -> None:
        self._vocabulary, self._frame_seconds, self._replacements = vocabulary, frame_seconds, replacements
        self._spell = None if spellings is None else lambda word: next(iter(spellings(word)), None)
        self.words: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()

    def check(self, name: str, text: TextFile, seconds: float) -> CheckedText:
        """Return whether a text can be that of a recording of this length."""
        said = Transcript(
            " ".join(line.spoken for line in text.lines),
            self._vocabulary,
            spell=self._spell,
            replacements=self._replacements,
            star=STAR,
        )
        self.words.update(_plain(word.text) for word in said.words if bare(word.text))
        self.unknown.update(_plain(word.text) for word in said.unspelled)
        frames = round(seconds / self._frame_seconds)
        spoken = said.tokens[said.tokens != STAR]
        needed = len(spoken) + int((spoken[1:] == spoken[:-1]).sum())
        impossible = why_impossible(said.tokens, frames, STAR) if needed > frames else None
        return CheckedText(name, len(spoken), seconds, impossible)


def unusual(texts: Sequence[CheckedText]) -> list[tuple[CheckedText, float]]:
    """Return the texts that would be said unusually fast or slowly, each with its pace divided by the usual one."""
    paces = [each.pace for each in texts if each.tokens]
    if len(paces) < ENOUGH:
        return []
    usual = median(paces)
    ratios = [(each, each.pace / usual) for each in texts if each.impossible is None]
    return [(each, ratio) for each, ratio in ratios if not 1 / UNUSUAL <= ratio <= UNUSUAL]


def _plain(word: str) -> str:
    return (bare(word) or word).lower()
