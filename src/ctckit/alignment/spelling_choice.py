"""Words with several pronunciations: the frames decide for each word which one was said."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ctckit.alignment.result import Alignment
from ctckit.alignment.transcript import Transcript
from ctckit.errors import InvalidInputError
from ctckit.lattices import lattice
from ctckit.vocabulary import Vocabulary

AROUND = 10  # most frames used on either side of a word: somewhere in a long silence any sound seems likely


class SpellingChoice:
    """A ``spell`` for ``Transcript`` that knows several spellings of a word.

    Before ``choose`` is called it returns the first spelling of each word. ``choose`` compares the spellings by their
    likelihood in the frames around each word. Afterwards a transcript of the same text gets the best spellings.

    Args:
        spellings: Returns the spellings of a word, the most common one first, each a sequence of token names; empty or
            None for a word that cannot be spelled.
        vocabulary: Has the names of the tokens.

    Example:
        >>> import numpy as np
        >>> from ctckit import Transcript, Vocabulary
        >>> from ctckit.alignment import SpellingChoice
        >>> from ctckit.alignment import forced_align
        >>> sounds = Vocabulary(("", "ð", "i", "ə", "ɛ", "n", "d", "|"), separator="|")
        >>> probs = np.full((9, 8), 0.05)
        >>> probs[range(9), [0, 1, 2, 0, 7, 4, 5, 6, 0]] = 0.65          # ð i | ɛ n d
        >>> ways = {"the": ["ðə", "ði"], "end": ["ɛnd"]}
        >>> spell = SpellingChoice(lambda word: ways.get(word.lower()), sounds)
        >>> said = Transcript("The end.", sounds, spell=spell)
        >>> spell.choose(said, forced_align(np.log(probs), said.tokens)[0])
        1
        >>> sounds.decode(Transcript("The end.", sounds, spell=spell).tokens)
        'ði ɛnd'
    """

    def __init__(self, spellings: Callable[[str], Sequence[Sequence[str]] | None], vocabulary: Vocabulary) -> None:
        self._spellings, self._vocabulary = spellings, vocabulary
        self._classes = {name: k for k, name in enumerate(vocabulary.tokens)}
        self._asked: list[Sequence[Sequence[str]]] = []  # the spellings of each word of the text, one after another
        self._chosen: list[int] = []

    def __call__(self, word: str) -> list[str] | None:
        """Return the spelling of the text's next word."""
        found = self._spellings(word)
        if not found:
            return None
        self._asked.append(found)
        known = len(self._asked) <= len(self._chosen)
        return list(found[self._chosen[len(self._asked) - 1] if known else 0])

    def choose(self, transcript: Transcript, alignment: Alignment, positions: range | None = None) -> int:
        """Choose the best spelling of each word of the text.

        Args:
            transcript: The only transcript that was made with this ``spell``.
            alignment: The alignment of its tokens, or of several texts.
            positions: The positions of its tokens in the alignment; by default all.

        Returns:
            The number of words whose first spelling was not chosen.

        Raises:
            InvalidInputError: If this object has spelled another transcript too.
        """
        own = range(len(alignment)) if positions is None else positions
        transcript.expect_tokens(alignment.tokens[own.start : own.stop])
        places, at = [], own.start
        for found in self._asked:
            while at < own.stop and self._between(int(alignment.tokens[at])):
                at += 1
            places.append(at)
            at += len(found[0])
        if at > own.stop or self._chosen:
            raise InvalidInputError("this SpellingChoice has spelled another transcript too; make one for each.")
        self._chosen = [self._best(alignment, at, found) for at, found in zip(places, self._asked, strict=True)]
        self._asked = []
        return sum(choice > 0 for choice in self._chosen)

    def _between(self, token: int) -> bool:
        """Return whether a token belongs to no word: a separator, or a wildcard."""
        return self._is_wild(token) or self._vocabulary[token] == self._vocabulary.separator

    def _is_wild(self, token: int) -> bool:
        return not 0 <= token < len(self._vocabulary)

    def _best(self, alignment: Alignment, at: int, found: Sequence[Sequence[str]]) -> int:
        """Return the index of the spelling that is most likely in the frames up to the neighboring words."""
        if len(found) < 2:
            return 0
        tokens, behind = alignment.tokens, at + len(found[0])
        left = int(at > 0 and self._is_separator(int(tokens[at - 1])))
        right = int(behind < len(tokens) and self._is_separator(int(tokens[behind])))
        first, last = at - left, behind + right  # the word with its separators
        begin = max(int(alignment.ends[first - 1]) if first else 0, int(alignment.starts[first]) - AROUND)
        limit = int(alignment.starts[last]) if last < len(tokens) else alignment.frames
        frames = alignment.log_probs[begin : min(limit, int(alignment.ends[last - 1]) + AROUND)]
        scores = []
        for spelling in found:
            word = [self._classes[name] for name in spelling]
            target = [*tokens[first:at].tolist(), *word, *tokens[behind:last].tolist()]
            scores.append(lattice(frames, target, blank=alignment.blank).log_likelihood)
        return int(np.argmax(scores))

    def _is_separator(self, token: int) -> bool:
        return self._between(token) and not self._is_wild(token)
