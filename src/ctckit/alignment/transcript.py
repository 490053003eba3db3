"""From a written text to the tokens of a model, and back. No part of the text is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.alignment.spelling import Speller
from ctckit.alignment.spoken import Replacements, Spoken, replacer
from ctckit.alignment.words import Segment, words_of
from ctckit.errors import InvalidInputError
from ctckit.topology import Ints
from ctckit.vocabulary import Vocabulary

Spelling = Sequence[int] | Sequence[str] | Sequence[Sequence[str]]
Spell = Callable[[str], Spelling | None] | Mapping[str, Spelling]


@dataclass(frozen=True)
class TranscriptWord:
    """One word of a text, as it is written, and its tokens.

    Attributes:
        text: The word, with its punctuation.
        begin: Index of its first character in the text.
        end: One past its last character.
        positions: Positions of its tokens in the transcript's tokens; empty for a word that cannot be spelled.
        dropped: Its letters, digits, vowel signs, other marks and symbols such as & that have no token; not accents.
        before: The white space before it in the text: a space, an end of line, or nothing.

    Example:
        >>> from ctckit import Transcript, Vocabulary
        >>> letters = Vocabulary.from_characters("abcdefghijklmnopqrstuvwxyz ", separator=" ")
        >>> transcript = Transcript("So, be it!", letters)
        >>> [(word.text, word.begin, word.end, word.positions) for word in transcript.words]
        [('So,', 0, 3, range(0, 2)), ('be', 4, 6, range(3, 5)), ('it!', 7, 10, range(6, 8))]
    """

    text: str
    begin: int
    end: int
    positions: range
    dropped: str
    before: str = " "


class Transcript:
    """A text, its words, and the tokens that a model would write for it.

    Words are separated by white space, or found by ``segment`` in texts of languages that do not separate them. Each
    character of a word is written with the first of these that the model has: the character itself, in any encoding of
    Unicode (one code point, or a letter and marks); its lower or upper case; its parts, if it is a ligature; the
    character without its accent, or without other marks. Punctuation that the model does not have is left out. Hyphens
    and slashes within a word divide it. Letters and digits that cannot be written are dropped, or become a wildcard. So
    are vowel signs, and symbols that are read aloud (&, %, €). ``unspelled`` lists the words with what was dropped;
    only accents can be missing without a note there.

    Args:
        text: The text as it is written.
        vocabulary: Tokens that are characters; its separator (or space) is put between words. With ``spell``, any
            vocabulary. With sounds and without ``spell``, the text has to be in the phonetic alphabet.
        spell: The tokens of a word, for models that do not write letters: a ``PronouncingDictionary`` or another
            mapping, or a function such as a tokenizer's. The tokens are classes, or names that ``vocabulary`` has; of
            several spellings the first is taken. A mapping is looked up for the
            word as it is written, without punctuation, in lower and in upper case, in any encoding of Unicode, then
            without accents; a function is called for the word without punctuation: as it is written, in NFC, in NFD and
            without accents, until it knows one of these. An unknown word (None) cannot be spelled.
        replacements: Words that are not spoken as they are written: {"1984": "nineteen eighty-four"}; or a function
            from a word with its punctuation to the spoken words, or to None: ``number_words("en")``, ``romanized``.
        segment: A function from a text without spaces, in a script without them (Thai, Chinese and others), to its
            words, which together are the text. By default BudouX, if it is installed, or else characters.
        star: The number of the wildcard that is put in place of what cannot be spelled; None: no wildcard is put there.

    Attributes:
        text: As given.
        words: One ``TranscriptWord`` for each word, in order.
        tokens: (N,) int64, the target for ``forced_align``.
        star: As given.
        separator: The class between words; None if there is no such class.

    Raises:
        InvalidInputError: If the text is not a string; or if ``spell`` is missing, and the tokens of the vocabulary are
            pieces of words or sounds.
        CharsetError: If ``spell`` returns tokens that the vocabulary does not have.

    Example:
        >>> from ctckit import Transcript, Vocabulary
        >>> letters = Vocabulary.from_characters("abcdefghijklmnopqrstuvwxyz'|", separator="|")
        >>> said = Transcript("“It's 42,” Zoë said.", letters, replacements={"42": "forty-two"})
        >>> letters.decode(said.tokens)
        "it's forty two zoe said"
        >>> [word.text for word in said.words]
        ["“It's", '42,”', 'Zoë', 'said.']
    """

    def __init__(
        self,
        text: str,
        vocabulary: Vocabulary | None = None,
        *,
        spell: Spell | None = None,
        replacements: Replacements | None = None,
        segment: Segment | None = None,
        star: int | None = None,
    ) -> None:
        _checks.expect_instance(text, "text", str, "a string")
        speller = Speller(vocabulary, spell)
        speller.expect_letters(text)
        self.text = text
        tokens: list[int] = []
        words: list[TranscriptWord] = []
        spaced = False  # whether there was a space since the last token
        spoken = replacer(replacements)
        found = [(word, begin, speller.join(_spoken(word, spoken), star)) for word, begin in words_of(text, segment)]
        speller.expect_written([written for _, _, written in found])
        for word, begin, written in found:
            before = _space(text[words[-1].end : begin]) if words else " "
            spaced |= before != ""
            if written.tokens and tokens and speller.separator is not None and spaced:
                tokens.append(speller.separator)
            spaced &= not written.tokens
            first = len(tokens)
            tokens += written.tokens
            place = range(first, len(tokens))
            words.append(TranscriptWord(word, begin, begin + len(word), place, written.dropped, before))
        self.words: tuple[TranscriptWord, ...] = tuple(words)
        self.tokens: Ints = np.array(tokens, dtype=np.int64)
        self.star = star
        self.separator = speller.separator

    def __repr__(self) -> str:
        return f"Transcript({len(self.words)} words, {len(self.tokens)} tokens)"

    @property
    def unspelled(self) -> tuple[TranscriptWord, ...]:
        """The words with letters, digits, marks or symbols that have no token, see ``TranscriptWord.dropped``."""
        return tuple(word for word in self.words if word.dropped)

    def expect_tokens(self, tokens: npt.NDArray[np.integer[Any]]) -> None:
        """Raise an error unless these are the transcript's tokens.

        Raises:
            InvalidInputError: If they are others.
        """
        if len(tokens) != len(self.tokens):
            raise InvalidInputError(
                f"the alignment has {len(tokens)} tokens, the transcript {len(self.tokens)}; expected an alignment of "
                "its tokens. Pass transcript.tokens as the target."
            )
        for k in np.flatnonzero(np.asarray(tokens) != self.tokens)[:1]:
            raise InvalidInputError(
                f"token {k} of the alignment is {tokens[k]}, that of the transcript {self.tokens[k]}; expected an "
                "alignment of its tokens. Pass transcript.tokens as the target."
            )


def _space(between: str) -> str:
    return "\n" if "\n" in between else between[:1] and " "


def _spoken(word: str, spoken: Spoken | None) -> Iterable[str]:
    found = None if spoken is None else spoken(word)
    return [word] if found is None else found.split()
