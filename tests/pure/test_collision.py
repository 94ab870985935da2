"""The pair of contents with one md5."""
import hashlib

from conftest import collision


def test_pair():
    for tail in (b"", b"a common end" * 1000):
        one, other = collision.pair(tail)
        assert len(one) == len(other) == 128 + len(tail)
        assert hashlib.md5(one).digest() == hashlib.md5(other).digest()
        assert hashlib.sha1(one).digest() != hashlib.sha1(other).digest()
    assert collision.pair() == collision.PAIR
