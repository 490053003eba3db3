"""``Service``: what the routes share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastapi import FastAPI

from ctckit.service.answers import RefusedError
from ctckit.service.batching import Batcher
from ctckit.service.limits import Limits
from ctckit.service.metrics import Metrics
from ctckit.service.models import Models

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Service:
    """The app, its models and limits, and its batchers, which the app starts and stops.

    Attributes:
        one_at_a_time: Held while the acoustic model computes: few networks may be used by two threads at once.
    """

    app: FastAPI
    models: Models
    limits: Limits
    metrics: Metrics
    batchers: list[Batcher[Any, Any]] = field(default_factory=list)
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def batcher(
        self, route: str, compute: Callable[[Sequence[Item]], Sequence[Result | Exception]]
    ) -> Batcher[Item, Result]:
        """Return a new batcher, whose batches are counted under a route."""
        count = self.metrics.batches.labels(route).observe
        limits = self.limits
        made = Batcher(compute, most=limits.batch, window_seconds=limits.window_seconds, note=count)
        self.batchers.append(made)
        return made

    async def answered(self, result: Awaitable[Result]) -> Result:
        """Wait for a result, not too long.

        Raises:
            RefusedError: With the status 504.
        """
        seconds = self.limits.answer_seconds
        try:
            return await asyncio.wait_for(result, seconds)
        except (asyncio.TimeoutError, TimeoutError):
            raise RefusedError(504, "TooSlow", f"the answer was not ready within {seconds:g} seconds.") from None

    @staticmethod
    async def together(results: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
        """Wait for several results; if one fails, nobody waits for the others any more."""
        tasks = [asyncio.ensure_future(each) for each in results]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
