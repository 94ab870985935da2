"""Bytes up and bytes down.

Uploads up to :data:`MULTIPART_LIMIT` are one request; larger ones go through a resumable
session that can be taken up again by another process, from its URI ("Upload file data" of
the Drive API guide). Downloads stream, and go on by range when the connection breaks.
"""
import functools
import hashlib
import http.client
import io
import logging
import re
import uuid

import urllib3

from .errors import (
    ChecksumError,
    ConflictError,
    SessionLostError,
    TransientError,
    from_response,
)

_logger = logging.getLogger(__name__)

MULTIPART_LIMIT = 5 * 1024 * 1024  # bytes, Drive's own limit for one-request uploads
CHUNK = 16 * 1024 * 1024  # bytes per request, a multiple of 256 KiB as Drive demands
BLOCK = 256 * 1024  # bytes read, and held in memory, at a time
UPLOAD_FIELDS = "id,name,size,md5Checksum,sha1Checksum,webViewLink,trashed"
OCTET_STREAM = "application/octet-stream"
MEDIA_TYPE = re.compile(r"[!-~]+/[ -~]+")  # anything else could end the header it is in
PART = "\r\n--%s\r\nContent-Type: %s\r\n\r\n%s"


class Source:
    """Local bytes to send.

    :param open_file: callable that opens the content for binary reading
    :param int size: bytes
    :param str mimetype: its media type
    :param int block: bytes read at a time
    """

    def __init__(self, open_file, size, mimetype=None, block=BLOCK):
        self._file = open_file()
        self.size, self.block = size, block
        known = MEDIA_TYPE.fullmatch(mimetype or "")
        self.mimetype = mimetype if known else OCTET_STREAM

    @classmethod
    def from_bytes(cls, data, mimetype=None):
        """Content that is in memory."""
        return cls(lambda: io.BytesIO(data), len(data), mimetype)

    @property
    def resumable(self):
        """Whether one request is not enough."""
        return self.size > MULTIPART_LIMIT

    def getbytes(self, begin, length):
        """Read a part.

        :raises ChecksumError: when the file is shorter than it was said to be
        """
        self._file.seek(begin)
        data = self._file.read(length)
        if len(data) < min(length, self.size - begin):
            raise ChecksumError("The local file is shorter than its recorded size")
        return data

    def md5(self, sha1=None):
        """Hexadecimal md5 of the whole content, read block by block.

        :param str sha1: what its sha1 has to be, when known
        :raises ChecksumError: the local bytes are not those that were recorded
        """
        digest, check = hashlib.md5(), hashlib.sha1()
        size = 0
        self._file.seek(0)
        for block in iter(lambda: self._file.read(BLOCK), b""):
            digest.update(block)
            check.update(block)
            size += len(block)
        if size != self.size or (sha1 and check.hexdigest() != sha1):
            raise ChecksumError("The local file is damaged: its checksum differs")
        return digest.hexdigest()

    def close(self):
        """Close the file."""
        self._file.close()


class Part:
    """A part of a source as the body of a request: read while it is sent, any time anew.

    :param int begin: first byte
    :param on_read: called with the position of each block; may raise to stop
    """

    def __init__(self, source, begin, on_read=None):
        self._source, self._begin = source, begin
        self._end = min(begin + CHUNK, source.size)
        self._on_read = on_read

    def __len__(self):
        return self._end - self._begin

    def __iter__(self):
        for position in range(self._begin, self._end, self._source.block):
            if self._on_read:
                self._on_read(position)
            length = min(self._source.block, self._end - position)
            yield self._source.getbytes(position, length)

    @property
    def content_range(self):
        """The header that says which part it is."""
        return "bytes %d-%d/%d" % (self._begin, self._end - 1, self._source.size)


def upload(client, body, source, session_uri=None, on_session=None, on_progress=None):
    """Create a file on Drive, exactly once.

    ``body['id']`` must be an id reserved by ``generate_ids``: a repetition after a lost
    answer then meets the file that is there already instead of making another.

    :param dict body: metadata with ``id``, ``name``, ``parents``, ``appProperties``
    :param Source source: the content
    :param str session_uri: resumable session of an earlier try, taken up when it lives
    :param on_session: called with the URI of a session that was opened
    :param on_progress: called with the bytes sent so far, block by block; may raise to stop
    :return: metadata of the file that is on Drive, to be compared by the caller
    :rtype: dict
    :raises DriveError: Drive refused, or did not answer
    """
    try:
        if not source.resumable:
            return _upload_multipart(client, body, source)
        return _upload_resumable(
            client, body, source, session_uri, on_session, on_progress
        )
    except ConflictError:
        return client.get(body["id"])


def _create_request(client, body, kind):
    """A request that creates a file, at the address that takes its content too.

    Without ``media_body``: googleapiclient sends a stream's slice only once, so that it
    is empty when repeated, and on composing the message for a small file it spends more
    processor time than everything else takes.
    """
    request = client.files.create(
        body=body, fields=UPLOAD_FIELDS, supportsAllDrives=True
    )
    path = request.uri[len(client.api_root) :]
    request.uri = "%supload/%s&uploadType=%s" % (client.api_root, path, kind)
    return request


def _upload_multipart(client, body, source):
    """Metadata and content in one request (RFC 2387)."""
    request = _create_request(client, body, "multipart")
    boundary = uuid.uuid4().hex
    head = PART % (boundary, request.headers["content-type"], request.body)
    head += PART % (boundary, source.mimetype, "")
    tail = "\r\n--%s--" % boundary
    content = source.getbytes(0, source.size)
    request.body = b"".join([head.encode(), content, tail.encode()])
    request.headers["content-type"] = "multipart/related; boundary=" + boundary
    request.headers["content-length"] = str(len(request.body))
    return client.execute(request)


def _upload_resumable(client, body, source, session_uri, on_session, on_progress):
    if session_uri:
        try:
            return _continue(client, body, source, session_uri, on_progress)
        except SessionLostError as err:
            _logger.info("Upload of %s starts over: %s", body["id"], err)
    request = _create_request(client, body, "resumable")
    uri = _start_session(client, request, source)
    if on_session:
        on_session(uri)
    try:
        return _send_chunks(client, uri, source, 0, on_progress)
    except SessionLostError as err:
        raise TransientError("The upload session was lost: %s" % err) from err


def _start_session(client, request, source):
    """Open a resumable session; return its URI, a secret that needs no token."""

    def start():
        headers = dict(request.headers)
        headers["X-Upload-Content-Type"] = source.mimetype
        headers["X-Upload-Content-Length"] = str(source.size)
        response = client.session().post(
            request.uri, data=request.body, headers=headers, timeout=client.timeout
        )
        if response.status_code != 200 or "location" not in response.headers:
            raise _refusal(response)
        return response.headers["location"]

    return client.retrier.call(lambda: client.guard(start))


def _continue(client, body, source, uri, on_progress):
    done, answer = _ask_session(client, uri, source.size)
    if answer is None:
        return _send_chunks(client, uri, source, done, on_progress)
    if answer.get("id") == body["id"]:
        return answer
    raise SessionLostError("The session belongs to another file")


def _ask_session(client, uri, size):
    """Where a session stands: ``(bytes it has, None)`` or ``(size, metadata)``."""
    return client.retrier.call(
        lambda: client.guard(lambda: _put(client, uri, b"", "bytes */%d" % size, size))
    )


def _send_chunks(client, uri, source, done, on_progress):
    """Send what is missing; after any failure ask the session where it stands."""
    size, answer, in_doubt = source.size, None, False

    def step():
        nonlocal done, in_doubt
        if in_doubt:
            done, complete = _put(client, uri, b"", "bytes */%d" % size, size)
            if complete:
                return done, complete
        in_doubt = True
        part = Part(source, done, on_progress)
        result = _put(client, uri, part, part.content_range, size)
        in_doubt = False
        return result

    while answer is None:
        done, answer = client.retrier.call(lambda: client.guard(step))
    return answer


def _put(client, uri, data, content_range, size):
    """One request to a session: ``(bytes it has, metadata when it is complete)``.

    Over requests, which sends once: httplib2 repeats by itself when a connection breaks,
    and a session refuses bytes it has already.
    """
    response = client.session().put(
        uri,
        data=data,
        headers={"Content-Range": content_range, "Content-Length": str(len(data))},
        timeout=client.timeout,
        allow_redirects=False,  # 308 means "go on", not "moved"
    )
    if response.status_code == 308:
        reached = response.headers.get("range")
        # no Range header: the session has nothing yet
        return (int(reached.rpartition("-")[2]) + 1 if reached else 0), None
    if response.status_code in (200, 201):
        return size, response.json()
    error = _refusal(response)
    if response.status_code in (404, 410):
        raise SessionLostError(str(error), status=response.status_code) from error
    raise error


def _refusal(response):
    return from_response(response.status_code, response.headers, response.content)


def verify(metadata, size, md5):
    """Compare what Drive holds with what was sent.

    :raises ChecksumError: they differ
    """
    found = (int(metadata.get("size", -1)), metadata.get("md5Checksum"))
    if found != (size, md5):
        raise ChecksumError(
            "Drive holds %s bytes with md5 %s instead of %s bytes with md5 %s"
            % (found + (size, md5))
        )


class Download:
    """A file's bytes as an iterator that survives broken connections.

    :param DriveClient client: the account's
    :param str file_id: what to read
    :param int start: first byte
    :param int length: bytes wanted
    :param int size: bytes of the whole file as it should be, when known
    :raises ChecksumError: from opening: the file on Drive has another size
    :raises DriveError: from iteration: the file is gone, Drive is down…
    """

    def __init__(self, client, file_id, start, length, size=None, block=BLOCK):
        self._client, self._file_id = client, file_id
        self._position, self._end = start, start + length
        self._size, self._block = size, block
        self._response = None

    def open(self):
        """Connect, so that a refusal shows before the first byte is promised."""
        if self._response is None and self._position < self._end:
            self._response = self._client.retrier.call(
                lambda: self._client.guard(self._request)
            )
        return self

    def _request(self):
        response = self._client.session().get(
            self._client.api_root + "drive/v3/files/%s" % self._file_id,
            params={"alt": "media", "supportsAllDrives": "true"},
            headers={
                "Range": "bytes=%d-%d" % (self._position, self._end - 1),
                "Accept-Encoding": "identity",
            },
            stream=True,
            timeout=self._client.timeout,
        )
        if response.status_code == 206 and self._is_same_file(response):
            return response
        with response:
            if response.status_code in (206, 416) and self._size is not None:
                raise ChecksumError("The file on Drive was changed (size differs)")
            if response.status_code == 200 and self._position == 0:
                raise ChecksumError("Drive ignored the range of the request")
            raise _refusal(response)

    def _is_same_file(self, response):
        """Compare the length behind the slash of Content-Range (RFC 9110, 14.4)."""
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        return self._size is None or total == str(self._size)

    def __iter__(self):
        failures = 0
        while self._position < self._end:
            before = self._position
            try:
                self.open()
                yield from self._blocks()
            except TransientError:
                failures = 0 if self._position > before else failures + 1
                if failures >= self._client.retrier.tries:
                    raise
            finally:
                self.close()

    def _blocks(self):
        raw = self._response.raw
        while self._position < self._end:
            wanted = min(self._block, self._end - self._position)
            data = self._client.guard(functools.partial(_read, raw, wanted))
            if not data:
                raise TransientError("Drive closed the connection too early")
            self._position += len(data)
            yield data

    def close(self):
        """Close the connection to Drive, read to the end or not."""
        if self._response is not None:
            self._response.close()
            self._response = None


def _read(raw, size):
    """Read from urllib3; its errors are not OSErrors, those of a plain file are."""
    try:
        return raw.read(size)
    except (urllib3.exceptions.HTTPError, http.client.HTTPException) as err:
        raise ConnectionError(str(err)) from err


def read(client, file_id, size, md5=None):
    """All bytes of a file, verified.

    :raises ChecksumError: the bytes are not those that were stored
    :raises NotFoundError: the file is gone
    """
    data = b"".join(Download(client, file_id, 0, size, size))
    if md5 and hashlib.md5(data).hexdigest() != md5:
        raise ChecksumError("The file on Drive was changed (md5 differs)")
    return data


def save(client, file_id, size, md5, target):
    """Write all bytes of a file to an open binary file, verified, block by block.

    :raises ChecksumError: the bytes are not those that were stored
    :raises NotFoundError: the file is gone
    """
    digest = hashlib.md5()
    for block in Download(client, file_id, 0, size, size):
        digest.update(block)
        target.write(block)
    if md5 and digest.hexdigest() != md5:
        raise ChecksumError("The file on Drive was changed (md5 differs)")
