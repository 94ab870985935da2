"""Entity tags and HTTP dates, by tables from RFC 9110."""

from datetime import datetime, timedelta, timezone

import pytest
from cloud_storage.utils.http_validators import (
    ANY,
    ETag,
    format_http_date,
    make_etag,
    parse_etags,
    parse_http_date,
    strongly_equal,
    weakly_equal,
)

MOMENT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "one, other, strong, weak",
    [  # section 8.8.3.2, the table of comparisons
        (ETag("1", True), ETag("1", True), False, True),
        (ETag("1", True), ETag("2", True), False, False),
        (ETag("1", True), ETag("1"), False, True),
        (ETag("1"), ETag("1"), True, True),
    ],
)
def test_comparison(one, other, strong, weak):
    assert strongly_equal(one, other) is strong
    assert weakly_equal(one, other) is weak


@pytest.mark.parametrize(
    "header, expected",
    [  # section 8.8.3 and 13.1.1
        ('"xyzzy"', [ETag("xyzzy")]),
        ('W/"xyzzy"', [ETag("xyzzy", True)]),
        ('""', [ETag("")]),
        ('"xyzzy", "r2d2xxxx"', [ETag("xyzzy"), ETag("r2d2xxxx")]),
        ('"a,b"', [ETag("a,b")]),
        ("*", ANY),
        ('*, "a"', []),
        ('w/"a"', []),  # the mark of weakness is case-sensitive
        ('"a" "b"', []),
        ('"a', []),
        ('"a b"', []),
        ("a", []),
        ("", []),
    ],
)
def test_lists_of_tags(header, expected):
    assert parse_etags(header) == expected


def test_made_tags_can_be_read_back():
    assert parse_etags(make_etag("0cc175b9")) == [ETag("0cc175b9")]
    assert make_etag("a", weak=True) == 'W/"a"'


@pytest.mark.parametrize("digest", ['a"b', "a\r\nX: y", "a b", "\u20ac"])
def test_nothing_else_gets_into_a_tag(digest):
    with pytest.raises(ValueError):
        make_etag(digest)


@pytest.mark.parametrize(
    "text",
    [  # section 5.6.7: the three forms of one moment
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "  Sun, 06 Nov 1994 08:49:37 GMT ",
    ],
)
def test_dates(text):
    assert parse_http_date(text) == MOMENT


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "0",
        "now",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
    ],
)
def test_no_dates(text):
    assert parse_http_date(text) is None


def test_leap_second():
    moment = parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT")
    assert moment == datetime(2016, 12, 31, 23, 59, 59, tzinfo=timezone.utc)


@pytest.mark.parametrize("digits, year", [("24", 2024), ("74", 2074), ("76", 1976)])
def test_century_of_two_digits(digits, year):
    now = datetime(2024, 6, 1, tzinfo=timezone.utc)
    text = "Sunday, 06-Nov-%s 08:49:37 GMT" % digits
    assert parse_http_date(text, now).year == year


def test_formatting():
    expected = "Sun, 06 Nov 1994 08:49:37 GMT"
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert format_http_date(MOMENT) == expected
    assert format_http_date(elsewhere) == expected
    assert format_http_date(MOMENT.replace(tzinfo=None, microsecond=999999)) == expected
