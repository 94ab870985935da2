"""Ranges and preconditions, by tables from RFC 9110."""

import time
from datetime import datetime, timezone

import pytest
from cloud_storage.utils.http_range import (
    MAX_RANGES,
    RangeNotSatisfiable,
    decide,
    parse_range,
)

SIZE = 10000  # the representation that section 14.1.2 takes its examples from
ETAG = '"d41d8cd98f00b204"'
MODIFIED = datetime(1994, 11, 15, 12, 45, 26, 500)  # naive means UTC, as in Odoo
DATE = "Tue, 15 Nov 1994 12:45:26 GMT"
BEFORE = "Tue, 15 Nov 1994 12:45:25 GMT"
AFTER = "Tue, 15 Nov 1994 12:45:27 GMT"


@pytest.mark.parametrize(
    "header, expected",
    [
        # Section 14.1.2, examples.
        ("bytes=0-499", [(0, 499)]),
        ("bytes=500-999", [(500, 999)]),
        ("bytes=-500", [(9500, 9999)]),
        ("bytes=9500-", [(9500, 9999)]),
        ("bytes=0-0,-1", [(0, 0), (9999, 9999)]),
        ("bytes= 0-999, 4500-5499, -1000", [(0, 999), (4500, 5499), (9000, 9999)]),
        ("bytes=500-600,601-999", [(500, 600), (601, 999)]),
        ("bytes=500-700,601-999", [(500, 700), (601, 999)]),
        # A last position at or beyond the end means the rest.
        ("bytes=0-", [(0, 9999)]),
        ("bytes=9999-", [(9999, 9999)]),
        ("bytes=9999-9999", [(9999, 9999)]),
        ("bytes=9000-10000", [(9000, 9999)]),
        ("bytes=9000-" + "9" * 4000, [(9000, 9999)]),
        # A suffix longer than the file is the file.
        ("bytes=-10000", [(0, 9999)]),
        ("bytes=-10001", [(0, 9999)]),
        # Leading zeros are digits like others.
        ("bytes=000-0010", [(0, 10)]),
        ("bytes=" + "0" * 50 + "1-1", [(1, 1)]),
        # Section 14.1: units are case-insensitive. 5.6.1.2: empty elements are nothing.
        ("BYTES=0-1", [(0, 1)]),
        ("bytes=,0-1,", [(0, 1)]),
        ("bytes=0-1 , 5-6", [(0, 1), (5, 6)]),
        # Section 14.1.2: satisfiable when one range is.
        ("bytes=0-1,20000-30000", [(0, 1)]),
        ("bytes=-0,7-7", [(7, 7)]),
    ],
)
def test_ranges_of_the_rfc(header, expected):
    assert parse_range(header, SIZE) == expected


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=a-b",
        "bytes=1",
        "bytes=1-2-3",
        "bytes=--1",
        "bytes=+1-2",
        "bytes=0x1-2",
        "bytes=1.0-2",
        "bytes=\u0661-\u0662",  # digits, but not ASCII
        "bytes=0-1;2-3",
        "bytes 0-1",
        "items=0-1",
        "0-1",
        "bytes=500-499",  # section 14.1.1: inverted is invalid
        "bytes=0-1,500-499",  # and makes the whole header so
        "bytes=0-1,nonsense",
        "bytes=" + "9" * 30 + "-1",
        "bytes=" + ",".join(["0-0"] * (MAX_RANGES + 1)),  # section 17.15
    ],
)
def test_ranges_to_ignore(header):
    assert parse_range(header, SIZE) is None


@pytest.mark.parametrize(
    "header, size",
    [
        ("bytes=10000-", SIZE),
        ("bytes=10000-10001", SIZE),
        ("bytes=" + "9" * 4000 + "-", SIZE),
        ("bytes=-0", SIZE),
        ("bytes=20000-,30000-", SIZE),
        ("bytes=0-", 0),
        ("bytes=0-0", 0),
        ("bytes=-0", 0),
    ],
)
def test_ranges_that_can_not_be_satisfied(header, size):
    with pytest.raises(RangeNotSatisfiable) as caught:
        parse_range(header, size)
    assert caught.value.size == size


def test_suffix_of_empty_file_is_the_empty_file():
    assert parse_range("bytes=-5", 0) is None


def answer(method="GET", size=SIZE, etag=ETAG, modified=MODIFIED, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return decide(method, named, size, etag, modified)


def test_whole_file():
    found = answer()
    assert found[:4] == (200, 0, SIZE, True)
    assert dict(found.headers) == {
        "Accept-Ranges": "bytes",
        "ETag": ETAG,
        "Last-Modified": DATE,
        "Content-Length": "10000",
    }


def test_head_has_the_headers_of_get_and_no_body():
    found = answer("HEAD")
    assert found[:4] == (200, 0, SIZE, False)
    assert found.headers == answer("GET").headers


def test_one_range():
    found = answer(Range="bytes=500-999")
    assert found[:4] == (206, 500, 500, True)
    assert dict(found.headers)["Content-Range"] == "bytes 500-999/10000"
    assert dict(found.headers)["Content-Length"] == "500"
    assert dict(found.headers)["ETag"] == ETAG


def test_not_satisfiable():
    found = answer(Range="bytes=10000-")
    assert found[:4] == (416, 0, 0, False)
    assert dict(found.headers)["Content-Range"] == "bytes */10000"
    assert dict(found.headers)["Content-Length"] == "0"


def test_not_modified():
    found = answer(If_None_Match=ETAG)
    assert found[:4] == (304, 0, 0, False)
    assert dict(found.headers)["ETag"] == ETAG
    # Section 8.6: a length here would have to be that of the file.
    assert "Content-Length" not in dict(found.headers)


def test_precondition_failed():
    found = answer(If_Match='"other"')
    assert found[:4] == (412, 0, 0, False)
    assert dict(found.headers)["Content-Length"] == "0"


@pytest.mark.parametrize(
    "range_header, expected",
    [
        ("bytes=0-", (416, 0, 0)),
        ("bytes=-1", (200, 0, 0)),
        ("nonsense", (200, 0, 0)),
        (None, (200, 0, 0)),
    ],
)
def test_empty_file(range_header, expected):
    found = answer(size=0, Range=range_header)
    assert found[:3] == expected
    if found.status == 416:
        assert dict(found.headers)["Content-Range"] == "bytes */0"


@pytest.mark.parametrize(
    "headers, status",
    [
        # Section 14.2: several ranges may be answered by the whole file.
        ({"Range": "bytes=0-0,5-5"}, 200),
        ({"Range": "bytes=5-4"}, 200),
        ({"Range": "bytes=0-0"}, 206),
        # Section 13.1.2, weak comparison, lists and "*".
        ({"If-None-Match": ETAG}, 304),
        ({"If-None-Match": "W/" + ETAG}, 304),
        ({"If-None-Match": '"a", "b,c", ' + ETAG}, 304),
        ({"If-None-Match": '"a",W/"b"'}, 200),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": ' "a" , ,' + ETAG + " "}, 304),
        ({"If-None-Match": ETAG.strip('"')}, 304),  # it names this very content
        ({"If-None-Match": ETAG + " garbage"}, 200),
        ({"If-None-Match": ""}, 200),
        # Section 13.1.3.
        ({"If-Modified-Since": DATE}, 304),
        ({"If-Modified-Since": AFTER}, 304),
        ({"If-Modified-Since": BEFORE}, 200),
        ({"If-Modified-Since": "Tuesday, 15-Nov-94 12:45:26 GMT"}, 304),
        ({"If-Modified-Since": "Tue Nov 15 12:45:26 1994"}, 304),
        ({"If-Modified-Since": "yesterday"}, 200),
        ({"If-Modified-Since": "0"}, 200),
        ({"If-Modified-Since": "Sun, 99999999999"}, 200),
        ({"If-Modified-Since": "Sun, 06 Nov 99999999999 08:49:37 GMT"}, 200),
        ({"If-Modified-Since": "-"}, 200),
        ({"If-Modified-Since": "Tue, 32 Nov 2094 12:45:26 GMT"}, 200),
        ({"If-Modified-Since": "2094-11-15 12:45:26"}, 200),
        # Section 13.2.2: If-None-Match decides alone.
        ({"If-None-Match": '"a"', "If-Modified-Since": DATE}, 200),
        ({"If-None-Match": ETAG, "If-Modified-Since": BEFORE}, 304),
        # Section 13.1.1, strong comparison; 13.1.4.
        ({"If-Match": ETAG}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": '"a", ' + ETAG}, 200),
        ({"If-Match": "W/" + ETAG}, 412),
        ({"If-Match": '"a"'}, 412),
        ({"If-Unmodified-Since": DATE}, 200),
        ({"If-Unmodified-Since": AFTER}, 200),
        ({"If-Unmodified-Since": BEFORE}, 412),
        ({"If-Unmodified-Since": "never"}, 200),
        ({"If-Match": ETAG, "If-Unmodified-Since": BEFORE}, 200),
        # Section 13.2.2: If-Match before If-None-Match, both before Range.
        ({"If-Match": '"a"', "If-None-Match": ETAG}, 412),
        ({"If-Match": ETAG, "If-None-Match": ETAG}, 304),
        ({"If-None-Match": ETAG, "Range": "bytes=0-0"}, 304),
        ({"If-None-Match": ETAG, "Range": "bytes=99999-"}, 304),
        ({"If-None-Match": '"a"', "Range": "bytes=0-0"}, 206),
        # Section 13.1.5: the same strong tag or the exact date, else all of it.
        ({"If-Range": ETAG, "Range": "bytes=0-0"}, 206),
        ({"If-Range": '"a"', "Range": "bytes=0-0"}, 200),
        ({"If-Range": "W/" + ETAG, "Range": "bytes=0-0"}, 200),
        ({"If-Range": ETAG + ', "b"', "Range": "bytes=0-0"}, 200),
        ({"If-Range": "*", "Range": "bytes=0-0"}, 200),
        ({"If-Range": DATE, "Range": "bytes=0-0"}, 206),
        ({"If-Range": AFTER, "Range": "bytes=0-0"}, 200),
        ({"If-Range": BEFORE, "Range": "bytes=0-0"}, 200),
        ({"If-Range": "garbage", "Range": "bytes=0-0"}, 200),
        ({"If-Range": "", "Range": "bytes=0-0"}, 200),
        ({"If-Range": '"a"', "Range": "bytes=99999-"}, 200),
        ({"If-Range": ETAG, "Range": "bytes=99999-"}, 416),
        ({"If-Range": ETAG}, 200),
    ],
)
def test_precedence(headers, status):
    assert decide("GET", headers, SIZE, ETAG, MODIFIED).status == status


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"Range": "bytes=0-0"}, 200),  # section 14.2: Range is for GET
        ({"Range": "bytes=99999-"}, 200),
        ({"If-None-Match": ETAG}, 304),
        ({"If-Modified-Since": DATE}, 304),
        ({"If-Match": '"a"'}, 412),
    ],
)
def test_head(headers, status):
    found = decide("HEAD", headers, SIZE, ETAG, MODIFIED)
    assert found.status == status
    assert not found.send_body


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"If-None-Match": '"a"'}, 200),
        ({"If-None-Match": "*"}, 304),
        ({"If-Match": '"a"'}, 412),
        ({"If-Match": "*"}, 200),
        ({"If-Modified-Since": DATE}, 200),
        ({"If-Unmodified-Since": DATE}, 200),
        ({"If-Range": '"a"', "Range": "bytes=0-0"}, 200),
        ({"If-Range": DATE, "Range": "bytes=0-0"}, 200),
        ({"Range": "bytes=0-0"}, 206),
    ],
)
def test_file_without_validators(headers, status):
    found = decide("GET", headers, SIZE)
    assert found.status == status
    assert {"ETag", "Last-Modified"}.isdisjoint(dict(found.headers))


def test_a_long_header_takes_no_time():
    started = time.monotonic()
    found = decide("GET", {"If-None-Match": "a" + " " * 60000 + "b"}, SIZE, ETAG)
    assert found.status == 200
    assert time.monotonic() - started < 1


def test_weak_current_tag_never_joins_parts():
    headers = {"If-Range": 'W/"a"', "Range": "bytes=0-0"}
    assert decide("GET", headers, SIZE, 'W/"a"').status == 200
    assert decide("GET", {"If-None-Match": '"a"'}, SIZE, 'W/"a"').status == 304


def test_aware_dates_are_converted():
    moment = datetime(1994, 11, 15, 12, 45, 26, tzinfo=timezone.utc)
    assert dict(answer(modified=moment).headers)["Last-Modified"] == DATE
