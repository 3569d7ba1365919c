from __future__ import annotations

import pytest

from xmppconf.errors import UsageError
from xmppconf.metrics import Metrics


def test_figures_are_rendered_with_prefix_and_declared_labels() -> None:
    metrics = Metrics("xmppconf_test")
    dropped = metrics.counter("dropped", "Dropped packets.", "reason", ["late", "large"])
    dropped.increment("late")
    dropped.increment("late", by=2)
    metrics.counter("seen", "Packets.").increment()
    metrics.gauge("size", "Size.", lambda: 7)
    metrics.histogram("delay", "Delay in seconds.", [0.1, 1.0]).observe(0.5)
    body, content_type = metrics.render()
    lines = body.decode().splitlines()
    assert 'xmppconf_test_dropped_total{reason="late"} 3.0' in lines
    assert 'xmppconf_test_dropped_total{reason="large"} 0.0' in lines
    assert "xmppconf_test_seen_total 1.0" in lines
    assert "xmppconf_test_size 7.0" in lines
    assert 'xmppconf_test_delay_bucket{le="1.0"} 1.0' in lines
    assert content_type.startswith("text/plain")


def test_a_value_that_was_not_declared_is_refused() -> None:
    metrics = Metrics("xmppconf_test")
    counter = metrics.counter("dropped", "Dropped packets.", "reason", ["late"])
    for value in ("room@muc", None):
        with pytest.raises(UsageError):
            counter.increment(value)
    with pytest.raises(UsageError):
        metrics.counter("other", "Other.", "reason")


def test_two_registries_do_not_meet() -> None:
    for _ in range(2):
        Metrics("xmppconf_test").counter("same", "Same name.")
