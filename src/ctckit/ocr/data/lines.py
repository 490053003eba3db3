"""Text lines: read from a data set, and checked.

:mod:`~ctckit.ocr.data.sources` tells which data sets are supported, :mod:`~ctckit.ocr.data.images` which images, and
:mod:`~ctckit.ocr.data.texts` how texts are normalized. Images are converted to gray levels and scaled to
the network's height; their proportions stay. Light ink on a dark ground is found, and inverted.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ctckit.errors import CharsetError, DataError
from ctckit.ocr.data.folders import TEXT_SUFFIX as TEXT_SUFFIX
from ctckit.ocr.data.images import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from ctckit.ocr.data.images import MAX_WIDTH
from ctckit.ocr.data.images import GrayImage as GrayImage
from ctckit.ocr.data.images import load_image as load_image
from ctckit.ocr.data.images import scale_to_height as scale_to_height
from ctckit.ocr.data.images import to_gray as to_gray
from ctckit.ocr.data.pages.files import PAGE_SUFFIX
from ctckit.ocr.data.pairs import Skipped
from ctckit.ocr.data.preparing import Done, counted, prepare_all, prepare_in
from ctckit.ocr.data.rules import LineRules
from ctckit.ocr.data.sources import find_pairs
from ctckit.ocr.data.store import Prepared, StoredLine
from ctckit.topology import adjacent_repeats
from ctckit.vocabulary import Vocabulary

if TYPE_CHECKING:
    from ctckit.ocr.networks.base import FrameCounter

SPLITS = ("line", "document")
_NUMBER_AT_END = re.compile(r"[-_ .]*\d+$")
_SHOWN = 5  # a message names so many files and counts the rest


class TextLine(Protocol):
    """A line to train on: in memory, or in a file (:class:`~ctckit.ocr.data.store.StoredLine`)."""

    @property
    def image(self) -> GrayImage:
        """(height, width) uint8, 0 black and 255 white."""

    @property
    def width(self) -> int:
        """The columns of the image."""

    @property
    def text(self) -> str:
        """Its text."""

    @property
    def name(self) -> str:
        """Its source, for messages."""

    @property
    def digest(self) -> bytes:
        """What tells its image from others."""

    def with_text(self, text: str) -> TextLine:
        """Return the line with another text."""


@dataclass(frozen=True)
class Line:
    """One text line.

    Attributes:
        image: (height, width) uint8, 0 black and 255 white.
        text: Its text.
        name: Its source, for messages.
    """

    image: GrayImage
    text: str
    name: str

    @property
    def width(self) -> int:
        """The columns of the image."""
        return int(self.image.shape[1])

    @property
    def digest(self) -> bytes:
        """What tells its image from others."""
        return hashlib.sha256(repr(self.image.shape).encode() + self.image.tobytes()).digest()

    def with_text(self, text: str) -> Line:
        """Return the line with another text."""
        return Line(self.image, text, self.name)


@dataclass(frozen=True)
class LineSet:
    """The lines of a data set.

    Attributes:
        lines: The lines that can be used.
        skipped: Those that cannot.
        normalized: The number of lines whose text was changed: white space, invisible characters, Unicode NFC.
    """

    lines: tuple[TextLine, ...]
    skipped: tuple[Skipped, ...] = ()
    normalized: int = 0

    @property
    def counts(self) -> str:
        """The number of skipped lines for each reason, the most frequent first.

        Example:
            >>> from ctckit.ocr.data.lines import LineSet, Skipped
            >>> LineSet((), (Skipped("a.png", "no text file", "…"), Skipped("b.png", "no text file", "…"))).counts
            '2 × no text file'
        """
        return count_reasons(self.skipped)

    def expect_lines(self, source: str | Path) -> None:
        """Raise an error that lists all skipped lines if there is nothing else.

        Raises:
            DataError: If no line can be used.
        """
        if not self.lines:
            self.expect_all(source)

    def expect_all(self, source: str | Path) -> None:
        """Raise an error that lists all skipped lines, if there are any.

        Raises:
            DataError: If a line cannot be used.
        """
        refuse_skipped(self.skipped, len(self.lines), source)


def count_reasons(skipped: Iterable[Skipped]) -> str:
    """Return the number of skipped lines for each reason, the most frequent first."""
    return ", ".join(f"{n} × {reason}" for reason, n in Counter(each.reason for each in skipped).most_common())


def refuse_skipped(skipped: Sequence[Skipped], usable: int, source: str | Path) -> None:
    """Raise an error that lists all skipped lines, if there are any.

    Args:
        skipped: The lines that cannot be used.
        usable: The number of the others.
        source: The data set.

    Raises:
        DataError: If a line cannot be used.
    """
    details = [each.detail for each in skipped]
    if len(details) == 1:
        raise DataError(details[0])
    if details:
        count = f"{len(details)} of {len(details) + usable} lines cannot be used"
        raise DataError("\n  ".join([f"{source}: {count} ({count_reasons(skipped)}):", *details]))


def load_lines(
    source: str | Path,
    *,
    height: int = 32,
    max_width: int = MAX_WIDTH,
    rules: LineRules | None = None,
    cache: str | Path | None = None,
    done: Done = lambda ready, total: None,
) -> LineSet:
    """Return the lines of a data set, and those that cannot be used.

    All cores load them. With ``cache``, the lines are prepared in a file: they need little memory, and the next time
    only lines whose content has changed are prepared again.

    Args:
        source: See :mod:`ctckit.ocr.data.sources`.
        height: Every line is scaled to this height in pixels.
        max_width: The most columns of a line at this height.
        rules: The form of the texts, and how the images are seen; None is the defaults. Texts stay in logical order.
        cache: The file; it is made if it does not exist.
        done: Is called with the number of lines that are ready, and of all.

    Returns:
        The lines: of a folder ordered by path, of a table in its order.

    Raises:
        DataError: If there is no such folder or table, or nothing in it; if the cache cannot be used.
    """
    found = find_pairs(Path(source))
    rules = rules or LineRules()
    lines: list[TextLine] = []
    skipped: list[Skipped] = []
    normalized = 0
    items: Iterable[Prepared | StoredLine | Skipped]
    if cache is None:
        items = counted(prepare_all(found, height=height, max_width=max_width, rules=rules), done, len(found))
    else:
        items = prepare_in(Path(cache), found, height=height, max_width=max_width, rules=rules, done=done)
    for item in items:
        if isinstance(item, Skipped):
            skipped.append(item)
            continue
        normalized += item.normalized
        lines.append(Line(item.image, item.text, item.name) if isinstance(item, Prepared) else item)
    return LineSet(tuple(lines), tuple(skipped), normalized)


def read_lines(source: str | Path, *, height: int = 32, max_width: int = MAX_WIDTH) -> list[TextLine]:
    """Return the lines of a data set, all of which must be usable.

    Args:
        source: As for :func:`load_lines`.
        height: As for :func:`load_lines`.
        max_width: As for :func:`load_lines`.

    Returns:
        The lines: of a folder ordered by path, of a table in its order.

    Raises:
        DataError: If files are missing, unreadable or ambiguous; the message names each, and the remedy.
    """
    found = load_lines(source, height=height, max_width=max_width)
    found.expect_all(source)
    return list(found.lines)


def describe_lines(lines: Sequence[TextLine], kind: str) -> dict[str, Any]:
    """Return what tells a set of lines from another one, for the settings of a run: their number, texts and images.

    Args:
        lines: The lines; their names do not matter.
        kind: What they are for, the beginning of the names.

    Example:
        >>> from ctckit.ocr.data.lines import describe_lines
        >>> describe_lines([], "held-out")["held-out lines"]
        0
    """
    texts = (hashlib.sha256(line.text.encode("utf-8", "surrogatepass")).digest() for line in lines)
    return {
        f"{kind} lines": len(lines),
        f"{kind} texts": _digest(texts),
        f"{kind} images": _digest(line.digest for line in lines),
    }


def _digest(digests: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for each in digests:
        digest.update(each)
    return digest.hexdigest()[:16]


def charset_of(lines: Iterable[TextLine]) -> str:
    """Return all characters of the texts, sorted.

    Example:
        >>> import numpy as np
        >>> from ctckit.ocr.data.lines import Line, charset_of
        >>> charset_of([Line(np.zeros((32, 9), np.uint8), "papa", "a")])
        'ap'
    """
    return "".join(sorted({character for line in lines for character in line.text}))


def check_lines(lines: Sequence[TextLine], vocabulary: Vocabulary, config: FrameCounter) -> None:
    """Check that a model can be trained on the lines.

    Args:
        lines: The lines.
        vocabulary: The classes of the model.
        config: The network or its configuration, which knows the frames of a line.

    Raises:
        CharsetError: If texts hold characters outside the vocabulary; the message names them and the files.
        DataError: If an image is too narrow for its text; the message gives the arithmetic.
    """
    known = frozenset(vocabulary.tokens)
    unknown = {line.name: sorted(set(line.text) - known) for line in lines}
    unknown = {name: characters for name, characters in unknown.items() if characters}
    if unknown:
        characters = sorted({character for found in unknown.values() for character in found})
        raise CharsetError(
            f"{len(unknown)} of {len(lines)} texts hold characters outside the charset: "
            f"{' '.join(map(repr, characters))}, in {_some(unknown)}. "
            "Correct the texts, or train a model with a charset that contains them."
        )
    narrow = [line for line in lines if _is_narrow(line, config)]
    if narrow:
        raise DataError(
            f"{len(narrow)} of {len(lines)} images are too narrow for their text: "
            f"{_some((_too_narrow(line, config) for line in narrow), '; ')}. Check the texts, or remove the lines."
        )


def leave_out_narrow(found: LineSet, config: FrameCounter) -> LineSet:
    """Return the lines of a set whose images are wide enough for their texts; the others are skipped.

    Args:
        found: The lines.
        config: The network or its configuration, which knows the frames of a line.
    """
    narrow = [line for line in found.lines if _is_narrow(line, config)]
    reason = "the image is too narrow for its text"
    remedy = "Check the text, or remove the line."
    skipped = [Skipped(line.name, reason, f"{_too_narrow(line, config)}. {remedy}") for line in narrow]
    kept = tuple(line for line in found.lines if not _is_narrow(line, config))
    return LineSet(kept, (*found.skipped, *skipped), found.normalized)


def leave_out_unknown(found: LineSet, vocabulary: Vocabulary) -> LineSet:
    """Return the lines of a set whose characters a model knows; the others are skipped.

    Args:
        found: The lines.
        vocabulary: The classes of the model.
    """
    known = frozenset(vocabulary.tokens)
    unknown = {n: sorted(set(line.text) - known) for n, line in enumerate(found.lines)}
    reason = "characters outside the charset"
    remedy = "Correct the text, or train a model with a charset that contains them."
    skipped = [
        Skipped(line.name, reason, f"{line.name}: {reason}: {' '.join(map(repr, unknown[n]))}. {remedy}")
        for n, line in enumerate(found.lines)
        if unknown[n]
    ]
    kept = tuple(line for n, line in enumerate(found.lines) if not unknown[n])
    return LineSet(kept, (*found.skipped, *skipped), found.normalized)


def in_display_order(found: LineSet, rules: LineRules) -> LineSet:
    """Return the lines of a set with their texts in the order in which a network reads them."""
    lines = tuple(line.with_text(rules.displayed(line.text)) for line in found.lines)
    return LineSet(lines, found.skipped, found.normalized)


def frames_needed(text: str) -> int:
    """Return the number of frames that a text needs: one per character, and one per blank between equal neighbors.

    Example:
        >>> from ctckit.ocr.data.lines import frames_needed
        >>> frames_needed("apple")
        6
    """
    return len(text) + adjacent_repeats(list(text))


def _is_narrow(line: TextLine, config: FrameCounter) -> bool:
    return config.frames(line.width) < frames_needed(line.text)


def _too_narrow(line: TextLine, config: FrameCounter) -> str:
    height, width = line.image.shape
    repeats = adjacent_repeats(list(line.text))
    return (
        f"{line.name} is {width} pixels wide at height {height}, which gives {config.frames(width)} frames; its "
        f"{len(line.text)} characters with {repeats} adjacent repeats need {frames_needed(line.text)}"
    )


def _some(items: Iterable[str], separator: str = ", ") -> str:
    items = list(items)
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return separator.join(items[:_SHOWN]) + more


def documents_of(names: Sequence[str]) -> list[str]:
    """Return the document that each line is of, by the names of the lines.

    A name without the number of its line is that of its page, and without the number of the page that of its document.
    If there is only one document then, pages count as documents.

    Example:
        >>> from ctckit.ocr.data.lines import documents_of
        >>> documents_of(["will_64-4_040.jpg", "will_64-5_001.jpg", "will_65-1.xml, line_7"])
        ['will_64', 'will_64', 'will_65']
        >>> documents_of(["page1_01.png", "page1_02.png", "page2_01.png"])
        ['page1', 'page1', 'page2']
    """
    pages = [_page_of(name) for name in names]
    documents = [_NUMBER_AT_END.sub("", page) or page for page in pages]
    return documents if len(set(documents)) > 1 else pages


def _page_of(name: str) -> str:
    file, _, line = name.rpartition(", ")
    if line and file.lower().endswith(PAGE_SUFFIX):
        return Path(file).name.partition(".")[0]
    stem = Path(name).name.partition(".")[0]
    return _NUMBER_AT_END.sub("", stem) or stem


def split_lines(
    lines: Sequence[TextLine], share: float, *, seed: int, by: str = "line"
) -> tuple[list[TextLine], list[TextLine]]:
    """Split into training and validation lines; the same seed gives the same split.

    Args:
        lines: The lines.
        share: Share for validation, 0 <= share < 1; above 0, at least one line.
        seed: Seeds the random choice.
        by: "line", or "document": all lines of a document (see :func:`documents_of`) are on the same side. Then the
            error rate is that of documents, and of hands, that training has not seen.

    Raises:
        DataError: If the share is out of range or leaves no line to train on, or all lines are of one document.
    """
    if not 0.0 <= share < 1.0:
        raise DataError(f"the validation share is {share}; expected 0 <= share < 1.")
    count = max(1, round(share * len(lines))) if share else 0
    if count >= len(lines):
        raise DataError(
            f"{len(lines)} {'line' if len(lines) == 1 else 'lines'} with a validation share of {share}: none is left "
            "to train on. Add lines, or use validation=0 (--validation 0)."
        )
    order = np.random.default_rng(seed)
    chosen = _some_documents(lines, count, order) if by == "document" else _some_lines(lines, count, order)
    train = [line for index, line in enumerate(lines) if index not in chosen]
    return train, [lines[index] for index in sorted(chosen)]


def _some_lines(lines: Sequence[TextLine], count: int, rng: np.random.Generator) -> set[int]:
    return set(rng.permutation(len(lines))[:count].tolist())


def _some_documents(lines: Sequence[TextLine], count: int, rng: np.random.Generator) -> set[int]:
    """Return the lines of random documents, together about ``count``, but not those of all documents."""
    documents: dict[str, list[int]] = {}
    for index, document in enumerate(documents_of([line.name for line in lines])):
        documents.setdefault(document, []).append(index)
    if len(documents) < 2 and count:
        raise DataError(
            f"all {len(lines)} lines are of one document by their names, {next(iter(documents))!r}. Split them by line."
        )
    chosen: set[int] = set()
    for document in rng.permutation(sorted(documents))[:-1]:
        if len(chosen) >= count:
            break
        chosen.update(documents[document])
    return chosen
