"""What an acoustic front end gives, and how one is found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.errors import DataError, InvalidInputError
from ctckit.vocabulary import Vocabulary

GROUP = "ctckit.acoustic_models"


@dataclass(frozen=True)
class AcousticModel:
    """A network that hears: from samples to frames.

    A plug-in is a function that takes a string, whatever stands behind the colon in ``--model NAME:STRING`` (often
    empty), and returns one of these. A package offers it by an entry point of the group ``ctckit.acoustic_models``.

    Attributes:
        vocabulary: Its C classes.
        rate: Samples a second that it wants.
        frame_samples: Samples from one frame to the next; frame t stands for samples [t · frame_samples, (t + 1) ·
            frame_samples).
        log_probs: From (S,) float32 samples in −1..1 to (T, C) float32 natural log-probabilities, T = S / frame_samples
            give or take a few.
        spell: From a word in small letters to its tokens, where the model does not write letters; None for a word that
            it cannot spell. None where tokens are letters.
        most_samples: How many it takes at once; None: any number.
    """

    vocabulary: Vocabulary
    rate: int
    frame_samples: int
    log_probs: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
    spell: Callable[[str], Sequence[str] | None] | None = None
    most_samples: int | None = None

    @property
    def frame_seconds(self) -> float:
        """How long a frame lasts."""
        return self.frame_samples / self.rate


def load_model(name: str) -> AcousticModel:
    """The acoustic model of that name.

    Args:
        name: A plug-in, such as "hama"; a plug-in and what it is to load, "huggingface:FOLDER"; or a folder of a
            Hugging Face model.

    Raises:
        InvalidInputError: If there is no such plug-in; names those that there are.
        DataError: If what it is to load cannot be used.
        MissingDependencyError: If the package that it needs is not installed.
    """
    if (Path(name) / "config.json").is_file():
        name = f"huggingface:{name}"
    plugin, _, argument = name.partition(":")
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if plugin not in found:
        if Path(name).is_dir():
            raise DataError(f"{name}: this folder has no config.json; expected a folder of a Hugging Face model.")
        known = ", ".join(sorted(found))
        raise InvalidInputError(
            f"model is {name!r}; expected a folder of a Hugging Face model, or one of the front ends {known} (other "
            f'packages can add some by entry points of the group "{GROUP}").'
        )
    model = _loaded(found[plugin])(argument)
    if not isinstance(model, AcousticModel):
        raise InvalidInputError(
            f"the front end {plugin!r} ({found[plugin].value}) gave a {type(model).__name__}; expected an "
            "AcousticModel."
        )
    return model


def _loaded(entry: EntryPoint) -> Callable[[str], Any]:
    try:
        load: Callable[[str], Any] = entry.load()
    except (AttributeError, ImportError) as error:
        raise InvalidInputError(f"the front end {entry.name!r} ({entry.value}) cannot be imported: {error}") from error
    return load
