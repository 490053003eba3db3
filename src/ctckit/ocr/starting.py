"""Training starts from another model: one of ours, or a recognizer in an ONNX file.

The network keeps its weights, and gets the classes of the new vocabulary. A class that the other model has keeps its
row of the last layer; a character that it lacks takes the row of its base character (é that of e) if there is one, or
else zeros.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from ctckit import _checks
from ctckit.errors import DataError, InvalidInputError
from ctckit.ocr.bundled import BUNDLED, file_of
from ctckit.ocr.data.rules import LineRules
from ctckit.ocr.model_folder import Stage, load_model
from ctckit.ocr.networks import Network, build, name_of, shapes_of
from ctckit.vocabulary import Vocabulary

CHARACTERS = ("union", "data", "keep")


@dataclass(frozen=True)
class StartConfig:
    """The model from which a training starts.

    Attributes:
        source: A name in ``BUNDLED``, an ONNX file, or a model folder.
        characters: The characters of the new model: "data", those of the texts; "keep", those of the old model;
            "union", both. None is "data" for an ONNX file, which often knows thousands, and "union" for a model folder.
        carried_rate: The learning rate of what comes from the old model, as a share of that of the last layer.
        freeze_steps: The number of steps at the beginning in which only the last layer is trained.
    """

    source: str
    characters: str | None = None
    carried_rate: float = 0.25
    freeze_steps: int = 0

    def __post_init__(self) -> None:
        """Check the values."""
        if self.characters is not None:
            _checks.choice(self.characters, "characters", CHARACTERS)
        if not 0.0 <= self.carried_rate <= 1.0:
            raise InvalidInputError(f"carried_rate is {self.carried_rate}; expected a share, 0..1.")
        if not isinstance(self.freeze_steps, int) or self.freeze_steps < 0:
            raise InvalidInputError(f"freeze_steps is {self.freeze_steps!r}; expected a number of steps, 0 or more.")


@dataclass(frozen=True)
class Start:
    """A model to start from.

    Attributes:
        network: Its network.
        vocabulary: Its classes.
        history: What is known about it.
        characters: The characters of the new model, as in :class:`StartConfig`.
        rules: The form of its texts, and how it sees images; of an ONNX file, which does not say them, the defaults.
    """

    network: Network
    vocabulary: Vocabulary
    history: tuple[Stage, ...]
    characters: str
    rules: LineRules = field(default_factory=LineRules)

    def characters_for(self, charset: str) -> tuple[str, ...]:
        """Return the tokens of the new model, without the blank, for texts with these characters."""
        old = tuple(token for token in self.vocabulary.tokens if token)
        if self.characters == "keep":
            return old
        if self.characters == "data":
            return tuple(charset)
        return (*old, *sorted(set(charset) - set(old)))


def load_start(config: StartConfig) -> Start:
    """Load the model to start from.

    Raises:
        DataError: If it cannot be read.
        MissingDependencyError: If a package is not installed that it needs.
    """
    source = config.source
    if source not in BUNDLED and not source.lower().endswith(".onnx"):
        if not Path(source).exists():
            names = ", ".join(BUNDLED)
            raise DataError(f"{source}: there is no such model. Expected {names}, an ONNX file, or a model folder.")
        saved = load_model(source)
        return Start(saved.model, saved.vocabulary, saved.history, config.characters or "union", saved.rules)
    from ctckit.ocr.networks.pretrained.reading import read_onnx

    bundled = BUNDLED.get(source)
    path = Path(source) if bundled is None else file_of(source)
    found = read_onnx(path)
    stage = Stage("model", bundled.title if bundled else path.name, bundled.license if bundled else "", found.sha256)
    return Start(found.network, found.vocabulary, (stage,), config.characters or "data")


def with_classes(network: Network, old: Vocabulary, new: Vocabulary) -> Network:
    """Return a network with the weights of another one, and with other classes.

    What depends on the number of classes, in its first dimension, belongs to the last layer: its rows are carried over
    by their tokens.

    Args:
        network: The network; it stays as it is.
        old: Its classes.
        new: The classes of the new one.

    Raises:
        InvalidInputError: If the network depends on the number of classes in another way.
    """
    rows = _rows(old, new)
    result = build(name_of(network), {**_fields(network), "num_classes": len(new)})
    of_classes = class_parameters(network)
    weights = network.state_dict()
    state = {name: _carry(tensor, rows) if name in of_classes else tensor for name, tensor in weights.items()}
    result.load_state_dict(state)
    return result


def class_parameters(network: Network) -> frozenset[str]:
    """Return the names of the parameters and buffers that have a row for each class.

    Raises:
        InvalidInputError: If others depend on the number of classes, too.
    """
    name, more = name_of(network), {**_fields(network), "num_classes": network.num_classes + 1}
    shapes = shapes_of(name, more) or build(name, more).state_dict()
    found = set()
    for key, tensor in network.state_dict().items():
        before, after = tuple(tensor.shape), tuple(shapes[key].shape)
        if before == after:
            continue
        if not before or after != (before[0] + 1, *before[1:]):
            raise InvalidInputError(
                f"{key} of {name} has shape {before}, and {after} for one class more; expected a row."
            )
        found.add(key)
    return frozenset(found)


def _fields(network: Network) -> dict[str, Any]:
    return {field.name: getattr(network.config, field.name) for field in fields(network.config)}


def _rows(old: Vocabulary, new: Vocabulary) -> list[int | None]:
    """Return the old class whose row each new class takes; None if there is none."""
    known = {token: position for position, token in enumerate(old.tokens) if token}

    def row(token: str) -> int | None:
        return known.get(token, known.get(unicodedata.normalize("NFKD", token)[0]))

    return [row(token) if token else old.blank for token in new.tokens]


def _carry(tensor: torch.Tensor, rows: Sequence[int | None]) -> torch.Tensor:
    zeros = torch.zeros_like(tensor[0])
    return torch.stack([zeros if row is None else tensor[row] for row in rows])
