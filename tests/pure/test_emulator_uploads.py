"""The upload protocols, byte by byte, as the Drive guides describe them."""
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from conftest import FOLDER, RELATED, refusal, related

UNIT = 256 * 1024
LIMIT = 5 * 1024 * 1024
UPLOAD = "/upload/drive/v3/files"


def put(uri, content=b"", content_range=None, **headers):
    if content_range:
        headers["Content-Range"] = content_range
    return requests.put(uri, data=content, headers=headers, timeout=30)


def upload(api, data, kind="multipart", **headers):
    params = {"uploadType": kind, "fields": "*"}
    return api.call("POST", UPLOAD, params=params, data=data, headers=headers)


def test_multipart_says_what_it_stored(api):
    content = os.urandom(1000)
    file = api.create("a.tar.gz", content)
    assert file["md5Checksum"] == hashlib.md5(content).hexdigest()
    assert file["sha1Checksum"] == hashlib.sha1(content).hexdigest()
    assert file["sha256Checksum"] == hashlib.sha256(content).hexdigest()
    assert (file["size"], file["quotaBytesUsed"]) == ("1000", "1000")
    assert (file["fileExtension"], file["originalFilename"]) == ("gz", "a.tar.gz")
    assert file["version"] == "1"


def test_type_comes_from_metadata_then_part_then_name(api):
    def made(metadata, content_type):
        data = related(metadata, b"x", content_type)
        return upload(api, data, **RELATED).json()["mimeType"]

    assert made({"mimeType": "a/b"}, "c/d") == "a/b"
    assert made({}, "c/d") == "c/d"
    assert made({"name": "x.png"}, "application/octet-stream") == "image/png"
    assert made({}, "application/octet-stream") == "application/octet-stream"


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\r\n\r\n", b"a--part", b"a\r\n--par"]
)
def test_multipart_content_is_left_alone(api, emulator, content):
    assert emulator.content(api.create("x", content)["id"]) == content


def test_multipart_with_line_feeds_and_base64(api, emulator):
    data = (
        b'--=b=\nContent-Type: application/json\n\n{"name": "x"}\n--=b=\n'
        b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n"
        b"aGVsbG8=\n--=b=--"
    )
    answer = upload(api, data, **{"Content-Type": 'multipart/related; boundary="=b="'})
    assert emulator.content(answer.json()["id"]) == b"hello"


@pytest.mark.parametrize(
    "data, content_type",
    [
        (b"", "multipart/related; boundary=part"),
        (b"--part--", "multipart/related; boundary=part"),
        (related({}, b"x")[:-20], "multipart/related; boundary=part"),
        (related({}, b"x"), "multipart/related; boundary=other"),
        (related({}, b"x"), "application/json"),
        (related([], b"x"), "multipart/related; boundary=part"),
    ],
)
def test_malformed_multipart(api, emulator, data, content_type):
    answer = upload(api, data, **{"Content-Type": content_type})
    assert answer.status_code == 400
    assert emulator.files() == []


def test_simple_upload(api, emulator):
    answer = upload(api, b"bytes", "media", **{"Content-Type": "text/csv"})
    file = answer.json()
    assert (file["name"], file["mimeType"]) == ("Untitled", "text/csv")
    assert emulator.content(file["id"]) == b"bytes"


def test_five_megabytes_at_most_in_one_request(api, emulator):
    assert api.create("x", bytes(LIMIT))["size"] == str(LIMIT)
    too_much = bytes(LIMIT + 1)
    assert refusal(upload(api, related({}, too_much), **RELATED))[0] == 413
    assert refusal(upload(api, too_much, "media"))[0] == 413
    assert len(emulator.files()) == 1
    assert api.get("/files").status_code == 200  # on the same connection


def test_unknown_upload_type(api):
    assert upload(api, b"", "torrent").status_code == 400


def test_chunked_request_bodies(api, emulator):
    answer = upload(api, iter([b"a" * 70000, b"b" * 70000]), "media")
    assert emulator.content(answer.json()["id"]) == b"a" * 70000 + b"b" * 70000


def test_expect_100_continue(api, emulator):
    answer = upload(api, b"x" * 100000, "media", Expect="100-continue")
    assert answer.status_code == 200


def test_session(api, emulator):
    content = os.urandom(2 * UNIT + 5)
    uri = api.start(name="big", total=len(content))
    assert "upload_id=" in uri
    asked = put(uri, content_range="bytes */*")
    assert asked.status_code == 308
    assert "Range" not in asked.headers
    first = put(uri, content[:UNIT], "bytes 0-%d/%d" % (UNIT - 1, len(content)))
    assert (first.status_code, first.headers["Range"]) == (308, "bytes=0-262143")
    asked = put(uri, content_range="bytes */%d" % len(content))
    assert (asked.status_code, asked.headers["Range"]) == (308, "bytes=0-262143")
    assert emulator.files() == []
    rest = "bytes %d-%d/%d" % (UNIT, len(content) - 1, len(content))
    last = put(uri, content[UNIT:], rest)
    assert last.status_code == 200
    assert last.json()["md5Checksum"] == hashlib.md5(content).hexdigest()
    assert set(last.json()) == {"id", "size", "md5Checksum"}
    for question in ("bytes */*", "bytes */%d" % len(content)):
        again = put(uri, content_range=question)
        assert (again.status_code, again.json()) == (200, last.json())
    assert emulator.content(last.json()["id"]) == content
    assert len(emulator.files()) == 1


def test_session_without_a_known_size(api, emulator):
    uri = api.start(name="stream")
    assert put(uri, bytes(UNIT), "bytes 0-262143/*").status_code == 308
    assert put(uri, b"end", "bytes 262144-262146/262147").status_code == 200
    uri = api.start(name="stream")
    assert put(uri, bytes(UNIT), "bytes 0-262143/*").status_code == 308
    assert put(uri, content_range="bytes */262144").status_code == 200


def test_session_in_one_request(api, emulator):
    answer = put(api.start(name="x"), b"all of it")
    assert emulator.content(answer.json()["id"]) == b"all of it"
    empty = put(api.start(name="empty"))
    assert empty.json()["size"] == "0"


@pytest.mark.parametrize(
    "size, content_range",
    [
        (UNIT, "bytes 262144-524287/*"),
        (UNIT, "bytes 1-262144/*"),
        (UNIT - 1, "bytes 0-262142/*"),
        (UNIT + 1, "bytes 0-262144/600000"),
        (UNIT, "bytes 0-262142/600000"),
        (UNIT, "0-262143/600000"),
        (UNIT, "bytes */600000"),
        (10, "bytes 0-9/9"),
        (10, "bytes 0-9/700000"),
        (10, "bytes 9-0/10"),
    ],
)
def test_refused_chunks(api, emulator, size, content_range):
    uri = api.start(name="x", total=600000)
    assert put(uri, bytes(size), content_range).status_code == 400
    asked = put(uri, content_range="bytes */*")
    assert (asked.status_code, asked.headers.get("Range")) == (308, None)
    assert emulator.files() == []


def test_a_chunk_twice_is_refused(api):
    uri = api.start(name="x")
    assert put(uri, bytes(UNIT), "bytes 0-262143/*").status_code == 308
    assert put(uri, bytes(UNIT), "bytes 0-262143/*").status_code == 400
    asked = put(uri, content_range="bytes */*")
    assert asked.headers["Range"] == "bytes=0-262143"


def test_session_uri_is_the_secret(api, emulator):
    uri = api.start(name="x")
    assert put(uri, b"x", Authorization="Bearer nonsense").status_code == 401
    emulator.revoke_grants()
    assert put(uri, b"x").status_code == 200


def test_session_ends_after_a_week(api, emulator):
    uri = api.start(name="x")
    emulator.set_clock(7 * 24 * 3600 - 60)
    assert put(uri, content_range="bytes */*").status_code == 308
    emulator.set_clock(7 * 24 * 3600 + 60)
    assert refusal(put(uri, content_range="bytes */*")) == (404, "notFound")
    assert put(uri[:-3] + "xyz", b"x").status_code == 404


def test_session_may_be_cancelled(api, emulator):
    uri = api.start(name="x")
    assert requests.delete(uri, timeout=30).status_code == 499
    assert put(uri, b"x").status_code == 404


def test_generated_ids(api, emulator):
    answer = api.get("/files/generateIds", count=3, space="drive").json()
    assert (answer["kind"], answer["space"]) == ("drive#generatedIds", "drive")
    assert len(set(answer["ids"])) == 3
    one, two, _three = answer["ids"]
    api.create("x", id=one)
    taken = upload(api, related({"id": one}, b"x"), **RELATED)
    assert refusal(taken) == (409, "fileIdInUse")
    never = upload(api, related({"id": "1" * 33}, b"x"), **RELATED)
    assert refusal(never) == (400, "fileIdNotUsable")
    start = {"params": {"uploadType": "resumable"}, "json": {"id": one}}
    assert refusal(api.call("POST", UPLOAD, **start)) == (409, "fileIdInUse")
    first, second = api.start(id=two), api.start(id=two)
    assert put(first, b"first").json()["id"] == two
    assert refusal(put(second, b"second")) == (409, "fileIdInUse")
    assert emulator.content(two) == b"first"
    emulator.remove_file(two)
    assert len(emulator.files()) == 1


def test_of_many_at_once_one_gets_the_id(connect, emulator):
    apis = [connect() for _number in range(8)]
    (file_id,) = apis[0].get("/files/generateIds", count=1).json()["ids"]

    def create(api):
        data = related({"id": file_id}, os.urandom(1000))
        return upload(api, data, **RELATED).status_code

    with ThreadPoolExecutor(len(apis)) as pool:
        statuses = sorted(pool.map(create, apis))
    assert statuses == [200] + [409] * 7
    assert len(emulator.files()) == 1


def test_folders_take_generated_ids_and_documents_do_not(api):
    one, two = api.get("/files/generateIds", count=2).json()["ids"]
    assert api.folder(id=one) == one
    body = {"id": two, "mimeType": "application/vnd.google-apps.document"}
    assert api.call("POST", "/files", json=body).status_code == 403


def test_unknown_parent(api, emulator):
    for parents in (["nowhere"], [emulator.put_file("f", mimeType=FOLDER)]):
        answer = upload(api, related({"parents": parents}, b"x"), **RELATED)
        assert refusal(answer) == (404, "notFound")
    file = api.create("no folder")
    answer = upload(api, related({"parents": [file["id"]]}, b"x"), **RELATED)
    assert answer.status_code == 403


def test_quota(api, emulator):
    emulator.set_quota(limit=1000)
    file = api.create("x", bytes(600))
    for answer in (
        upload(api, related({}, bytes(401)), **RELATED),
        api.call(
            "POST",
            UPLOAD,
            params={"uploadType": "resumable"},
            headers={"X-Upload-Content-Length": "401"},
        ),
        api.call("POST", "/files/%s/copy" % file["id"]),
        put(api.start(name="unannounced"), bytes(401)),
    ):
        assert refusal(answer) == (403, "storageQuotaExceeded")
    about = api.get("/about", fields="storageQuota").json()["storageQuota"]
    assert (about["limit"], about["usage"]) == ("1000", "600")
    emulator.remove_file(file["id"])
    api.create("y", bytes(1000))
    emulator.set_quota(limit=1000, usage=1000, email="full@example.com")
    about = api.get("/about", fields="storageQuota").json()["storageQuota"]
    assert about["usage"] == "1000"


def test_new_content_for_a_file(api, emulator):
    file = api.create("x.txt", b"old")
    answer = api.call(
        "PATCH",
        UPLOAD + "/" + file["id"],
        params={"uploadType": "media", "fields": "*"},
        data=b"newer",
    )
    changed = answer.json()
    assert (changed["size"], changed["version"]) == ("5", "2")
    assert changed["headRevisionId"] != file["headRevisionId"]
    assert emulator.content(file["id"]) == b"newer"
    assert emulator.requests()[-1]["route"] == "files.update"
