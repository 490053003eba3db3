"""The rules of a model: which form its texts have, and how its images are seen.

They belong to the model, so that reading does what training did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from ctckit import _checks
from ctckit.errors import InvalidInputError
from ctckit.ocr.data.images import GrayImage, has_light_ink, inverted
from ctckit.ocr.data.texts import FORMS, display_order, is_right_to_left, normalize_text

DIRECTIONS = ("auto", "ltr", "rtl", "none")
INVERSIONS = ("auto", "yes", "no")


@dataclass(frozen=True)
class LineRules:
    """What is done to the texts and the images of lines.

    A network reads from left to right. So it learns texts in display order, as their characters stand in the picture,
    and what it reads is brought back into logical order, as it is written and searched. Where the whole text runs is
    the ``direction``; the runs of the other direction in it are found by the Unicode Bidirectional Algorithm (UAX 9).
    For texts without a letter of a right-to-left script, both orders are the same.

    Attributes:
        unicode: The normalization form of the texts: "NFC", "NFD", "NFKC", "NFKD", or "none".
        spaces: "single": white space of any kind and length is one space, and none at the ends; "keep": as it is.
        direction: "ltr" or "rtl", where the whole text runs; "auto": "rtl" if most texts do, else "ltr"; "none": texts
            are learned in logical order.
        invert: Whether the ink is light and the ground dark: "yes", "no", or "auto", for each image.
    """

    unicode: str = "NFC"
    spaces: str = "single"
    direction: str = "auto"
    invert: str = "auto"

    def __post_init__(self) -> None:
        """Check the values."""
        _checks.choice(self.unicode, "unicode", FORMS)
        _checks.choice(self.spaces, "spaces", ("single", "keep"))
        _checks.choice(self.direction, "direction", DIRECTIONS)
        _checks.choice(self.invert, "invert", INVERSIONS)

    def normalized(self, text: str) -> str:
        r"""Return a text in this form.

        Example:
            >>> LineRules(unicode="NFD").normalized(" \u00e9\u00a0 a ") == "e\u0301 a"
            True
        """
        return normalize_text(text, form=self.unicode, single_spaces=self.spaces == "single")

    def for_texts(self, texts: list[str]) -> LineRules:
        """Return the rules with a direction instead of "auto": that of most texts."""
        if self.direction != "auto":
            return self
        leftward = sum(map(is_right_to_left, texts))
        return replace(self, direction="rtl" if 2 * leftward > len(texts) else "ltr")

    def displayed(self, text: str) -> str:
        """Return a text in display order, or from display order back in logical order."""
        return text if self.direction == "none" else display_order(text, rightward=self.direction != "rtl")

    def seen(self, image: GrayImage) -> GrayImage:
        """Return an image with dark ink on a light ground."""
        light = self.invert == "yes" or (self.invert == "auto" and has_light_ink(image))
        return inverted(image) if light else image

    def to_dict(self) -> dict[str, str]:
        """Return it as JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> LineRules:
        """Build it from :meth:`to_dict`'s values.

        Raises:
            InvalidInputError: If a name or a value is unknown.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(values, Mapping) or not names.issuperset(values):
            raise InvalidInputError(f"the rules are {str(values)[:60]}; expected values of {', '.join(sorted(names))}.")
        return cls(**values)


BEFORE = LineRules(direction="none", invert="no")  # of models that were saved without rules
