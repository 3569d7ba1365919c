"""Metrics for Prometheus, with labels whose values are fixed beforehand.

A label never takes a value from a peer, so neither people nor rooms can end up in the
figures, and a peer cannot make the registry grow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import prometheus_client
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from xmppconf.errors import UsageError


class Counter:
    """Counts events; with a label, by one of the values named at its creation."""

    def __init__(self, metric: prometheus_client.Counter, values: frozenset[str]) -> None:
        self._metric = metric
        self._values = values

    def increment(self, value: str | None = None, by: float = 1) -> None:
        """Raises `UsageError` for a label value that was not named at creation."""
        if value is None and not self._values:
            self._metric.inc(by)
        elif value in self._values:
            self._metric.labels(value).inc(by)
        else:
            raise UsageError("label value was not declared")


class _Total(Collector):
    """A counter that is kept elsewhere."""

    def __init__(self, name: str, text: str, read: Callable[[], float]) -> None:
        self._name, self._text, self._read = name, text, read

    def collect(self) -> Iterable[CounterMetricFamily]:
        yield CounterMetricFamily(self._name, self._text, value=self._read())


class Histogram:
    """Sorts observed values into buckets."""

    def __init__(self, metric: prometheus_client.Histogram) -> None:
        self._metric = metric

    def observe(self, value: float) -> None:
        self._metric.observe(value)


class Metrics:
    """One process's metrics, in a registry of its own."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._registry = prometheus_client.CollectorRegistry()

    def counter(
        self, name: str, text: str, label: str | None = None, values: Iterable[str] = ()
    ) -> Counter:
        """Make a counter; the exposed name gets the prefix and `_total`."""
        allowed = frozenset(values)
        if (label is None) == bool(allowed):
            raise UsageError("a label needs its values, and values need a label")
        metric = prometheus_client.Counter(
            name,
            text,
            labelnames=() if label is None else (label,),
            namespace=self._prefix,
            registry=self._registry,
        )
        for value in sorted(allowed):
            metric.labels(value)  # so that a counter shows before its first event
        return Counter(metric, allowed)

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Make a gauge whose value is read whenever the metrics are rendered."""
        metric = prometheus_client.Gauge(
            name, text, namespace=self._prefix, registry=self._registry
        )
        metric.set_function(read)

    def total(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Make a counter that is kept elsewhere and read whenever metrics are rendered."""
        self._registry.register(_Total(f"{self._prefix}_{name}", text, read))

    def histogram(self, name: str, text: str, buckets: Sequence[float]) -> Histogram:
        """Make a histogram with the given upper bounds."""
        return Histogram(
            prometheus_client.Histogram(
                name,
                text,
                namespace=self._prefix,
                registry=self._registry,
                buckets=tuple(buckets),
            )
        )

    def render(self) -> tuple[bytes, str]:
        """The text exposition and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST
