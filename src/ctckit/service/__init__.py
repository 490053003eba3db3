"""A service: a model behind an address. ``ctckit serve`` runs it; ``create_app`` gives the ASGI app to any server.

::

    models.py      Models: what the service has loaded
    limits.py      Limits: sizes, times and numbers that bound memory and waiting
    app.py         create_app: the routes, their errors, start and stop
    service.py     Service: what the routes share
    read.py  decode.py  align.py   one route each: POST /read, /decode, /align
    stream.py      WS /stream: text while the audio comes
    payloads.py    arrays, images and recordings out of the bytes of a request
    schemas.py     the forms of answers; answers.py: errors as answers; openapi.py: examples and errors for /docs
    batching.py    requests that come together are computed together
    guard.py       sizes and times of bodies, the number of requests under way
    metrics.py     counts for Prometheus
"""

from __future__ import annotations

from ctckit.service.app import create_app
from ctckit.service.limits import Limits
from ctckit.service.models import Models

__all__ = ["Limits", "Models", "create_app"]
