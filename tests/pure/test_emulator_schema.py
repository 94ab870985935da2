"""Every answer held against Google's own description of the API."""
import re

import pytest
from conftest import FOLDER

DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
INT64 = re.compile(r"-?\d{1,19}\Z")
PYTHON_TYPES = {"string": str, "boolean": bool, "array": list, "object": dict}


class Checker:
    """A small JSON-schema check: types, formats, enums, and no unknown key."""

    def __init__(self, document):
        self.schemas = document["schemas"]
        self.methods = {
            method["id"]: method
            for resource in document["resources"].values()
            for method in resource["methods"].values()
        }

    def answer(self, method, answer):
        """Check the answer of a method; returns its JSON."""
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"].startswith("application/json")
        self.value(self.methods["drive." + method]["response"], answer.json(), "")
        return answer.json()

    def value(self, schema, value, path):
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"]]
        self._simple(schema, value, path)
        if isinstance(value, list):
            for item in value:
                self.value(schema["items"], item, path + "[]")
        if isinstance(value, dict):
            rest = schema.get("additionalProperties")
            for key, item in value.items():
                inner = schema.get("properties", {}).get(key, rest)
                assert inner is not None, "unknown key %s/%s" % (path, key)
                self.value(inner, item, path + "/" + key)

    @staticmethod
    def _simple(schema, value, path):
        kind = schema["type"]
        if kind in ("integer", "number"):
            assert isinstance(value, (int, float)), path
            assert not isinstance(value, bool), path
        else:
            assert isinstance(value, PYTHON_TYPES[kind]), path
        if schema.get("format") == "date-time":
            assert DATE_TIME.match(value), path
        if schema.get("format") == "int64" and kind == "string":
            assert INT64.match(value), path
        assert value in schema.get("enum", [value]), path


@pytest.fixture
def check(discovery_document):
    return Checker(discovery_document).answer


@pytest.fixture
def everything(emulator, connect):
    """Files of all kinds, shared in all ways; ``(api, ids)``."""
    api = connect(scope="drive")
    drive_id = emulator.shared_drive("team", ["admin@example.com", "b@example.com"])
    body = {"appProperties": {"a": "1"}, "properties": {"b": "2"}, "starred": True}
    ids = [api.create("x.tar.gz", description="d", **body)["id"], api.folder()]
    ids.append(api.create("no extension", b"", mimeType="a/b")["id"])
    ids.append(api.create("in drive", parents=[drive_id])["id"])
    trashed = api.create("in drive, trashed", parents=[drive_id])["id"]
    params = {"supportsAllDrives": "true"}
    api.call("PATCH", "/files/" + trashed, json={"trashed": True}, params=params)
    ids.append(trashed)
    for permission in (
        {"type": "anyone", "role": "reader"},
        {"type": "domain", "role": "reader", "domain": "example.com"},
        {"type": "group", "role": "writer", "emailAddress": "g@example.com"},
        {"type": "user", "role": "commenter", "emailAddress": "b@example.com"},
    ):
        for file_id in ids:
            path = "/files/%s/permissions" % file_id
            answer = api.call("POST", path, json=permission, params=params)
            assert answer.status_code == 200, answer.text
    return api, ids


def test_files(everything, check):
    api, ids = everything
    wanted = {"fields": "*", "supportsAllDrives": "true"}
    for file_id in ids:
        file = check("files.get", api.get("/files/" + file_id, **wanted))
        assert file["kind"] == "drive#file"
        check("files.get", api.get("/files/" + file_id, supportsAllDrives="true"))
        body = {"name": "renamed"}
        answer = api.call("PATCH", "/files/" + file_id, json=body, params=wanted)
        assert check("files.update", answer)["name"] == "renamed"
    answer = api.call("POST", "/files/%s/copy" % ids[0], json={}, params=wanted)
    check("files.copy", answer)
    body = {"name": "x", "mimeType": FOLDER}
    check("files.create", api.call("POST", "/files", json=body, params=wanted))


def test_lists(everything, check):
    api, ids = everything
    everywhere = {"includeItemsFromAllDrives": "true", "supportsAllDrives": "true"}
    shown = check("files.list", api.get("/files", fields="*", **everywhere))
    assert len(shown["files"]) == len(ids)
    shown = check("files.list", api.get("/files", pageSize=1, **everywhere))
    assert shown["nextPageToken"]


def test_the_others(everything, check):
    api, ids = everything
    wanted = {"fields": "*", "supportsAllDrives": "true"}
    check("about.get", api.get("/about", fields="*"))
    check("files.generateIds", api.get("/files/generateIds", count=2))
    check("drives.list", api.get("/drives", fields="*"))
    drive_id = api.get("/drives").json()["drives"][0]["id"]
    check("drives.get", api.get("/drives/" + drive_id, fields="*"))
    for file_id in ids:
        path = "/files/%s/permissions" % file_id
        shown = check("permissions.list", api.get(path, **wanted))
        check("permissions.list", api.get(path, supportsAllDrives="true"))
        for permission in shown["permissions"]:
            one = api.get(path + "/" + permission["id"], **wanted)
            check("permissions.get", one)
        body = {"type": "user", "role": "reader", "emailAddress": "c@example.com"}
        check("permissions.create", api.call("POST", path, json=body, params=wanted))


def test_uploads(check, connect):
    api = connect()
    answer = api.call("PUT", api.start(fields="*"), data=b"x")
    assert check("files.create", answer)["size"] == "1"
    params = {"uploadType": "media", "fields": "*"}
    answer = api.call("POST", "/upload/drive/v3/files", params=params, data=b"x")
    check("files.create", answer)


def test_the_check_itself_finds_fault(discovery_document):
    checker = Checker(discovery_document)
    for bad in (
        {"colour": "red"},
        {"size": 5},
        {"size": "five"},
        {"trashed": "true"},
        {"createdTime": "2001-01-01"},
        {"owners": {}},
        {"owners": [{"me": 1}]},
    ):
        with pytest.raises(AssertionError):
            checker.value({"$ref": "File"}, bad, "")
