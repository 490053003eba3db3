"""Lines are prepared: loaded, scaled, checked, by all cores; with a file, only what it does not hold yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from ctckit.errors import DataError, MissingFileError
from ctckit.kernels.runtime import num_threads
from ctckit.ocr.data.images import TooWideError
from ctckit.ocr.data.pairs import Found, Pair, Skipped
from ctckit.ocr.data.rules import LineRules
from ctckit.ocr.data.store import LineStore, Prepared, StoredLine, key_of
from ctckit.ocr.data.texts import unusable_because

_PART = 32  # lines that one thread takes at once, fewer of a page that ends
_AHEAD = 4  # parts for each thread

Item = TypeVar("Item")
Result = TypeVar("Result")
Done = Callable[[int, int], None]


def prepare(pair: Pair, *, height: int, max_width: int, rules: LineRules) -> Prepared | Skipped:
    """Return a line of the model's height; what is skipped, if it cannot be used.

    Args:
        pair: The picture and the text.
        height: The height of the image in pixels.
        max_width: The most columns.
        rules: The form of the text, and how the image is seen.
    """
    reason = unusable_because(pair.written)
    if reason is not None:
        kind = reason.partition(".")[0].partition(":")[0].partition(";")[0]
        return Skipped(pair.where, kind, f"{pair.where}: {reason}")
    name = pair.picture.name
    try:
        image = rules.view(pair.picture.load(), height, max_width=max_width).levels
    except MissingFileError as error:
        return Skipped(name, "the image is missing", str(error))
    except TooWideError as error:
        return Skipped(name, "the image is too wide", f"{name}: {error}")
    except DataError as error:
        return Skipped(name, "the image cannot be read", str(error))
    text = rules.normalized(pair.written)
    return Prepared(image, text, name, pair.written.strip() != text)


def prepare_all(
    found: Sequence[Found], *, height: int, max_width: int, rules: LineRules
) -> Iterator[Prepared | Skipped]:
    """Yield what :func:`prepare` returns for each pair, in order."""

    def one(each: Found) -> Prepared | Skipped:
        return each if isinstance(each, Skipped) else prepare(each, height=height, max_width=max_width, rules=rules)

    return _by_all_cores(one, found)


def prepare_in(
    path: Path, found: Sequence[Found], *, height: int, max_width: int, rules: LineRules, done: Done
) -> list[StoredLine | Skipped]:
    """Return the lines, prepared in a file. What the file holds already is not prepared again.

    Args:
        path: The file.
        found: The pairs.
        height: The height of the images.
        max_width: The most columns.
        rules: The form of the texts, and how the images are seen.
        done: Is called with the number of lines that are ready, and of all.

    Raises:
        DataError: If the file cannot be used.
    """
    store = LineStore(path)
    how = f"{height} {max_width} {rules.to_dict()}".encode()
    keys = list(_by_all_cores(lambda each: _key(each, how), found))
    held = store.keys()
    new = {key: each for key, each in zip(keys, found, strict=True) if key not in held}
    prepared = prepare_all(list(new.values()), height=height, max_width=max_width, rules=rules)
    store.add(zip(new, counted(prepared, done, len(new)), strict=True))
    store.keep_only(keys)
    return list(store.found(keys))


def counted(items: Iterable[Item], done: Done, total: int) -> Iterator[Item]:
    """Yield the items, and call ``done`` after each."""
    for count, item in enumerate(items, 1):
        yield item
        done(count, total)


def _key(found: Found, how: bytes) -> bytes:
    if isinstance(found, Skipped):
        return key_of(b"skipped", *map(_encoded, (found.name, found.reason, found.detail)))
    try:
        content = found.picture.digest()
    except DataError as error:  # the same error again is the same line again
        content = _encoded(str(error))
    where = found.where if unusable_because(found.written) else ""  # told in the reason; it moves as a table grows
    return key_of(b"line", how, content, *map(_encoded, (found.picture.name, found.written, where)))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _by_all_cores(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Yield the results in order. The lines of a page go to one thread, so that its image is loaded once."""
    threads = num_threads()
    if threads == 1 or len(items) < 2:
        yield from map(work, items)
        return
    pending: deque[Future[list[Result]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="ctckit-lines") as pool:
        try:
            for part in _parts(items):
                pending.append(pool.submit(_listed, work, part))
                if len(pending) > _AHEAD * threads:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _listed(work: Callable[[Item], Result], part: list[Item]) -> list[Result]:
    return [work(each) for each in part]


def _parts(items: Sequence[Item]) -> Iterator[list[Item]]:
    for source, group in groupby(items, key=_source):
        lines = list(group)
        size = len(lines) if source else _PART
        yield from (lines[start : start + size] for start in range(0, len(lines), size))


def _source(item: object) -> object:
    """Return the image that an item shares with others; None if it has one of its own."""
    return item.picture.shared if isinstance(item, Pair) else None
