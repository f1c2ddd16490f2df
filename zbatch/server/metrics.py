"""What a server tells Prometheus of itself."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

MEDIA_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """The counters of one app, in a registry of their own: several apps may live in one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "zbatch_requests", "Calls answered.", ["route", "method", "status"], registry=self._registry
        )
        self.request_seconds = Histogram(
            "zbatch_request_seconds", "Time to answer a call.", ["route"], registry=self._registry
        )
        self.tasks = Counter("zbatch_tasks", "Tasks ended, by how.", ["outcome"], registry=self._registry)
        self.engine_seconds = Histogram(
            "zbatch_engine_seconds", "Time the engine takes for an image.", registry=self._registry,
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
        )  # fmt: skip

    def watch(
        self,
        *,
        waiting: Callable[[], int],
        open_tasks: Callable[[], int],
        kept: Callable[[], int],
        kept_bytes: Callable[[], int],
    ) -> None:
        """Have gauges read where they are asked for."""
        for name, words, read in (
            ("zbatch_tasks_waiting", "Tasks no engine works on yet.", waiting),
            ("zbatch_tasks_open", "Tasks that wait or run.", open_tasks),
            ("zbatch_results", "Finished tasks that are still known.", kept),
            ("zbatch_result_bytes", "Bytes of the images that are kept.", kept_bytes),
        ):
            Gauge(name, words, registry=self._registry).set_function(read)

    def page(self) -> bytes:
        """Give everything, in Prometheus' text format."""
        return generate_latest(self._registry)
