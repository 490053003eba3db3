"""Checks of the markup of pages."""

import re

TAGS = ["svg", "g", "figure", "figcaption", "text", "div", "main", "ul", "li", "p", "mark", "table", "td", "span"]


def assert_balanced(page):
    """Check that each tag is opened as often as it is closed."""
    for tag in TAGS:
        assert len(re.findall(rf"<{tag}[ >]", page)) == page.count(f"</{tag}>"), tag
