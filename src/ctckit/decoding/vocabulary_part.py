"""The part of a vocabulary that one text uses, as JSON: enough to write the text again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ctckit._json import Entries
from ctckit.errors import InvalidInputError
from ctckit.vocabulary import Vocabulary
from ctckit.vocabulary_files import BYTE_PIECE, MARKS, has_mark

_MOST_CLASSES = 1 << 24


def part_of(vocabulary: Vocabulary, tokens: Iterable[int]) -> dict[str, Any]:
    """Return the part of a vocabulary that these tokens need."""
    used = {token: vocabulary[token] for token in sorted(set(tokens) - {vocabulary.blank})}
    for name in MARKS:
        mark = getattr(vocabulary, name)
        if mark is not None:  # a mark of words is in some token
            k = next(k for k, token in enumerate(vocabulary.tokens) if has_mark(token, name, mark))
            used[k] = vocabulary[k]
    pieces = vocabulary.byte_tokens != "fallback" or any(map(BYTE_PIECE.fullmatch, used.values()))
    return {
        "blank": vocabulary.blank,
        "tokens": {str(k): token for k, token in used.items()},
        **{name: getattr(vocabulary, name) for name in MARKS},
        "silent": [token for token in vocabulary.silent if token in used.values()],
        "byte_tokens": vocabulary.byte_tokens if pieces else None,
    }


def whole_of(part: Entries) -> Vocabulary:
    """Return a vocabulary with the tokens of a part; the names of its other tokens are "<unused …>".

    Raises:
        InvalidInputError: If the part is wrong.
    """
    blank = part.integer("blank", 0)
    used: dict[int, str] = {}
    tokens = part.entries("tokens")
    for name in part["tokens"]:
        if not name.isdecimal() or len(name) > len(str(_MOST_CLASSES)):
            raise InvalidInputError(f"data['vocabulary']['tokens'] has an entry {name!r}; expected a class.")
        used[int(name)] = tokens.text(name)
    classes = max(blank, *used, 0) + 1
    if classes > _MOST_CLASSES:
        raise InvalidInputError(f"data['vocabulary'] has class {classes - 1}; expected at most {_MOST_CLASSES}.")
    names = set(used.values())
    unused = ("<unused {}>" if not any(name.startswith("<unused ") for name in names) else "<not used {}>").format
    written = ["" if k == blank else used.get(k, unused(k)) for k in range(classes)]
    marks = {name: part[name] for name in MARKS}
    return Vocabulary(tuple(written), blank, **marks, silent=part["silent"], byte_tokens=part["byte_tokens"])
