"""The rows of inputs, computed by actors of Ray.

Ray places the actors and starts those that die again, here or on another machine. Here, each one gets the next few
inputs when it has finished some, or when it is ready again. (``ray.data`` wants the list of all inputs first and gives
rows when a whole block of them is done, so more work would be lost with the command; ``ray.util.ActorPool`` does not
say which inputs ended an actor, and Ray's own retries count the time until a dead machine is noticed.)
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any

from ctckit import _checks
from ctckit.bulk.pipeline import Work, rows_of
from ctckit.bulk.rows import Problem, Row, shown
from ctckit.distributed.threads import start_for_good
from ctckit.errors import CTCKitError, DataError

DEATHS = 3  # of actors with the same inputs, after which the fault is probably that of an input


@contextmanager
def cluster(address: str | None) -> Iterator[Any]:
    """Yield Ray, connected to a cluster; the connection ends with the block, unless it was there before.

    Args:
        address: The address of a cluster; None is that of ``RAY_ADDRESS``, or one on this machine, which is started if
            there is none.

    Raises:
        MissingDependencyError: If Ray is not installed.
        DataError: If there is no cluster at the address.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise _checks.missing(error, "--engine ray", "ray") from error
    if ray.is_initialized():
        yield ray
        return
    try:
        ray.init(address, log_to_driver=False, logging_level="CRITICAL")
    except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        where = "" if address is None else f" at {address}"
        raise DataError(
            f"there is no Ray cluster{where}, or it has a token that is not known here ({error}). Start one with ray "
            "start --head, or set RAY_AUTH_MODE=token and copy ~/.ray/auth_token from its first machine."
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


@contextmanager
def actors(ray: Any, start: Callable[[], Work], workers: int | None, *, gpu: bool) -> Iterator[Actors]:
    """Yield actors, at least one of which is ready. They end with the block.

    Args:
        ray: The module, connected to a cluster.
        start: Returns the work, in an actor; it is sent there.
        workers: The number of actors; None is one for each processor, or GPU, of the cluster. Those for which the
            cluster has no room work as soon as it has.
        gpu: Whether each has a GPU.

    Raises:
        DataError: If a machine lacks the folder of this process, or has another version of ctckit.
        CTCKitError: If the work cannot be started.
    """
    count = workers or max(1, int(ray.cluster_resources().get("GPU" if gpu else "CPU", 1)))
    kind = ray.remote(num_cpus=1, num_gpus=int(gpu), max_restarts=-1)(_Actor)
    started = [kind.remote(start, os.getcwd(), metadata.version("ctckit")) for _ in range(count)]
    try:
        ready = [actor.at_once.remote() for actor in started]
        [first], _ = ray.wait(ready)
        try:
            at_once = _result(ray, first)
        except ray.exceptions.ActorUnavailableError as error:
            raise DataError(f"a worker has died while it loaded the models ({error}). Give it more memory.") from error
        yield Actors(ray, started, at_once)
    finally:
        for actor in started:
            ray.kill(actor)


class Actors:
    """Actors of Ray that compute rows.

    Args:
        ray: The module.
        actors: The actors.
        at_once: How many inputs one gets at a time.
    """

    def __init__(self, ray: Any, actors: Sequence[Any], at_once: int) -> None:
        self._ray, self._actors, self._at_once = ray, actors, at_once

    def rows(self, paths: Iterable[str]) -> Iterator[list[Row]]:
        """Yield the rows of inputs, a few at a time, in the order in which they are finished.

        Raises:
            DataError: If an actor is gone for good.
            MissingDependencyError: If a package is missing.
        """
        rest = iter(paths)
        again: list[_Part] = []
        computing: dict[Any, tuple[Any, _Part]] = {
            actor.ready.options(max_task_retries=-1).remote(): (actor, _Part()) for actor in self._actors
        }
        left = True
        while left or again or any(part.paths for _, part in computing.values()):
            [done], _ = self._ray.wait(list(computing))
            actor, part = computing.pop(done)
            try:
                rows = _result(self._ray, done)
            except self._ray.exceptions.ActorUnavailableError:
                computing[actor.ready.options(max_task_retries=-1).remote()] = actor, _Part()
                again += part.again()
                rows = part.errors()
            else:
                following = again.pop() if again else _Part(list(islice(rest, self._at_once)))
                if following.paths:
                    computing[actor.rows_of.remote(following.paths)] = actor, following
                else:
                    left = False
                    self._ray.kill(actor)  # others may wait for its place
            if rows:
                yield rows


@dataclass(frozen=True)
class _Part:
    """Inputs that an actor gets together.

    Attributes:
        paths: The inputs.
        deaths: How many actors have died with them.
    """

    paths: Sequence[str] = ()
    deaths: int = 0

    def again(self) -> list[_Part]:
        """Return what is computed again after one more actor has died: these inputs, or later each of them alone."""
        if self.paths and self.deaths + 1 < DEATHS:
            return [_Part(self.paths, self.deaths + 1)]
        return [_Part([path]) for path in self.paths] if len(self.paths) > 1 else []

    def errors(self) -> list[Row]:
        """Return the row of an input that is not computed again."""
        if self.again():
            return []
        error: Problem = {
            "what": f"{DEATHS} workers have died with it.",
            "remedy": "Leave it out, or give the workers more memory.",
        }
        return [Row(shown(path), error=error) for path in self.paths]


class _Actor:
    """Computes rows in a process of Ray."""

    def __init__(self, start: Callable[[], Work], folder: str, version: str) -> None:
        self._start, self._folder, self._version = start, folder, version

    def at_once(self) -> int:
        return self._work.at_once

    def ready(self) -> list[Row]:
        """Load the models; there are no rows."""
        _ = self._work
        return []

    def rows_of(self, part: Sequence[str]) -> list[Row]:
        return rows_of(self._work, part, [Path(each) for each in part])

    @cached_property
    def _work(self) -> Work:
        machine, version = socket.gethostname(), metadata.version("ctckit")
        if version != self._version:
            raise DataError(
                f"the machine {machine} has ctckit {version}, this one {self._version}. Install the same version."
            )
        try:
            os.chdir(self._folder)  # so that relative paths, of inputs and models, mean the same files
        except OSError as error:
            raise DataError(
                f"{self._folder}: is not there on the machine {machine} ({error.strerror}). Give the command in a "
                "folder that all machines share."
            ) from None
        return start_for_good(self._start, 1)


def _result(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, CTCKitError):
            raise error.cause from None
        raise
    except ray.exceptions.ActorDiedError as error:
        raise DataError(f"a worker cannot be started again ({error}). Look at the logs of Ray.") from error
