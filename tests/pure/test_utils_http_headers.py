"""Headers for files of strangers: names, types, policies."""

import re
from urllib.parse import unquote

import pytest
from cloud_storage.utils.http_headers import (
    OCTET_STREAM,
    cache_control,
    content_disposition,
    file_headers,
    is_active_content,
    safe_content_type,
)

# RFC 6266 section 4.1 as far as it is used here, RFC 8187 section 3.2.1.
_DISPOSITION = re.compile(
    r'(?:attachment|inline); filename="(?P<plain>[\x20\x21\x23-\x5b\x5d-\x7e]+)"'
    r"(?:; filename\*=UTF-8''(?P<full>(?:[A-Za-z0-9!#$&+.^_`|~-]|%[0-9A-F]{2})+))?"
)


def names(value):
    """Return (filename, filename*) of a header value that must be well-formed."""
    match = _DISPOSITION.fullmatch(value)
    assert match, value
    full = match.group("full")
    return match.group("plain"), unquote(full, errors="strict") if full else None


@pytest.mark.parametrize(
    "filename, plain, full",
    [
        ("report.pdf", "report.pdf", None),
        ("two words.pdf", "two words.pdf", None),
        ("it's.pdf", "it's.pdf", None),
        ("a;b,c=d.pdf", "a;b,c=d.pdf", None),
        ("résumé.pdf", "resume.pdf", "résumé.pdf"),
        ("100%.pdf", "100_.pdf", "100%.pdf"),
        ("%41.pdf", "_41.pdf", "%41.pdf"),  # RFC 6266 appendix D
        ('say "hi".txt', "say _hi_.txt", 'say "hi".txt'),
        ("€ rates.pdf", "_ rates.pdf", "€ rates.pdf"),  # RFC 6266 section 5
        ("文件.pdf", "__.pdf", "文件.pdf"),
        ("😀.png", "_.png", "😀.png"),
        ("ملف.pdf", "___.pdf", "ملف.pdf"),
        ("../../etc/passwd", ".._.._etc_passwd", None),
        ("C:\\temp\\a.txt", "C:_temp_a.txt", None),
        ("½.txt", "1_2.txt", "½.txt"),  # decomposes into a slash of its own
        ("\uff0f\uff02.txt", "__.txt", "\uff0f\uff02.txt"),
        # What reorders or breaks the line never gets through.
        ("a\r\nSet-Cookie: x=y.txt", "a  Set-Cookie: x=y.txt", None),
        ("a\x00b\x1f\x7f\x85.txt", "ab.txt", None),
        ("a\u2028b.txt", "a b.txt", None),
        ("gnp\u202efdp.exe", "gnpfdp.exe", None),
        ("\ud800.txt", "_.txt", "?.txt"),
        ("", "unnamed", None),
        (None, "unnamed", None),
        (" \t\r\n ", "unnamed", None),
    ],
)
def test_names(filename, plain, full):
    value = content_disposition(filename)
    assert names(value) == (plain, full)
    value.encode("latin-1")  # what a WSGI server can send


@pytest.mark.parametrize("character", ["a", "é", "文", "😀"])
def test_long_names_keep_their_extension(character):
    plain, full = names(content_disposition(character * 5000 + ".tar.gz"))
    name = full or plain
    assert name.endswith(character + ".tar.gz")
    assert 200 < len(name.encode()) <= 255


def test_each_character_gives_a_well_formed_header():
    for first in range(0, 0x11000, 64):
        filename = "x" + "".join(map(chr, range(first, first + 64))) + "x"
        names(content_disposition(filename))


def test_inline_or_attachment():
    assert content_disposition("a.pdf", attachment=False).startswith("inline; ")
    assert content_disposition("a.pdf", attachment=True).startswith("attachment; ")


@pytest.mark.parametrize(
    "mimetype, expected",
    [
        ("application/pdf", "application/pdf"),
        ("Image/PNG", "image/png"),
        (" text/plain ", "text/plain"),
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ('text/plain;charset="utf-8"', "text/plain; charset=utf-8"),
        ("image/svg+xml", "image/svg+xml"),
        ("application/vnd.ms-excel.sheet.macroEnabled.12",) * 2,
        (None, OCTET_STREAM),
        ("", OCTET_STREAM),
        ("pdf", OCTET_STREAM),
        ("text/", OCTET_STREAM),
        ("*/*", OCTET_STREAM),
        ("unknown/unknown", OCTET_STREAM),
        ("text/html\r\nX-Evil: 1", OCTET_STREAM),
        ("text/html, image/png", OCTET_STREAM),
        ("text/plain; boundary=x", OCTET_STREAM),
        ("multipart/x-mixed-replace", OCTET_STREAM),
        ("text/plain\n", "text/plain"),
    ],
)
def test_content_types(mimetype, expected):
    assert safe_content_type(mimetype).lower() == expected.lower()


@pytest.mark.parametrize(
    "mimetype, name, active",
    [
        ("text/html", "", True),
        ("TEXT/HTML; charset=utf-8", "", True),
        ("application/xhtml+xml", "", True),
        ("image/svg+xml", "", True),
        ("text/xml", "", True),
        ("application/xml", "", True),
        ("application/rss+xml", "", True),
        ("application/javascript", "", True),
        ("text/javascript", "", True),
        ("text/css", "", True),
        ("message/rfc822", "", True),
        ("multipart/related", "", True),
        ("text/plain", "page.HTML", True),
        ("application/octet-stream", "drawing.svg", True),
        ("application/octet-stream", "mail.mht", True),
        ("image/png", "x.svgz", True),
        ("application/pdf", "a.pdf", False),
        ("image/png", "a.png", False),
        ("video/mp4", "a.mp4", False),
        ("text/plain", "html", False),
        ("text/plain", "html.txt", False),
        ("text/csv", "a.csv", False),
        ("application/vnd.ms-excel", "a.xlsx", False),
        ("", "", False),
        (None, None, False),
    ],
)
def test_active_content(mimetype, name, active):
    assert is_active_content(mimetype, name) is active


def test_active_content_is_saved_and_sandboxed():
    headers = dict(file_headers("a.html", "text/html", attachment=False, public=True))
    assert headers["Content-Disposition"].startswith("attachment")
    policy = headers["Content-Security-Policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "sandbox" in policy  # without any allow-
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("mimetype", ["application/pdf", "video/mp4", "image/png"])
def test_other_content_is_shown(mimetype):
    headers = dict(file_headers("a", mimetype))
    assert headers["Content-Type"] == mimetype
    assert headers["Content-Disposition"].startswith("inline")
    assert "sandbox" not in headers["Content-Security-Policy"]
    assert "script-src" not in headers["Content-Security-Policy"]
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize(
    "public, max_age, expected",
    [
        (False, 0, "private, no-cache"),
        (True, 0, "public, no-cache"),
        (False, 60, "private, max-age=60"),
        (True, 3600, "public, max-age=3600"),
        (False, -1, "private, no-cache"),
    ],
)
def test_cache_control(public, max_age, expected):
    assert cache_control(public, max_age) == expected
