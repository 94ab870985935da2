"""Validators of HTTP: entity tags and dates (RFC 9110 sections 8.8 and 5.6.7)."""

import re
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import NamedTuple

ANY = "*"

_ETAG = r'(?P<weak>W/)?"(?P<opaque>[\x21\x23-\x7e\x80-\xff]*)"'
_ETAG_ITEM = re.compile(r"[ \t,]*" + _ETAG + r"[ \t]*(?=,|$)")

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_MONTH = "(?P<month>" + "|".join(_MONTHS) + ")"
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_DATE_FORMS = tuple(
    re.compile(
        form.format(day=_DAY, long_day=_LONG_DAY, month=_MONTH, time=_TIME), re.ASCII
    )
    for form in (
        r"{day}, (?P<date>\d\d) {month} (?P<year>\d{{4}}) {time} GMT",  # IMF-fixdate
        r"{long_day}, (?P<date>\d\d)-{month}-(?P<year>\d\d) {time} GMT",  # RFC 850
        r"{day} {month} (?P<date>[ \d]\d) {time} (?P<year>\d{{4}})",  # asctime
    )
)


class ETag(NamedTuple):
    """An entity tag: ``opaque`` is what stands between the quotes."""

    opaque: str
    weak: bool = False

    def __str__(self):
        return '{}"{}"'.format("W/" if self.weak else "", self.opaque)


def make_etag(digest, weak=False):
    """Return the wire form of an entity tag, quotes included.

    :param str digest: visible ASCII without quotes
    :raise ValueError: when ``digest`` can not stand in an entity tag
    """
    etag = str(ETag(digest, weak))
    if not re.fullmatch(_ETAG, etag):
        raise ValueError("not an entity tag: %r" % digest)
    return etag


def parse_etags(header):
    """Return the entity tags of an ``If-Match`` or ``If-None-Match`` header.

    :return: ``ANY`` for ``*``; else a list of :class:`ETag`, empty when malformed
    """
    text = header.strip()
    if text == ANY:
        return ANY
    etags, position = [], 0
    match = _ETAG_ITEM.match(text)
    while match:
        etags.append(ETag(match.group("opaque"), bool(match.group("weak"))))
        position = match.end()
        match = _ETAG_ITEM.match(text, position)
    return etags if not text[position:].strip(" \t,") else []


def parse_etag(header):
    """Return the only entity tag of ``header``, or None when it is not just one."""
    etags = parse_etags(header)
    return etags[0] if etags != ANY and len(etags) == 1 else None


def strongly_equal(one, other):
    """Strong comparison (RFC 9110 section 8.8.3.2): both strong, same text."""
    return not one.weak and not other.weak and one.opaque == other.opaque


def weakly_equal(one, other):
    """Weak comparison (RFC 9110 section 8.8.3.2): same text."""
    return one.opaque == other.opaque


def parse_http_date(text, now=None):
    """Return the moment that an HTTP-date names, in any of its three forms.

    :param datetime now: settles the century of a two-digit year; the clock by default
    :return: aware datetime in UTC, or None when the text is no HTTP-date
    """
    forms = (form.fullmatch((text or "").strip()) for form in _DATE_FORMS)
    match = next((found for found in forms if found), None)
    if not match:
        return None
    try:
        return datetime(
            _full_year(match.group("year"), now or datetime.now(timezone.utc)),
            _MONTHS.index(match.group("month")) + 1,
            int(match.group("date")),
            int(match.group("hour")),
            int(match.group("minute")),
            # 60 is a leap second (section 5.6.7), which datetime does not know.
            min(int(match.group("second")), 59),
            tzinfo=timezone.utc,
        )
    except ValueError:
        return None


def format_http_date(moment):
    """Return ``moment`` as IMF-fixdate; see :func:`as_utc` for naive ones."""
    return format_datetime(as_utc(moment), usegmt=True)


def as_utc(moment):
    """Return ``moment`` in UTC in whole seconds; naive means UTC, as in Odoo."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return moment.astimezone(timezone.utc).replace(microsecond=0)


def _full_year(digits, now):
    """Section 5.6.7: a two-digit year over 50 years ahead lies in the past."""
    if len(digits) == 4:
        return int(digits)
    year = now.year - now.year % 100 + int(digits)
    limit = (now + timedelta(days=50 * 365.25)).year
    return year - 100 if year > limit else year
