"""The memory cache keeps its bounds, its age and its databases apart."""

import threading

import pytest
from cloud_storage.utils.memory_cache import MemoryCache


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def kept(cache, keys, db="db"):
    return [key for key in keys if cache.get(db, key) is not None]


def test_content_comes_back():
    cache = MemoryCache()
    cache.put("db", "a", b"content")
    cache.put("db", "empty", b"")
    assert cache.get("db", "a") == b"content"
    assert cache.get("db", "empty") == b""
    assert cache.get("db", "b") is None


def test_databases_are_apart():
    cache = MemoryCache()
    cache.put("one", "a", b"1")
    cache.put("two", "a", b"2")
    assert (cache.get("one", "a"), cache.get("two", "a")) == (b"1", b"2")
    cache.clear("one")
    assert (cache.get("one", "a"), cache.get("two", "a")) == (None, b"2")
    cache.clear()
    assert cache.get("two", "a") is None


def test_least_recently_used_goes_first():
    cache = MemoryCache(max_files=3)
    for key in "abc":
        cache.put("db", key, b"x")
    cache.get("db", "a")
    cache.put("db", "d", b"x")
    assert kept(cache, "abcd") == ["a", "c", "d"]
    assert cache.stats()["evictions"] == 1


def test_bytes_are_bounded():
    cache = MemoryCache(max_bytes=100)
    for number in range(50):
        cache.put("db", number, b"x" * 20)
        assert cache.stats()["bytes"] <= 100
    assert kept(cache, range(50)) == [45, 46, 47, 48, 49]
    assert cache.stats()["evictions"] == 45


def test_large_content_does_not_empty_the_cache():
    cache = MemoryCache(max_bytes=100)
    cache.put("db", "a", b"x" * 25)
    cache.put("db", "b", b"x" * 26)
    assert kept(cache, "ab") == ["a"]


def test_large_content_does_not_leave_the_old_one():
    cache = MemoryCache(max_bytes=100)
    cache.put("db", "a", b"old")
    cache.put("db", "a", b"x" * 101)
    assert cache.get("db", "a") is None


def test_replacing_counts_once():
    cache = MemoryCache()
    cache.put("db", "a", b"x" * 10)
    cache.put("db", "a", b"y" * 4)
    assert cache.get("db", "a") == b"yyyy"
    assert cache.stats()["bytes"] == 4
    assert cache.stats()["files"] == 1


def test_age(clock):
    cache = MemoryCache(ttl=60, timer=clock)
    cache.put("db", "a", b"x")
    clock.now += 59.9
    assert cache.get("db", "a") == b"x"
    clock.now += 0.1  # being read does not make it younger
    assert cache.get("db", "a") is None
    assert cache.stats()["files"] == 0


def test_the_old_are_freed_when_others_come(clock):
    cache = MemoryCache(ttl=60, timer=clock)
    cache.put("db", "a", b"x" * 10)
    clock.now += 61
    cache.put("db", "b", b"y")
    assert cache.stats()["bytes"] == 1


def test_nothing_is_kept_when_switched_off():
    cache = MemoryCache(max_files=0)
    cache.put("db", "a", b"x")
    assert cache.get("db", "a") is None
    cache = MemoryCache(max_bytes=0)
    cache.put("db", "a", b"x")
    assert cache.get("db", "a") is None


def test_discard():
    cache = MemoryCache()
    cache.put("db", "a", b"x")
    cache.discard("db", "a")
    cache.discard("db", "a")
    assert cache.get("db", "a") is None


def test_smaller_limits_apply_at_once():
    cache = MemoryCache(max_files=10, max_bytes=1000)
    for key in "abcd":
        cache.put("db", key, b"x" * 10)
    cache.get("db", "a")
    cache.configure(max_files=2)
    assert kept(cache, "abcd") == ["a", "d"]
    cache.configure(max_bytes=40)
    assert kept(cache, "abcd") == ["a", "d"]
    cache.configure(max_bytes=39)  # a quarter is less than ten
    assert kept(cache, "abcd") == []


def test_larger_limits_keep_what_is_there():
    cache = MemoryCache(max_files=1)
    cache.put("db", "a", b"x")
    cache.configure(max_files=2)
    cache.put("db", "b", b"x")
    assert kept(cache, "ab") == ["a", "b"]


def test_new_age_limit(clock):
    cache = MemoryCache(ttl=60, timer=clock)
    cache.put("db", "a", b"x")
    cache.configure(ttl=10)
    clock.now += 10
    assert cache.get("db", "a") is None
    cache.put("db", "a", b"x")
    cache.configure(ttl=100)
    clock.now += 10  # a longer one is for what comes later
    assert cache.get("db", "a") is None


def test_statistics():
    cache = MemoryCache()
    cache.put("db", "a", b"xyz")
    cache.get("db", "a")
    cache.get("db", "b")
    expected = {"files": 1, "bytes": 3, "hits": 1, "misses": 1, "evictions": 0}
    assert cache.stats() == expected


def test_many_threads():
    cache = MemoryCache(max_files=20, max_bytes=20 * 400)
    problems = []

    def work(seed):
        try:
            for number in range(2000):
                key = (number * seed) % 40
                data = cache.get("db", key)
                if data not in (None, bytes([key]) * 100):
                    problems.append(key)
                cache.put("db", key, bytes([key]) * 100)
                if number % 500 == 0:
                    cache.configure(max_files=10 + seed)
                    cache.clear("other")
        except (KeyError, ValueError, RuntimeError) as err:
            problems.append(err)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 3, 7, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert cache.stats()["files"] <= 21
    assert cache.stats()["bytes"] == cache.stats()["files"] * 100
