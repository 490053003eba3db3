"""Networks that read line images, by name.

``base`` says what a network is, ``crnn`` and ``line`` are two, and ``pretrained`` has those that began as an ONNX file.
To add a network, write a module with its configuration (a frozen dataclass with a field ``num_classes``, and defaults
for all others) and its class, and register both in ``NETWORKS``::

    NETWORKS = {"crnn": NetworkType(CRNNConfig, CRNN), "mine": NetworkType(MyConfig, MyNetwork)}

Then ``ctckit train --network mine`` trains it, and model folders of it are saved, loaded and read like all others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ctckit.errors import InvalidInputError
from ctckit.ocr.networks.base import FrameCounter, Network, TwoReadings
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from ctckit.ocr.networks.line import LineConfig, LineNetwork
from ctckit.ocr.networks.pretrained import PretrainedConfig, PretrainedNetwork

__all__ = [
    "NETWORKS",
    "FrameCounter",
    "Network",
    "NetworkType",
    "TwoReadings",
    "build",
    "name_of",
    "shapes_of",
    "type_of",
]


@dataclass(frozen=True)
class NetworkType:
    """A kind of network.

    Attributes:
        config: Builds the configuration from its fields by name: a frozen dataclass.
        network: The class of the network, a ``torch.nn.Module`` that is a ``Network``; built from the configuration.
        bfloat16: Whether it trains faster in bfloat16 on a CPU that computes in it, and reads as well afterwards.
    """

    config: Callable[..., Any]
    network: type[Any]
    bfloat16: bool = False


#: The networks by the names that ``ctckit train --network`` and ``model.json`` use.
NETWORKS: dict[str, NetworkType] = {
    "crnn": NetworkType(CRNNConfig, CRNN),
    "line": NetworkType(LineConfig, LineNetwork, bfloat16=True),
    "pretrained": NetworkType(PretrainedConfig, PretrainedNetwork, bfloat16=True),
}


def type_of(name: str) -> NetworkType:
    """Return the kind of network that is registered by this name.

    Raises:
        InvalidInputError: If none is.
    """
    if name not in NETWORKS:
        raise InvalidInputError(f"network is {name!r}; expected one of {', '.join(map(repr, NETWORKS))}.")
    return NETWORKS[name]


def build(name: str, config: Mapping[str, Any]) -> Network:
    """Build a network.

    Args:
        name: A name in ``NETWORKS``.
        config: The fields of its configuration, at least ``num_classes``; lists (from JSON) become tuples.

    Raises:
        InvalidInputError: If the name is not registered, or the configuration cannot be built.

    Example:
        >>> build("crnn", {"num_classes": 11}).frames(101)
        26
    """
    kind = type_of(name)
    network: Network = kind.network(kind.config(**{field: _as_tuples(value) for field, value in config.items()}))
    return network


def shapes_of(name: str, config: Mapping[str, Any]) -> dict[str, torch.Tensor] | None:
    """Return the parameters and buffers of a network without memory for their values.

    Args:
        name: A name in ``NETWORKS``.
        config: As for :func:`build`.

    Returns:
        Tensors of the ``meta`` device by name; None if the network cannot be built on this device.

    Raises:
        InvalidInputError: If the name is not registered, or the configuration cannot be built.

    Example:
        >>> tuple(shapes_of("crnn", {"num_classes": 11, "hidden": 20000})["classes.weight"].shape)
        (11, 40000)
    """
    try:
        with torch.device("meta"):
            return build(name, config).state_dict()
    except RuntimeError:  # its constructor computes with values, which tensors of this device do not have
        return None


def name_of(network: Network) -> str:
    """Return the registered name of a network.

    Raises:
        InvalidInputError: If its class is not registered.
    """
    for name, kind in reversed(NETWORKS.items()):  # a subclass that was registered later comes first
        if isinstance(network, kind.network):
            return name
    raise InvalidInputError(
        f"{type(network).__name__} is not a registered network. Add it to ctckit.ocr.networks.NETWORKS."
    )


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value
