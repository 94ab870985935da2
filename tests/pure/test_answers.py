"""Whatever comes back over the line: a DriveError, or what was asked for; never else."""

import contextlib
import io
import json
import os
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from cloud_storage.drive import answers, download
from cloud_storage.drive.client import DriveClient
from cloud_storage.drive.errors import (
    AccountError,
    AuthError,
    ChecksumError,
    ConflictError,
    DailyLimitError,
    DriveError,
    FileForbiddenError,
    FolderFullError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    ProjectError,
    RangeError,
    RateLimitError,
    StorageFullError,
    TransientError,
    from_response,
)
from cloud_storage.drive.retry import CircuitBreaker, RateLimiter, Retrier
from cloud_storage.drive.source import Source
from cloud_storage.drive.upload import upload

ANSWERS = int(os.environ.get("ANSWERS", "2000"))
CONTENT = bytes(range(256)) * 4
PAGE = b"<!DOCTYPE html><html><title>Welcome to the hotel</title></html>"
GOOGLES = {
    "error": {"code": 403, "message": "No.", "errors": [{"reason": "forbidden"}]}
}


class Line(ThreadingHTTPServer):
    """A server that gives one answer to everything."""

    daemon_threads = True
    answer = (200, {}, b"")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self):
        length = self.headers.get("Content-Length")
        if length:
            self.rfile.read(int(length))
        status, headers, body = self.server.answer
        self.send_response_only(status, headers.get("reason", "Some Reason"))
        for name, value in headers.items():
            if name not in ("reason", "cut"):
                self.send_header(name, value)
        if "Content-Length" not in headers and "Transfer-Encoding" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body[: headers.get("cut", len(body))])
        if "cut" in headers or "Content-Length" in headers:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def log_message(self, *args):
        """Quiet."""


class Token:
    """A token that works for ever."""

    def token(self):
        return "token"

    def renew(self, _stale):
        return "another"


@pytest.fixture(scope="module")
def line():
    server = Line(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def client(line):
    breaker = CircuitBreaker(threshold=10**9)
    retrier = Retrier(RateLimiter(10**9), breaker, tries=1, sleep=lambda seconds: None)
    root = "http://127.0.0.1:%d/" % line.server_port
    return DriveClient(Token(), root, retrier, timeout=2)


def sent(client, **options):
    """An upload of so many bytes, small or in chunks."""
    body = {"id": "an-id", "name": "a", "parents": ["p"]}
    source = Source(lambda: io.BytesIO(CONTENT), len(CONTENT), "text/plain")
    return upload(client, body, source, **options)


CALLS = {
    "about": lambda c: c.about(),
    "generate_ids": lambda c: c.generate_ids(3),
    "get": lambda c: c.get("an-id"),
    "get_many": lambda c: c.get_many(["an-id", "other"]),
    "update": lambda c: c.update("an-id", name="b"),
    "move": lambda c: c.move("an-id", "a", ["b"]),
    "trash": lambda c: c.update("an-id", trashed=True),
    "delete": lambda c: c.delete("an-id"),
    "copy": lambda c: c.copy("an-id"),
    "list": lambda c: list(c.list("q")),
    "find_folder": lambda c: c.find_folder("a", "b"),
    "permissions": lambda c: c.permissions("an-id"),
    "share": lambda c: c.share("an-id", "a@example.com"),
    "unshare": lambda c: c.unshare("an-id", "anyone"),
    "upload": sent,
    "download": lambda c: b"".join(
        download.Download(c, "an-id", 0, len(CONTENT), len(CONTENT))
    ),
    "range": lambda c: b"".join(download.Download(c, "an-id", 100, 50, len(CONTENT))),
}


# -- what is what ------------------------------------------------------------------------


def refusal(status, document, **headers):
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return from_response(status, headers, content)


def reasoned(reason, status=403):
    error = {"code": status, "message": "No.", "errors": [{"reason": reason}]}
    return refusal(status, {"error": error})


@pytest.mark.parametrize(
    "reason, kind, scope",
    [
        ("insufficientFilePermissions", FileForbiddenError, "file"),
        ("appNotAuthorizedToFile", ForbiddenError, "file"),
        ("numChildrenInNonRootLimitExceeded", FolderFullError, "folder"),
        ("activeItemCreationLimitExceeded", AccountError, "account"),
        ("domainPolicy", AccountError, "account"),
        ("accessNotConfigured", ProjectError, "project"),
        ("userRateLimitExceeded", RateLimitError, "account"),
    ],
)
def test_each_refusal_is_about_something(reason, kind, scope):
    err = reasoned(reason)
    assert type(err) is kind
    assert err.scope == scope
    assert err.stops_run == (scope in ("account", "project") and not err.retryable)


@pytest.mark.parametrize(
    "status, reason, message, kind",
    [
        (302, "forbidden", "No.", TransientError),
        (408, "forbidden", "No.", TransientError),
        (500, "internalError", "No.", TransientError),
        (429, "unknown", "No.", RateLimitError),
        (403, "userRateLimitExceeded", "User rate limit exceeded.", DailyLimitError),
        (403, "userRateLimitExceeded", "Quota exceeded for …", RateLimitError),
        (403, "dailyLimitExceeded", "No.", DailyLimitError),
        (403, "uploadLimitExceeded", "No.", DailyLimitError),
        (403, "storageQuotaExceeded", "No.", StorageFullError),
        (403, "quotaExceeded", "No.", StorageFullError),
        (403, "teamDriveFileLimitExceeded", "No.", StorageFullError),
        (401, "authError", "No.", AuthError),
        (404, "notFound", "No.", NotFoundError),
        (409, "fileIdInUse", "No.", ConflictError),
        (416, "requestedRangeNotSatisfiable", "No.", RangeError),
        (400, "badRequest", "No.", InvalidRequestError),
    ],
)
def test_status_reason_and_message(status, reason, message, kind):
    error = {"code": status, "message": message, "errors": [{"reason": reason}]}
    err = refusal(status, {"error": error})
    assert type(err) is kind
    assert (err.status, err.reason, str(err)) == (status, reason, message)


@pytest.mark.parametrize(
    "document",
    [
        {"id": "x", "size": 5},
        {"id": "x", "trashed": "false"},
        {"id": "x", "sha1Checksum": None},
        {"id": "x", "parents": "y"},
        {"id": "x", "appProperties": []},
        {"name": "x"},
        ["x"],
    ],
)
def test_metadata_of_other_types_is_noise(document):
    with pytest.raises(TransientError):
        answers.a_file(document)


@pytest.mark.parametrize(
    "page", [{}, {"files": {}}, {"files": [], "nextPageToken": 5}, {"files": ["x"]}, []]
)
def test_pages_of_other_types_are_noise(page):
    with pytest.raises(TransientError):
        answers.a_page(page)


@pytest.mark.parametrize(
    "told, first",
    [
        ("bytes 5-9/10", 5),
        ("bytes 0-9/*", 0),
        ("items 5-9/10", None),
        ("bytes */10", None),
        ("5-9/10", None),
        ("", None),
    ],
)
def test_first_byte(told, first):
    response = SimpleNamespace(headers={"Content-Range": told})
    assert answers.first_byte(response) == first


def test_a_redirection_is_no_answer():
    with pytest.raises(TransientError):
        answers.decoded(302, {}, b'{"id": "x"}')
    assert answers.decoded(200, {}, b'{"id": "x"}') == {"id": "x"}


def test_newer_form_of_a_refusal():
    details = [{"@type": "type.googleapis.com/x"}, {"reason": "SERVICE_DISABLED"}]
    err = refusal(403, {"error": {"code": 403, "message": "Off", "details": details}})
    assert type(err) is ProjectError
    assert str(err) == "Off"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 416, 451])
@pytest.mark.parametrize(
    "body", [PAGE, b"", b"null", b"[null]", b'{"error": null}', b"\xff"]
)
def test_a_page_of_somebody_else_is_no_refusal(status, body):
    assert type(refusal(status, body)) is TransientError


@pytest.mark.parametrize(
    "errors", [["x"], [None], "x", {"reason": "x"}, [{"reason": [1]}]]
)
def test_odd_bodies_of_google(errors):
    err = refusal(403, {"error": {"errors": errors, "message": ["x"]}})
    assert type(err) is ForbiddenError
    assert str(err) == "HTTP 403"


def test_gone_is_only_what_google_calls_gone(line, client):
    line.answer = (404, {"Content-Type": "text/html"}, PAGE)
    with pytest.raises(TransientError):
        client.get("an-id")
    line.answer = (404, {}, json.dumps(dict(GOOGLES)).encode())
    with pytest.raises(NotFoundError):
        client.get("an-id")


# -- ranges ------------------------------------------------------------------------------

SIZE = len(CONTENT)
PART = CONTENT[100:150]


@pytest.mark.parametrize(
    "status, headers, body",
    [
        (206, {"Content-Range": "bytes 100-149/%d" % SIZE}, PART),
        (206, {"Content-Range": "bytes 100-149/*"}, PART),
        (200, {}, CONTENT),
        (200, {"Content-Range": "bytes 0-1023/1024"}, CONTENT),
    ],
)
def test_ways_to_answer_a_range(line, client, status, headers, body):
    line.answer = (status, headers, body)
    assert CALLS["range"](client) == PART


@pytest.mark.parametrize(
    "status, headers, body, kind",
    [
        (206, {"Content-Range": "bytes 100-149/9999"}, PART, ChecksumError),
        (416, {"Content-Range": "bytes */9999"}, b"", ChecksumError),
        (206, {"Content-Range": "bytes 0-49/%d" % SIZE}, PART, TransientError),
        (206, {}, PART, TransientError),
        (200, {}, PAGE, TransientError),
        (
            200,
            {"Transfer-Encoding": "chunked"},
            b"3\r\nabc\r\n0\r\n\r\n",
            TransientError,
        ),
        (416, {}, PAGE, TransientError),
    ],
)
def test_what_is_no_answer_to_a_range(line, client, status, headers, body, kind):
    line.answer = (status, headers, body)
    with pytest.raises(kind):
        CALLS["range"](client)


# -- by volume ---------------------------------------------------------------------------

VALUES = [
    None,
    True,
    0,
    -1,
    1e308,
    "",
    "x",
    "9" * 40,
    [],
    ["x"],
    [None],
    {},
    {"a": 1},
    [[]],
]
NAMES = "id ids files user size error kind trashed parents name nextPageToken".split()
NAMES += (
    "permissions sha1Checksum md5Checksum appProperties errors reason message".split()
)
STATUSES = [200, 200, 200, 201, 204, 206, 301, 304, 308, 400, 401, 403, 404, 409, 410]
STATUSES += [412, 416, 418, 429, 500, 502, 503, 511]
HEADERS = {
    "Content-Type": ["text/html", "application/json", "multipart/mixed", "x", ""],
    "Content-Range": [
        "bytes 0-9/*",
        "bytes */5",
        "bytes 0-1023/1024",
        "x",
        "bytes a-b/c",
    ],
    "Range": ["bytes=0-99", "0-5", "x", "bytes=0-99999"],
    "Location": ["", "x", "mailto:x", "/again"],
    "Retry-After": ["1", "-5", "x", "Wed, 21 Oct 2015 07:28:00 GMT", "9" * 30],
    "Content-Encoding": ["gzip", "deflate", "x"],
    "WWW-Authenticate": ["Basic", "Bearer realm=x", "x"],
    "ETag": ["x"],
}


def generated(rand):
    """An answer: status, headers and body, likely and unlikely ones."""
    headers = {n: rand.choice(v) for n, v in HEADERS.items() if rand.random() < 0.12}
    body = rand.choice([_document, _document, _page, _bytes])(rand)
    if rand.random() < 0.1:
        headers["cut"] = rand.randrange(len(body) + 1)
    return rand.choice(STATUSES), headers, body


def _value(rand, depth=0):
    if depth < 3 and rand.random() < 0.4:
        return {
            rand.choice(NAMES): _value(rand, depth + 1)
            for _i in range(rand.randrange(4))
        }
    if depth < 3 and rand.random() < 0.2:
        return [_value(rand, depth + 1) for _i in range(rand.randrange(3))]
    return rand.choice(VALUES)


def _document(rand):
    text = json.dumps(_value(rand)).encode()
    return text[: rand.randrange(len(text) + 1)] if rand.random() < 0.1 else text


def _page(_rand):
    return PAGE


def _bytes(rand):
    length = rand.choice([0, 1, 50, SIZE, SIZE + 1, 300000])
    return bytes(rand.getrandbits(8) for _i in range(min(length, 64))) * (
        length // 64 + 1
    )


def test_nothing_but_drive_errors(line, client):
    """Any answer to any request: its result, or a DriveError; no other exception."""
    seed = random.randrange(10**9)
    rand = random.Random(seed)
    names = sorted(CALLS)
    for number in range(ANSWERS):
        line.answer = generated(rand)
        name = names[number % len(names)]
        with contextlib.suppress(DriveError):
            result = CALLS[name](client)
            _check(name, result, (seed, number, line.answer[:2], line.answer[2][:200]))


def _check(name, result, told):
    """What looks like a success must be one."""
    if name in ("get", "update", "move", "trash", "copy", "upload"):
        assert isinstance(result["id"], str), told
    elif name == "generate_ids":
        assert len(set(result)) == 3, told
    elif name == "get_many":
        assert all(isinstance(file["id"], str) for file in result.values()), told
    elif name == "download":
        assert len(result) == SIZE, told
    elif name == "range":
        assert len(result) == 50, told
