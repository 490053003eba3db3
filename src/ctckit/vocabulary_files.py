"""Files of tokens: lists, tokens with classes, Hugging Face tokenizers, SentencePiece. Nothing in a file is trusted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctckit import _checks
from ctckit._files import read_text
from ctckit.errors import DataError

Entry = tuple[str, str, Any]
"""Where a token is in its file, the token, and its class."""

# The names of the blank in vocabularies of CTC models, in any case; an earlier name goes before a later one.
BLANK_NAMES = ("", "<blank>", "[blank]", "<blk>", "<ctc_blank>", "<ctc>", "<eps>", "<epsilon>", "<pad>", "[pad]")

MARKS = ("separator", "word_start", "continuation")
BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_NUMBERED = re.compile(r"(.*)[ \t]([0-9]{1,18})", re.DOTALL)
_SCORED = re.compile(r"(.+)\t([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)", re.DOTALL)
# The type of a step of a tokenizer, the entry with its mark of words, and the argument of ``Vocabulary``.
_STEPS = (
    ("Metaspace", "replacement", "word_start"),
    ("WordPiece", "prefix", "continuation"),
    ("CTC", "word_delimiter_token", "separator"),
)
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class TokenFile:
    """What a file says about a vocabulary.

    Attributes:
        tokens: The tokens in the order of their classes, as they are written in the file.
        marks: The mark of words, by the name of the argument of ``Vocabulary``; empty if the file states none.
        byte_tokens: See ``Vocabulary``.
        blank: The name of the blank, if the file states it.
    """

    tokens: tuple[str, ...]
    marks: Mapping[str, str]
    byte_tokens: str | None
    blank: str | None = None

    def class_of_blank(self, path: Path) -> int:
        """Return the class of the blank: the one that the file states, or the first that has a usual name.

        Raises:
            DataError: If there is none.
        """
        if self.blank in self.tokens:
            return self.tokens.index(self.blank)
        names = [token.casefold() for token in self.tokens]
        for name in BLANK_NAMES:
            if name in names:
                return names.index(name)
        few = ", ".join(map(repr, self.tokens[: _checks.MOST_NAMED]))
        usual = ", ".join(f'"{name}"' for name in BLANK_NAMES)
        raise DataError(
            f"{path}: no token has a usual name of the blank ({usual}); the first ones are {few}. State its class: "
            f"blank=…. A model whose blank comes after the tokens of the file has blank={len(self.tokens)}."
        )


def read_token_file(path: Path) -> TokenFile:
    """Return the tokens of a file in any of the formats of ``Vocabulary.load``.

    Raises:
        DataError: If the file is in no such format, or its classes have gaps or duplicates; names the first ones.
    """
    text = read_text(path)
    marks: Mapping[str, str] = {}
    byte_tokens = blank = None
    if path.suffix.lower() == ".json" or (text.lstrip()[:1] in ("{", "[") and _is_json(text)):
        content = _json(path, text)
        if isinstance(content, dict) and isinstance(content.get("model"), dict):
            entries = list(_of_tokenizer(path, content))
            marks, byte_tokens, blank = _stated(content)
        else:
            entries = list(_of_json(path, content))
    else:
        entries, pieces = _of_lines(path, text)
        marks = {"word_start": "▁"} if pieces else {}
    tokens = _in_order(path, entries)
    marks = {name: mark for name, mark in marks.items() if any(has_mark(token, name, mark) for token in tokens)}
    if byte_tokens is None and any(map(BYTE_PIECE.fullmatch, tokens)):
        byte_tokens = "fallback"
    return TokenFile(tokens, marks, byte_tokens, blank)


def _is_json(text: str) -> bool:
    """Tell whether a text that begins like JSON is JSON: a list of tokens may begin with a bracket, too."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _json(path: Path, text: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise DataError(f"{path}: has {key!r} twice; expected each name once.")
            found[key] = value
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except DataError:
        raise
    except RecursionError:
        raise DataError(f"{path}: not a vocabulary: lists in lists, thousands of levels deep.") from None
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}).") from None


def _of_json(path: Path, content: Any) -> Iterator[Entry]:
    """Yield the tokens of a list, or of an object that gives each token its class (vocab.json)."""
    if isinstance(content, list):
        for n, token in enumerate(content):
            yield f"entry {n}", token, n
    elif isinstance(content, dict):
        for token, each in content.items():
            yield f"token {token!r}", token, each
    else:
        raise DataError(
            f"{path}: holds {_shown(content)}; expected a list of tokens, an object that gives each token its class, "
            "or a tokenizer.json."
        )


def _of_tokenizer(path: Path, content: Mapping[str, Any]) -> Iterator[Entry]:
    """Yield the tokens of a tokenizer.json: those of the model and the added ones that are not among them."""
    vocab = content["model"].get("vocab")
    known: dict[str, Any] = {}
    if isinstance(vocab, dict):
        known = vocab
        for token, each in vocab.items():
            yield f"model.vocab[{token!r}]", token, each
    elif isinstance(vocab, list):
        for n, pair in enumerate(vocab):
            if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str):
                raise DataError(f"{path}: model.vocab[{n}] is {_shown(pair)}; expected a token and its score.")
            known[pair[0]] = n
            yield f"model.vocab[{n}]", pair[0], n
    else:
        raise DataError(f"{path}: model.vocab is {_shown(vocab)}; expected an object, or a list of tokens and scores.")
    added = content.get("added_tokens") or []
    if not isinstance(added, list):
        raise DataError(f"{path}: added_tokens is {_shown(added)}; expected a list.")
    for n, each in enumerate(added):
        if not isinstance(each, dict) or not isinstance(each.get("content"), str) or "id" not in each:
            raise DataError(f'{path}: added_tokens[{n}] is {_shown(each)}; expected an object with "id" and "content".')
        if each["content"] not in known or known[each["content"]] != each["id"]:
            yield f"added_tokens[{n}]", each["content"], each["id"]


def _stated(content: Mapping[str, Any]) -> tuple[dict[str, str], str | None, str | None]:
    """Return what a tokenizer.json states: the mark of words, the kind of byte tokens, the name of the blank."""
    marks: dict[str, str] = {}
    byte_tokens = blank = None
    for part in [*_parts(content.get("decoder"), "decoders"), *_parts(content.get("pre_tokenizer"), "pretokenizers")]:
        kind = part.get("type")
        if kind == "ByteLevel":
            byte_tokens = "level"
            marks.setdefault("word_start", "Ġ")
        elif kind == "CTC":
            blank = _text(part, "pad_token")
        elif kind == "Replace" and part.get("pattern") == {"String": "▁"}:
            marks.setdefault("word_start", "▁")
        for of, name, mark in _STEPS:
            if kind == of and (found := _text(part, name)):
                marks.setdefault(mark, found)
    return dict(list(marks.items())[:1]), byte_tokens, blank


def _text(part: Mapping[str, Any], name: str) -> str | None:
    value = part.get(name)
    return value if isinstance(value, str) and value else None


def _parts(step: Any, steps: str) -> Iterator[Mapping[str, Any]]:
    """Yield the steps of a decoder or a pre-tokenizer, which may be a sequence of steps."""
    if not isinstance(step, dict):
        return
    yield step
    inner = step.get(steps)
    for each in inner if isinstance(inner, list) else []:
        if isinstance(each, dict):
            yield each


def _of_lines(path: Path, text: str) -> tuple[list[Entry], bool]:
    """Return the tokens of a text, and whether it is a SentencePiece file: pieces with scores.

    Only line feeds separate lines: a token may be any other white space.
    """
    lines = [line.rstrip("\r") for line in text.removesuffix("\n").split("\n")]
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    scored = [_SCORED.fullmatch(line) for line in lines]
    is_pieces = path.suffix.lower() == ".vocab"
    if is_pieces or (all(scored) and not all(numbered)):
        return list(_matched(path, lines, scored, "a piece, a tab and its score", lambda n, _: n)), True
    if all(numbered):
        return list(
            _matched(path, lines, numbered, "a token, a space and its class", lambda _, pair: int(pair[2]))
        ), False
    return [(f"line {n}", line, n - 1) for n, line in enumerate(lines, 1)], False


def _matched(
    path: Path,
    lines: Sequence[str],
    pairs: Iterable[re.Match[str] | None],
    expected: str,
    class_of: Callable[[int, re.Match[str]], int],
) -> Iterator[Entry]:
    for n, (line, pair) in enumerate(zip(lines, pairs, strict=True)):
        if pair is None:
            raise DataError(f"{path}: line {n + 1} is {line!r}; expected {expected}.")
        yield f"line {n + 1}", pair[1], class_of(n, pair)


def _in_order(path: Path, entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return the tokens in the order of their classes; check that these are 0..C−1, and that all tokens differ."""
    if not entries:
        raise DataError(f"{path}: holds no tokens.")
    places: dict[str, str] = {}
    owners: dict[int, tuple[str, str]] = {}
    for place, token, each in entries:
        if not isinstance(token, str):
            raise DataError(f"{path}: {place} is {_shown(token)}; expected a token, a string.")
        if SURROGATE.search(token):
            raise DataError(f"{path}: {place} is {token!r}, which holds a half of a character; expected whole ones.")
        if not isinstance(each, int) or isinstance(each, bool) or each < 0:
            raise DataError(f"{path}: {place} has the class {_shown(each)}; expected an integer from 0 on.")
        if token in places:
            raise DataError(f"{path}: {place} is {token!r}, the same as {places[token]}; expected each token once.")
        if each in owners:
            raise DataError(
                f"{path}: {place} has class {each}, and so has {owners[each][1]}; expected a class of its own for each."
            )
        places[token], owners[each] = place, (token, place)
    missing = [n for n in range(min(len(owners), max(owners, default=-1))) if n not in owners]
    if missing:
        last = max(owners)
        few = ", ".join(map(str, missing[: _checks.MOST_NAMED]))
        raise DataError(
            f"{path}: {owners[last][1]} has class {last}, but no token has class {few}"
            f"{' and others' if len(missing) > _checks.MOST_NAMED else ''}; expected classes without gaps. Add the "
            "tokens that are missing, for example with names such as <unused 1>."
        )
    return tuple(owners[n][0] for n in range(len(owners)))


def has_mark(token: str, name: str, mark: str) -> bool:
    """Tell whether a token has a mark of words; ``name`` is that of its argument."""
    if name == "separator":
        return token == mark
    return mark in token if name == "word_start" else token.startswith(mark)


def _shown(value: Any) -> str:
    """Return a value for a message, cut off where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
