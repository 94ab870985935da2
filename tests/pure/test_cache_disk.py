"""The disk cache: bounds, age, damage, hostile keys, and a disk that refuses."""

import hashlib
import logging
import os
import stat
import time

import pytest
from cloud_storage.cache.disk import DiskCache
from cloud_storage.cache.shared import disk_cache
from cloud_storage.cache.stream import CorruptContentError, kept, verified_chunks
from cloud_storage.cache.usage import UsageCounter
from cloud_storage.cache.writer import CacheWriter

MB = 1024 * 1024


class Clock:
    """The wall clock with an offset, as file times come from the real one."""

    offset = 0.0

    def __call__(self):
        return time.time() + self.offset


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def cache(tmp_path, clock):
    return DiskCache(str(tmp_path / "cache"), "db", 10 * MB, 3600, clock)


def content(number, size=1000):
    return (b"%d " % number * size)[:size]


def sha1(data):
    return hashlib.sha1(data).hexdigest()


def store(cache, data):
    assert cache.put(sha1(data), data)
    return sha1(data)


def files_below(path):
    walk = os.walk(path)
    return [os.path.join(base, name) for base, _, names in walk for name in names]


def entry_path(cache, data):
    return cache.get_path(sha1(data), len(data))


# What is put comes back


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"\0" * MB, bytes(range(256)) * 999],
    ids=["empty", "byte", "zeros", "binary"],
)
def test_content_comes_back_by_all_ways(cache, data):
    key = store(cache, data)
    assert cache.read(key) == data
    assert cache.read(key, len(data)) == data
    assert b"".join(cache.stream(key, len(data))) == data
    with cache.open(key, len(data)) as file:
        assert file.read() == data
    with open(cache.get_path(key, len(data)), "rb") as file:
        assert file.read() == data


def test_missing(cache):
    key = sha1(b"never put")
    assert cache.read(key) is None
    assert cache.open(key, 1) is None
    assert cache.get_path(key, 1) is None
    assert cache.stream(key, 1) is None
    assert cache.follow(key, 1) is None
    cache.drop(key)
    cache.clear()
    assert cache.sweep() == (0, 0)
    assert cache.stats() == {"files": 0, "bytes": 0}


def test_in_pieces(cache):
    data = content(1, MB + 7)
    with cache.writer(sha1(data), len(data)) as writer:
        for start in range(0, len(data), 65536):
            writer.write(data[start : start + 65536])
        assert cache.read(sha1(data)) is None  # nobody sees it before the end
        assert writer.matches
        assert writer.commit()
    assert cache.read(sha1(data)) == data


def test_another_object_finds_it(tmp_path, cache):
    data = content(1)
    store(cache, data)
    restarted = DiskCache(str(tmp_path / "cache"), "db", 10 * MB, 3600)
    assert restarted.read(sha1(data), len(data)) == data
    assert restarted.get_path(sha1(data), len(data))


def test_databases_are_apart(tmp_path):
    root = str(tmp_path / "cache")
    names = ["db", "DB", "d/b", "d_b", "../db", "..", "", "a" * 300, "a" * 299, "ü"]
    caches = [DiskCache(root, name, MB, 60) for name in names]
    data = content(1)
    for index, cache in enumerate(caches):
        assert all(other.read(sha1(data)) is None for other in caches[index:])
        store(cache, data)
    caches[0].clear()
    assert caches[0].read(sha1(data)) is None
    assert all(cache.read(sha1(data)) == data for cache in caches[1:])
    assert len(os.listdir(root)) == len(names)
    assert os.listdir(str(tmp_path)) == ["cache"]


def test_variants(cache):
    data, thumbnail = content(1), b"small"
    key = store(cache, data)
    assert cache.put(key + "-image_128", thumbnail)
    assert cache.read(key + "-image_128") == thumbnail
    assert cache.read(key + "-image_128", len(thumbnail)) == thumbnail
    assert cache.read(key + "-image_256") is None
    assert cache.read(key) == data
    cache.drop(key + "-image_128")
    assert cache.read(key) == data
    cache.put(key + "-image_128", thumbnail)
    cache.drop(key)
    assert cache.read(key + "-image_128") is None


def test_variants_outlive_the_original(cache):
    key = store(cache, content(1))
    cache.put(key + "-image_128", b"small")
    with open(cache.get_path(key, 1000), "ab") as file:
        file.write(b"damage")
    assert cache.read(key) is None
    assert cache.read(key + "-image_128") == b"small"


def test_one_object_per_directory_and_database(tmp_path):
    first = disk_cache(str(tmp_path), "db", MB, 60)
    again = disk_cache(str(tmp_path), "db", 2 * MB, 90)
    assert first is again
    assert (first.max_bytes, first.ttl) == (2 * MB, 90)
    assert disk_cache(str(tmp_path), "other", MB, 60) is not first


# Nobody outside steers or reads it

KEY = "0" * 40


@pytest.mark.parametrize(
    "key",
    [
        "",
        None,
        5,
        "..",
        "../" + KEY,
        KEY[:31],
        KEY + "0",
        KEY.replace("0", "A"),
        KEY.replace("0", "g"),
        KEY + "\n",
        KEY + "/x",
        KEY + "-",
        KEY + "-a/b",
        KEY + "-..",
        KEY + "-A",
        KEY + "-" + "a" * 33,
        KEY + "-a\n",
        KEY + "\0",
        KEY.encode(),
        "\u0660" * 40,
    ],
)
def test_keys_that_are_none(cache, tmp_path, key):
    calls = [
        lambda: cache.read(key),
        lambda: cache.open(key, 1),
        lambda: cache.get_path(key, 1),
        lambda: cache.stream(key, 1),
        lambda: cache.follow(key, 1),
        lambda: cache.put(key, b"x"),
        lambda: cache.writer(key, 1),
        lambda: cache.drop(key),
        lambda: cache.fill_lock(key, 0),
    ]
    for call in calls:
        with pytest.raises(ValueError):
            call()
    assert files_below(str(tmp_path)) == []


def test_variants_have_no_path(cache):
    for call in (cache.open, cache.get_path, cache.stream, cache.writer):
        with pytest.raises(ValueError):
            call(KEY + "-image_128", 1)


def test_only_the_owner_may_look(cache, tmp_path):
    old = os.umask(0)
    try:
        key = store(cache, content(1))
        with cache.fill_lock(key, 0), cache.writer(sha1(b"x"), 1):
            for base, directories, names in os.walk(str(tmp_path)):
                modes = [(os.path.join(base, name), 0o600) for name in names]
                modes += [(os.path.join(base, name), 0o700) for name in directories]
                for path, mode in modes:
                    assert stat.S_IMODE(os.stat(path).st_mode) == mode, path
    finally:
        os.umask(old)


def test_an_open_directory_is_closed(cache, tmp_path):
    store(cache, content(1))
    (base,) = (tmp_path / "cache").iterdir()
    base.chmod(0o777)
    store(cache, content(2))
    assert stat.S_IMODE(base.stat().st_mode) == 0o700


def test_a_link_in_place_of_the_directory_is_not_followed(cache, tmp_path):
    store(cache, content(1))
    (base,) = (tmp_path / "cache").iterdir()
    base.rename(tmp_path / "elsewhere")
    base.symlink_to(tmp_path / "elsewhere")
    assert not cache.put(sha1(content(2)), content(2))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_directory_of_another_user_is_not_used(cache, tmp_path):
    store(cache, content(1))
    (base,) = (tmp_path / "cache").iterdir()
    os.chown(str(base), 12345, 12345)
    assert not cache.put(sha1(content(2)), content(2))


# Damage is noticed


def flip(path):
    with open(path, "r+b") as file:
        file.seek(500)
        file.write(b"\xff")


def cut(path):
    os.truncate(path, 999)


def empty(path):
    os.truncate(path, 0)


def zero(path):
    with open(path, "r+b") as file:
        file.write(b"\0" * 1000)


@pytest.mark.parametrize("damage", [flip, cut, empty, zero])
@pytest.mark.parametrize("way", ["read", "open", "get_path", "stream"])
def test_damage(tmp_path, cache, damage, way):
    data = content(1)
    key = store(cache, data)
    damage(entry_path(cache, data))
    for reader in (cache, DiskCache(str(tmp_path / "cache"), "db", MB, 3600)):
        if way == "read":
            assert reader.read(key) is None
        elif way == "stream":
            assert_no_whole_stream(reader, key, 1000)
        else:
            assert getattr(reader, way)(key, 1000) is None
        assert reader.read(key) is None  # it is gone
    store(cache, data)
    assert cache.read(key) == data


def assert_no_whole_stream(reader, key, size):
    chunks = reader.stream(key, size, chunk_size=100)
    received = []
    if chunks is not None:
        with pytest.raises(CorruptContentError):
            received.extend(chunks)
    assert sum(map(len, received)) < size


def test_damaged_variant(cache, tmp_path):
    key = KEY + "-image_128"
    cache.put(key, content(1))
    (path,) = [path for path in files_below(str(tmp_path)) if path.endswith(key)]
    flip(path)
    assert cache.read(key) is None
    cache.put(key, content(1))
    os.truncate(path, 10)
    assert cache.read(key) is None


def test_wrong_size_is_damage(cache):
    key = store(cache, content(1))
    assert cache.get_path(key, 1001) is None
    assert cache.get_path(key, 1000) is None


def test_proof_is_remembered(cache):
    """A file is hashed once per process; one that changed is hashed again."""
    data = content(1)
    key = store(cache, data)
    path = entry_path(cache, data)
    status = os.stat(path)
    flip(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert cache.get_path(key, 1000) == path  # not hashed: looks the same
    assert cache.read(key) is None  # a full read always is


def test_unverified_open_is_for_those_who_hash_themselves(cache):
    key = store(cache, content(1))
    flip(entry_path(cache, content(1)))
    cache.open(key, 1000, verify=False).close()
    assert cache.open(key, 1000) is None


@pytest.mark.parametrize("written", [b"", b"x", content(2), content(1) + b"x"])
def test_wrong_content_is_not_stored(cache, tmp_path, written):
    key = sha1(content(1))
    with cache.writer(key, 1000) as writer:
        writer.write(written)
        assert not writer.matches
        assert not writer.commit()
    assert cache.read(key) is None
    assert not [path for path in files_below(str(tmp_path)) if key in path]


def test_right_content_of_wrong_size_is_not_stored(cache):
    with cache.writer(sha1(content(1)), 999) as writer:
        writer.write(content(1))
        assert not writer.matches
        assert not writer.commit()


def test_put_under_a_foreign_key(cache):
    assert not cache.put(KEY, b"x")
    assert cache.read(KEY) is None


def test_unfinished_content_leaves_nothing(cache, tmp_path):
    data = content(1)
    with pytest.raises(ZeroDivisionError):
        with cache.writer(sha1(data), len(data)) as writer:
            writer.write(data)
            raise ZeroDivisionError
    assert cache.read(sha1(data)) is None
    assert not [path for path in files_below(str(tmp_path)) if sha1(data) in path]
    assert not writer.commit()
    writer.write(b"after the end")


def test_verified_chunks_hold_back_the_end():
    good = [b"a", b"b", b"c"]
    assert list(verified_chunks(good, sha1(b"abc"))) == good
    assert list(verified_chunks([], sha1(b""))) == []
    received = []
    with pytest.raises(CorruptContentError):
        received.extend(verified_chunks(good, sha1(b"abd")))
    with pytest.raises(CorruptContentError):
        list(verified_chunks([], sha1(b"abc")))
    assert received in ([], [b"a", b"b"])


# Bounds


def test_quota(tmp_path, clock):
    cache = DiskCache(str(tmp_path), "db", 100 * 1000, 3600, clock)
    for number in range(300):
        store(cache, content(number))
        clock.offset += 0.01
        assert cache.stats()["bytes"] <= 100 * 1000
    assert cache.stats()["files"] >= 80
    assert all(cache.read(sha1(content(number))) for number in range(250, 300))


def test_least_recently_used_goes_first(tmp_path, clock):
    cache = DiskCache(str(tmp_path), "db", 10 * 1000, 36000, clock)
    for number in range(10):
        store(cache, content(number))
        clock.offset += 1
    clock.offset += 120
    assert cache.read(sha1(content(0)))
    clock.offset += 120
    assert cache.get_path(sha1(content(1)), 1000)
    store(cache, content(10))
    kept = [number for number in range(11) if cache.read(sha1(content(number)))]
    assert kept[:2] == [0, 1]
    assert 10 in kept
    assert 2 not in kept
    assert 7 <= len(kept) <= 10


def test_several_objects_share_the_quota(tmp_path):
    caches = [DiskCache(str(tmp_path), "db", 50 * 1000, 3600) for _ in range(4)]
    for number in range(200):
        store(caches[number % 4], content(number))
        assert caches[0].stats()["bytes"] <= 50 * 1000


def test_larger_than_the_quota(tmp_path):
    cache = DiskCache(str(tmp_path), "db", 1500, 3600)
    store(cache, content(1))
    assert not cache.put(sha1(content(2, 1501)), content(2, 1501))
    assert cache.read(sha1(content(1)))
    writer = cache.writer(sha1(content(2, 1501)), 1501)
    writer.write(content(2, 1501))
    assert writer.matches and not writer.active and not writer.commit()


def test_smaller_quota(tmp_path):
    cache = DiskCache(str(tmp_path), "db", 50 * 1000, 3600)
    for number in range(50):
        store(cache, content(number))
    cache.max_bytes = 10 * 1000
    removed = cache.sweep()
    assert removed.files == 50 - cache.stats()["files"]
    assert removed.bytes == 50 * 1000 - cache.stats()["bytes"]
    assert cache.stats()["bytes"] <= 10 * 1000


def counted(tmp_path):
    (path,) = tmp_path.rglob("usage")
    return UsageCounter(str(path)).add(0).total


def test_the_count_follows_without_a_scan(tmp_path):
    cache = DiskCache(str(tmp_path), "db", 50 * 1000, 3600)
    for number in range(5):
        store(cache, content(number))
    cache.drop(sha1(content(0)))
    assert counted(tmp_path) == 4 * 1000
    cache.clear()
    assert counted(tmp_path) == 0


def test_given_up_writers_give_their_room_back(tmp_path):
    cache = DiskCache(str(tmp_path), "db", 10 * 1000, 3600)
    for number in range(5):
        store(cache, content(number))
    for number in range(100):
        with cache.writer(sha1(content(number)), 1000) as writer:
            writer.write(b"given up")
    assert cache.stats()["files"] == 5
    assert counted(tmp_path) == 5 * 1000


def test_count_is_repaired(tmp_path, clock):
    """A lost or wrong count makes no cache larger than its quota for long."""
    cache = DiskCache(str(tmp_path), "db", 10 * 1000, 36000, clock)
    for number in range(10):
        store(cache, content(number))
    (count,) = [path for path in files_below(str(tmp_path)) if path.endswith("usage")]
    for text in (b"", b"garbage", b"\xff\xff", b"-5 x"):
        with open(count, "wb") as file:
            file.write(text)
        store(cache, content(11))
        assert cache.stats()["bytes"] <= 10 * 1000
    with open(count, "wb") as file:
        file.write(b"0 %d" % clock())
    clock.offset += 3601
    store(cache, content(12, 5000))
    assert cache.stats()["bytes"] <= 10 * 1000


def test_age_counts_from_the_last_use(cache, clock):
    key = store(cache, content(1))
    store(cache, content(2))
    clock.offset += 3000
    assert cache.read(key)
    clock.offset += 3000
    assert cache.read(key)
    assert cache.read(sha1(content(2))) is None
    clock.offset += 3600
    assert cache.get_path(key, 1000) is None


def test_use_does_not_cost_a_new_proof(cache, clock):
    key = store(cache, content(1))
    before = os.stat(cache.get_path(key, 1000)).st_mtime_ns
    clock.offset += 3000
    assert os.stat(cache.get_path(key, 1000)).st_mtime_ns == before


def test_sweep(cache, clock, tmp_path):
    for number in range(5):
        store(cache, content(number))
    clock.offset += 3000
    store(cache, content(9))
    clock.offset += 1000
    assert cache.sweep() == (5, 5000)
    assert cache.stats() == {"files": 1, "bytes": 1000}
    assert cache.sweep(clock() + 3600) == (1, 1000)


def test_leftovers_of_the_crashed(cache, tmp_path):
    store(cache, content(1))
    (tmp,) = [path for path in tmp_path.rglob("tmp")]
    for name, age in (("old", 3700), ("young", 3500)):
        (tmp / name).write_bytes(b"part")
        os.utime(str(tmp / name), (time.time() - age,) * 2)
    (lock,) = [path for path in tmp_path.rglob("locks")]
    (lock / KEY).write_bytes(b"")
    assert cache.sweep() == (1, 4)
    assert [path.name for path in tmp.iterdir()] == ["young"]
    assert list(lock.iterdir()) == []


def test_switched_off(tmp_path):
    for max_bytes, ttl in ((0, 60), (MB, 0)):
        cache = DiskCache(str(tmp_path), "db", max_bytes, ttl)
        assert not cache.put(sha1(b"x"), b"x")
        assert cache.read(sha1(b"x")) is None
        assert cache.get_path(sha1(b"x"), 1) is None


def test_clear(cache):
    key = store(cache, content(1))
    with cache.writer(sha1(content(2)), 1000) as writer:
        writer.write(content(2))
        cache.clear()
        assert cache.read(key) is None
        assert writer.commit()
    assert cache.stats()["files"] == 1


# An unusable disk costs a warning, not the file


def assert_works_without_keeping(cache, caplog):
    data = content(1)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with cache.writer(sha1(data), len(data)) as writer:
                writer.write(data)
                assert writer.matches
                assert not writer.commit()
            assert not cache.put(sha1(data), data)
            assert cache.read(sha1(data)) is None
            assert cache.get_path(sha1(data), len(data)) is None
            with cache.fill_lock(sha1(data), 5) as owner:
                assert not owner
        cache.drop(sha1(data))
        cache.clear()
        cache.sweep()
    assert len(caplog.records) == 1


def test_root_is_a_file(tmp_path, caplog):
    (tmp_path / "file").write_bytes(b"")
    root = str(tmp_path / "file")
    assert_works_without_keeping(DiskCache(root, "db", MB, 60), caplog)


def test_root_is_below_a_file(tmp_path, caplog):
    (tmp_path / "file").write_bytes(b"")
    root = str(tmp_path / "file" / "cache")
    assert_works_without_keeping(DiskCache(root, "db", MB, 60), caplog)


def test_directory_removed_meanwhile(cache, tmp_path, caplog):
    store(cache, content(1))
    writer = cache.writer(sha1(content(2)), 1000)
    writer.write(content(2))
    (tmp_path / "cache").rename(tmp_path / "gone")
    assert not writer.commit()
    store(cache, content(3))
    assert cache.read(sha1(content(3))) == content(3)
    assert not caplog.records


@pytest.mark.parametrize("wrong", ["flipped", "short", "long"])
def test_wrong_bytes_on_their_way_into_the_cache_lack_their_end(tmp_path, wrong):
    right = [content(1), content(2)]
    whole = b"".join(right)
    last = {"flipped": content(3), "short": right[1][:-1], "long": right[1] + b"x"}
    path, given = tmp_path / "file", []
    sha1 = hashlib.sha1(whole).hexdigest()
    with CacheWriter(str(path), len(whole), sha1, str(tmp_path)) as writer:
        with pytest.raises(CorruptContentError):
            given.extend(kept(iter([right[0], last[wrong]]), writer))
    assert not path.exists()
    with CacheWriter(str(path), len(whole), sha1, str(tmp_path)) as writer:
        assert b"".join(kept(iter(right), writer)) == whole
    assert path.read_bytes() == whole
