"""POST /decode: log-probabilities of a network → the best texts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Any

import numpy.typing as npt
from fastapi import Depends, Query, Request

from ctckit.decoding.beam import BeamDecoder
from ctckit.decoding.hypothesis import Hypothesis
from ctckit.errors import CTCKitError
from ctckit.service.answers import expect_known_parameters
from ctckit.service.openapi import DECODE, NPY_BODY, answers
from ctckit.service.payloads import array_of
from ctckit.service.schemas import DecodeAnswer
from ctckit.service.service import Service


@dataclass(frozen=True, eq=False)
class _Item:
    log_probs: npt.NDArray[Any]
    n_best: int
    hotwords: tuple[str, ...]


def add_decode(service: Service) -> None:
    """Add the route to the app."""
    limits, decoder = service.limits, service.models.decoder
    batcher = service.batcher("/decode", _decoder(decoder))

    @service.app.post(
        "/decode",
        response_model=DecodeAnswer,
        responses=answers(DECODE),
        dependencies=[Depends(expect_known_parameters)],
        openapi_extra=NPY_BODY,
        summary="Decode log-probabilities by beam search.",
    )
    async def decode(
        request: Request,
        n_best: Annotated[int, Query(ge=1, le=limits.n_best, description="The most texts.")] = 1,
        hotword: Annotated[
            list[str], Query(max_length=1000, description="A word or phrase to favor, in this request alone.")
        ] = [],  # noqa: B006 (FastAPI copies it)
    ) -> Any:
        """The body is a .npy file of NumPy: natural log-probabilities (T, C), float16, float32 or float64.

        `curl --data-binary @posteriors.npy "http://127.0.0.1:8000/decode?n_best=3&hotword=Zurich"`
        """
        content = await request.body()
        log_probs = array_of(content, classes=len(decoder.vocabulary), most_frames=limits.frames)
        found = await service.answered(batcher.result(_Item(log_probs, n_best, tuple(hotword))))
        return {"hypotheses": [each.to_dict() for each in found]}


def _decoder(
    decoder: BeamDecoder,
) -> Callable[[Sequence[_Item]], list[list[Hypothesis] | Exception]]:
    def texts(items: Sequence[_Item]) -> list[list[Hypothesis] | Exception]:
        """Return the texts of items with the same settings."""
        arrays, first = [each.log_probs for each in items], items[0]
        try:
            return list(decoder.decode(arrays, n_best=first.n_best, hotwords=list(first.hotwords) or None))
        except CTCKitError as error:  # of one item: which one it is shows one at a time
            return [error] if len(items) == 1 else [each for item in items for each in texts([item])]

    def settings(numbered: tuple[int, _Item]) -> Any:
        return numbered[1].n_best, numbered[1].hotwords

    def decode(items: Sequence[_Item]) -> list[list[Hypothesis] | Exception]:
        found: list[list[Hypothesis] | Exception] = [[] for _ in items]
        for _, group in groupby(sorted(enumerate(items), key=settings), settings):
            places, own = zip(*group, strict=True)
            for place, each in zip(places, texts(own), strict=True):
                found[place] = each
        return found

    return decode
