from __future__ import annotations

from xmppconf_focus.features import FeatureCache


def test_the_cache_keeps_what_is_used() -> None:
    cache = FeatureCache(size=2)
    cache.put("a", frozenset({"1"}))
    cache.put("b", frozenset({"2"}))
    assert cache.get("a") == frozenset({"1"})
    cache.put("c", frozenset({"3"}))
    assert cache.get("b") is None
    assert cache.get("a") == frozenset({"1"})
    assert cache.get(None) is None
