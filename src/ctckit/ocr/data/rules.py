"""The rules of a model: which form its texts have, and how its images are seen.

They belong to the model, so that reading does what training did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from PIL import Image

from ctckit import _checks
from ctckit.errors import InvalidInputError
from ctckit.ocr.data.finding import Frame, cut_frame, find_frame, whole
from ctckit.ocr.data.images import MAX_WIDTH, GrayImage, has_light_ink, inverted, scale_to_height, scaled_width
from ctckit.ocr.data.paper import without_border
from ctckit.ocr.data.texts import FORMS, display_order, is_right_to_left, normalize_text

DIRECTIONS = ("auto", "ltr", "rtl", "none")
INVERSIONS = ("auto", "yes", "no")
_GLANCE = 96  # rows that are enough to tell light ink from dark


@dataclass(frozen=True)
class SeenLine:
    """A line as a network sees it.

    Attributes:
        levels: (height, width) uint8, of the network's height; 0 black and 255 white.
        frame: Its place in the image that it comes from.
    """

    levels: GrayImage
    frame: Frame


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
        find: "yes": the line is found in its image, as :mod:`ctckit.ocr.data.finding` says: margins, slope and contrast
            of the image do not matter; "no": the line is the whole image, as it is.
    """

    unicode: str = "NFC"
    spaces: str = "single"
    direction: str = "auto"
    invert: str = "auto"
    find: str = "yes"

    def __post_init__(self) -> None:
        """Check the values."""
        _checks.choice(self.unicode, "unicode", FORMS)
        _checks.choice(self.spaces, "spaces", ("single", "keep"))
        _checks.choice(self.direction, "direction", DIRECTIONS)
        _checks.choice(self.invert, "invert", INVERSIONS)
        _checks.choice(self.find, "find", ("yes", "no"))

    def normalized(self, text: str) -> str:
        r"""Return a text in this form.

        Example:
            >>> from ctckit.ocr import LineRules
            >>> LineRules(unicode="NFD").normalized(" \u00e9\u00a0 a ") == "e\u0301 a"
            True
        """
        return normalize_text(text, form=self.unicode, single_spaces=self.spaces == "single")

    def spaced(self, text: str) -> str:
        """Return a text with the white space that the rules allow.

        Example:
            >>> from ctckit.ocr import LineRules
            >>> LineRules().spaced("  to  be ")
            'to be'
        """
        return " ".join(text.split()) if self.spaces == "single" else text

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

    def view(self, image: Image.Image, height: int, *, max_width: int = MAX_WIDTH) -> SeenLine:
        """Return the line in an image as a network of this height sees it. Training and reading both use this.

        Args:
            image: Of mode ``L``.
            height: The height of the network in pixels.
            max_width: The most columns of the result.

        Raises:
            DataError: If the result would be wider.

        Example:
            >>> from PIL import Image
            >>> from ctckit.ocr import LineRules
            >>> LineRules().view(Image.new("L", (200, 50), 255), 32).levels.shape
            (32, 128)
        """
        if self.find == "no":
            levels = self.seen(scale_to_height(image, height, max_width=max_width))
            return SeenLine(levels, whole(np.asarray(image)))
        given = np.asarray(image)
        dark = inverted(given) if self._is_light(image) else given
        frame = find_frame(dark)
        width = scaled_width(frame.width, frame.height, height, image, max_width=max_width)
        return SeenLine(cut_frame(dark, frame, (width, height)), frame)

    def _is_light(self, image: Image.Image) -> bool:
        if self.invert != "auto":
            return self.invert == "yes"
        glance = image.reduce(max(1, image.height // _GLANCE))
        levels = without_border(np.asarray(glance, dtype=np.float32))
        return has_light_ink(levels.round().astype(np.uint8))

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
        return cls(**{"find": "no", **values})  # rules without it were saved before lines were found


BEFORE = LineRules(direction="none", invert="no", find="no")  # of models that were saved without rules
