"""The memory cache keeps its bounds, its age and its databases apart."""

import threading

import pytest
from cloud_storage.cache.memory import MemoryCache
from cloud_storage.cache.shared import memory_cache


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def kept(cache, keys):
    return [key for key in keys if cache.get(key) is not None]


def test_content_comes_back():
    cache = MemoryCache()
    cache.put("a", b"content")
    cache.put("empty", b"")
    assert cache.get("a") == b"content"
    assert cache.get("empty") == b""
    assert cache.get("b") is None


def test_databases_are_apart():
    one, two = memory_cache("one"), memory_cache("two")
    one.put("a", b"1")
    two.put("a", b"2")
    assert (memory_cache("one").get("a"), memory_cache("two").get("a")) == (b"1", b"2")
    one.clear()
    assert (one.get("a"), two.get("a")) == (None, b"2")


def test_least_recently_used_goes_first():
    cache = MemoryCache(max_files=3)
    for key in "abc":
        cache.put(key, b"x")
    cache.get("a")
    cache.put("d", b"x")
    assert kept(cache, "abcd") == ["a", "c", "d"]


def test_bytes_are_bounded():
    cache = MemoryCache(max_bytes=100)
    for number in range(50):
        cache.put(number, b"x" * 20)
        assert cache.stats()["bytes"] <= 100
    assert kept(cache, range(50)) == [45, 46, 47, 48, 49]


def test_large_content_does_not_empty_the_cache():
    cache = MemoryCache(max_bytes=100)
    cache.put("a", b"x" * 25)
    cache.put("b", b"x" * 26)
    assert kept(cache, "ab") == ["a"]


def test_large_content_does_not_leave_the_old_one():
    cache = MemoryCache(max_bytes=100)
    cache.put("a", b"old")
    cache.put("a", b"x" * 101)
    assert cache.get("a") is None


def test_replacing_counts_once():
    cache = MemoryCache()
    cache.put("a", b"x" * 10)
    cache.put("a", b"y" * 4)
    assert cache.get("a") == b"yyyy"
    assert cache.stats()["bytes"] == 4
    assert cache.stats()["files"] == 1


def test_age(clock):
    cache = MemoryCache(ttl=60, timer=clock)
    cache.put("a", b"x")
    clock.now += 59.9
    assert cache.get("a") == b"x"
    clock.now += 0.1  # being read does not make it younger
    assert cache.get("a") is None
    assert cache.stats()["files"] == 0


def test_the_old_are_freed_when_others_come(clock):
    cache = MemoryCache(ttl=60, timer=clock)
    cache.put("a", b"x" * 10)
    clock.now += 61
    cache.put("b", b"y")
    assert cache.stats()["bytes"] == 1


def test_nothing_is_kept_when_switched_off():
    cache = MemoryCache(max_files=0)
    cache.put("a", b"x")
    assert cache.get("a") is None
    cache = MemoryCache(max_bytes=0)
    cache.put("a", b"x")
    assert cache.get("a") is None


def test_new_limits_apply_at_once():
    cache = MemoryCache(max_files=10, max_bytes=1000)
    cache.put("a", b"x" * 10)
    cache.configure(max_files=10, max_bytes=None, ttl=None)  # as they are
    assert cache.get("a")
    cache.configure(max_files=1)
    for key in "ab":
        cache.put(key, b"x" * 10)
    assert kept(cache, "ab") == ["b"]
    cache.configure(max_bytes=39)  # a quarter is less than ten
    cache.put("c", b"x" * 10)
    assert kept(cache, "bc") == []


def test_new_age_limit(clock):
    cache = MemoryCache(ttl=60, timer=clock)
    cache.configure(ttl=10)
    cache.put("a", b"x")
    clock.now += 10
    assert cache.get("a") is None


def test_many_threads():
    cache = MemoryCache(max_files=20, max_bytes=20 * 400)
    problems = []

    def work(seed):
        try:
            for number in range(2000):
                key = (number * seed) % 40
                data = cache.get(key)
                if data not in (None, bytes([key]) * 100):
                    problems.append(key)
                cache.put(key, bytes([key]) * 100)
                if number % 500 == 0:
                    cache.configure(max_files=10 + seed)
                    cache.clear()
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
