"""What to answer to a GET or HEAD of one file: whole, a part, or nothing new.

The decisions of RFC 9110 about preconditions (section 13) and ranges (section 14),
without any I/O, so that they hold for any file that has a size and validators.
"""

import re
from datetime import timezone
from typing import NamedTuple, Tuple

from werkzeug.http import http_date, parse_date, parse_etags, unquote_etag

# Many small ranges cost the server more than the client (section 17.15).
MAX_RANGES = 16

_RANGE_SPEC = re.compile(r"(?P<first>[0-9]*)-(?P<last>[0-9]*)")
_MAX_DIGITS = 20  # positions beyond this are beyond any file


class RangeNotSatisfiable(ValueError):
    """No requested range overlaps the file; ``size`` is its length in bytes."""

    def __init__(self, size):
        super().__init__("no range within %s bytes" % size)
        self.size = size


class ByteRange(NamedTuple):
    """Positions of the first and the last byte, both inclusive."""

    start: int
    end: int

    @property
    def length(self):
        """Number of bytes."""
        return self.end - self.start + 1


class Decision(NamedTuple):
    """The answer to a request.

    ``status`` is 200, 206, 304, 412 or 416. ``start`` and ``length`` (bytes) name the
    part of the file that GET sends; ``send_body`` is false for HEAD and for answers
    without content. ``headers`` are (name, value) pairs, validators included.
    """

    status: int
    start: int
    length: int
    send_body: bool
    headers: Tuple[Tuple[str, str], ...]


def parse_range(header, size):
    """Return the byte ranges that a ``Range`` header asks of a file.

    Follows sections 14.1.1, 14.1.2 and 14.2. Several ranges come back as asked, those
    outside the file left out.

    :param str header: value of the header, or None
    :param int size: length of the file in bytes
    :return: list of :class:`ByteRange`, or None when the header is to be ignored
        (absent, of another unit, malformed, too many ranges)
    :raise RangeNotSatisfiable: when it is well-formed but meets no byte of the file
    """
    specs = _range_specs(header or "")
    if not specs or len(specs) > MAX_RANGES:
        return None
    if any(_is_invalid(first, last) for first, last in specs):
        return None
    if not size and any(not first and _position(last) for first, last in specs):
        # A suffix of an empty file is satisfiable, but 206 can not express no byte.
        return None
    ranges = [_resolve(first, last, size) for first, last in specs]
    ranges = [found for found in ranges if found]
    if not ranges:
        raise RangeNotSatisfiable(size)
    return ranges


def decide(method, headers, size, etag=None, last_modified=None):
    """Return the :class:`Decision` for a request, in the order of section 13.2.2.

    :param str method: ``GET`` or ``HEAD``
    :param headers: mapping with a ``get`` that knows the names as HTTP writes them
        (``If-None-Match``); Werkzeug's headers do
    :param int size: length of the file in bytes
    :param str etag: current entity tag in wire form, quotes included, or None
    :param datetime last_modified: aware, or naive in UTC; or None
    """
    modified = _as_utc(last_modified) if last_modified else None
    common = _common_headers(etag, modified)
    if _is_stale_precondition(headers, etag, modified):
        return _empty(412, common, ("Content-Length", "0"))
    if _is_unchanged(headers, etag, modified):
        return _empty(304, common)
    send_body = method == "GET"
    try:
        ranges = _applicable_ranges(method, headers, size, etag, modified)
    except RangeNotSatisfiable:
        unsatisfied = ("Content-Range", "bytes */%d" % size)
        return _empty(416, common, unsatisfied, ("Content-Length", "0"))
    if not ranges or len(ranges) > 1:
        # Section 14.2 lets a server ignore Range; several parts are sent as one whole.
        length = ("Content-Length", str(size))
        return Decision(200, 0, size, send_body, common + (length,))
    return _partial(ranges[0], size, common)


def _range_specs(header):
    """Return (first, last) texts, or an empty list when the header is malformed."""
    unit, equals, range_set = header.strip().partition("=")
    if unit.lower() != "bytes" or not equals:
        return []
    items = [item.strip(" \t") for item in range_set.split(",")]
    # Section 5.6.1.2: a recipient takes empty list elements for nothing.
    matches = [_RANGE_SPEC.fullmatch(item) for item in items if item]
    return [match.groups() for match in matches] if all(matches) else []


def _position(digits):
    """Return the number; the sum of digits is bounded, so is the work."""
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MAX_DIGITS else 10**_MAX_DIGITS


def _is_invalid(first, last):
    """Section 14.1.1: no positions at all, or the last before the first."""
    if not first:
        return not last
    return bool(last) and _position(last) < _position(first)


def _resolve(first, last, size):
    """Return the :class:`ByteRange` within ``size`` bytes, or None when outside."""
    if not first:
        start = max(size - _position(last), 0)
        return ByteRange(start, size - 1) if start < size else None
    start = _position(first)
    end = min(_position(last), size - 1) if last else size - 1
    return ByteRange(start, end) if start < size else None


def _is_stale_precondition(headers, etag, modified):
    """Steps 1 and 2 of section 13.2.2: the client wants just the version it knows."""
    if_match = headers.get("If-Match")
    if if_match is not None:
        return not _names(if_match, etag, strongly=True)
    date = _date(headers.get("If-Unmodified-Since"))
    return bool(date and modified and modified > date)


def _is_unchanged(headers, etag, modified):
    """Steps 3 and 4 of section 13.2.2: the client has this version already."""
    if_none_match = headers.get("If-None-Match")
    if if_none_match is not None:
        return _names(if_none_match, etag)
    date = _date(headers.get("If-Modified-Since"))
    return bool(date and modified and modified <= date)


def _applicable_ranges(method, headers, size, etag, modified):
    """Step 5 of section 13.2.2: ranges are for GET, and if ``If-Range`` agrees."""
    if method != "GET":
        return None
    if_range = headers.get("If-Range")
    if if_range is not None and not _is_same_version(if_range, etag, modified):
        return None
    return parse_range(headers.get("Range"), size)


def _is_same_version(if_range, etag, modified):
    """Section 13.1.5: the very same strong entity tag, or the exact date.

    Werkzeug's own ``parse_if_range_header`` drops the mark of a weak one.
    """
    if '"' in if_range:
        return if_range.strip() == etag and not etag.startswith("W/")
    date = _date(if_range)
    return date is not None and date == modified


def _names(header, etag, strongly=False):
    """Whether a list of entity tags has this one (None: the file has none), or any."""
    # the time that Werkzeug's expression takes grows with the square of the blanks
    etags = parse_etags(" ".join(header.split()))
    opaque, weak = unquote_etag(etag)
    if not strongly:
        return etags.contains_weak(opaque)
    return etags.star_tag or not weak and etags.contains(opaque)


def _date(header):
    """The moment that a header names, in UTC; None when it is no date."""
    try:
        date = parse_date((header or "").strip() or None)
        return date and _as_utc(date)
    except (IndexError, OverflowError):  # email.utils of Python before 3.10
        return None


def _as_utc(moment):
    """``moment`` in UTC in whole seconds; naive means UTC, as in Odoo and Werkzeug 0.16."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return moment.astimezone(timezone.utc).replace(microsecond=0)


def _common_headers(etag, modified):
    headers = [("Accept-Ranges", "bytes")]
    if etag:
        headers.append(("ETag", etag))
    if modified:
        headers.append(("Last-Modified", http_date(modified)))
    return tuple(headers)


def _empty(status, common, *headers):
    return Decision(status, 0, 0, False, common + headers)


def _partial(part, size, common):
    content_range = "bytes {}-{}/{}".format(part.start, part.end, size)
    headers = (("Content-Range", content_range), ("Content-Length", str(part.length)))
    return Decision(206, part.start, part.length, True, common + headers)
