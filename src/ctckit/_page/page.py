"""A page: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ctckit._files import make_folder, write_atomically
from ctckit._page.style import STYLE
from ctckit.errors import DataError


@dataclass(frozen=True)
class Figure:
    """One number at the top of a page.

    Attributes:
        value: The number, as text.
        name: Its name.
    """

    value: str
    name: str


def whole_page(title: str, body: str, *, refresh: int = 0) -> str:
    """Return a page.

    Args:
        title: The title of the window.
        body: Its HTML.
        refresh: Seconds after which a browser loads the page again; 0 is never.
    """
    again = f'<meta http-equiv="refresh" content="{refresh}">\n' if refresh else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n{again}<title>{escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def write_page(path: Path, page: str) -> None:
    """Write a page; its folder is created if it does not exist.

    Raises:
        DataError: If the file cannot be written.
    """
    make_folder(path.parent)
    try:
        write_atomically(path, page.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise DataError(f"{path}: the report cannot be written ({error.strerror}).") from error


def heading(title: str, lead: str, figures: Sequence[Figure]) -> str:
    """Return the top of a page: its title, a paragraph (HTML) and numbers."""
    return f"<header>\n<h1>{escape(title)}</h1>\n<p>{lead}</p>\n{tiles(figures)}\n</header>"


def tiles(figures: Sequence[Figure]) -> str:
    """Return numbers with their names."""
    items = "".join(f"<li><b>{escape(each.value)}</b><span>{escape(each.name)}</span></li>" for each in figures)
    return f'<ul class="tiles">{items}</ul>'


def section(title: str, note: str, content: str) -> str:
    """Return a section: its title, a note (HTML) and its content (HTML)."""
    said = f'<p class="quiet">{note}</p>\n' if note else ""
    return f"<h2>{escape(title)}</h2>\n{said}{content}"


def percent(share: float, digits: int = 1) -> str:
    """Return a share in percent.

    Example:
        >>> percent(0.1234)
        '12.3 %'
    """
    return f"{100 * share:.{digits}f} %"
