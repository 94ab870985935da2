"""A response that opens its content after Odoo has given the request's cursor back."""

import logging
import os

from odoo import http

from ..exceptions import CloudFileError

_logger = logging.getLogger(__name__)

#: Bytes per write. A worker of Odoo's prefork server gives each write two seconds
#: (``WorkerHTTP`` in odoo/service/server.py): this is what a slow reader can take.
PIECE = 64 * 1024
RETRY_AFTER = 30  # seconds, when Drive named none
TEXT = [
    ("Content-Type", "text/plain; charset=utf-8"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
]


class FileResponse(http.Response):
    """An answer of the proxy: its body flows without a cursor, its end is logged.

    Odoo calls a response once the transaction of the request is over (``Root.dispatch``
    in odoo/http.py); only then the source is opened, and the status is what came of it.

    :param int status: HTTP status
    :param headers: list of (name, value)
    :param Access access: what becomes the row of the access log
    :param ByteSource source: the body, None for an answer without one
    :param str text: what people read instead of a body that can not be had
    :param str accel: where nginx has the cache directory, if it helps
    """

    def __init__(self, status, headers, access, source=None, text="", accel=None):
        super().__init__(status=status, headers=headers)
        self._access, self._source, self._text = access, source, text
        self._accel = accel

    @classmethod
    def refusal(cls, status, text, access):
        """An answer with a text instead of the file."""
        return cls(status, _text_headers(status, text), access, text=text)

    def __call__(self, environ, start_response):
        chunks = self._open()
        if environ["REQUEST_METHOD"] == "HEAD":
            chunks = iter(())
        self._access.http_status = self.status_code
        # werkzeug's own iterable for HEAD has no close(), and its end has to be logged
        _iterable, status, headers = self.get_wsgi_response(environ)
        start_response(status, headers)
        return _Body(chunks, self._source, self._access)

    def _open(self):
        if self._source is None:
            return self._said()
        try:
            return self._redirected() or self._source.open()
        except CloudFileError as err:
            _logger.info("Not served: %s", err)
            return self._refuse(err)

    def _redirected(self):
        """Leave the bytes, and their range, to nginx; only the log row remains."""
        path = self._accel and self._source.cached_path()
        if not path:
            return None
        self.status_code = 200
        # below the cache directory: the database's, two digits, the sha1
        below = "/".join(path.split(os.sep)[-3:])
        self.headers["X-Accel-Redirect"] = "%s/%s" % (self._accel.rstrip("/"), below)
        for name in ("Content-Length", "Content-Range"):
            self.headers.pop(name, None)
        self._access.bytes_served = self._source.length
        return iter(())

    def _refuse(self, err):
        wait = getattr(err.__cause__, "retry_after", None) or RETRY_AFTER
        self.status_code = err.http_status
        self.headers.clear()
        self.headers.extend(_text_headers(err.http_status, self._text, wait))
        return self._said()

    def _said(self):
        return iter([self._text.encode()] if self._text else [])


def _text_headers(status, text, wait=RETRY_AFTER):
    headers = TEXT + [("Content-Length", str(len(text.encode())))]
    if status == 503:
        headers.append(("Retry-After", str(int(wait))))
    return headers


class _Body:
    """The iterable that a WSGI server sends and closes (PEP 3333)."""

    def __init__(self, chunks, source, access):
        self._chunks = chunks
        self._source = source
        self._access = access

    def __iter__(self):
        try:
            for chunk in self._chunks:
                yield from self._pieces(chunk)
        except CloudFileError as err:
            # the length was promised: the connection has to break
            raise ConnectionAbortedError(str(err)) from err

    def _pieces(self, chunk):
        for start in range(0, len(chunk), PIECE):
            piece = chunk[start : start + PIECE]
            yield piece
            # the server comes back only when the piece is on its way
            self._access.bytes_served += len(piece)

    def close(self):
        """End the download, wanted to its end or not, and write the log row."""
        try:
            if self._source:
                self._source.close()
                self._access.cache_hit = not self._source.from_drive
        finally:
            self._access.write()
