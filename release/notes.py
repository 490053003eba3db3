"""The notes of a release: its section of CHANGELOG.md.

::

    python -m release.notes 0.1.0 > notes.md    # what the page of the release shows
    python -m release.notes                     # what has not been released yet
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"


def notes(changelog: str, version: str = "Unreleased") -> str:
    """Return the text below the heading of a version, up to the next version.

    Raises:
        SystemExit: If the changelog has no such heading.
    """
    sections = re.split(r"^## +", changelog, flags=re.MULTILINE)[1:]
    found = {section.split(maxsplit=1)[0]: section.partition("\n")[2].strip() for section in sections}
    if version not in found:
        raise SystemExit(f"CHANGELOG.md has no heading ## {version}; it has {', '.join(found)}.")
    return found[version]


if __name__ == "__main__":
    print(notes(CHANGELOG.read_text(encoding="utf-8"), *sys.argv[1:2]))
