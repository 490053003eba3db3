"""Bounds for every request, before anything of it is read: how many are under way, how large and how slow a body is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.requests import Request

from ctckit.service.answers import RefusedError, error_answer
from ctckit.service.limits import Limits
from ctckit.service.metrics import Metrics

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

FREE = ("/health", "/metrics")  # answered also when the service is busy


class Guard:
    """ASGI middleware. ``route_of``: the name of a path in the metrics; it has few values, whatever clients ask for."""

    def __init__(self, app: ASGIApp, limits: Limits, metrics: Metrics, route_of: Callable[[str], str]) -> None:
        self._app, self._limits, self._metrics, self._route_of = app, limits, metrics, route_of
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin, status = time.perf_counter(), 0
        body = _Body(receive, self._limits)

        async def sent(message: Message) -> None:
            nonlocal status
            if body.refused is not None and not status:
                return  # whatever the app makes of the error: the answer is below
            if message["type"] == "http.response.start":
                status = 499 if await body.is_left(scope) else message["status"]
            await send(message)

        free = scope["path"] in FREE
        self._under_way += not free
        self._metrics.under_way.set(self._under_way)
        try:
            if not free and self._under_way > self._limits.requests:
                raise RefusedError(503, "Busy", f"{self._limits.requests} requests are under way; try again.")
            body.expect_short(dict(scope["headers"]).get(b"content-length", b""))
            await self._app(scope, body.receive, sent)
            if body.refused is not None:
                raise body.refused
        except RefusedError as refused:
            if not status:
                status = refused.status
                await error_answer(refused)(scope, receive, send)
        finally:
            self._under_way -= not free
            self._metrics.under_way.set(self._under_way)
            route = self._route_of(scope["path"])
            self._metrics.answers.labels(route, str(status or 499)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - begin)


class _Body:
    """The body of a request, as it comes. ``refused``: why it is not read to its end."""

    def __init__(self, receive: Receive, limits: Limits) -> None:
        self.refused: RefusedError | None = None
        self._receive, self._limits = receive, limits
        self._end = time.monotonic() + limits.body_seconds
        self._bytes, self._whole = 0, False

    def expect_short(self, declared: bytes) -> None:
        """Check the length that the head of the request declares."""
        if declared.isdigit() and int(declared) > self._limits.body_bytes:
            raise self._refusal(413, "TooLarge", self._most)

    async def receive(self) -> Message:
        """Return the next message of the client."""
        if self._whole:
            return await self._receive()  # waits until the client goes away
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._end - time.monotonic()))
        except (asyncio.TimeoutError, TimeoutError):
            seconds = self._limits.body_seconds
            raise self._refusal(408, "TooSlow", f"the body did not come within {seconds:g} seconds.") from None
        if message["type"] == "http.disconnect":
            raise self._refusal(499, "Gone", "the client went away before the end of its request.")
        self._bytes += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._bytes > self._limits.body_bytes:
            raise self._refusal(413, "TooLarge", self._most)
        return message

    async def is_left(self, scope: Scope) -> bool:
        """Return whether the client went away after its body, so that nobody gets the answer."""
        return self._whole and await Request(scope, self._receive).is_disconnected()

    @property
    def _most(self) -> str:
        return f"the body has more than {self._limits.body_bytes:,} bytes, the most that this service takes."

    def _refusal(self, status: int, kind: str, message: str) -> RefusedError:
        self.refused = RefusedError(status, kind, message)
        return self.refused
