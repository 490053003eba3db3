"""Pages to look at: self-contained HTML, without scripts and without network, for light and dark screens.

::

    page.py     the page: its heading, numbers, sections
    style.py    the style sheet of all pages
    svg.py      the beginning of a drawing
"""
