"""Options about times that ``ctckit align`` has: the lag of the model, and its measurement."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from warnings import catch_warnings, simplefilter

import typer

from ctckit.errors import DataError, InvalidInputError

if TYPE_CHECKING:
    from ctckit.acoustic_models import AcousticModel

Spellings = Callable[[str], Sequence[Sequence[str]]]


@dataclass(frozen=True)
class LagOptions:
    """How late the tokens of the model are."""

    panel: ClassVar[str] = "Lag"
    lag: Annotated[
        str | None,
        typer.Option(
            help="How much later than their sounds the tokens are: seconds, or a file that --calibrate wrote. By "
            "default the lag that the model states, or 0."
        ),
    ] = None
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="Do not align, but measure the lag of the model: RECORDING is a folder of recordings, each with a "
            "TextGrid of the same name, whose tier 'words' has the words with their borders. --out names the .json "
            "file.",
        ),
    ] = False


def time_settings(
    lag: str | None,
    boundaries: str | None,
    model: AcousticModel | None,
    recording: Path | None,
    channel: int | None = None,
) -> Any:
    """Return the arguments of ``timed_tiers`` for ``boundaries``, ``lag_seconds`` and ``quiet``.

    Without a choice, the sounds of a model with a known lag are contiguous.

    Args:
        lag: The option.
        boundaries: The option; None: not given.
        model: The acoustic model; None for posteriors.
        recording: The recording; None for posteriors.
        channel: The channel of it that the model has heard; None: not chosen.
    """
    known = _lag(lag) if lag is not None else None if model is None else model.lag
    kind = boundaries or ("occupancy" if known is None else "contiguous")
    return {"boundaries": kind, "lag_seconds": known or 0.0, "quiet": _quiet(kind, model, recording, channel)}


def _quiet(kind: str, model: AcousticModel | None, recording: Path | None, channel: int | None) -> Any:
    from ctckit.acoustic_models import audio
    from ctckit.alignment import quiet_spans

    if kind != "contiguous" or model is None or recording is None:
        return None
    with catch_warnings():
        simplefilter("ignore")  # they were given when the model heard the recording
        return quiet_spans(audio.blocks(recording, model.rate, channel), model.rate)


def _lag(given: str) -> float:
    try:
        return float(given)
    except ValueError:
        path = Path(given)
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["lag_seconds"])
    except FileNotFoundError:
        raise InvalidInputError(f"--lag is {given!r}; expected seconds, or a file that --calibrate wrote.") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{path}: it has no lag_seconds; expected a file that --calibrate wrote.") from None


def calibrate(folder: Path, name: str | None, model: AcousticModel, spellings: Spellings | None, out: Path) -> None:
    """Measure the lag of a model and write it."""
    from ctckit._files import write_atomically
    from ctckit.acoustic_models import measure_lag

    found = measure_lag(folder, model, spellings)
    for reason in found.left_out:
        typer.echo(f"ctckit: left out: {reason}", err=True)
    content = {
        "format": "ctckit-lag",
        "version": 1,
        "model": name,
        "lag_seconds": round(found.seconds, 4),
        "spread_seconds": round(found.spread_seconds, 4),
        "words": found.words,
        "recordings": found.recordings,
    }
    write_atomically(out, (json.dumps(content, indent=2) + "\n").encode())
    typer.echo(f"{out}: {found}")


def expect_calibration(folder: Path, text: Path | None, name: str | None, out: Sequence[Path] | None) -> Path:
    """Return the file to write; raise an error if the arguments are not those of ``--calibrate``."""
    if text is not None or not folder.is_dir():
        raise InvalidInputError(
            f"--calibrate takes a folder of recordings with TextGrids, and no text; got {folder}"
            f"{'' if text is None else f' and {text}'}."
        )
    if name is None:
        raise InvalidInputError("--calibrate needs --model, the acoustic model to measure.")
    if not out or len(out) > 1 or out[0].suffix.lower() != ".json":
        raise InvalidInputError("--calibrate needs one --out, a .json file.")
    return out[0]
