"""WS /stream: text while the audio, or the log-probabilities of it, come.

The client sends one JSON object, {"kind": "float32" | "int16" | "log_probs", "rate": samples per second of audio}. Then
it sends binary messages: samples of one channel, or frames (T, C) of float32, all little-endian. The service answers
each with {"partial": …} if the text has changed. In a long stream there is now and then a {"segment": …} beside it:
text that is final, and in no later message. {"end": true} gives {"final": …}, the rest, and the service closes. What is
wrong gives {"error": …}, and the service closes. For captions, the first message has "commit_after" as well: text that
ended so many seconds ago is final. For log-probabilities these are seconds if there is a "stride", the seconds from one
frame to the next, and frames if not.
"""

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from fastapi import WebSocket, WebSocketDisconnect
from fastapi.concurrency import run_in_threadpool

from ctckit.decoding.streaming import DecodeStream
from ctckit.errors import CTCKitError, DataError
from ctckit.service.answers import RefusedError, as_json, bad_input
from ctckit.service.service import Service

if TYPE_CHECKING:
    from ctckit.acoustic_models import AcousticModel

Frames = Callable[[bytes | None], list[npt.NDArray[Any]]]

SEGMENT_TOKENS = 1000  # of a partial result: above them, what is closed is sent as a segment
BAD, BUSY = 1008, 1013  # codes of the protocol: against the rules, try again later
_SAMPLES = {"float32": ("<f4", 1.0), "int16": ("<i2", 32768.0)}
RATES = (100, 400_000)
MOST_STRIDE = 10  # seconds, as of POST /align
MOST_DELAY = 1_000_000


def add_stream(service: Service) -> None:
    """Add the route to the app."""
    open_streams = 0

    @service.app.websocket("/stream")
    async def stream(socket: WebSocket) -> None:
        nonlocal open_streams
        await socket.accept()
        if open_streams >= service.limits.streams:
            await _refuse(socket, RefusedError(503, "Busy", f"{open_streams} streams are open; try again."), BUSY)
            return
        open_streams += 1
        service.metrics.streams.set(open_streams)
        try:
            await _serve(service, socket)
        except WebSocketDisconnect:
            pass
        except (RefusedError, CTCKitError) as error:
            await _refuse(socket, error if isinstance(error, RefusedError) else bad_input(error), BAD)
        finally:
            open_streams -= 1
            service.metrics.streams.set(open_streams)


async def _refuse(socket: WebSocket, error: RefusedError, code: int) -> None:
    await socket.send_json(as_json(error))
    await socket.close(code)


async def _serve(service: Service, socket: WebSocket) -> None:
    for name in socket.query_params:
        raise DataError(f"{name}: the address of a stream has no parameters; send it in the first message.")
    begin = await _received(service, socket)
    if not isinstance(begin, dict):
        raise DataError('the first message is binary; expected an object such as {"kind": "int16", "rate": 16000}.')
    frames_of = _frames(service, begin)
    stream = _new_stream(service, begin)

    def push(content: bytes | None) -> None:
        for log_probs in frames_of(content):
            stream.push(log_probs)

    def now() -> dict[str, Any]:
        partial = stream.partial()
        if len(partial.stable_tokens) < SEGMENT_TOKENS:
            return {"partial": partial.to_dict()}
        return {"segment": stream.take().to_dict(), "partial": stream.partial().to_dict()}

    shown: Any = None
    while isinstance(content := await _received(service, socket), bytes):
        await run_in_threadpool(push, content)
        answer = await run_in_threadpool(now)
        if answer != shown:
            shown = answer
            await socket.send_json(answer)
    if content != {"end": True}:
        raise DataError('a message is neither binary nor {"end": true}.')
    await run_in_threadpool(push, None)
    await socket.send_json({"final": (await run_in_threadpool(stream.finish)).to_dict()})
    await socket.close()


def _new_stream(service: Service, begin: dict[str, Any]) -> DecodeStream:
    acoustic = service.models.acoustic
    stride = begin.get("stride") if begin["kind"] == "log_probs" or acoustic is None else acoustic.frame_seconds
    for name, value, most in (("stride", stride, MOST_STRIDE), ("commit_after", begin.get("commit_after"), MOST_DELAY)):
        if value is not None and (not _is_number(value) or not 0 < value <= most):
            raise DataError(f"{name} is {json.dumps(value)}; expected a number above 0, at most {most:,}.")
    return service.models.decoder.stream(commit_after=begin.get("commit_after"), stride=stride)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


async def _received(service: Service, socket: WebSocket) -> bytes | dict[str, Any]:
    """Return the next message."""
    limits = service.limits
    try:
        message = await asyncio.wait_for(socket.receive(), limits.body_seconds)
    except (asyncio.TimeoutError, TimeoutError):
        raise RefusedError(408, "TooSlow", f"no message came within {limits.body_seconds:g} seconds.") from None
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    content: bytes | None = message.get("bytes")
    if content is None:
        try:
            found = json.loads(message["text"])
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise DataError("a message in text is not an object of JSON.")
        return found
    if len(content) > limits.body_bytes:
        raise DataError(f"a message has more than {limits.body_bytes:,} bytes, the most that this service takes.")
    return content


def _frames(service: Service, begin: dict[str, Any]) -> Frames:
    """Return a function from messages to log-probabilities; None is the end.

    Raises:
        DataError: If the first message is wrong, or the service has no model for it.
    """
    if unknown := set(begin) - {"kind", "rate", "stride", "commit_after"}:
        raise DataError(f"{json.dumps(min(unknown))} is not known; expected kind, rate, stride and commit_after.")
    kind, rate = begin.get("kind"), begin.get("rate")
    if kind == "log_probs":
        if "rate" in begin:
            raise DataError("rate is given, but log_probs are frames; give stride, the seconds from one to the next.")
        return _frames_as_sent(len(service.models.vocabulary))
    if not isinstance(kind, str) or kind not in _SAMPLES:
        raise DataError(f'kind is {json.dumps(kind)}; expected "float32", "int16" or "log_probs".')
    if service.models.acoustic is None:
        raise DataError('this service has no acoustic model; expected "kind": "log_probs".')
    if "stride" in begin:
        raise DataError("stride is given, but the acoustic model knows it; leave it out.")
    if not isinstance(rate, int) or not RATES[0] <= rate <= RATES[1]:
        raise DataError(f"rate is {json.dumps(rate)}; expected the samples per second, {RATES[0]} to {RATES[1]}.")
    return _heard_frames(service, service.models.acoustic, kind, rate)


def _frames_as_sent(classes: int) -> Frames:
    def frames(content: bytes | None) -> list[npt.NDArray[Any]]:
        if content is None:
            return []
        if len(content) % (4 * classes):
            raise DataError(
                f"a message has {len(content):,} bytes; expected frames of {classes} float32, 4 bytes each."
            )
        return [np.frombuffer(content, "<f4").reshape(-1, classes).astype(np.float32)]

    return frames


def _heard_frames(service: Service, acoustic: "AcousticModel", kind: str, rate: int) -> Frames:
    from ctckit.acoustic_models import Listener

    listener = Listener(acoustic, rate=rate)
    dtype, full = _SAMPLES[kind]

    def frames(content: bytes | None) -> list[npt.NDArray[Any]]:
        with service.one_at_a_time:
            if content is None:
                return [chunk.log_probs for chunk in listener.finish()]
            if len(content) % np.dtype(dtype).itemsize:
                raise DataError(f"a message has {len(content):,} bytes; expected whole samples of {kind}.")
            samples = np.frombuffer(content, dtype).astype(np.float32) / np.float32(full)
            return [chunk.log_probs for chunk in listener.push(samples)]

    return frames
