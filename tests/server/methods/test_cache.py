# SPDX-License-Identifier: GPL-3.0-or-later
"""What a worker keeps between jobs."""

from server.methods.cache import Cache


def test_the_least_recently_used_goes_first():
    cache = Cache(budget_bytes=30)
    for key in "abc":
        cache.put(key, key.upper(), 10)
    assert cache.get("a") == "A"
    cache.put("d", "D", 10)
    assert [cache.get(key) for key in "abcd"] == ["A", None, "C", "D"]


def test_a_value_is_replaced_and_its_bytes_counted_once():
    cache = Cache(budget_bytes=30)
    cache.put("a", 1, 20)
    cache.put("a", 2, 25)
    assert (cache.get("a"), cache.used_bytes) == (2, 25)


def test_what_is_larger_than_all_of_it_is_not_kept_and_displaces_nothing():
    cache = Cache(budget_bytes=30)
    cache.put("a", 1, 30)
    cache.put("b", 2, 31)
    assert (cache.get("a"), cache.get("b")) == (1, None)
    cache.clear()
    assert (cache.get("a"), cache.used_bytes) == (None, 0)
