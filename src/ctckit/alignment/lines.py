"""The lines of a text in one recording: spelled, aligned, and aligned again with the best pronunciations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy.typing as npt

from ctckit.alignment.spelling_choice import SpellingChoice
from ctckit.alignment.spoken import Replacements
from ctckit.alignment.transcript import Transcript
from ctckit.alignment.utterances import STAR, UtteranceSpan, align_utterances
from ctckit.vocabulary import Vocabulary


def align_lines(
    log_probs: npt.ArrayLike | Any,
    lines: Sequence[str],
    vocabulary: Vocabulary,
    *,
    spellings: Callable[[str], Sequence[Sequence[str]]] | None = None,
    replacements: Replacements | None = None,
    between: bool = True,
    edges: bool = True,
) -> list[UtteranceSpan]:
    """Align the lines of a text to one recording, in their order.

    It is ``align_utterances`` for lines as they are written: a wildcard stands for what cannot be spelled, and if words
    have several spellings, the frames decide which one was said.

    Args:
        log_probs: (T, C) natural logarithms.
        lines: The lines.
        vocabulary: The C tokens.
        spellings: From a word to its spellings, each a sequence of token names, the most common one first; empty for a
            word that cannot be spelled. None: words are spelled by their letters.
        replacements: Words that are not spoken as they are written, see ``Transcript``.
        between: Whether speech and noise that belong to no line may be between neighbors.
        edges: Whether they may be before the first line and behind the last.

    Returns:
        One ``UtteranceSpan`` for each line; its ``transcript`` tells which words cannot be spelled.

    Raises:
        InfeasibleTargetError: If the lines need more frames than there are.
        InvalidInputError: On arguments that ``align_utterances`` or ``Transcript`` rejects.

    Example:
        >>> from ctckit import Vocabulary
        >>> from ctckit.alignment import align_lines
        >>> import numpy as np
        >>> sounds = Vocabulary(("", "ð", "i", "ə", "ɛ", "n", "d", "|"), separator="|")
        >>> probs = np.full((12, 8), 0.05)
        >>> probs[range(12), [0, 1, 2, 0, 0, 6, 6, 0, 4, 5, 6, 0]] = 0.65     # ð i, a "d" of no line, ɛ n d
        >>> ways = {"the": ["ðə", "ði"], "end": ["ɛnd"]}
        >>> found = align_lines(np.log(probs), ["The", "end."], sounds, spellings=lambda word: ways[word.lower()])
        >>> [(line.text, line.start, line.end, sounds.decode(line.transcript.tokens)) for line in found]
        [('The', 1, 3, 'ði'), ('end.', 8, 11, 'ɛnd')]
    """
    choices = [None if spellings is None else SpellingChoice(spellings, vocabulary) for _ in lines]

    def aligned() -> list[UtteranceSpan]:
        said = [
            Transcript(line, vocabulary, spell=spell, replacements=replacements, star=STAR)
            for line, spell in zip(lines, choices, strict=True)
        ]
        return align_utterances(log_probs, said, vocabulary, between=between, edges=edges)

    found = aligned()
    changed = 0
    for each, spell in zip(found, choices, strict=True):
        if spell is not None and each.transcript is not None:
            changed += spell.choose(each.transcript, each.alignment, each.positions)
    return aligned() if changed else found
