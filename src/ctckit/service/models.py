"""``Models``: what a service has loaded, once, for all requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ctckit.decoding.beam import BeamDecoder
from ctckit.errors import InvalidInputError
from ctckit.vocabulary import Vocabulary

if TYPE_CHECKING:
    from ctckit.acoustic_models import AcousticModel
    from ctckit.ocr.recognizer import Recognizer


@dataclass(frozen=True, eq=False)
class Models:
    """The models of a service. What is None has no route: the answer says what is missing.

    Attributes:
        decoder: For log-probabilities, streams, and lines with ``n_best`` above 1.
        recognizer: For ``/read``. Its vocabulary is the decoder's.
        acoustic: For recordings, in ``/align`` and ``/stream``. Its vocabulary is the decoder's.
        listening: How recordings are read: arguments of ``listen``, such as ``channel``.
        search: Whether lines are read by the decoder even where one text is wanted; else by the best path.

    Example:
        >>> from ctckit import BeamDecoder, Vocabulary
        >>> from ctckit.service import Models
        >>> Models(BeamDecoder(Vocabulary.from_characters("abc"))).names
        ['decoder']
    """

    decoder: BeamDecoder
    recognizer: Recognizer | None = None
    acoustic: AcousticModel | None = None
    listening: Mapping[str, Any] = field(default_factory=dict)
    search: bool = False

    def __post_init__(self) -> None:
        for name, model in (("recognizer", self.recognizer), ("acoustic", self.acoustic)):
            if model is not None and model.vocabulary.tokens != self.vocabulary.tokens:
                raise InvalidInputError(f"the vocabulary of {name} is not the decoder's; expected the same tokens.")

    @property
    def vocabulary(self) -> Vocabulary:
        """The classes of all log-probabilities."""
        return self.decoder.vocabulary

    @property
    def names(self) -> list[str]:
        """What is loaded, in words, for ``/health``."""
        found = {"decoder": self.decoder, "recognizer": self.recognizer, "acoustic model": self.acoustic}
        return [name for name, model in found.items() if model is not None]
