"""Batches of calls, as Google's own client sends and reads them, and by hand."""
import pytest
from conftest import FOLDER, refusal
from google.oauth2 import credentials as user_credentials
from googleapiclient.errors import BatchError, HttpError

MIXED = {"Content-Type": "multipart/mixed; boundary=part"}
PART = "--part\r\nContent-Type: application/http\r\nContent-ID: <%s>\r\n\r\n%s\r\n\r\n"


@pytest.fixture
def drive(emulator, google_drive):
    grant = emulator.grant()
    return google_drive(user_credentials.Credentials(grant["access_token"]))


class Answers(dict):
    """Callback of a batch: request id -> answer or HttpError."""

    def __call__(self, request_id, answer, exception):
        self[request_id] = exception or answer


def run(drive, calls):
    """Send calls (id -> request) as one batch and return their answers."""
    answers = Answers()
    batch = drive.new_batch_http_request(callback=answers)
    for request_id, call in calls.items():
        batch.add(call, request_id=request_id)
    batch.execute()
    return answers


def made(drive, name="x", **body):
    return drive.files().create(body=dict(body, name=name)).execute()["id"]


def get(drive, file_id, fields="id,name"):
    return drive.files().get(fileId=file_id, fields=fields, supportsAllDrives=True)


def send(api, calls, **headers):
    body = "".join(PART % (number, call) for number, call in enumerate(calls))
    return api.call(
        "POST",
        api.url + "/batch/drive/v3",
        data=(body + "--part--\r\n").encode(),
        headers=dict(MIXED, **headers),
    )


def test_gets(drive, emulator):
    ids = [made(drive, "Résumé %d \U0001f4c4.pdf" % number) for number in range(100)]
    emulator.clear_requests()
    answers = run(drive, {file_id: get(drive, file_id) for file_id in ids})
    assert [answers[file_id]["id"] for file_id in ids] == ids
    assert answers[ids[7]]["name"] == "Résumé 7 \U0001f4c4.pdf"
    assert (emulator.http_count(), emulator.count("batch")) == (1, 1)
    assert (emulator.count("files.get"), emulator.http_count("files.get")) == (100, 0)
    entry = emulator.requests("files.get")[0]
    assert (entry["batched"], entry["status"]) == (True, 200)


def test_every_call_has_its_own_fate(drive, emulator):
    file_id, folder = made(drive), made(drive, "box", mimeType=FOLDER)
    answers = run(
        drive,
        {
            "get": get(drive, file_id),
            "none": get(drive, "unknown"),
            "bad": get(drive, file_id, "colour"),
            "update": drive.files().update(
                fileId=file_id, body={"name": "ü", "appProperties": {"a": "b"}}
            ),
            "delete": drive.files().delete(fileId=folder),
            "list": drive.files().list(q="name = 'ü'", fields="files(id)"),
            "odd + id/ü": drive.files().create(body={"name": "new"}),
        },
    )
    assert answers["get"] == {"id": file_id, "name": "x"}
    assert answers["none"].resp.status == 404
    assert answers["none"].error_details[0]["reason"] == "notFound"
    assert answers["bad"].resp.status == 400
    assert answers["delete"] == ""
    assert answers["list"] == {"files": [{"id": file_id}]}
    assert answers["odd + id/ü"]["name"] == "new"
    assert emulator.file(file_id)["appProperties"] == {"a": "b"}
    assert emulator.file(folder) is None


def test_at_most_100_calls(api, emulator):
    calls = ["GET /drive/v3/files/x HTTP/1.1"] * 101
    assert refusal(send(api, calls)) == (400, "badRequest")
    assert emulator.count("files.get") == 0
    assert send(api, calls[:100]).text.count("HTTP/1.1 404 Not Found\r\n") == 100


def test_expired_tokens_are_refreshed(emulator, google_drive):
    grant = emulator.grant()
    credentials = user_credentials.Credentials(
        grant["access_token"],
        refresh_token=grant["refresh_token"],
        token_uri=emulator.url + "/token",
        client_id=grant["client_id"],
        client_secret=grant["client_secret"],
    )
    drive = google_drive(credentials)
    file_id = made(drive)
    emulator.expire_tokens()
    assert run(drive, {"one": get(drive, file_id)})["one"]["id"] == file_id


def test_authorization(api, connect, emulator):
    file_id = api.create("x")["id"]
    call = "GET /drive/v3/files/%s?fields=id HTTP/1.1" % file_id
    own = call + "\r\nAuthorization: Bearer %s" % api.token
    assert '{"id": "%s"}' % file_id in send(api, [call]).text
    other = connect(email="eve@example.com")
    assert "HTTP/1.1 404 Not Found" in send(other, [call]).text
    assert '{"id": "%s"}' % file_id in send(other, [own]).text
    dead = send(api, [own], Authorization="Bearer nothing")
    assert refusal(dead) == (401, "authError")
    api.session.headers.pop("Authorization")
    answer = send(api, [call, own]).text
    assert answer.index("HTTP/1.1 401 Unauthorized") < answer.index("HTTP/1.1 200 OK")


def test_no_contents(api, drive, emulator):
    file_id = api.create("x", b"secret content")["id"]
    upload = "POST /upload/drive/v3/files?uploadType=%s HTTP/1.1"
    answer = send(
        api,
        [
            "GET /drive/v3/files/%s?alt=media HTTP/1.1" % file_id,
            upload % "media" + "\r\n\r\ncontent",
            upload % "resumable" + "\r\n\r\n{}",
            "POST /batch/drive/v3 HTTP/1.1",
        ],
    )
    assert answer.text.count("HTTP/1.1 400 Bad Request") == 3
    assert answer.text.count("HTTP/1.1 404 Not Found") == 1
    assert "secret content" not in answer.text
    assert len(emulator.files()) == 1


@pytest.mark.parametrize(
    "headers, body",
    [
        ({"Content-Type": "application/json"}, b"{}"),
        (MIXED, b""),
        (MIXED, b"--part\r\n\r\nGET / HTTP/1.1\r\n\r\n--part--"),
        (MIXED, (PART % ("1", "nonsense") + "--part--").encode()),
    ],
)
def test_malformed(api, headers, body):
    url = api.url + "/batch/drive/v3"
    assert api.call("POST", url, data=body, headers=headers).status_code == 400


def test_faults_of_calls(drive, emulator):
    file_id = made(drive)
    emulator.fault("files.get", after=1, status=429, retry_after=7)
    emulator.fault("files.get", after=2, omit=["name"])
    calls = {str(number): get(drive, file_id) for number in range(4)}
    answers = run(drive, calls)
    assert answers["0"] == answers["3"] == {"id": file_id, "name": "x"}
    assert (answers["1"].resp.status, answers["1"].resp["retry-after"]) == (429, "7")
    assert answers["2"] == {"id": file_id}
    emulator.fault("files.get", lose_answer=True)
    with pytest.raises(KeyError):  # the client's own way to miss a part
        run(drive, calls)


def test_faults_of_the_whole(drive, emulator):
    file_id = made(drive)
    emulator.fault("batch", status=503)
    emulator.fault("batch", after=1, html=True)
    for error in (HttpError, BatchError):
        with pytest.raises(error):
            run(drive, {"one": get(drive, file_id)})
    assert emulator.count("files.get") == 0
    emulator.fault("batch", times=-1, lose_answer=True)  # the transport asks again
    update = drive.files().update(fileId=file_id, body={"name": "y"})
    with pytest.raises(OSError):
        run(drive, {"one": update})
    assert emulator.file(file_id)["name"] == "y"
