"""Files over plain HTTP: what Drive gives, and what it refuses."""
import time

import pytest
from conftest import FOLDER, refusal

LONG = "k" * 100


def test_a_live_token_is_needed(api):
    api.session.headers["Authorization"] = "Bearer nonsense"
    assert refusal(api.get("/files")) == (401, "authError")
    api.session.headers["Authorization"] = "Basic eDp5"
    assert refusal(api.get("/files")) == (401, "authError")
    del api.session.headers["Authorization"]
    answer = api.get("/files", access_token=api.token)
    assert refusal(answer) == (401, "required")
    assert "WWW-Authenticate" in answer.headers


def test_scopes(emulator, connect):
    reader = connect(scope="drive.metadata.readonly")
    file_id = emulator.put_file("x", b"x")
    assert reader.get("/files/" + file_id).status_code == 200
    answer = reader.get("/files/" + file_id, alt="media")
    assert refusal(answer) == (403, "insufficientPermissions")
    answer = reader.call("POST", "/files", json={})
    assert refusal(answer) == (403, "insufficientPermissions")
    answer = connect(scope="email").get("/about", fields="user")
    assert refusal(answer) == (403, "insufficientPermissions")


def test_drive_file_sees_what_the_client_made(emulator, connect):
    one, other = connect(), connect(client_id=emulator.client()["client_id"])
    wide = connect(scope="drive")
    foreign = emulator.put_file("foreign")
    mine = one.create("mine")["id"]
    assert one.names() == ["mine"]
    assert other.names() == []
    assert wide.names() == ["foreign", "mine"]
    for answer in (one.get("/files/" + foreign), other.get("/files/" + mine)):
        assert refusal(answer) == (404, "notFound")
    assert wide.get("/files/" + foreign).status_code == 200


def test_nobody_sees_the_files_of_others(connect):
    mine = connect(scope="drive").create("mine")["id"]
    stranger = connect(email="stranger@example.com", scope="drive")
    for answer in (
        stranger.get("/files/" + mine),
        stranger.get("/files/" + mine, alt="media"),
        stranger.call("PATCH", "/files/" + mine, json={}),
        stranger.call("DELETE", "/files/" + mine),
        stranger.call("POST", "/files/%s/copy" % mine),
        stranger.get("/files/%s/permissions" % mine),
    ):
        assert refusal(answer) == (404, "notFound")
    assert stranger.names() == []


@pytest.mark.parametrize(
    "path, params",
    [
        ("/files", {"pagesize": "1"}),
        ("/files", {"pageSize": "many"}),
        ("/files", {"pageSize": "0"}),
        ("/files", {"pageSize": "1001"}),
        ("/files", {"supportsAllDrives": "yes"}),
        ("/files", {"corpora": "everything"}),
        ("/files", {"corpora": "drive"}),
        ("/files", {"driveId": "x"}),
        ("/files", {"corpora": "allDrives"}),
        ("/files", {"includeItemsFromAllDrives": "true"}),
        ("/files", {"spaces": "cellar"}),
        ("/files", {"orderBy": "colour"}),
        ("/files", {"orderBy": "name down"}),
        ("/files", {"pageToken": "nonsense"}),
        ("/files", {"alt": "xml"}),
        ("/files", {"fields": "files(colour)"}),
        ("/files", {"fields": "files(id"}),
        ("/files", {"fields": "files(id))"}),
        ("/files", {"fields": "files(id)id"}),
        ("/files", {"fields": ","}),
        ("/files", {"fields": "id"}),
        ("/files", [("pageSize", "1"), ("pageSize", "2")]),
        ("/files/generateIds", {"count": "1001"}),
        ("/files/generateIds", {"space": "cellar"}),
        ("/files/generateIds", {"type": "shoes"}),
        ("/about", {}),
        ("/about", {"fields": "colour"}),
    ],
)
def test_bad_parameters(api, path, params):
    answer = api.call("GET", path, params=params)
    assert refusal(answer)[0] == 400


def test_about_names_what_it_misses(api):
    assert refusal(api.get("/about")) == (400, "required")


def test_unknown_addresses(api):
    assert api.get("/shoes").status_code == 404
    assert api.call("PUT", "/files").status_code == 404
    assert refusal(api.get("/files/unknown")) == (404, "notFound")


@pytest.mark.parametrize(
    "fields, keys",
    [
        (None, {"kind", "id", "name", "mimeType"}),
        ("id", {"id"}),
        ("id,name", {"id", "name"}),
        (" id , name ", {"id", "name"}),
        ("owners/emailAddress", {"owners"}),
        ("size,appProperties(a)", {"size", "appProperties"}),
    ],
)
def test_fields_of_a_file(api, fields, keys):
    file_id = api.create("x", appProperties={"a": "1", "b": "2"})["id"]
    params = {} if fields is None else {"fields": fields}
    file = api.get("/files/" + file_id, **params).json()
    assert set(file) == keys
    assert file.get("owners", []) in ([], [{"emailAddress": "admin@example.com"}])
    assert file.get("appProperties", {}) in ({}, {"a": "1"})


def test_fields_of_a_list(api):
    api.create("x")
    api.create("y")

    def shown(**params):
        return api.get("/files", pageSize=1, **params).json()

    assert set(shown()) == {"kind", "incompleteSearch", "nextPageToken", "files"}
    assert set(shown()["files"][0]) == {"kind", "id", "name", "mimeType"}
    assert set(shown(fields="nextPageToken")) == {"nextPageToken"}
    assert shown(fields="files(name)") == {"files": [{"name": "y"}]}
    assert shown(fields="files/name") == {"files": [{"name": "y"}]}
    both = shown(fields="files/name,files(size)")
    assert both == {"files": [{"name": "y", "size": "7"}]}
    assert "md5Checksum" in shown(fields="*")["files"][0]
    assert "md5Checksum" in shown(fields="files")["files"][0]
    assert set(shown(fields="files(owners(me))")["files"][0]) == {"owners"}


@pytest.mark.parametrize(
    "body",
    [
        {"name": 5},
        {"parents": "root"},
        {"parents": [5]},
        {"appProperties": {"a": 5}},
        {"appProperties": []},
        {"starred": "yes"},
        {"modifiedTime": "yesterday"},
    ],
)
def test_bad_bodies(api, body):
    assert refusal(api.call("POST", "/files", json=body))[0] == 400


def test_bodies_that_are_no_json(api):
    headers = {"Content-Type": "application/json"}
    for data in (b"{", b"[]", b"\xff"):
        answer = api.call("POST", "/files", data=data, headers=headers)
        assert refusal(answer) == (400, "parseError")
    answer = api.call("POST", "/files", data={"name": "x"})
    assert refusal(answer) == (400, "badContent")


def test_read_only_fields(api):
    file_id = api.create("x")["id"]
    for body in ({"size": "5"}, {"version": "5"}, {"md5Checksum": ""}):
        answer = api.call("POST", "/files", json=body)
        assert refusal(answer) == (403, "fieldNotWritable")
    for body in ({"id": file_id}, {"parents": ["root"]}, {"ownedByMe": True}):
        answer = api.call("PATCH", "/files/" + file_id, json=body)
        assert refusal(answer) == (403, "fieldNotWritable")


def test_unknown_body_fields_are_passed_over(api):
    answer = api.call("POST", "/files", json={"colour": "red", "kind": "drive#file"})
    assert answer.status_code == 200


def test_metadata_only(api):
    made = api.call("POST", "/files", json={}, params={"fields": "*"}).json()
    assert (made["name"], made["mimeType"]) == ("Untitled", "application/octet-stream")
    assert made["size"] == "0"
    assert made["md5Checksum"] == "d41d8cd98f00b204e9800998ecf8427e"
    folder = api.get("/files/" + api.folder(), fields="*").json()
    assert not {"size", "md5Checksum", "webContentLink"} & set(folder)
    assert "/folders/" in folder["webViewLink"]


def test_properties_merge(api):
    file_id = api.create("x", appProperties={"a": "1", "b": "2"})["id"]
    body = {"appProperties": {"b": None, "c": "3"}}
    params = {"fields": "appProperties"}
    answer = api.call("PATCH", "/files/" + file_id, json=body, params=params)
    assert answer.json() == {"appProperties": {"a": "1", "c": "3"}}


def test_properties_have_limits(api):
    file_id = api.create("x")["id"]

    def patch(properties):
        body = {"appProperties": properties}
        return api.call("PATCH", "/files/" + file_id, json=body).status_code

    assert patch({LONG: "v" * 24}) == 200
    assert patch({LONG: "v" * 25}) == 403
    assert patch({LONG: "é" * 13}) == 403
    assert patch({"k%d" % number: "v" for number in range(29)}) == 200
    assert patch({"one": "too many"}) == 403


def test_properties_are_private_to_the_client(emulator, connect):
    one = connect(scope="drive")
    other = connect(scope="drive", client_id=emulator.client()["client_id"])
    file_id = one.create("x", appProperties={"a": "1"}, properties={"p": "1"})["id"]
    shown = other.get("/files/" + file_id, fields="appProperties,properties").json()
    assert shown == {"properties": {"p": "1"}}
    assert other.names("appProperties has { key='a' and value='1' }") == []
    assert one.names("appProperties has { key='a' and value='1' }") == ["x"]


def test_times(api):
    body = {
        "createdTime": "2001-02-03T04:05:06Z",
        "modifiedTime": "2002-02-03T04:05:06.5+02:00",
    }
    params = {"fields": "createdTime,modifiedTime"}
    made = api.call("POST", "/files", json=body, params=params).json()
    assert made == {
        "createdTime": "2001-02-03T04:05:06.000Z",
        "modifiedTime": "2002-02-03T02:05:06.500Z",
    }


def test_modified_time_and_version_move_on(api):
    file = api.create("x")
    time.sleep(0.01)
    answer = api.call(
        "PATCH", "/files/" + file["id"], json={"name": "y"}, params={"fields": "*"}
    )
    changed = answer.json()
    assert (changed["name"], changed["version"]) == ("y", "2")
    assert changed["modifiedTime"] > file["modifiedTime"]
    assert changed["createdTime"] == file["createdTime"]


def test_moving(api):
    one, two = api.folder("one"), api.folder("two")
    file_id = api.create("x", parents=[one])["id"]

    def move(target, **params):
        params["fields"] = "parents"
        return api.call("PATCH", "/files/" + target, json={}, params=params)

    assert refusal(move(file_id, addParents=two)) == (403, "cannotAddParent")
    moved = move(file_id, addParents=two, removeParents=one)
    assert moved.json() == {"parents": [two]}
    assert refusal(move(file_id, addParents="nowhere", removeParents=two))[0] == 404
    assert move(one, addParents=two, removeParents="root").status_code == 200
    into_itself = move(two, addParents=one, removeParents="root")
    assert refusal(into_itself) == (403, "cyclicMemberships")


def test_trash(api, emulator):
    folder = api.folder()
    inside = api.create("inside", parents=[folder])["id"]

    def flags(file_id):
        answer = api.get("/files/" + file_id, fields="trashed,explicitlyTrashed")
        return tuple(answer.json().values())

    api.call("PATCH", "/files/" + folder, json={"trashed": True})
    assert flags(folder) == (True, True)
    assert flags(inside) == (True, False)
    assert api.names("trashed = false") == []
    assert len(api.names("trashed = true")) == len(api.names()) == 2
    assert api.get("/files/" + inside, alt="media").status_code == 200
    assert len(emulator.files(trashed=True)) == 2
    api.call("PATCH", "/files/" + folder, json={"trashed": False})
    assert flags(inside) == (False, False)
    assert emulator.files(trashed=True) == []


def test_delete_is_for_good(api, emulator):
    folder = api.folder()
    inside = api.create("x", parents=[api.folder(parents=[folder])])["id"]
    answer = api.call("DELETE", "/files/" + folder)
    assert (answer.status_code, answer.content) == (204, b"")
    assert refusal(api.get("/files/" + inside)) == (404, "notFound")
    assert refusal(api.call("DELETE", "/files/" + folder)) == (404, "notFound")
    assert emulator.files() == []


def test_copy(api, emulator):
    folder = api.folder()
    file = api.create("x.txt", b"text", parents=[folder], appProperties={"a": "1"})
    body = {"appProperties": {"b": "2"}}
    answer = api.call(
        "POST", "/files/%s/copy" % file["id"], json=body, params={"fields": "*"}
    )
    copy = answer.json()
    assert copy["id"] != file["id"]
    assert (copy["name"], copy["parents"]) == ("Copy of x.txt", [folder])
    assert copy["md5Checksum"] == file["md5Checksum"]
    assert copy["mimeType"] == file["mimeType"]
    assert copy["appProperties"] == {"a": "1", "b": "2"}
    emulator.remove_file(file["id"])
    assert emulator.content(copy["id"]) == b"text"
    refused = api.call("POST", "/files/%s/copy" % folder)
    assert refusal(refused) == (403, "cannotCopyFile")


@pytest.mark.parametrize(
    "header, status, content, shown",
    [
        ("bytes=0-0", 206, b"0", "bytes 0-0/10"),
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=7-100", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-100", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=4-2", 200, b"0123456789", None),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
    ],
)
def test_ranges(api, header, status, content, shown):
    file_id = api.create("x", b"0123456789")["id"]
    answer = api.get("/files/" + file_id, {"Range": header}, alt="media")
    assert (answer.status_code, answer.content) == (status, content)
    assert answer.headers.get("Content-Range") == shown
    assert answer.headers["Content-Length"] == str(len(content))


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_ranges_out_of_bounds(api, header):
    file_id = api.create("x", b"0123456789")["id"]
    answer = api.get("/files/" + file_id, {"Range": header}, alt="media")
    assert refusal(answer) == (416, "requestedRangeNotSatisfiable")
    assert answer.headers["Content-Range"] == "bytes */10"


def test_downloads(api):
    file = api.create("x.png", b"picture")
    answer = api.get("/files/" + file["id"], alt="media")
    assert answer.content == b"picture"
    assert answer.headers["Content-Type"] == "image/png"
    head = api.call("HEAD", "/files/" + file["id"], params={"alt": "media"})
    assert (head.headers["Content-Length"], head.content) == ("7", b"")
    answer = api.get("/files/" + api.folder(), alt="media")
    assert refusal(answer) == (403, "fileNotDownloadable")


def test_root(api, connect):
    wide = connect(scope="drive")
    root = wide.get("/files/root", fields="id,name,mimeType").json()
    assert (root["name"], root["mimeType"]) == ("My Drive", FOLDER)
    assert api.create("x")["parents"] == [root["id"]]
    assert refusal(api.get("/files/root"))[0] == 404
    assert api.names("'root' in parents") == ["x"]
