"""The options of acoustic models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from ctckit.cli.options import ChunkSeconds, Device, DeviceOption

if TYPE_CHECKING:
    from ctckit.acoustic_models import AcousticModel


@dataclass(frozen=True)
class AcousticOptions:
    """How a model reads a recording."""

    panel: ClassVar[str] = "Recordings"
    device: DeviceOption = Device.auto
    language: Annotated[
        str | None, typer.Option(help="The adapter of a model that has one for each language, as MMS; for example deu.")
    ] = None
    channel: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="The channel of the recording. By default the mean of those that are not silent, or the first one if "
            "they cancel each other.",
        ),
    ] = None
    chunk_seconds: ChunkSeconds = 30.0
    batch_size: Annotated[
        int, typer.Option(min=1, help="How many pieces the model gets at a time; more than one is faster on a GPU.")
    ] = 1

    def load(self, name: str) -> AcousticModel:
        """Return the acoustic model with this name; its plug-in gets the options that are given."""
        from ctckit.acoustic_models import load_model

        options = {"language": self.language, "device": None if self.device is Device.auto else self.device.value}
        return load_model(name, **{option: value for option, value in options.items() if value is not None})

    def reading(self) -> dict[str, Any]:
        """Return the arguments for ``listen`` and ``listen_in_chunks``."""
        return {"channel": self.channel, "chunk_seconds": self.chunk_seconds, "batch_size": self.batch_size}
