"""Errors as answers: {"error": {"kind", "message"}}, with the status of HTTP. None has a path of the server."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from ctckit.errors import CTCKitError

RETRY_SECONDS = 1


class RefusedError(Exception):
    """A request that is not answered as wanted."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message


async def expect_known_parameters(request: Request) -> None:
    """Refuse a parameter or a field of the form that the route does not have: a misspelt one would do nothing.

    Raises:
        RefusedError: With the status 422.
    """
    route = request.scope["route"].dependant
    parameters = {each.alias for each in route.query_params}
    fields = {each.alias for each in route.body_params}
    for name in request.query_params:
        if name in fields:
            raise _misplaced(name, f"is a field of the form; send it there, as curl -F {name}=… does")
        if name not in parameters:
            raise _misplaced(name, f"there is no such parameter; {_expected(parameters)}")
    for name in await request.form() if fields else ():
        if name in parameters:
            raise _misplaced(name, f"belongs in the address, not in the form: {request.url.path}?{name}=…")
        if name not in fields:
            raise _misplaced(name, f"there is no such field; {_expected(fields)}")


def _misplaced(name: str, why: str) -> RefusedError:
    return RefusedError(422, "InvalidRequest", f"{name}: {why}.")


def _expected(names: Collection[str]) -> str:
    return f"expected {' or '.join(sorted(names))}" if names else "expected none"


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
