"""Downloads: ``alt=media`` of ``files.get``, whole or one range.

Page "Download and export files" of the Drive guides; ranges as RFC 7233 has them. Of
several ranges, or one that makes no sense, nothing is taken: the whole file comes.
"""
import os
import re

from errors import DriveError
from http_message import FilePart, Response, json_response

RANGE = re.compile(r"bytes=\s*(\d*)\s*-\s*(\d*)\s*\Z")


def wanted_range(header, size):
    """``(first, last)`` of a single range; None for all; ``()`` if unsatisfiable."""
    match = RANGE.match(header or "")
    if not match or match.group(1) == match.group(2) == "":
        return None
    first, last = match.groups()
    if not first:
        length = min(int(last), size)
        return (size - length, size - 1) if length else ()
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        return ()
    return int(first), min(int(last or size), size - 1)


def download(store, file, header):
    """The answer with (a part of) a file's content.

    :param str header: value of the Range header, or None
    :raises DriveError: 403 for a file without bytes, 404 when they are gone
    """
    if "blob" not in file:
        message = (
            "Only files with binary content can be directly downloaded. Use Export with"
            " Docs Editors files."
        )
        raise DriveError(403, "fileNotDownloadable", message, "alt")
    try:
        stream = open(store.blob_path(file["blob"]), "rb")
    except FileNotFoundError as err:
        raise DriveError(404, "notFound", "File not found: %s." % file["id"]) from err
    size = os.fstat(stream.fileno()).st_size
    found = wanted_range(header, size)
    if found == ():
        stream.close()
        return _unsatisfiable(size)
    headers = [("Content-Disposition", "attachment"), ("Accept-Ranges", "bytes")]
    first, last = found or (0, size - 1)
    if found:
        headers.append(("Content-Range", "bytes %d-%d/%d" % (first, last, size)))
    part = FilePart(stream, first, last - first + 1)
    return Response(206 if found else 200, part, headers, file["mimeType"])


def _unsatisfiable(size):
    err = DriveError(
        416, "requestedRangeNotSatisfiable", "Request range not satisfiable"
    )
    return json_response(err.body(), 416, [("Content-Range", "bytes */%d" % size)])
