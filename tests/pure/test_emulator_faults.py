"""Each kind of fault, seen from the client's side of the socket."""
import http.client
import os
import threading
import time

import pytest
import requests
from conftest import RELATED, refusal, related

UNIT = 256 * 1024
MULTIPART = "/upload/drive/v3/files?uploadType=multipart"


def raw_get(api, path, headers=()):
    """GET without a client that hides broken answers."""
    address = api.url[len("http://") :]
    connection = http.client.HTTPConnection(address, timeout=30)
    headers = dict(headers, Authorization="Bearer " + api.token)
    connection.request("GET", "/drive/v3" + path, headers=headers)
    return connection.getresponse()


def test_refusals(api, emulator):
    emulator.fault("files.list", status=429, retry_after=7)
    answer = api.get("/files")
    assert refusal(answer) == (429, "rateLimitExceeded")
    assert answer.headers["Retry-After"] == "7"
    assert api.get("/files").status_code == 200
    emulator.fault(
        "files.list", status=403, reason="userRateLimitExceeded", message="M"
    )
    answer = api.get("/files")
    assert refusal(answer) == (403, "userRateLimitExceeded")
    assert answer.json()["error"]["message"] == "M"
    assert answer.json()["error"]["errors"][0]["domain"] == "usageLimits"


@pytest.mark.parametrize(
    "status", [400, 401, 403, 404, 409, 410, 429, 500, 502, 503, 504]
)
def test_every_status(api, emulator, status):
    emulator.fault("*", status=status)
    assert refusal(api.get("/files"))[0] == status


def test_refused_uploads_store_nothing(api, emulator):
    emulator.fault("files.upload.multipart", status=503)
    data = related({"name": "x"}, bytes(100000))
    assert api.call("POST", MULTIPART, data=data, headers=RELATED).status_code == 503
    assert emulator.files() == []
    assert api.call("POST", MULTIPART, data=data, headers=RELATED).status_code == 200


def test_token_endpoint_refuses_in_its_own_shape(emulator):
    emulator.fault("token", status=400)
    emulator.fault("token", status=503)
    url = emulator.url + "/token"
    answer = requests.post(url, data={}, timeout=30)
    assert answer.json()["error"] == "invalid_grant"
    assert requests.post(url, data={}, timeout=30).status_code == 503


def test_times_and_after(api, emulator):
    emulator.fault("files.list", times=2, after=1, status=500)
    got = [api.get("/files").status_code for _number in range(5)]
    assert got == [200, 500, 500, 200, 200]
    emulator.fault("files.list", times=-1, status=500)
    got = [api.get("/files").status_code for _number in range(5)]
    assert got == [500] * 5
    emulator.clear_faults()
    assert api.get("/files").status_code == 200


def test_faults_hit_their_route_only(api, emulator):
    emulator.fault("files.media", times=-1, status=500)
    file_id = api.create("x")["id"]
    assert api.get("/files/" + file_id).status_code == 200
    assert api.get("/files/" + file_id, alt="media").status_code == 500


def test_unknown_faults_are_refused(emulator):
    with pytest.raises(Exception, match="unknown route"):
        emulator.fault("files.lost", status=500)
    with pytest.raises(Exception, match="unknown fault"):
        emulator.fault("files.list", colour="red")
    with pytest.raises(Exception, match="unknown fault"):
        emulator.fault("files.list", status="503")


def test_delay(api, emulator):
    emulator.fault("files.list", delay_ms=300)
    started = time.monotonic()
    assert api.get("/files").status_code == 200
    assert time.monotonic() - started >= 0.3


def test_latency_of_all(api, emulator):
    emulator.latency(200)
    started = time.monotonic()
    assert api.get("/files").status_code == 200
    assert time.monotonic() - started >= 0.2


def test_delays_hold_up_nobody_else(api, connect, emulator):
    emulator.fault("about", delay_ms=3000)
    slow = threading.Thread(target=api.get, args=("/about",), kwargs={"fields": "user"})
    slow.start()
    started = time.monotonic()
    assert connect().get("/files").status_code == 200
    assert time.monotonic() - started < 2.5
    slow.join()


def test_download_cut(api, emulator):
    content = os.urandom(1000)
    file_id = api.create("x", content)["id"]
    emulator.fault("files.media", cut_after=100)
    answer = raw_get(api, "/files/%s?alt=media" % file_id)
    assert answer.getheader("Content-Length") == "1000"
    with pytest.raises(http.client.IncompleteRead) as caught:
        answer.read()
    assert caught.value.partial == content[:100]
    assert emulator.bytes_out() == 100
    assert raw_get(api, "/files/%s?alt=media" % file_id).read() == content


def test_json_cut(api, emulator):
    emulator.fault("files.list", cut_after=5)
    answer = raw_get(api, "/files")
    with pytest.raises(http.client.IncompleteRead) as caught:
        answer.read()
    assert len(caught.value.partial) == 5


def test_download_truncated(api, emulator):
    file_id = api.create("x", b"0123456789")["id"]
    emulator.fault("files.media", truncate=4)
    answer = raw_get(api, "/files/%s?alt=media" % file_id)
    assert (answer.status, answer.read()) == (200, b"0123")


def test_download_altered(api, emulator):
    content = os.urandom(UNIT * 3)
    file_id = api.create("x", content)["id"]
    emulator.fault("files.media", alter=True)
    got = raw_get(api, "/files/%s?alt=media" % file_id).read()
    assert sum(one != other for one, other in zip(got, content)) == 1
    assert len(got) == len(content)
    assert emulator.content(file_id) == content


@pytest.mark.parametrize(
    "what, stored", [({"alter": True}, 1000), ({"truncate": 10}, 10)]
)
def test_upload_stored_wrongly(api, emulator, what, stored):
    content = os.urandom(1000)
    emulator.fault("files.upload.multipart", **what)
    file = api.create("x", content)
    kept = emulator.content(file["id"])
    assert (len(kept), file["size"]) == (stored, str(stored))
    assert kept != content
    assert api.create("y", content)["md5Checksum"] != file["md5Checksum"]


def test_chunk_stored_wrongly(api, emulator):
    content = os.urandom(1000)
    emulator.fault("files.upload.chunk", alter=True)
    answer = requests.put(api.start(fields="id"), data=content, timeout=30)
    kept = emulator.content(answer.json()["id"])
    assert sum(one != other for one, other in zip(kept, content)) == 1


def test_upload_cut(api, emulator):
    emulator.fault("files.upload.multipart", cut_after=1000)
    with pytest.raises(requests.ConnectionError):
        api.create("x", bytes(UNIT))
    assert emulator.files() == []
    assert emulator.requests("files.upload.multipart")[0]["bytes_in"] == 1000


def test_chunk_cut_keeps_what_came(api, emulator):
    content = os.urandom(4 * UNIT)
    uri = api.start(name="x", total=len(content))
    emulator.fault("files.upload.chunk", cut_after=2 * UNIT + 100)
    with pytest.raises(requests.ConnectionError):
        requests.put(uri, data=content, timeout=30)
    asked = requests.put(uri, headers={"Content-Range": "bytes */*"}, timeout=30)
    assert (asked.status_code, asked.headers["Range"]) == (308, "bytes=0-524287")
    rest = "bytes %d-%d/%d" % (2 * UNIT, len(content) - 1, len(content))
    answer = requests.put(
        uri, data=content[2 * UNIT :], headers={"Content-Range": rest}, timeout=30
    )
    assert emulator.content(answer.json()["id"]) == content


def test_lost_answers(api, emulator):
    (file_id,) = api.get("/files/generateIds", count=1).json()["ids"]
    emulator.fault("files.upload.multipart", lose_answer=True)
    with pytest.raises(requests.ConnectionError):
        api.create("x", b"x", id=file_id)
    assert emulator.content(file_id) == b"x"
    again = api.call(
        "POST", MULTIPART, data=related({"id": file_id}, b"x"), headers=RELATED
    )
    assert refusal(again) == (409, "fileIdInUse")


def test_lost_answer_of_the_last_chunk(api, emulator):
    uri = api.start(name="x", fields="id")
    emulator.fault("files.upload.chunk", lose_answer=True)
    with pytest.raises(requests.ConnectionError):
        requests.put(uri, data=b"all", timeout=30)
    asked = requests.put(uri, headers={"Content-Range": "bytes */*"}, timeout=30)
    assert asked.status_code == 200
    assert emulator.content(asked.json()["id"]) == b"all"


def test_rate_of_a_download(api, emulator):
    content = os.urandom(2 * UNIT)
    file_id = api.create("x", content)["id"]
    emulator.fault("files.media", rate=8 * UNIT)
    started = time.monotonic()
    assert api.get("/files/" + file_id, alt="media").content == content
    assert time.monotonic() - started >= 0.1  # the first piece goes at once


def test_faults_add_up(api, emulator):
    emulator.fault("*", delay_ms=200)
    emulator.fault("files.list", status=500)
    started = time.monotonic()
    assert api.get("/files").status_code == 500
    assert time.monotonic() - started >= 0.2


def test_log(api, emulator):
    file_id = api.create("x", bytes(1000))["id"]
    emulator.clear_requests()
    api.get("/files/" + file_id, {"Range": "bytes=0-99"}, alt="media")
    api.get("/files/unknown")
    one, two = emulator.requests()
    assert (one["route"], one["method"], one["status"]) == ("files.media", "GET", 206)
    assert (one["bytes_out"], one["path"]) == (100, "/drive/v3/files/" + file_id)
    assert (two["route"], two["status"]) == ("files.get", 404)
    assert (emulator.count(), emulator.count("files.media")) == (2, 1)
    assert emulator.bytes_out() == 100
    api.create("y", bytes(5000))
    assert emulator.bytes_in("files.upload.multipart") > 5000


def test_a_client_that_goes_away_is_noticed(api, emulator):
    uri = api.start(fields="id")
    content = bytes(32 * 1024 * 1024)
    file_id = requests.put(uri, data=content, timeout=60).json()["id"]
    emulator.clear_requests()
    answer = raw_get(api, "/files/%s?alt=media" % file_id)
    answer.read(1000)
    assert emulator.open_connections() == 1
    answer.close()
    deadline = time.monotonic() + 10
    while emulator.open_connections() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert emulator.open_connections() == 0
    assert 1000 <= emulator.bytes_out() < len(content)


@pytest.mark.parametrize("done", [False, True])
def test_page_in_the_place_of_an_answer(api, emulator, done):
    file_id = api.create("x", b"content")["id"]
    routes = ("files.get", "files.media", "files.upload.multipart", "about", "token")
    for route in routes:
        emulator.fault(route, html=True, done=done)
    data = related({"name": "y"}, b"other")
    for answer in (
        api.get("/files/" + file_id),
        api.get("/files/" + file_id, alt="media"),
        api.call("POST", MULTIPART, data=data, headers=RELATED),
        api.get("/about", fields="user"),
        requests.post(emulator.url + "/token", data={}, timeout=30),
    ):
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/html")
        assert answer.text.startswith("<!DOCTYPE html>")
    assert len(emulator.files()) == 1 + done
    assert api.get("/files/" + file_id, alt="media").content == b"content"


@pytest.mark.parametrize("body", [[None], {"error": {"errors": ["x"]}}, None, 5])
def test_any_json_in_the_place_of_an_answer(api, emulator, body):
    emulator.fault("files.list", body=body)
    emulator.fault("files.list", body=body, status=403)
    for status in (200, 403):
        answer = api.get("/files")
        assert (answer.status_code, answer.json()) == (status, body)
    assert "files" in api.get("/files").json()


def test_any_text_in_the_place_of_an_answer(api, emulator):
    emulator.fault("files.list", body="{no json")
    assert api.get("/files").text == "{no json"


def test_omitted_fields(api, emulator):
    gone = ["md5Checksum", "sha1Checksum"]
    emulator.fault("files.upload.multipart", omit=gone)
    file_id = api.create("x", fields="id,size,md5Checksum,sha1Checksum")
    assert set(file_id) == {"id", "size"}
    emulator.fault("files.list", omit=gone)
    fields = "files(id,md5Checksum),incompleteSearch"
    assert set(api.get("/files", fields=fields).json()["files"][0]) == {"id"}
    assert "md5Checksum" in api.get("/files", fields=fields).json()["files"][0]
    emulator.fault("files.media", omit=gone)
    answer = api.get("/files/" + file_id["id"], alt="media")
    assert answer.content == b"content"
