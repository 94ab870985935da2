"""Uploads: simple, multipart and resumable.

Page "Upload file data" of the Drive guides: simple and multipart take at most 5 MB; a
resumable session lives a week, its address is itself the secret that allows to
go on, chunks but the last are multiples of 256 KiB, 308 tells how far it came.
"""
import os
import re
import secrets
import threading

from access import Caller
from digests import Digests
from errors import DriveError, PlainError
from faults import tamper
from http_message import BrokenBody, Response
from library import OCTETS
from related import split_related
from schema import parse_json

SIMPLE_LIMIT = 5 * 1024 * 1024
METADATA_LIMIT = 1024 * 1024
CHUNK_UNIT = 256 * 1024
SESSION_LIFE = 7 * 24 * 3600  # seconds
MAX_UPLOAD = 5497558138880  # bytes, from the discovery document
CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)\Z")
BAD_RANGE = "Failed to parse Content-Range header."
SHORT_CHUNK = (
    "Invalid request.  The number of bytes uploaded is required to be equal or greater"
    " than 262144, except for the final request (it's recommended to be the exact"
    " multiple of 262144).  The received request contained %d bytes, which does not"
    " meet this requirement."
)


class Uploads:
    """Takes contents for new and for existing files."""

    def __init__(self, store, library):
        self._store = store
        self._library = library
        self._locks = {}
        self._digests = {}

    def simple(self, call):
        """uploadType=media: the body is the content."""
        data = self._small_body(call.request, SIMPLE_LIMIT)
        content_type = call.request.content_type() or OCTETS
        return self._store_small(call, {}, data, content_type)

    def multipart(self, call):
        """uploadType=multipart: metadata and content in one body."""
        request = call.request
        data = self._small_body(request, SIMPLE_LIMIT + METADATA_LIMIT)
        body, content, content_type = split_related(
            request.headers.get("content-type", ""), data
        )
        if len(content) > SIMPLE_LIMIT:
            raise _too_large()
        call.check_body(body)
        return self._store_small(call, body, content, content_type)

    def start(self, call):
        """uploadType=resumable: a session for a content that comes later."""
        request = call.request
        data = self._small_body(request, METADATA_LIMIT)
        if data and request.content_type() != "application/json":
            raise DriveError(400, "badContent", "Unsupported content with type")
        body = parse_json(data)
        call.check_body(body)
        content_type = request.headers.get("x-upload-content-type") or OCTETS
        total = _announced(request.headers.get("x-upload-content-length"))
        record, changes = self._planned(call, body, content_type)
        room = (total or 0) - (0 if call.file is None else call.file.get("size", 0))
        self._library.check_room(record, room)
        session = {
            "file_id": call.file["id"] if call.file else None,
            "record": record if call.file is None else None,
            "changes": changes,
            "caller": call.caller_record(),
            "fields": call.values.get("fields"),
            "total": total,
            "received": 0,
            "blob": self._store.new_blob(),
            "expires": self._store.now() + SESSION_LIFE,
            "done": None,
        }
        upload_id = "ABg5-U" + secrets.token_urlsafe(60)
        with open(self._store.blob_path(session["blob"]), "wb"):
            self._store.put("sessions", upload_id, session)
        location = "%s%s?uploadType=resumable&upload_id=%s" % (
            request.base_url,
            request.raw_path,
            upload_id,
        )
        headers = [("Location", location), ("X-GUploader-UploadID", upload_id)]
        return Response(200, b"", headers, "text/plain; charset=utf-8")

    def cancel(self, upload_id):
        """DELETE of a session: it and its bytes are forgotten."""
        session = self._session(upload_id)
        self._store.drop("sessions", upload_id)
        if not session["done"]:
            self._store.drop_blob(session["blob"])
        return Response(499)

    def go_on(self, request, upload_id, show):
        """PUT to a session: bytes, or the question how far it came.

        :param function show: makes the final answer of ``(file, caller, fields)``
        """
        with self._lock(upload_id):
            session = self._session(upload_id)
            if session["done"]:
                return self._done(session, show)
            first, size, total = self._checked_range(request, session)
            if total is not None and session["total"] is None:
                session = self._changed(upload_id, session, total=total)
            if size:
                session = self._take(request, upload_id, session, first, size)
            if session["received"] == session["total"]:
                return self._finish(upload_id, session, show)
            return _incomplete(session)

    def _small_body(self, request, limit):
        data = request.body.read(limit)
        if data is None:
            raise _too_large()
        return data

    def _planned(self, call, body, content_type):
        """``(record, changed fields)`` of what the upload will make of a file."""
        if call.file is None:
            return self._library.prepare(body, call.caller, content_type), None
        call.need_writer()
        changes = self._library.changes(
            call.file, body, call.caller, call.add_parents, call.remove_parents
        )
        changes.setdefault("modifiedTime", self._store.now())
        if content_type != OCTETS and not body.get("mimeType"):
            changes["mimeType"] = content_type
        return dict(call.file, **changes), changes

    def _store_small(self, call, body, content, content_type):
        record, changes = self._planned(call, body, content_type)
        self._library.check_room(record, len(content))
        content = tamper(bytes(content), call.request.fault)
        digests, blob = Digests(), self._store.new_blob()
        digests.update(content)
        with open(self._store.blob_path(blob), "wb", buffering=0) as stream:
            stream.write(content)
        return self._keep(record, changes, blob, digests)

    def _keep(self, record, changes, blob, digests):
        try:
            if changes is None:
                return self._library.add(record, blob, digests)
            return self._library.replace(record["id"], changes, blob, digests)
        except DriveError:
            self._store.drop_blob(blob)
            raise

    def _lock(self, upload_id):
        return self._locks.setdefault(upload_id, threading.Lock())

    def _session(self, upload_id):
        session = self._store.get("sessions", upload_id)
        if session is None or session["expires"] < self._store.now():
            raise DriveError(404, "notFound", "Upload session not found.")
        return session

    def _changed(self, upload_id, session, **changes):
        session = dict(session, **changes)
        self._store.put("sessions", upload_id, session)
        return session

    def _checked_range(self, request, session):
        """``(first, size, total)``; size 0 for a mere question."""
        first, last, total = _content_range(request)
        length = request.body.length
        if total is not None and session["total"] not in (None, total):
            raise PlainError(400, "The total size does not fit this session.")
        if first is None:
            if length:
                raise PlainError(400, BAD_RANGE)
            return session["received"], 0, total
        size = last - first + 1
        if length is not None and length != size:
            raise PlainError(400, "Content-Length does not fit Content-Range.")
        if total is not None and last >= total:
            raise PlainError(400, BAD_RANGE)
        known = total if total is not None else session["total"]
        if known is None or last + 1 < known:
            if size % CHUNK_UNIT:
                raise PlainError(400, SHORT_CHUNK % size)
        if first != session["received"]:
            message = "Invalid offset %d, expected %d." % (first, session["received"])
            raise PlainError(400, message)
        return first, size, total

    def _take(self, request, upload_id, session, first, size):
        path = self._store.blob_path(session["blob"])
        digests = self._digests_at(upload_id, first)
        got, written = 0, 0
        with open(path, "r+b", buffering=0) as stream:
            stream.truncate(min(first, os.fstat(stream.fileno()).st_size))
            stream.seek(0, os.SEEK_END)
            try:
                for piece in request.body.pieces():
                    got += len(piece)
                    kept = _kept(piece, request.fault, written)
                    stream.write(kept)
                    digests.update(kept)
                    written += len(kept)
            except BrokenBody:
                whole = got - got % CHUNK_UNIT
                self._changed(upload_id, session, received=first + whole)
                self._digests.pop(upload_id, None)
                raise
        self._digests[upload_id] = (first + got, digests)
        if got != size:
            raise PlainError(400, "The body does not fit Content-Range.")
        return self._changed(upload_id, session, received=first + size)

    def _digests_at(self, upload_id, offset):
        """The running hashes, if no byte was missed since; else useless ones."""
        known, digests = self._digests.pop(upload_id, (0, None))
        return digests if digests and known == offset else Digests()

    def _finish(self, upload_id, session, show):
        path = self._store.blob_path(session["blob"])
        known, digests = self._digests.pop(upload_id, (None, None))
        size = os.stat(path).st_size
        if known != session["total"] or digests.size != size:
            digests = _hashed(path)
        record = session["record"] or {"id": session["file_id"]}
        try:
            file = self._keep(record, session["changes"], session["blob"], digests)
        except DriveError:
            self._store.drop("sessions", upload_id)
            raise
        session = self._changed(upload_id, session, done=file["id"])
        return self._done(session, show)

    def _done(self, session, show):
        file = self._store.get("files", session["done"])
        if file is None:
            raise DriveError(404, "notFound", "Upload session not found.")
        return show(file, Caller(**session["caller"]), session["fields"])


def _incomplete(session):
    headers = []
    if session["received"]:
        headers.append(("Range", "bytes=0-%d" % (session["received"] - 1)))
    return Response(308, b"", headers)


def _too_large():
    message = "Request is too large. Use a resumable upload."
    return DriveError(413, "uploadTooLarge", message)


def _announced(text):
    if text is None:
        return None
    if not text.isdigit() or int(text) > MAX_UPLOAD:
        message = "Invalid value for X-Upload-Content-Length."
        raise DriveError(400, "badRequest", message)
    return int(text)


def _content_range(request):
    header = request.headers.get("content-range")
    if header is None:
        length = request.body.length
        if length is None:
            raise PlainError(411, "Content-Length is required.")
        return (0, length - 1, length) if length else (None, None, 0)
    match = CONTENT_RANGE.match(header.strip())
    if not match:
        raise PlainError(400, BAD_RANGE)
    first, last, total = match.groups()
    total = None if total == "*" else int(total)
    if first is None:
        return None, None, total
    if int(last) < int(first):
        raise PlainError(400, BAD_RANGE)
    return int(first), int(last), total


def _kept(piece, fault, written):
    """What a fault leaves of a piece of a chunk."""
    if "truncate" in fault:
        piece = piece[: max(0, fault["truncate"] - written)]
    return tamper(piece, {"alter": fault.get("alter") and not written})


def _hashed(path):
    digests = Digests()
    with open(path, "rb") as stream:
        for data in iter(lambda: stream.read(1024 * 1024), b""):
            digests.update(data)
    return digests
