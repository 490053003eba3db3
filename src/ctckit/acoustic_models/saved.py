"""Emissions in a file: computing them is most of the work of an alignment, so that they are worth keeping."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile

import numpy as np

from ctckit._files import write_atomically
from ctckit.acoustic_models.chunked import Emissions
from ctckit.errors import DataError, MissingFileError
from ctckit.vocabulary import Vocabulary

ABOUT = "ctckit_emissions"  # the entry that tells such a file from other .npz files
_BLOCK = 2**20


@dataclass(frozen=True)
class Origin:
    """Where emissions come from.

    Attributes:
        media: The name of the recording.
        digest: The BLAKE2 digest of its file, in hexadecimal digits.
        model: The name of the acoustic model, as ``load_model`` takes it; it spells words.
        chunk_seconds: The length of the pieces that the model got.
        channel: The channel of the recording that was asked for.
        language: The adapter of the model.
    """

    media: str
    digest: str
    model: str | None
    chunk_seconds: float
    channel: int | None = None
    language: str | None = None

    @classmethod
    def of(
        cls,
        recording: Path,
        model: str | None,
        chunk_seconds: float,
        *,
        channel: int | None = None,
        language: str | None = None,
    ) -> Origin:
        """Return the origin of the emissions of a recording.

        Raises:
            DataError: If it cannot be read.
        """
        digest = hashlib.blake2b(digest_size=16)
        try:
            with recording.open("rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        except FileNotFoundError:
            raise MissingFileError(f"{recording}: there is no such file.") from None
        except OSError as error:
            raise DataError(f"{recording}: cannot be read ({error.strerror or error}).") from None
        return cls(recording.name, digest.hexdigest(), model, chunk_seconds, channel, language)


@dataclass(frozen=True, eq=False)
class SavedEmissions:
    """Emissions from a file.

    Attributes:
        emissions: The emissions.
        origin: Where they come from; None if that is not known.
    """

    emissions: Emissions
    origin: Origin | None


def save_emissions(path: Path, emissions: Emissions, origin: Origin | None = None) -> None:
    """Write emissions with their vocabulary and times to a .npz file, exactly.

    Args:
        path: The file; its name ends in .npz.
        emissions: What ``listen`` returned.
        origin: Where they come from.

    Raises:
        DataError: If the file cannot be written.
    """
    about = {
        "version": 1,
        "vocabulary": asdict(emissions.vocabulary),
        "frame_seconds": emissions.frame_seconds,
        "duration_seconds": emissions.duration_seconds,
        "origin": None if origin is None else asdict(origin),
    }
    buffer = io.BytesIO()
    entries: dict[str, Any] = {"log_probs": emissions.log_probs, ABOUT: np.array(json.dumps(about))}
    np.savez(buffer, **entries)
    try:
        write_atomically(path, buffer.getbuffer())
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}).") from error


def are_emissions(path: Path) -> bool:
    """Return whether a file is one that ``save_emissions`` wrote."""
    if not is_zipfile(path):
        return False
    with ZipFile(path) as file:
        return f"{ABOUT}.npy" in file.namelist()


def load_emissions(path: Path) -> SavedEmissions:
    """Return the emissions of a file that ``save_emissions`` wrote.

    Raises:
        DataError: If the file is damaged.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            about: dict[str, Any] = json.loads(str(file[ABOUT]))
            log_probs = file["log_probs"]
        named = about["vocabulary"]
        vocabulary = Vocabulary(**{**named, "tokens": tuple(named["tokens"]), "silent": tuple(named["silent"])})
        emissions = Emissions(log_probs, vocabulary, float(about["frame_seconds"]), float(about["duration_seconds"]))
        if log_probs.ndim != 2 or log_probs.shape[1] != len(vocabulary):
            raise ValueError(f"log_probs has shape {log_probs.shape}, the vocabulary {len(vocabulary)} tokens")
        return SavedEmissions(emissions, None if about["origin"] is None else Origin(**about["origin"]))
    except (BadZipFile, KeyError, OSError, TypeError, ValueError) as error:
        raise DataError(f"{path}: these emissions cannot be used ({error}). Write them again.") from None
