"""What all drawings of a page share. Their colors are the page's CSS variables, for light and dark screens."""

from __future__ import annotations

from html import escape


def open_svg(width: float, height: float, kind: str, label: str) -> str:
    """Return the opening tag of a drawing: its size in pixels, its class, and what it shows."""
    return (
        f'<svg class="{kind}" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" '
        f'aria-label="{escape(label, quote=True)}">'
    )
