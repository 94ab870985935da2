"""Multipart/related bodies: metadata and content in one request.

Page "Perform a multipart upload" of the Drive guides; RFC 2387.
"""
import base64
import binascii
import re

from errors import DriveError
from schema import parse_json

OCTETS = "application/octet-stream"
BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.I)


def split_related(content_type, data):
    """``(metadata, content, its media type)`` of a multipart/related body.

    Lines may end in CRLF (RFC 2387) or in LF, as Python's email package writes them.

    :raises DriveError: 400 when the body is not of exactly these two parts
    """
    match = BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/") or not match:
        raise _malformed()
    mark = b"--" + match.group(1).encode()
    start = data.find(mark)
    line_end = data.find(b"\n", start)
    if start < 0 or line_end < 0:
        raise _malformed()
    newline = b"\r\n" if data[line_end - 1 : line_end] == b"\r" else b"\n"
    parts, position = [], line_end + 1
    while True:
        end = data.find(newline + mark, position)
        if end < 0:
            raise _malformed()
        parts.append(_part(data, position, end, newline))
        position = end + len(newline) + len(mark)
        if data[position : position + 2] == b"--":
            break
        position = data.find(b"\n", position) + 1
    if len(parts) != 2:
        raise _malformed()
    (_headers, metadata), (headers, content) = parts
    return parse_json(bytes(metadata)), _decoded(headers, content), headers["type"]


def _part(data, start, end, newline):
    """Headers (type and encoding) and content of one part."""
    blank = data.find(newline + newline, start, end + len(newline))
    if data.startswith(newline, start):
        head, content = b"", start + len(newline)
    elif blank < 0:
        raise _malformed()
    else:
        head, content = data[start:blank], blank + 2 * len(newline)
    headers = {"type": OCTETS, "encoding": ""}
    for line in head.decode("latin-1").splitlines():
        name, _colon, value = line.partition(":")
        if name.strip().lower() == "content-type":
            headers["type"] = value.split(";")[0].strip().lower()
        elif name.strip().lower() == "content-transfer-encoding":
            headers["encoding"] = value.strip().lower()
    return headers, memoryview(data)[content : max(content, end)]


def _decoded(headers, content):
    if headers["encoding"] != "base64":
        return content
    try:
        return base64.b64decode(bytes(content))
    except binascii.Error as err:
        raise _malformed() from err


def _malformed():
    return DriveError(400, "badContent", "Malformed multipart body.")
