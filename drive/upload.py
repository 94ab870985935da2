"""Bytes up.

Uploads up to :data:`~.source.MULTIPART_LIMIT` are one request; larger ones go through a
resumable session that can be taken up again by another process, from its URI ("Upload file
data" of the Drive API guide).
"""

import logging
import uuid

from .answers import a_file, decoded, noise
from .compare import OTHER, SAME, compare, is_trashed
from .errors import (
    ChecksumError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    SessionLostError,
    TransientError,
    UnverifiedError,
    from_response,
)
from .source import Part

_logger = logging.getLogger(__name__)

UPLOAD_FIELDS = (
    "id,name,size,md5Checksum,sha1Checksum,webViewLink,trashed,appProperties"
)
#: The private property that tells which database a file is of.
DATABASE = "odoo_db"
PART = "\r\n--%s\r\nContent-Type: %s\r\n\r\n%s"


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
        return own_file(client, body)


def own_file(client, body):
    """The file under the reserved id, as this account sees it, out of the trash.

    :raises InvalidRequestError: there is none to be had: the id is another account's,
        used up, or a copy of this database sent the file, which it may trash any time
    """
    try:
        found = client.get(body["id"], fields=UPLOAD_FIELDS)
        if _database(found) not in (None, _database(body)):
            raise InvalidRequestError("The file under the reserved id is another's")
        if is_trashed(found):
            # somebody put the copy there before anything leaned on it
            found = client.update(body["id"], fields=UPLOAD_FIELDS, trashed=False)
    except NotFoundError as err:
        raise InvalidRequestError(
            "The reserved id is of no use here: %s" % err
        ) from err
    if found.get("trashed"):
        raise InvalidRequestError("The file under the reserved id stays in the trash")
    return found


def _database(file):
    return file.get("appProperties", {}).get(DATABASE)


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
    return client.execute_file(request)


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
        """One request for a session; the address that Drive gives it."""
        headers = dict(request.headers)
        headers["X-Upload-Content-Type"] = source.mimetype
        headers["X-Upload-Content-Length"] = str(source.size)
        response = client.session().post(
            request.uri, data=request.body, headers=headers, timeout=client.timeout
        )
        if response.status_code != 200:
            raise _refusal(response)
        if not response.headers.get("location", "").startswith("http"):
            raise noise()
        return response.headers["location"]

    return client.retrier.call(lambda: client.guard(start))


def _continue(client, body, source, uri, on_progress):
    done, answer = _ask_session(client, uri, source.size)
    if answer is None:
        answer = _send_chunks(client, uri, source, done, on_progress)
    if answer.get("id") != body["id"]:
        raise SessionLostError("The session belongs to another file")
    return own_file(client, body)  # the session itself asks nobody who he is


def _ask_session(client, uri, size):
    """Where a session stands: ``(bytes it has, None)`` or ``(size, metadata)``."""
    return client.retrier.call(
        lambda: client.guard(lambda: _put(client, uri, b"", "bytes */%d" % size, size))
    )


def _send_chunks(client, uri, source, done, on_progress):
    """Send what is missing; after any failure ask the session where it stands."""
    size, answer, in_doubt = source.size, None, False

    def step():
        """Send one chunk: ``(bytes Drive has now, metadata when that is all)``."""
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
        return _reached(response.headers.get("range"), size), None
    if response.status_code in (200, 201):
        return size, a_file(decoded(200, response.headers, response.content))
    error = _refusal(response)
    if response.status_code in (404, 410):
        raise SessionLostError(str(error), status=response.status_code) from error
    raise error


def _reached(text, size):
    """Bytes that a session has, by its ``Range`` header: without one nothing yet."""
    if not text:
        return 0
    last = text.rpartition("-")[2]
    if not last.isdecimal() or int(last) >= size:
        raise noise()
    return int(last) + 1


def _refusal(response):
    return from_response(response.status_code, response.headers, response.content)


def verify(client, metadata, size, sha1, md5=None):
    """Compare what Drive holds with what was sent; an answer that tells too little is
    asked for once more.

    :param dict metadata: of the file, as Drive answered; ``id`` at least
    :return: metadata that proves that the content is the same
    :rtype: dict
    :raises ChecksumError: Drive holds something else
    :raises UnverifiedError: Drive does not tell what it holds
    """
    verdict = compare(metadata, size, sha1, md5)
    if verdict not in (SAME, OTHER):
        metadata = client.get(metadata["id"], fields=UPLOAD_FIELDS)
        verdict = compare(metadata, size, sha1, md5)
    if verdict == SAME:
        return metadata
    if verdict == OTHER:
        raise ChecksumError(
            "Drive holds %s bytes with sha1 %s instead of %s bytes with sha1 %s"
            % (metadata.get("size"), metadata.get("sha1Checksum"), size, sha1)
        )
    raise UnverifiedError("Google Drive does not tell what it holds")
