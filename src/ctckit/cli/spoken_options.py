"""The options for texts that are not spoken as they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

if TYPE_CHECKING:
    from ctckit.alignment.spoken import Replacements, Spoken


@dataclass(frozen=True)
class SpokenOptions:
    """How a text is brought to the letters of a model; the files that are written have it as it was."""

    panel: ClassVar[str] = "Text"
    numbers: Annotated[
        str | None,
        typer.Option(help="The language in which numbers are read, such as en, de or pt_BR; needs ctckit\\[text]."),
    ] = None
    romanize: Annotated[
        bool,
        typer.Option("--romanize", help="Spell words of other scripts in Latin letters; needs ctckit\\[text]."),
    ] = False

    def spoken_words(self, known: Mapping[str, str]) -> Replacements:
        """Return how words are spoken: as ``known`` says, or else with their numbers and letters changed.

        Raises:
            InvalidInputError: If the language is not known.
            MissingDependencyError: If a package is not installed.
        """
        from ctckit.alignment.spoken import number_words, replacer, romanized

        changes: list[Spoken] = []
        if self.numbers is not None:
            changes.append(number_words(self.numbers))
        if self.romanize:
            romanized("я")  # a missing package is an error before the work starts
            changes.append(romanized)
        listed = replacer(known)
        if not changes or listed is None:
            return known

        def spoken(word: str) -> str | None:
            found = listed(word)
            if found is not None:
                return found
            changed = word
            for change in changes:
                changed = change(changed) or changed
            return None if changed == word else changed

        return spoken
