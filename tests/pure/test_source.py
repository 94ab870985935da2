"""What is sent of a large file, and what of it is in memory."""
import io
import itertools
import tracemalloc

import pytest
from cloud_storage.drive import source as sources
from cloud_storage.drive.errors import ChecksumError, StoppedError

UNIT = 256 * 1024  # Drive's rule: every part but the last is a multiple of it


class Zeros:
    """A large file that takes no room."""

    def __init__(self, size):
        self._size, self._position = size, 0

    def seek(self, position):
        self._position = position

    def read(self, length):
        length = min(length, self._size - self._position)
        self._position += length
        return bytes(length)


def source_of(content):
    return sources.Source(lambda: io.BytesIO(content), len(content))


def test_parts_are_the_whole(monkeypatch):
    monkeypatch.setattr(sources, "CHUNK", 4 * UNIT)
    content = bytes(itertools.islice(itertools.cycle(range(251)), 10 * UNIT + 17))
    parts = [sources.Part(source_of(content), at) for at in range(0, 11 * UNIT, 4 * UNIT)]
    assert [len(part) for part in parts] == [4 * UNIT, 4 * UNIT, 2 * UNIT + 17]
    assert b"".join(b"".join(part) for part in parts) == content
    assert parts[0].content_range == "bytes 0-%d/%d" % (4 * UNIT - 1, len(content))
    assert parts[2].content_range.startswith("bytes %d-" % (8 * UNIT))
    assert parts[2].content_range.endswith("-%d/%d" % (len(content) - 1, len(content)))


def test_part_can_be_sent_again():
    part = sources.Part(source_of(b"x" * 1000), 100)
    assert b"".join(part) == b"".join(part) == b"x" * 900


def test_parts_keep_to_the_rule():
    assert sources.CHUNK % UNIT == 0
    part = sources.Part(sources.Source(lambda: Zeros(10**10), 10**10), 3 * UNIT)
    assert len(part) % UNIT == 0


def test_memory_does_not_grow_with_the_part(monkeypatch):
    monkeypatch.setattr(sources, "CHUNK", 400 * UNIT)
    part = sources.Part(sources.Source(lambda: Zeros(10**10), 10**10), 0)
    tracemalloc.start()
    try:
        assert sum(map(len, part)) == 400 * UNIT
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * UNIT


def test_stopped_in_the_middle_of_a_part():
    def stop(position):
        if position >= 2 * UNIT:
            raise StoppedError("stopped")

    part = sources.Part(sources.Source(lambda: Zeros(10**10), 10**10), 0, stop)
    sent = 0
    with pytest.raises(StoppedError):
        for block in part:
            sent += len(block)
    assert sent == 2 * UNIT


def test_file_that_became_shorter():
    source = sources.Source(lambda: io.BytesIO(b"x" * 10), 100)
    with pytest.raises(ChecksumError):
        list(sources.Part(source, 0))
