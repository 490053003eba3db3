"""What the OpenAPI page says besides the forms of answers: what the service is, examples, errors, bodies."""

from __future__ import annotations

from typing import Any

from ctckit.service.schemas import ErrorAnswer

ABOUT = """Reads text lines, decodes and aligns, by CTC.

Not on this page: `WS /stream`, which gives text while audio comes, and `GET /metrics`, the counts for Prometheus.
Each error is `{"error": {"kind", "message"}}`.
"""
NPY_BODY = {
    "requestBody": {
        "required": True,
        "description": "A .npy file of NumPy: natural log-probabilities (T, C).",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}

HEALTH: dict[str, Any] = {"status": "ok", "version": "0.1.0", "models": ["decoder", "recognizer"]}
READ: dict[str, Any] = {
    "lines": [
        {
            "name": "line1.png",
            "readings": [
                {
                    "text": "a",
                    "log_prob": -0.01,
                    "confidence": 0.99,
                    "score": -0.01,
                    "spans": [
                        {
                            "character": "a",
                            "start": 1,
                            "end": 2,
                            "left": 8,
                            "right": 16,
                            "top": 0,
                            "bottom": 32,
                            "log_prob": -0.01,
                        }
                    ],
                }
            ],
            "error": None,
        },
        {
            "name": "line2.png",
            "readings": [],
            "error": {
                "kind": "DataError",
                "message": "images[1] cannot be read as an image (cannot identify image file).",
            },
        },
    ]
}
DECODE: dict[str, Any] = {
    "hypotheses": [
        {
            "type": "Hypothesis",
            "text": "a",
            "log_prob": -0.17,
            "lm_log_prob": 0.0,
            "score": -0.17,
            "words": [{"text": "a", "start": 0, "end": 2, "confidence": 0.99}],
            "spans": [{"token": 1, "text": "a", "start": 0, "end": 2, "log_prob": -0.08, "confidence": 0.99}],
            "parts": {
                "token_lm_log_prob": 0.0,
                "word_lm_log_prob": 0.0,
                "words": 1,
                "oov_letters": 0,
                "hotwords": 0.0,
                "word_indices": [-1],
            },
            "vocabulary": {
                "blank": 0,
                "tokens": {"1": "a", "4": " "},
                "separator": " ",
                "word_start": None,
                "continuation": None,
                "silent": [],
                "byte_tokens": None,
            },
            "word_names": None,
        }
    ]
}
ALIGN: dict[str, Any] = {
    tier: [{"text": text, "start_seconds": 0.0, "end_seconds": 0.05, "confidence": 0.99}]
    for tier, text in {"lines": "A!", "words": "A!", "tokens": "a"}.items()
}


def answers(example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """Return the answers of a route: an example of its results, and all errors."""
    return {200: {"description": "The result.", **_body(example)}, **_ERRORS}


def _body(example: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"example": example}}}


def _error(description: str, kind: str, message: str) -> dict[str, Any]:
    example = {"error": {"kind": kind, "message": message}}
    return {"model": ErrorAnswer, "description": description, **_body(example)}


_RETRY_AFTER = {"Retry-After": {"description": "When to try again, in seconds.", "schema": {"type": "integer"}}}
_ERRORS: dict[int | str, dict[str, Any]] = {
    400: _error(
        "Bad input: what, where, what was expected.",
        "DataError",
        "the body has the dtype int64; expected a .npy file of floats, (T, 97).",
    ),
    408: _error("The body came too slowly.", "TooSlow", "the body did not come within 30 seconds."),
    413: _error("Too large.", "TooLarge", "the body has more than 33,554,432 bytes, the most that this service takes."),
    422: _error(
        "A parameter is missing or wrong.", "InvalidRequest", "n_best: Input should be greater than or equal to 1"
    ),
    500: _error("A fault of the service.", "Unexpected", "an error of this service; its log says more."),
    503: {
        **_error("Too many requests are under way.", "Busy", "256 requests are under way; try again."),
        "headers": _RETRY_AFTER,
    },
    504: _error("The answer was not ready in time.", "TooSlow", "the answer was not ready within 60 seconds."),
}
