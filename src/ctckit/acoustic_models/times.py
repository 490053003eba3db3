"""From the frames of a model to times in its recording: the model's lag, and the quiet parts between sounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

from ctckit.acoustic_models import audio
from ctckit.acoustic_models.model import AcousticModel
from ctckit.alignment.silence import quiet_spans


def time_settings(
    model: AcousticModel | None,
    recording: Path | None,
    channel: int | None = None,
    *,
    lag: float | None = None,
    boundaries: str | None = None,
) -> dict[str, Any]:
    """Return the arguments of ``timed_tiers`` for ``boundaries``, ``lag_seconds`` and ``quiet``.

    Without a choice, the sounds of a model with a known lag are contiguous.

    Args:
        model: The acoustic model; None for posteriors.
        recording: The recording; None for posteriors.
        channel: The channel of it that the model has heard; None: not chosen.
        lag: The lag in seconds; by default that of the model.
        boundaries: The rule for the start and the end of a token; None: not chosen.
    """
    known = lag if lag is not None or model is None else model.lag
    kind = boundaries or ("occupancy" if known is None else "contiguous")
    return {"boundaries": kind, "lag_seconds": known or 0.0, "quiet": _quiet(kind, model, recording, channel)}


def _quiet(kind: str, model: AcousticModel | None, recording: Path | None, channel: int | None) -> Any:
    if kind != "contiguous" or model is None or recording is None:
        return None
    with catch_warnings():
        simplefilter("ignore")  # they were given when the model heard the recording
        return quiet_spans(audio.blocks(recording, model.rate, channel), model.rate)
