"""``Limits``: what one request may have, and how many requests wait."""

from __future__ import annotations

from dataclasses import dataclass

from ctckit import _checks


@dataclass(frozen=True)
class Limits:
    """The bounds of a service. What is above them gets an answer that says so; nothing grows without end.

    The memory of bodies is at most ``requests`` · ``body_bytes``.

    Attributes:
        body_bytes: The largest body of a request, and the largest message of a stream, in bytes.
        images: The most images in one request.
        pixels: The most pixels of one image.
        frames: The most frames of log-probabilities in one request.
        recording_seconds: The longest recording in one request.
        n_best: The most texts for one item.
        requests: The most requests under way, those that wait among them; for more there is 503 and ``Retry-After``.
        streams: The most streams that are open at once.
        body_seconds: How long the body of a request may take to come, and how long a stream may be silent.
        answer_seconds: How long a request may wait for its answer after its body has come.
        window_seconds: How long a request waits for others to be computed with it.
        batch: The most items that are computed together.

    Example:
        >>> from ctckit.service import Limits
        >>> Limits(requests=64, body_bytes=8 << 20).answer_seconds
        60.0
    """

    body_bytes: int = 32 << 20
    images: int = 64
    pixels: int = 20_000_000
    frames: int = 100_000
    recording_seconds: float = 600.0
    n_best: int = 100
    requests: int = 256
    streams: int = 32
    body_seconds: float = 30.0
    answer_seconds: float = 60.0
    window_seconds: float = 0.005
    batch: int = 32

    def __post_init__(self) -> None:
        for name in ("body_bytes", "images", "pixels", "frames", "n_best", "requests", "streams", "batch"):
            _checks.positive_integer(getattr(self, name), name)
        for name in ("recording_seconds", "body_seconds", "answer_seconds"):
            _checks.number(getattr(self, name), name, 0.001, float("inf"))
        _checks.number(self.window_seconds, "window_seconds", 0.0, 10.0)
