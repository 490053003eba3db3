"""Items of many requests, computed together: a network and a decoder are faster with a batch than one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Computes items that come within a few milliseconds as one batch, in a thread of its own.

    The next batch is what came while the last one was computed. A request that nobody waits for any more is left out.

    Args:
        compute: From items to one result each, or the exception that is the answer for this item.
        most: The most items in a batch.
        window_seconds: How long the first item waits for others.
        note: Is told the number of items of each batch.
    """

    def __init__(
        self,
        compute: Callable[[Sequence[Item]], Sequence[Result | Exception]],
        *,
        most: int,
        window_seconds: float,
        note: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._compute, self._most, self._window, self._note = compute, most, window_seconds, note
        self._waiting: asyncio.Queue[tuple[Item, asyncio.Future[Result]]] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work, in the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def stop(self) -> None:
        """Stop; the caller has seen that nothing waits."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown(wait=True)

    async def result(self, item: Item) -> Result:
        """Return the result of an item.

        Raises:
            Exception: The one that ``compute`` returned for the item, or raised.
        """
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((item, answer))
        return await answer

    async def _work(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            await asyncio.sleep(self._window)
            while len(batch) < self._most and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            await self._answer([each for each in batch if not each[1].done()])

    async def _answer(self, batch: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        if not batch:
            return
        self._note(len(batch))
        items = [item for item, _ in batch]
        results: Sequence[Result | Exception]
        try:
            results = await asyncio.get_running_loop().run_in_executor(self._thread, self._compute, items)
        except Exception as error:  # of any model: the requests get it, and the service goes on
            results = [error] * len(batch)
        for (_, answer), result in zip(batch, results, strict=True):
            if answer.done():
                continue
            if isinstance(result, Exception):
                answer.set_exception(result)
            else:
                answer.set_result(result)
