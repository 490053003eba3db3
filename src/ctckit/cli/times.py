"""Options about times that ``ctckit align`` has: the lag of the model, and its measurement."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

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


def read_lag(given: str) -> float:
    """Return the lag that an option names: seconds, or a file that ``--calibrate`` wrote."""
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
