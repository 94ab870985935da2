"""``POST /batch/drive/v3``: several calls in one request.

Page "Batch requests" of the Drive guides: multipart/mixed, a call per part as
``application/http``, at most 100; headers of the outer request hold for every call that
does not bring its own; no uploads and no downloads. Calls may be answered in any order,
each with the id of its part; here they keep theirs.
"""
import email
import io
import re
import secrets
import time

from answers import answer, close
from errors import DriveError
from faults import tamper
from http_message import REASONS, Body, FilePart, Request, Response, error_response

LIMIT = 100  # calls
BODY_LIMIT = 8 * 1024 * 1024  # bytes
NOT_HERE = ("/upload/", "/batch")
NEWLINES = re.compile(rb"\r?\n\r?\n")


class Batch:
    """Answers batches.

    :param app: the emulator, which finds who answers a call
    """

    def __init__(self, app):
        self._app = app

    def answer(self, request):
        """A multipart/mixed answer.

        :raises DriveError: 400 for a malformed or too large batch, 401 for a dead token
        """
        if "authorization" in request.headers:
            self._app.drive.token(request)
        parts = _parts(request)
        if len(parts) > LIMIT:
            message = "The batch request contains too many calls: at most %d." % LIMIT
            raise DriveError(400, "badRequest", message)
        answers = [self._answer_part(part, request) for part in parts]
        boundary = "batch_" + secrets.token_urlsafe(18)
        mark = b"--" + boundary.encode()
        body = b"".join(mark + b"\r\n" + one + b"\r\n" for one in answers if one)
        content_type = "multipart/mixed; boundary=" + boundary
        return Response(200, body + mark + b"--\r\n", (), content_type)

    def _answer_part(self, part, outer):
        """The answered part as bytes; None when a fault loses it."""
        call = _call(part, outer)
        response = self._perform(call)
        if call.fault.get("lose_answer"):
            return None
        headers = ["Content-Type: application/http"]
        content_id = re.sub(r"\s+", " ", part.get("Content-ID", "")).strip()
        if content_id:
            headers.append("Content-ID: <response-" + content_id.lstrip("<"))
        return "\r\n".join(headers).encode() + b"\r\n\r\n" + _serialized(response)

    def _perform(self, call):
        """Log a call, let its faults happen, do it."""
        handler = self._handler(call)
        entry = self._app.traffic.open(call.route, call.method, call.path, batched=True)
        call.body.entry = entry
        call.fault = self._app.faults.take(call.route)
        time.sleep(call.fault.get("delay_ms", 0) / 1000)
        response = answer(call, handler)
        if isinstance(response.body, FilePart):
            close(response)
            response = error_response(_not_in_batches())
        if "status" not in call.fault:
            response.body = tamper(response.body, call.fault)
        entry.update(status=response.status, bytes_out=len(response.body))
        return response

    def _handler(self, call):
        call.take_override()
        media = call.query.get("alt") == "media"
        found = None
        if not call.raw_path.startswith(NOT_HERE) and not media:
            found = self._app.drive.find(call)
        call.route = call.route or "batch.unknown"
        return found or (_refuse_media if media else _refuse)


def _parts(request):
    if request.content_type() != "multipart/mixed":
        raise DriveError(400, "badContent", "Expected a multipart/mixed body.")
    data = request.body.read(BODY_LIMIT)
    if data is None:
        raise DriveError(413, "uploadTooLarge", "Request Too Large")
    head = "Content-Type: %s\r\n\r\n" % request.headers["content-type"]
    message = email.message_from_bytes(head.encode("latin-1") + data)
    parts = message.get_payload() if message.is_multipart() else []
    if not parts or any(one.get_content_type() != "application/http" for one in parts):
        raise DriveError(400, "badRequest", "Failed to parse batch request.")
    return parts


def _call(part, outer):
    """The request in a part; headers of the outer one hold unless it has its own."""
    head, _blank, content = _halves(part.get_payload(decode=True))
    lines = head.decode("latin-1").splitlines()
    try:
        method, target, _version = lines[0].split()
    except (IndexError, ValueError) as err:
        raise DriveError(400, "badRequest", "Failed to parse batch request.") from err
    headers = {
        name: value
        for name, value in outer.headers.items()
        if not name.startswith("content-") and name != "transfer-encoding"
    }
    for line in lines[1:]:
        name, _colon, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    length = int(headers.get("content-length", len(content)))
    content = content[:length]
    headers["content-length"] = str(len(content))
    call = Request(method.upper(), target, headers)
    call.base_url = outer.base_url
    call.body = Body(io.BytesIO(content), headers, {"bytes_in": 0})
    return call


def _halves(data):
    match = NEWLINES.search(data)
    if not match:
        return data, b"", b""
    return data[: match.start()], match.group(), data[match.end() :]


def _serialized(response):
    lines = [
        "HTTP/1.1 %d %s" % (response.status, REASONS.get(response.status, "Unknown"))
    ]
    lines += ["%s: %s" % pair for pair in response.headers]
    lines.append("Content-Length: %d" % len(response.body))
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + response.body


def _not_in_batches():
    message = "Media uploads and downloads are not supported in batch requests."
    return DriveError(400, "badRequest", message)


def _refuse_media(_call):
    raise _not_in_batches()


def _refuse(call):
    if call.raw_path.startswith("/upload/"):
        raise _not_in_batches()
    raise DriveError(404, "notFound", "Not Found")
