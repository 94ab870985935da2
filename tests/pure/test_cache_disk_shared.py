"""The disk cache between real threads and processes, with crashes and full disks."""

import hashlib
import itertools
import multiprocessing
import os
import random
import resource
import signal
import threading
import time

import pytest
from cloud_storage.cache.disk import DiskCache
from cloud_storage.cache.lock import file_lock
from cloud_storage.cache.writer import FillAbandonedError, follow

MB = 1024 * 1024
PATIENCE = 60  # seconds for what takes a fraction of one on an idle machine

fork = multiprocessing.get_context("fork")


def sha1(data):
    return hashlib.sha1(data).hexdigest()


def content(number, size):
    return random.Random(number).getrandbits(8 * size).to_bytes(size, "big")


def new_cache(root, max_bytes=50 * MB):
    return DiskCache(str(root), "db", max_bytes, 3600)


def run_processes(count, target, *args):
    """Run ``target(index, queue, *args)`` in processes and return what they queued."""
    queue = fork.Queue()
    jobs = []
    for index in range(count):
        jobs.append(fork.Process(target=target, args=(index, queue) + args))
        jobs[-1].start()
    answers = [queue.get(timeout=PATIENCE) for _ in jobs]
    for job in jobs:
        job.join(PATIENCE)
        assert job.exitcode == 0
    return answers


def run_threads(count, target):
    """Run ``target(index)`` in threads and return the results in order."""
    results = [None] * count

    def work(index):
        results[index] = target(index)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    return results


def write_slowly(cache, data, pieces=20):
    with cache.writer(sha1(data), len(data)) as writer:
        step = len(data) // pieces + 1
        for start in range(0, len(data), step):
            writer.write(data[start : start + step])
            time.sleep(0.001)
        return writer.commit()


# Many at once


def write_and_read(index, queue, root, contents):
    cache = new_cache(root, 3 * MB)
    wrong = []

    def work(thread):
        order = random.Random(index * 10 + thread)
        for _ in range(60):
            data = order.choice(contents)
            found = cache.read(sha1(data))
            if found is None:
                write_slowly(cache, data, 3)
            elif found != data:
                wrong.append(sha1(data))
            with cache.open(sha1(data), len(data)) or open(os.devnull, "rb") as file:
                if file.read() not in (data, b""):
                    wrong.append(sha1(data))

    run_threads(3, work)
    queue.put(wrong)


def test_many_processes_and_threads(tmp_path):
    """Small contents, more than the quota holds: writes, reads and evictions mix."""
    contents = [content(number, 100 * 1000) for number in range(60)]
    answers = run_processes(4, write_and_read, tmp_path, contents)
    assert answers == [[]] * 4
    cache = new_cache(tmp_path, 3 * MB)
    kept = [data for data in contents if cache.read(sha1(data)) is not None]
    assert kept
    assert all(cache.read(sha1(data)) == data for data in kept)
    assert not any(path.is_file() for path in tmp_path.rglob("tmp/*"))
    cache.sweep()
    assert cache.stats()["bytes"] <= 3 * MB


def write_one(index, queue, root, data):
    queue.put(write_slowly(new_cache(root), data))


def test_concurrent_writers_of_one_key(tmp_path):
    data = content(1, 2 * MB)
    assert run_processes(4, write_one, tmp_path, data) == [True] * 4
    assert new_cache(tmp_path).read(sha1(data), len(data)) == data
    assert new_cache(tmp_path).stats()["files"] == 1


def test_open_file_survives_eviction(tmp_path):
    cache = new_cache(tmp_path)
    data = content(1, MB)
    cache.put(sha1(data), data)
    with cache.open(sha1(data), MB) as file:
        cache.clear()
        assert cache.read(sha1(data)) is None
        assert file.read() == data


# Crashes


def write_half_and_wait(root, data, ready):
    writer = new_cache(root).writer(sha1(data), len(data))
    writer.write(data[: len(data) // 2])
    ready.set()
    time.sleep(PATIENCE)


def start_half_writer(root, data):
    ready = fork.Event()
    job = fork.Process(target=write_half_and_wait, args=(root, data, ready))
    job.start()
    assert ready.wait(PATIENCE)
    return job


def kill(job):
    os.kill(job.pid, signal.SIGKILL)
    job.join(PATIENCE)


def test_killed_writer(tmp_path):
    data = content(1, MB)
    job = start_half_writer(tmp_path, data)
    cache = new_cache(tmp_path)
    kill(job)
    assert cache.read(sha1(data)) is None
    assert cache.follow(sha1(data), len(data)) is None  # nobody writes it any more
    assert write_slowly(cache, data)
    assert cache.read(sha1(data)) == data
    assert cache.sweep(time.time() + 3601).files >= 1
    assert not any(path.is_file() for path in tmp_path.rglob("tmp/*"))


def hold_lock(root, key, ready):
    with new_cache(root).fill_lock(key, 0) as owner:
        assert owner
        ready.set()
        time.sleep(PATIENCE)


def test_killed_owner_of_the_fill_lock(tmp_path):
    key, ready = sha1(b"x"), fork.Event()
    job = fork.Process(target=hold_lock, args=(tmp_path, key, ready))
    job.start()
    assert ready.wait(PATIENCE)
    cache = new_cache(tmp_path)
    with cache.fill_lock(key, 0) as owner:
        assert not owner
    with cache.fill_lock(sha1(b"other"), 0) as owner:
        assert owner
    kill(job)
    with cache.fill_lock(key, PATIENCE) as owner:
        assert owner


# One download for all


def read_through(cache, data, downloads, timeout=PATIENCE):
    """What a reader does: look, else lock, look again, download."""
    key = sha1(data)
    found = cache.read(key)
    if found is not None:
        return found
    with cache.fill_lock(key, timeout) as owner:
        assert owner
        found = cache.read(key)
        if found is None:
            downloads.append(key)
            write_slowly(cache, data)
            return data
    return found


def read_through_in_process(index, queue, root, data):
    cache, downloads = new_cache(root), []
    results = run_threads(5, lambda _: read_through(cache, data, downloads) == data)
    queue.put((results, len(downloads)))


def test_concurrent_readers_share_one_download(tmp_path):
    data = content(1, MB)
    answers = run_processes(4, read_through_in_process, tmp_path, data)
    assert all(all(results) for results, _ in answers)
    assert sum(downloads for _, downloads in answers) == 1
    assert not any(path.is_file() for path in tmp_path.rglob("locks/*"))


def test_locks_exclude(tmp_path):
    """A counter that only a lock protects, by threads that make and remove the file."""
    path, inside, counter = str(tmp_path / "lock"), [], []

    def work(index):
        for _ in range(200):
            with file_lock(path, PATIENCE, sleep=lambda _: time.sleep(0)) as owner:
                assert owner
                inside.append(index)
                time.sleep(0)
                counter.append(len(inside))
                inside.pop()
        return True

    assert run_threads(6, work) == [True] * 6
    assert counter == [1] * 1200
    assert not os.path.exists(path)


def test_waiting_ends(tmp_path):
    cache = new_cache(tmp_path)
    with cache.fill_lock(sha1(b"x"), 0) as first:
        with cache.fill_lock(sha1(b"x"), 0.1) as second:
            assert (first, second) == (True, False)
    with cache.fill_lock(sha1(b"x"), 0) as third:
        assert third


# Followers of a download


def test_followers_get_it_all(tmp_path):
    data = content(1, 3 * MB)
    cache = new_cache(tmp_path)
    writer = cache.writer(sha1(data), len(data))
    writer.write(data[:1000])
    streams = [cache.follow(sha1(data), len(data)) for _ in range(5)]
    firsts = [next(stream) for stream in streams]
    assert firsts == [data[:1000]] * 5  # long before the end

    def finish(index):
        if index == 5:
            for start in range(1000, len(data), 100 * 1000):
                writer.write(data[start : start + 100 * 1000])
                time.sleep(0.001)
            return writer.commit()
        return firsts[index] + b"".join(streams[index]) == data

    assert run_threads(6, finish) == [True] * 6
    assert cache.follow(sha1(data), len(data)) is None


def follow_without_waiting(root, data):
    """Follow the only writer; having to wait for it is a failure."""
    (temporary,) = root.rglob("tmp")

    def refuse(_seconds):
        raise AssertionError("waits for a writer that is gone")

    return follow(str(temporary), sha1(data), len(data), PATIENCE, refuse)


def test_followed_writer_gives_up(tmp_path):
    data = content(1, MB)
    cache = new_cache(tmp_path)
    writer = cache.writer(sha1(data), len(data))
    writer.write(data[:1000])
    stream = follow_without_waiting(tmp_path, data)
    received = next(stream)
    writer.write(data[1000:2000])
    writer.abort()
    with pytest.raises(FillAbandonedError):
        for chunk in stream:
            received += chunk
    assert received == data[:2000]  # from here on elsewhere


def test_followed_writer_is_killed(tmp_path):
    data = content(1, MB)
    job = start_half_writer(tmp_path, data)
    stream = follow_without_waiting(tmp_path, data)
    received = b"".join(itertools.islice(stream, 2))  # all that is there
    kill(job)
    with pytest.raises(FillAbandonedError):
        for chunk in stream:
            received += chunk
    assert received == data[: MB // 2]


def test_followed_writer_stalls(tmp_path):
    data = content(1, MB)
    cache = new_cache(tmp_path)
    with cache.writer(sha1(data), len(data)) as writer:
        writer.write(data[:1000])
        stream = cache.follow(sha1(data), len(data), stall=0.05)
        assert next(stream) == data[:1000]
        with pytest.raises(FillAbandonedError):
            next(stream)


def test_nobody_to_follow(tmp_path):
    cache = new_cache(tmp_path)
    with cache.writer(sha1(b"a"), 1):
        assert cache.follow(sha1(b"b"), 1) is None


# A disk that is full


def write_with_small_files_only(index, queue, root, limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    cache, data, small = new_cache(root), content(1, 2 * limit), content(2, 1000)
    with cache.writer(sha1(data), len(data)) as writer:
        for start in range(0, len(data), 50 * 1000):
            writer.write(data[start : start + 50 * 1000])
        outcome = (writer.matches, writer.active, writer.commit())
    queue.put((outcome, cache.read(sha1(data)), cache.put(sha1(small), small)))


def test_disk_refuses_in_the_middle(tmp_path):
    (answer,) = run_processes(1, write_with_small_files_only, tmp_path, MB)
    assert answer == ((True, False, False), None, True)
    assert not any(path.is_file() for path in tmp_path.rglob("tmp/*"))
    assert new_cache(tmp_path).stats() == {"files": 1, "bytes": 1000}


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 1 MB, where the machine lets us mount one."""
    place = tmp_path / "tiny"
    place.mkdir()
    mount = "mount -t tmpfs -o size=1m tmpfs '%s' 2>/dev/null" % place
    if os.geteuid() != 0 or os.system(mount) != 0:
        pytest.skip("no right to mount")
    yield place
    assert os.system("umount '%s'" % place) == 0


def test_disk_full(tiny_disk, caplog):
    cache = new_cache(tiny_disk)
    contents = [content(number, 300 * 1000) for number in range(8)]
    stored = [cache.put(sha1(data), data) for data in contents]
    assert stored[:3] == [True] * 3
    assert not any(stored[4:])
    for data, is_stored in zip(contents, stored):
        assert cache.read(sha1(data)) == (data if is_stored else None)
    assert len(caplog.records) == 1
    cache.drop(sha1(contents[0]))
    assert cache.put(sha1(contents[7]), contents[7])
