"""The emulator as Google's own client libraries meet it."""
import hashlib
import io
import os
import socket

import pytest
import requests
from conftest import FOLDER
from google.oauth2 import credentials as user_credentials
from google.oauth2 import service_account
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaIoBaseDownload, MediaIoBaseUpload

UNIT = 256 * 1024
TYPE = "application/pdf"


@pytest.fixture
def drive(emulator, google_drive):
    grant = emulator.grant()
    return google_drive(user_credentials.Credentials(grant["access_token"]))


def media(content, resumable=False, chunk=UNIT):
    return MediaIoBaseUpload(io.BytesIO(content), TYPE, chunk, resumable=resumable)


def finish(request):
    answer = None
    while answer is None:
        _progress, answer = request.next_chunk()
    return answer


@pytest.mark.parametrize("size", [0, 1, 100000, 5 * 1024 * 1024])
def test_multipart(drive, emulator, size):
    content = os.urandom(size)
    body = {"name": "Résumé \U0001f4c4 'quoted'.pdf", "appProperties": {"key": "value"}}
    answer = (
        drive.files()
        .create(body=body, media_body=media(content), fields="id,name,size,md5Checksum")
        .execute()
    )
    assert answer["name"] == body["name"]
    assert answer["size"] == str(size)
    assert answer["md5Checksum"] == hashlib.md5(content).hexdigest()
    assert emulator.content(answer["id"]) == content
    stored = emulator.file(answer["id"])
    assert stored["mimeType"] == TYPE
    assert stored["appProperties"] == {"key": "value"}


@pytest.mark.parametrize("size", [0, 1, UNIT, 3 * UNIT, 3 * UNIT + 17])
def test_resumable_in_chunks(drive, emulator, size):
    content = os.urandom(size)
    request = drive.files().create(
        body={"name": "big.pdf"},
        media_body=media(content, True),
        fields="id,sha1Checksum",
    )
    answer = finish(request)
    assert answer["sha1Checksum"] == hashlib.sha1(content).hexdigest()
    assert emulator.content(answer["id"]) == content
    assert emulator.count("files.upload.chunk") == max(1, -(-size // UNIT))


def test_resumed_after_a_cut(emulator, google_drive):
    # httplib2 itself sends the chunk again, from a stream it has used up: the server
    # waits for the rest of the body until the client's timeout
    credentials = user_credentials.Credentials(emulator.grant()["access_token"])
    drive = google_drive(credentials, timeout=2)
    content = os.urandom(5 * UNIT)
    request = drive.files().create(
        body={"name": "cut.pdf"}, media_body=media(content, True, 4 * UNIT)
    )
    emulator.fault("files.upload.chunk", cut_after=2 * UNIT + 5)
    with pytest.raises(OSError):
        request.next_chunk()
    asked = requests.put(
        request.resumable_uri, headers={"Content-Range": "bytes */*"}, timeout=30
    )
    assert (asked.status_code, asked.headers["Range"]) == (308, "bytes=0-524287")
    request.resumable_progress = 2 * UNIT
    answer = finish(request)
    assert emulator.content(answer["id"]) == content
    assert len(emulator.files()) == 1


def test_resumed_by_a_new_request(drive, emulator):
    content = os.urandom(4 * UNIT + 1)
    first = drive.files().create(
        body={"name": "a.pdf"}, media_body=media(content, True)
    )
    first.next_chunk()
    second = drive.files().create(
        body={"name": "a.pdf"}, media_body=media(content, True)
    )
    second.resumable_uri = first.resumable_uri
    second.resumable_progress = UNIT
    answer = finish(second)
    assert emulator.content(answer["id"]) == content
    assert len(emulator.files()) == 1


def test_update_content_resumable(drive, emulator):
    made = drive.files().create(media_body=media(b"old"), body={"name": "x"}).execute()
    new = os.urandom(UNIT + 5)
    request = drive.files().update(
        fileId=made["id"], body={"name": "y"}, media_body=media(new, True)
    )
    assert finish(request)["id"] == made["id"]
    assert emulator.content(made["id"]) == new
    assert emulator.file(made["id"])["name"] == "y"


def test_download_in_chunks(drive, emulator):
    content = os.urandom(3 * UNIT + 11)
    made = drive.files().create(media_body=media(content), body={"name": "x"}).execute()
    target = io.BytesIO()
    request = drive.files().get_media(fileId=made["id"])
    download = MediaIoBaseDownload(target, request, chunksize=UNIT)
    done = False
    while not done:
        _progress, done = download.next_chunk()
    assert target.getvalue() == content
    assert emulator.count("files.media") == 4
    assert emulator.bytes_out("files.media") == len(content)


def test_download_of_an_empty_file(drive):
    made = drive.files().create(media_body=media(b""), body={"name": "x"}).execute()
    target = io.BytesIO()
    request = drive.files().get_media(fileId=made["id"])
    assert MediaIoBaseDownload(target, request).next_chunk()[1]
    assert target.getvalue() == b""


def test_paging(drive):
    for number in range(7):
        drive.files().create(body={"name": "f%d" % number}).execute()
    names, pages = [], 0
    request = drive.files().list(pageSize=3, fields="nextPageToken,files(name)")
    while request is not None:
        answer = request.execute()
        names += [file["name"] for file in answer["files"]]
        pages += 1
        request = drive.files().list_next(request, answer)
    assert pages == 3
    assert sorted(names) == ["f%d" % number for number in range(7)]


def test_long_queries_travel_as_post(drive, emulator):
    made = drive.files().create(body={"name": "wanted"}).execute()
    terms = ["name = 'no such name %04d'" % number for number in range(100)]
    query = " or ".join(terms + ["name = 'wanted'"])
    answer = drive.files().list(q=query).execute()
    assert [file["id"] for file in answer["files"]] == [made["id"]]
    assert emulator.requests("files.list")[-1]["method"] == "GET"


def test_generated_ids_make_uploads_happen_once(drive, emulator):
    (file_id,) = drive.files().generateIds(count=1).execute()["ids"]
    create = drive.files().create
    made = create(body={"id": file_id}, media_body=media(b"one")).execute()
    assert made["id"] == file_id
    with pytest.raises(HttpError) as caught:
        create(body={"id": file_id}, media_body=media(b"two")).execute()
    assert caught.value.resp.status == 409
    assert caught.value.error_details[0]["reason"] == "fileIdInUse"
    assert emulator.content(file_id) == b"one"


def test_folders_and_deletion(drive, emulator):
    files = drive.files()
    folder = files.create(body={"name": "box", "mimeType": FOLDER}).execute()["id"]
    inside = files.create(body={"name": "in", "parents": [folder]}).execute()["id"]
    found = files.list(q="'%s' in parents" % folder).execute()["files"]
    assert [file["id"] for file in found] == [inside]
    assert files.delete(fileId=folder).execute() == ""
    assert emulator.files() == []


def test_service_account_works_in_a_shared_drive(emulator, google_drive):
    key = emulator.service_account()
    drive_id = emulator.shared_drive("team", [key["client_email"]])
    credentials = service_account.Credentials.from_service_account_info(
        key, scopes=["https://www.googleapis.com/auth/drive"]
    )
    drive = google_drive(credentials)
    answer = (
        drive.files()
        .create(
            body={"name": "x", "parents": [drive_id]},
            media_body=media(b"x"),
            supportsAllDrives=True,
            fields="id,driveId,owners",
        )
        .execute()
    )
    assert answer == {"id": emulator.files()[0]["id"], "driveId": drive_id}
    with pytest.raises(HttpError) as caught:
        drive.files().create(body={"name": "x"}, media_body=media(b"x")).execute()
    assert caught.value.resp.status == 403
    assert caught.value.error_details[0]["reason"] == "storageQuotaExceeded"


def test_credentials_refresh_by_themselves(emulator, google_drive):
    grant = emulator.grant()
    credentials = user_credentials.Credentials(
        grant["access_token"],
        refresh_token=grant["refresh_token"],
        token_uri=emulator.url + "/token",
        client_id=grant["client_id"],
        client_secret=grant["client_secret"],
    )
    emulator.expire_tokens()
    about = google_drive(credentials).about().get(fields="user").execute()
    assert about["user"]["emailAddress"] == "admin@example.com"
    assert emulator.count("token") == 1


def test_silence_is_not_an_answer(emulator):
    """A connection that sends no HTTP is closed without harm to others."""
    host, port = emulator.url[len("http://") :].split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert connection.recv(100) == b""
    assert emulator.files() == []
