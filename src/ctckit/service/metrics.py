"""What a service counts, in the text format of Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ITEMS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The numbers of one app."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.answers = Counter(
            "ctckit_answers", "Answers, by route and status.", ["route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "ctckit_answer_seconds",
            "Seconds from the head of a request to its answer, by route.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batches = Histogram(
            "ctckit_batch_items",
            "Items that were computed together, by route.",
            ["route"],
            buckets=_ITEMS,
            registry=self.registry,
        )
        self.under_way = Gauge("ctckit_requests_under_way", "Requests under way.", registry=self.registry)
        self.streams = Gauge("ctckit_streams_open", "Streams that are open.", registry=self.registry)

    def text(self) -> bytes:
        """Return all numbers."""
        return generate_latest(self.registry)
