"""What the metadata of an ONNX file says about a recognizer.

The entry ``character`` has the characters of the classes 1, 2, …, a line each; class 0 is the blank. This is the
convention of PP-OCR, and its readers find the characters of our files there. The entry ``ctckit`` is JSON with all else
(:class:`Description`). A file without it follows the conventions of PP-OCR.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ctckit import _checks
from ctckit.errors import InvalidInputError, ModelFormatError
from ctckit.ocr.charsets import split_characters
from ctckit.ocr.data.rules import LineRules
from ctckit.vocabulary import Vocabulary

CHARACTERS = "character"
OURS = "ctckit"
FORMAT = "ctckit-onnx"
FORMAT_VERSION = 1
OUTPUTS = ("log_probs", "probs", "logits")
PAPER, INK, PADDING = 1.0, -1.0, 0.0  # the levels of the input: 2 · level / 255 − 1; no level of 8 bits becomes 0
_LARGEST = {"height": 1024, "frame_pixels": 1024, "more_frames": 1024, "same_columns": 2**20}
_LEAST = {"height": 1, "frame_pixels": 1, "more_frames": -1024, "same_columns": 0}


@dataclass(frozen=True)
class Description:
    """How a file is used.

    Attributes:
        height: Height in pixels of the lines that it reads.
        frame_pixels: Pixel columns of the line for each frame.
        more_frames: A line of n × ``frame_pixels`` columns gives n + ``more_frames`` frames; usually 0.
        output: What it computes: "log_probs" (natural logarithms), "probs" or "logits".
        same_columns: If it is above 0, only lines may share a batch whose widths are equal after they are rounded up to
            multiples of it. 0: any lines.
        lines: The form of the texts, and how the images are seen.
        history: The models and the data that it comes from, as in ``model.json``.
        int8: Whether it was quantized to whole numbers of 8 bits.
    """

    height: int
    frame_pixels: int
    more_frames: int = 0
    output: str = "log_probs"
    same_columns: int = 0
    lines: LineRules = LineRules(direction="ltr")  # noqa: RUF009 - it is frozen
    history: tuple[Mapping[str, Any], ...] = ()
    int8: bool = False

    def __post_init__(self) -> None:
        """Check the values."""
        for name, largest in _LARGEST.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not _LEAST[name] <= value <= largest:
                raise InvalidInputError(f"{name} is {value!r}; expected a whole number, {_LEAST[name]}..{largest}.")
        _checks.choice(self.output, "output", OUTPUTS)
        if not isinstance(self.int8, bool):
            raise InvalidInputError(f"int8 is {self.int8!r}; expected true or false.")

    def frames(self, width: int) -> int:
        """Return the number of frames T of a line of ``width`` pixels, exactly."""
        return max(1, -(-width // self.frame_pixels) + self.more_frames)


def metadata_of(description: Description, vocabulary: Vocabulary) -> dict[str, str]:
    r"""Return the metadata of a file.

    Args:
        description: How the file is used.
        vocabulary: Its classes; class 0 is the blank.

    Raises:
        InvalidInputError: If a token is not a part of one line, so that the entry ``character`` cannot hold it.

    Example:
        >>> from ctckit import Vocabulary
        >>> from ctckit.ocr.onnx.metadata import Description, metadata_of
        >>> metadata_of(Description(32, 4), Vocabulary.from_characters("ab"))["character"]
        'a\nb'
    """
    if vocabulary.blank != 0:
        raise InvalidInputError(f"the blank is class {vocabulary.blank}; in an ONNX file it is class 0.")
    for token in vocabulary.tokens[1:]:
        if len(token.splitlines()) != 1 or token.splitlines() != [token]:
            raise InvalidInputError(
                f"the character {token!r} ends a line, so the metadata of an ONNX file cannot hold it. Train a model "
                "without it."
            )
    values = {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(description)}
    values["input"] = {"paper": PAPER, "ink": INK, "padding": PADDING}
    values["blank"] = 0
    return {
        CHARACTERS: "\n".join(vocabulary.tokens[1:]),
        OURS: json.dumps(values, ensure_ascii=False, sort_keys=True),
    }


def description_of(metadata: Mapping[str, str]) -> Description | None:
    """Return how a file is used by its metadata; None if they do not tell, as in the files of PP-OCR.

    Raises:
        ModelFormatError: If the entry ``ctckit`` is damaged or of another version.
    """
    if OURS not in metadata:
        return None
    try:
        values = json.loads(metadata[OURS])
    except (ValueError, RecursionError) as error:
        raise ModelFormatError(f"its metadata are not readable JSON ({error}). Export it again.") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ModelFormatError(f'its metadata "{OURS}" are not of a model; expected "format": "{FORMAT}".')
    if values.get("format_version") != FORMAT_VERSION:
        raise ModelFormatError(
            f"format version {str(values.get('format_version'))[:20]}; this ctckit reads version {FORMAT_VERSION}. "
            "Use the ctckit that wrote it, or export it again."
        )
    try:
        known = {field.name: values[field.name] for field in fields(Description) if field.name in values}
        known["lines"] = LineRules.from_dict(known["lines"])
        history = known.get("history", ())
        known["history"] = tuple(dict(stage) for stage in history)
        return Description(**known)
    except (InvalidInputError, TypeError, ValueError, KeyError) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ModelFormatError(f"its metadata are damaged ({said}). Export it again.") from error


def characters_of(metadata: Mapping[str, str]) -> list[str] | None:
    """Return the characters in the metadata of a file, those of the classes 1, 2, …; None if it has none."""
    return split_characters(metadata[CHARACTERS]) if CHARACTERS in metadata else None
