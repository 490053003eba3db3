"""Errors as answers: {"error": {"kind", "message"}}, with the status of HTTP. None has a path of the server."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from ctckit.errors import CTCKitError

RETRY_SECONDS = 1


class RefusedError(Exception):
    """A request that is not answered as wanted."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message


def bad_input(error: CTCKitError) -> RefusedError:
    """Return the answer to bad input, which is the library's own message."""
    return RefusedError(400, type(error).__name__, str(error))


def as_json(error: RefusedError) -> dict[str, Any]:
    """Return the body of an error."""
    return {"error": {"kind": error.kind, "message": error.message}}


def error_answer(error: RefusedError) -> JSONResponse:
    """Return an error as an answer; a client that comes too early learns when to try again."""
    headers = {"Retry-After": str(RETRY_SECONDS)} if error.status == 503 else {}
    if error.status in (408, 413):
        headers["Connection"] = "close"  # the rest of the body is not read
    return JSONResponse(as_json(error), error.status, headers)
