"""Response headers that hand out a stranger's file without trusting it."""

import re
import unicodedata
from urllib.parse import quote

from .filenames import (
    FALLBACK_NAME,
    extension,
    printable,
    shorten,
    without_bidi_overrides,
)

OCTET_STREAM = "application/octet-stream"
MAX_DISPOSITION_NAME = 240  # UTF-8 bytes; file systems stop at 255

# RFC 8187 section 3.2.1, attr-char beyond letters and digits.
_ATTR_CHARS = "!#$&+-.^_`|~"
# RFC 9110 section 5.6.2 (token) and 8.3.1 (media-type), one optional charset.
_TOKEN = r"[A-Za-z0-9!#$&^_.+-]+"
_MEDIA_TYPE = re.compile(
    r'(?P<type>{0}/{0})(?:[ \t]*;[ \t]*charset="?(?P<charset>[A-Za-z0-9_.:-]+)"?)?'
    r"[ \t]*;?".format(_TOKEN),
    re.IGNORECASE,
)

# Types that name nothing: browsers guess what is behind them (WHATWG MIME Sniffing,
# section 7), so that they are replaced by one that is always saved.
_UNKNOWN_TYPES = {"unknown/unknown", "application/unknown", "*/*"}

# Documents that run script, styles that act on a page, and parts with types of their
# own. Every "+xml" type belongs here: an XML document can carry XHTML and script.
ACTIVE_TYPES = frozenset(
    {
        "application/ecmascript",
        "application/hta",
        "application/javascript",
        "application/wasm",
        "application/x-ecmascript",
        "application/x-javascript",
        "application/x-mimearchive",
        "application/x-shockwave-flash",
        "application/x-xhtml+xml",
        "application/xml",
        "application/xml-dtd",
        "application/xslt+xml",
        "message/rfc822",
        "text/cache-manifest",
        "text/css",
        "text/ecmascript",
        "text/html",
        "text/javascript",
        "text/jscript",
        "text/livescript",
        "text/vbscript",
        "text/x-component",
        "text/x-ecmascript",
        "text/x-javascript",
        "text/xml",
        "text/xsl",
    }
)
ACTIVE_EXTENSIONS = frozenset(
    "css hta htc htm html js mht mhtml mjs shtm shtml svg svgz swf vbs wasm xht xhtml "
    "xml xsl xslt".split()
)

# A page may load these from here, whatever the disposition says; as plain text they are
# refused, given "nosniff" (WHATWG Fetch, section 3.6).
LOADED_TYPES = frozenset(
    found
    for found in ACTIVE_TYPES
    if found.endswith(("script", "css", "wasm", "text/cache-manifest"))
)

# An opaque origin without script: nothing in the file reaches Odoo's cookies or RPC.
# Styles and images written into the file stay, so that an SVG still looks like itself.
ACTIVE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "sandbox"
)
# No "sandbox" here: it forbids plugins, and a PDF viewer may count as one. The document
# that a browser builds around a video or an image loads that same file, styled inline.
PASSIVE_POLICY = (
    "default-src 'none'; object-src 'self'; media-src 'self'; img-src 'self' data:; "
    "style-src 'unsafe-inline'"
)


def file_headers(name, mimetype, attachment=False, public=False, max_age=0):
    """Return the headers of a file's answer that do not depend on range or validators.

    :param str name: file name for the person who saves it
    :param str mimetype: as stored, not trusted
    :param bool attachment: save rather than show; active content is always saved
    :param bool public: whether shared caches may keep it
    :param int max_age: seconds for which it may be used without asking again
    :return: list of (name, value)
    """
    active = is_active_content(mimetype, name)
    return [
        ("Content-Type", _served_type(mimetype)),
        ("Content-Disposition", content_disposition(name, attachment or active)),
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Security-Policy", ACTIVE_POLICY if active else PASSIVE_POLICY),
        ("Cache-Control", cache_control(public, max_age)),
    ]


def content_disposition(filename, attachment=True):
    """Return a ``Content-Disposition`` value for any Unicode file name.

    RFC 6266 section 4.3 and appendix D: an ASCII ``filename`` for old clients, then
    ``filename*`` (RFC 8187) with the real one where they differ.

    :param str filename: any text; may hold what an attacker put there
    :param bool attachment: ``attachment`` or, when false, ``inline``
    """
    kind = "attachment" if attachment else "inline"
    name = _download_name(filename)
    fallback = _ascii_name(name)
    value = '{}; filename="{}"'.format(kind, fallback)
    if fallback == name:
        return value
    return "{}; filename*=UTF-8''{}".format(value, quote(name, safe=_ATTR_CHARS))


def safe_content_type(mimetype):
    """Return ``mimetype`` when it is one well-formed media type, else octet-stream.

    ``multipart/*`` is refused: its parts bring types of their own, unseen here.
    """
    match = _MEDIA_TYPE.fullmatch((mimetype or "").strip())
    if not match:
        return OCTET_STREAM
    media_type = match.group("type").lower()
    if media_type in _UNKNOWN_TYPES or media_type.startswith("multipart/"):
        return OCTET_STREAM
    charset = match.group("charset")
    return "{}; charset={}".format(media_type, charset) if charset else media_type


def is_active_content(mimetype, name=""):
    """Tell whether a browser, or the desktop after saving, may run the file.

    :param str mimetype: media type, parameters allowed
    :param str name: file name; its extension counts too, as types are often wrong
    """
    media_type = (mimetype or "").split(";")[0].strip().lower()
    return (
        media_type in ACTIVE_TYPES
        or media_type.endswith("+xml")
        or media_type.startswith("multipart/")
        or extension(name) in ACTIVE_EXTENSIONS
    )


def cache_control(public, max_age):
    """Return a ``Cache-Control`` value (RFC 9111 section 5.2.2).

    :param bool public: anyone may read the file
    :param int max_age: seconds of use without asking again, 0 to always ask
    """
    scope = "public" if public else "private"
    if max_age <= 0:
        return scope + ", no-cache"
    return "{}, max-age={}".format(scope, int(max_age))


def _served_type(mimetype):
    content_type = safe_content_type(mimetype)
    return "text/plain" if content_type.split(";")[0] in LOADED_TYPES else content_type


def _download_name(filename):
    """Return ``filename`` as one printable path segment of bearable length."""
    name = without_bidi_overrides(printable(filename or ""))
    # Clients drop a directory separator of any system with all that stands before.
    name = re.sub(r"[/\\]", "_", name).strip()
    return shorten(name, MAX_DISPOSITION_NAME, _utf8_length) or FALLBACK_NAME


def _ascii_name(name):
    """Return ``name`` for a quoted-string that every client reads alike."""
    plain = unicodedata.normalize("NFKD", name)
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    ascii_only = plain.encode("ascii", "replace").decode("ascii")
    # "%" could be taken for an escape (RFC 6266 appendix D), '"' and "\" end or
    # escape the quoted-string, "?" stands for what ASCII can not say.
    return re.sub(r'["%/\\?\x00-\x1f\x7f]', "_", ascii_only)


def _utf8_length(text):
    return len(text.encode("utf-8"))
