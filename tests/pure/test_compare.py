"""Every answer to the question whether a file in Drive is the one that was sent."""

import hashlib

import pytest
from cloud_storage.drive.compare import OTHER, SAME, UNKNOWN, compare, size_of

CONTENT = b"content"
SIZE = len(CONTENT)  # 7
SHA1 = hashlib.sha1(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()
WRONG = "0" * 40


def drive(size="7", sha1=SHA1, md5=MD5):
    """What Drive answers; None leaves a field out."""
    told = {"size": size, "sha1Checksum": sha1, "md5Checksum": md5}
    return {name: value for name, value in told.items() if value is not None}


@pytest.mark.parametrize(
    "answer,known,verdict",
    [
        (drive(), (SIZE, SHA1, MD5), SAME),
        (drive(), (SIZE, SHA1), SAME),
        (drive(md5=None), (SIZE, SHA1, MD5), SAME),
        (drive(size=SIZE), (SIZE, SHA1), SAME),
        # the sha1 decides, whatever the md5 says
        (drive(sha1=WRONG), (SIZE, SHA1, MD5), OTHER),
        (drive(md5=WRONG), (SIZE, SHA1, MD5), SAME),
        # without it an md5 disproves, and proves nothing
        (drive(sha1=None), (SIZE, SHA1, MD5), UNKNOWN),
        (drive(), (SIZE, None, MD5), UNKNOWN),
        (drive(md5=WRONG), (SIZE, None, MD5), OTHER),
        (drive(sha1=None, md5=WRONG), (SIZE, SHA1, MD5), OTHER),
        (drive(sha1=None, md5=None), (SIZE, SHA1, MD5), UNKNOWN),
        (drive(), (SIZE,), UNKNOWN),
        # so does a size
        (drive(size="8"), (SIZE, SHA1, MD5), OTHER),
        (drive(size="8"), (SIZE,), OTHER),
        (drive(size="0"), (SIZE, SHA1), OTHER),
        (drive(), (0,), OTHER),
        # nothing is concluded from silence
        (drive(size=None), (SIZE, SHA1, MD5), UNKNOWN),
        (drive(), (None, SHA1, MD5), UNKNOWN),
        ({}, (None,), UNKNOWN),
        ({}, (0,), UNKNOWN),
        (drive(size="many"), (SIZE, SHA1), UNKNOWN),
        (drive(size="-7"), (SIZE, SHA1), UNKNOWN),
        (drive(size=[]), (SIZE, SHA1), UNKNOWN),
        # there is only one empty content
        (drive(size="0", sha1=None, md5=None), (0,), SAME),
        (drive(size="0", sha1=WRONG), (0, SHA1), SAME),
    ],
)
def test_compare(answer, known, verdict):
    assert compare(answer, *known) == verdict


def test_size():
    assert size_of({"size": "9000000000"}) == 9000000000
    assert size_of({"size": 5}) == 5
    assert size_of({"size": "²"}) is None
    assert size_of({}) is None
