"""POST /read: images of text lines → texts, the places of their characters, confidences."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, File, Query, UploadFile
from fastapi.concurrency import run_in_threadpool

from ctckit.errors import CTCKitError
from ctckit.service.answers import RefusedError, as_json, bad_input, expect_known_parameters
from ctckit.service.openapi import READ, answers
from ctckit.service.payloads import image_of
from ctckit.service.schemas import ReadAnswer
from ctckit.service.service import Service

if TYPE_CHECKING:
    from ctckit.ocr.recognizer import LineImage, Reading, Recognizer


@dataclass(frozen=True)
class _Line:
    image: "LineImage"
    n_best: int


def add_read(service: Service, recognizer: "Recognizer") -> None:
    """Add the route to the app."""
    limits = service.limits
    batcher = service.batcher("/read", _reader(service, recognizer))

    async def texts(file: UploadFile, name: str, n_best: int) -> dict[str, Any]:
        content = await file.read()
        try:
            line = await run_in_threadpool(_prepared, recognizer, content, name, limits.pixels)
        except CTCKitError as error:
            return {"name": file.filename, **as_json(bad_input(error))}
        readings = await service.answered(batcher.result(_Line(line, n_best)))
        return {"name": file.filename, "readings": [asdict(each) for each in readings]}

    @service.app.post(
        "/read",
        response_model=ReadAnswer,
        responses=answers(READ),
        dependencies=[Depends(expect_known_parameters)],
        summary="Read images of text lines.",
    )
    async def read(
        images: Annotated[
            list[UploadFile], File(min_length=1, description="PNG, JPEG or TIFF images with one line of text each.")
        ],
        n_best: Annotated[int, Query(ge=1, le=limits.n_best, description="The most texts for each image.")] = 1,
    ) -> Any:
        """The answer has one entry for each image, in order; one that cannot be read has an `error`.

        `curl -F images=@line1.png -F images=@line2.png "http://127.0.0.1:8000/read?n_best=3"`
        """
        if len(images) > limits.images:
            raise RefusedError(
                413, "TooLarge", f"{len(images)} images; this service takes at most {limits.images} at once."
            )
        names = [f"images[{n}]" for n in range(len(images))]
        return {"lines": await service.together(texts(*each, n_best) for each in zip(images, names, strict=True))}


def _prepared(recognizer: "Recognizer", content: bytes, name: str, most_pixels: int) -> "LineImage":
    return recognizer.prepare(image_of(content, name=name, most_pixels=most_pixels), name=name)


def _reader(service: Service, recognizer: "Recognizer") -> Callable[[Sequence[_Line]], list[list["Reading"]]]:
    models = service.models

    def read(lines: Sequence[_Line]) -> list[list["Reading"]]:
        places: dict[int, list[int]] = defaultdict(list)
        for place, line in enumerate(lines):
            places[line.n_best].append(place)
        found: list[list[Reading]] = [[] for _ in lines]
        for n_best, own in places.items():
            decoder = models.decoder if models.search or n_best > 1 else None
            readings = recognizer.read_n_best([lines[place].image for place in own], n_best, decoder=decoder)
            for place, each in zip(own, readings, strict=True):
                found[place] = each
        return found

    return read
