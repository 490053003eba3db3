"""Labels as pyctcdecode rewrites them: "" is the blank, " " the space, "▁" begins a word of pieces.

The rules are those of the original, including its guesses, so that labels and files mean the same in both. ctckit's own
decoder does not guess: it takes a ``Vocabulary``.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Collection, Sequence

from ctckit.compat.pyctcdecode import _checks

BPE_TOKEN = "▁"
UNK_TOKEN = "⁇"
UNK_BPE_TOKEN = "▁⁇▁"
CONTINUATION = "##"

SPECIAL_TOKEN_PTN = re.compile(r"^[<\[].+[>\]]$")
BLANK_TOKEN_PTN = re.compile(r"^[<\[]pad[>\]]$", flags=re.IGNORECASE)
UNK_TOKEN_PTN = re.compile(r"^[<\[]unk[>\]]$", flags=re.IGNORECASE)

MAX_UNCOVERED = 0.2  # share of the letters of the unigrams that may be missing without a warning

logger = logging.getLogger(__name__)


class Alphabet:
    """The C labels of a model, in the form that the decoder uses.

    Args:
        labels: One string for each class; "" is the blank.
        is_bpe: Whether labels are pieces, with "▁" where a word begins.

    Example:
        >>> from ctckit.compat.pyctcdecode import Alphabet
        >>> Alphabet.build_alphabet(["<pad>", "|", "a", "b"]).labels
        ['', ' ', 'a', 'b']
        >>> Alphabet.build_alphabet(["[PAD]", "[UNK]", "cat", "##s"]).labels
        ['', '▁⁇▁', '▁cat', 's']
    """

    def __init__(self, labels: list[str], is_bpe: bool) -> None:
        self._labels = labels
        self._is_bpe = is_bpe

    @property
    def is_bpe(self) -> bool:
        """Whether labels are pieces of words."""
        return self._is_bpe

    @property
    def labels(self) -> list[str]:
        """A copy of the labels."""
        return list(self._labels)

    @classmethod
    def build_alphabet(cls, labels: Sequence[str]) -> Alphabet:
        """Return the alphabet of a model's labels, which are rewritten.

        Characters: "|" becomes " " and "_" becomes "", unless these labels exist. Pieces: "##s" becomes "s", and "cat"
        becomes "▁cat". In both, "<pad>" and "[PAD]" become "", "<unk>" becomes "⁇" (pieces: "▁⁇▁"), and a missing blank
        is appended at the end.

        Raises:
            InvalidInputError: If a label occurs twice, or a piece contains a space.
        """
        is_bpe = any(label.startswith((CONTINUATION, BPE_TOKEN)) for label in labels)
        _checks.labels(labels, is_bpe)
        rewritten = _of_pieces(list(labels)) if is_bpe else _of_characters(list(labels))
        return cls(rewritten, is_bpe)

    def dumps(self) -> str:
        """Return this alphabet as JSON."""
        return json.dumps({"labels": self.labels, "is_bpe": self.is_bpe})

    @classmethod
    def loads(cls, s: str) -> Alphabet:
        """Read what ``dumps`` wrote.

        Raises:
            DataError: If ``s`` is something else.
        """
        content = _checks.json_object(s, "the alphabet", {"labels", "is_bpe"})
        return cls(list(content["labels"]), bool(content["is_bpe"]))


def _of_characters(labels: list[str]) -> list[str]:
    if "|" in labels and " " not in labels:
        labels[labels.index("|")] = " "
    labels = _with_blank(["" if BLANK_TOKEN_PTN.match(label) else label for label in labels], also="_")
    labels = [UNK_TOKEN if UNK_TOKEN_PTN.match(label) else label for label in labels]
    if " " not in labels:
        logger.warning("The labels have no space ' ': the whole text counts as one word.")
    return labels


def _of_pieces(labels: list[str]) -> list[str]:
    if any(label.startswith(CONTINUATION) for label in labels):
        labels = [_marked_at_word_starts(label) for label in labels]
    labels = _with_blank(["" if BLANK_TOKEN_PTN.match(label) else label for label in labels])
    return [UNK_BPE_TOKEN if UNK_TOKEN_PTN.match(label) else label for label in labels]


def _marked_at_word_starts(label: str) -> str:
    """Return a label of the "##" style in the "▁" style."""
    if label.startswith(CONTINUATION):
        return label.removeprefix(CONTINUATION)
    if SPECIAL_TOKEN_PTN.match(label) or label in ("", BPE_TOKEN, UNK_BPE_TOKEN):
        return label
    return BPE_TOKEN + label


def _with_blank(labels: list[str], also: str | None = None) -> list[str]:
    """Return the labels with a blank: the label ``also``, or else a new one at the end."""
    if "" in labels:
        return labels
    if also in labels:
        return ["" if label == also else label for label in labels]
    logger.warning("The labels have no blank: one is appended, so the scores must have %d columns.", len(labels) + 1)
    return [*labels, ""]


def verify_alphabet_coverage(alphabet: Alphabet, unigrams: Collection[str]) -> None:
    """Warn if more than a fifth of the letters of the unigrams are not among the labels."""
    letters = set().union(*unigrams)
    if len(letters - set("".join(alphabet.labels))) > MAX_UNCOVERED * len(letters):
        logger.warning("The unigrams do not fit the labels: many of their letters are not among the labels.")
