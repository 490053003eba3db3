"""``create_app``: the service as an ASGI app."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from ctckit.errors import CTCKitError
from ctckit.service.align import add_align
from ctckit.service.answers import RefusedError, bad_input, error_answer
from ctckit.service.decode import add_decode
from ctckit.service.guard import Guard
from ctckit.service.limits import Limits
from ctckit.service.metrics import CONTENT_TYPE, Metrics
from ctckit.service.models import Models
from ctckit.service.openapi import ABOUT, HEALTH, answers
from ctckit.service.read import add_read
from ctckit.service.schemas import Health
from ctckit.service.service import Service
from ctckit.service.stream import add_stream

_log = logging.getLogger("ctckit.service")


def create_app(models: Models, limits: Limits | None = None) -> FastAPI:
    """Return an ASGI app, for any ASGI server.

    Args:
        models: What it serves.
        limits: Bounds of requests; by default those of ``Limits()``.

    Example:
        >>> from ctckit.service import Models, create_app
        >>> from ctckit import BeamDecoder, Vocabulary
        >>> app = create_app(Models(BeamDecoder(Vocabulary.from_characters("abc"))))
        >>> sorted(app.openapi()["paths"])
        ['/align', '/decode', '/health']

        A file ``app.py``, served by ``uvicorn app:app``::

            from ctckit.ocr import Recognizer
            from ctckit import BeamDecoder
            from ctckit.service import Models, create_app

            recognizer = Recognizer.load("model")
            app = create_app(Models(BeamDecoder(recognizer.vocabulary), recognizer))
    """
    limits = limits or Limits()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        for each in service.batchers:
            each.start()
        yield
        for each in service.batchers:
            await each.stop()

    app = FastAPI(
        title="ctckit",
        version=version("ctckit"),
        description=ABOUT,
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,  # the names of functions in generated clients
    )
    service = Service(app, models, limits, Metrics())
    if models.recognizer is not None:
        add_read(service, models.recognizer)
    add_decode(service)
    add_align(service)
    add_stream(service)
    _add_state(service)
    _add_errors(app)
    routes = {getattr(route, "path", "") for route in app.routes}
    app.add_middleware(
        Guard, limits=limits, metrics=service.metrics, route_of=lambda path: path if path in routes else "other"
    )
    return app


def _add_state(service: Service) -> None:
    @service.app.get(
        "/health",
        response_model=Health,
        responses={200: answers(HEALTH)[200]},
        summary="Whether the service takes requests.",
    )
    async def health() -> Any:
        """Answered at once, also when the service is busy; it has no errors."""
        return {"status": "ok", "version": version("ctckit"), "models": service.models.names}

    @service.app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> JSONResponse:
        return error_answer(error)

    @app.exception_handler(CTCKitError)
    async def wrong(request: Request, error: CTCKitError) -> JSONResponse:
        return error_answer(bad_input(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        problems = [f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors()]
        return error_answer(RefusedError(422, "InvalidRequest", "; ".join(problems)))

    @app.exception_handler(HTTPException)
    async def refused_by_the_framework(request: Request, error: HTTPException) -> JSONResponse:
        answer = error_answer(RefusedError(error.status_code, "InvalidRequest", str(error.detail)))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        _log.exception("%s %s", request.method, request.url.path, exc_info=error)
        return error_answer(RefusedError(500, "Unexpected", "an error of this service; its log says more."))
