"""Requests and answers: heads in memory, bodies in pieces from and to disk."""
import http.client
import json
from urllib.parse import parse_qsl, unquote, urlsplit

from errors import DriveError, PlainError

PIECE = 256 * 1024
MAX_LINE = 64 * 1024
FORM = "application/x-www-form-urlencoded"
REASONS = dict(http.client.responses)
REASONS.update({308: "Resume Incomplete", 499: "Client Closed Request"})


class BrokenBody(ConnectionError):
    """The body of a request ended before it was whole."""


class Body:
    """The body of a request, read once, in pieces.

    :param stream: buffered socket file
    :param dict headers: lower-case names
    :param dict entry: log entry; its ``bytes_in`` counts what was read
    :param function before: called once before the first byte (100-continue)
    """

    def __init__(self, stream, headers, entry, before=None):
        self._stream = stream
        self.entry = entry
        self._before = before
        self._chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        self.length = None if self._chunked else int(headers.get("content-length", 0))
        self._left = 0 if self._chunked else self.length
        self._ended = not self._chunked and not self.length
        self.cut_after = None

    def pieces(self, size=PIECE):
        """Yield the bytes; raise BrokenBody when the client or a fault ends them."""
        if self._before and not self._ended:
            self._before()
            self._before = None
        while not self._ended:
            yield from self._next(size)

    def read(self, limit):
        """The whole body, or None if it is longer than ``limit`` bytes."""
        if self.length is not None and self.length > limit:
            return None
        parts, total = [], 0
        for piece in self.pieces():
            total += len(piece)
            if total > limit:
                return None
            parts.append(piece)
        return b"".join(parts)

    def drain(self):
        """Read and forget what is left, so that the connection can be kept."""
        self.cut_after = None
        for _piece in self.pieces():
            continue

    def _next(self, size):
        if not self._left and self._chunked:
            self._left = self._chunk_size()
        if not self._left:
            self._ended = True
            return
        want = min(size, self._left)
        if self.cut_after is not None:
            want = min(want, max(0, self.cut_after - self.entry["bytes_in"]))
        data = self._stream.read(want) if want else b""
        self._left -= len(data)
        self.entry["bytes_in"] += len(data)
        if data:
            yield data
        if len(data) < want or not want:
            self._ended = True
            raise BrokenBody("the body ended early")
        if self._chunked and not self._left:
            self._stream.readline(MAX_LINE)
        if not self._left and not self._chunked:
            self._ended = True

    def _chunk_size(self):
        line = self._stream.readline(MAX_LINE).split(b";")[0].strip()
        try:
            size = int(line, 16)
        except ValueError as err:
            self._ended = True
            raise BrokenBody("bad chunk size") from err
        while size == 0 and self._stream.readline(MAX_LINE).strip():
            continue
        return size


class Request:
    """One request: what was asked, by whom is for others to find out."""

    def __init__(self, method, target, headers):
        parts = urlsplit(target)
        self.method = method
        self.path = unquote(parts.path)
        self.raw_path = parts.path
        self.headers = headers
        self.pairs = parse_qsl(parts.query, keep_blank_values=True)
        self.query = dict(self.pairs)
        self.body = None
        self.route = None
        self.fault = {}
        self.base_url = None

    @property
    def stores(self):
        """Whether the body of this request is (a part of) a file's content."""
        return self.raw_path.startswith("/upload/") and self.route not in (
            "files.upload.start",
            "files.upload.status",
        )

    def content_type(self):
        """The media type of the body, lower case, without its parameters."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    def form(self, limit=1024 * 1024):
        """The body as form fields.

        :raises DriveError: when it is too long or no text
        """
        data = self.body.read(limit)
        if data is None:
            raise DriveError(413, "uploadTooLarge", "Request Too Large")
        try:
            return parse_qsl(data.decode(), keep_blank_values=True)
        except UnicodeDecodeError as err:
            raise DriveError(400, "parseError", "Parse Error") from err

    def take_override(self):
        """Long GETs arrive as POST with X-HTTP-Method-Override and a form body."""
        method = self.headers.get("x-http-method-override")
        if self.method != "POST" or not method:
            return
        self.method = method.upper()
        if self.content_type() == FORM:
            self.pairs = self.pairs + self.form()
            self.query = dict(self.pairs)


class Response:
    """An answer: status, headers, and bytes or a part of a file on disk."""

    def __init__(self, status=200, body=b"", headers=(), content_type=None):
        self.status = status
        self.headers = list(headers)
        self.body = body
        self.close = False
        if content_type:
            self.headers.append(("Content-Type", content_type))

    @property
    def length(self):
        """Bytes of the body."""
        return self.body.length if isinstance(self.body, FilePart) else len(self.body)


class FilePart:
    """``length`` bytes from ``start`` of an open file, to be sent from disk."""

    def __init__(self, stream, start, length):
        self.stream = stream
        self.start = start
        self.length = length

    def pieces(self):
        """Yield the bytes; the file is closed at the end."""
        with self.stream:
            self.stream.seek(self.start)
            left = self.length
            while left:
                data = self.stream.read(min(PIECE, left))
                if not data:
                    return
                left -= len(data)
                yield data


def json_response(document, status=200, headers=()):
    """An answer with a JSON document."""
    body = json.dumps(document, ensure_ascii=False).encode()
    return Response(status, body, headers, "application/json; charset=UTF-8")


def error_response(err):
    """The answer that tells of a refusal."""
    if isinstance(err, PlainError):
        return Response(err.status, err.text.encode(), (), "text/plain; charset=utf-8")
    headers = ()
    if err.status == 401 and isinstance(err, DriveError):
        challenge = 'Bearer realm="https://accounts.google.com/", error="invalid_token"'
        headers = (("WWW-Authenticate", challenge),)
    return json_response(err.body(), err.status, headers)
