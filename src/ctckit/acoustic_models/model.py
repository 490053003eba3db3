"""``AcousticModel``, what a plug-in provides; and ``load_model``, which finds a plug-in by its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.errors import DataError, InvalidInputError
from ctckit.vocabulary import Vocabulary

GROUP = "ctckit.acoustic_models"

Compute = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class AcousticModel:
    """An acoustic model: audio in, log-probabilities out.

    A plug-in is a function that takes a string and returns an ``AcousticModel``. The string is the part behind the
    colon in ``--model NAME:STRING``, often empty. A package offers a plug-in by an entry point of the group
    ``ctckit.acoustic_models``. The function may take ``device`` and ``language`` by name; see ``load_model``.

    Attributes:
        vocabulary: Its C classes.
        rate: The sample rate of its input, in samples per second.
        frame_samples: Samples from one frame to the next; frame t covers samples [t · frame_samples, (t + 1) ·
            frame_samples).
        log_probs: A function from (S,) float32 samples in −1..1 to (T, C) float32 natural log-probabilities, where T is
            S / frame_samples or a few frames more or less.
        spell: For models whose tokens are not letters: a function from a word in lower case to its tokens, or to None
            for a word that it cannot spell. None if tokens are letters.
        most_samples: The largest number of samples of its input; None: no limit.
        lag: How much later than its sound a token appears, in seconds; see ``measure_lag``. None: not measured.
        log_probs_of_batch: A function from (B, S) samples to (B, T, C) log-probabilities; None: one input at a time.

    Example:
        >>> from ctckit.acoustic_models import AcousticModel
        >>> import numpy as np
        >>> from ctckit import Vocabulary
        >>> def log_probs(samples):                                   # a network that calls sound "a"
        ...     loud = np.abs(samples[: len(samples) // 100 * 100].reshape(-1, 100)).mean(axis=1) > 0.1
        ...     return np.log(np.where(loud[:, None], [0.1, 0.9], [0.9, 0.1])).astype(np.float32)
        >>> model = AcousticModel(Vocabulary.from_characters("a"), rate=1000, frame_samples=100, log_probs=log_probs)
        >>> model.log_probs(np.zeros(500, np.float32)).shape
        (5, 2)
    """

    vocabulary: Vocabulary
    rate: int
    frame_samples: int
    log_probs: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
    spell: Callable[[str], Sequence[str] | None] | None = None
    most_samples: int | None = None
    lag: float | None = None
    log_probs_of_batch: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]] | None = None

    @property
    def frame_seconds(self) -> float:
        """Length of a frame, in seconds."""
        return self.frame_samples / self.rate


def load_model(name: str, **options: str) -> AcousticModel:
    """Return the acoustic model with this name.

    Args:
        name: A plug-in, such as "hama"; a plug-in with its argument, "huggingface:FOLDER"; or a folder of a Hugging
            Face model.
        **options: What its plug-in takes besides: ``device`` and ``language``, for folders of Hugging Face.

    Raises:
        InvalidInputError: If there is no such plug-in; lists the existing ones. If it does not take an option.
        DataError: If the folder or file of the argument cannot be used.
        MissingDependencyError: If the package that it needs is not installed.

    Example:
        >>> from ctckit.acoustic_models import load_model
        >>> model = load_model("hama")  # doctest: +SKIP
        >>> load_model("no such model")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ctckit.errors.InvalidInputError: ...
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
            f"model is {name!r}; expected a folder of a Hugging Face model, or one of the acoustic models {known} "
            f'(other packages can add some by entry points of the group "{GROUP}").'
        )
    load = _loaded(found[plugin])
    for option in options:
        if option not in signature(load).parameters:
            raise InvalidInputError(
                f"{option} is given, which the acoustic model {plugin!r} does not have. Leave it out."
            )
    model = load(argument, **options)
    if not isinstance(model, AcousticModel):
        raise InvalidInputError(
            f"the acoustic model {plugin!r} ({found[plugin].value}) is a {type(model).__name__}; expected an "
            "AcousticModel."
        )
    return model


def guarded(acoustic: AcousticModel) -> AcousticModel:
    """Return the model; what its network raises becomes a ``DataError``, so that one recording does not stop all."""

    def careful(compute: Compute) -> Compute:
        def log_probs(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            try:
                return compute(samples)
            except Exception as error:
                raise DataError(
                    f"the acoustic model cannot compute {samples.shape[-1]} samples of it "
                    f"({type(error).__name__}: {error})."
                ) from error

        return log_probs

    batch = acoustic.log_probs_of_batch
    return replace(
        acoustic, log_probs=careful(acoustic.log_probs), log_probs_of_batch=None if batch is None else careful(batch)
    )


def _loaded(entry: EntryPoint) -> Callable[..., Any]:
    try:
        load: Callable[..., Any] = entry.load()
    except (AttributeError, ImportError) as error:
        raise InvalidInputError(
            f"the acoustic model {entry.name!r} ({entry.value}) cannot be imported: {error}"
        ) from error
    return load
