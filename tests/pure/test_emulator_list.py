"""``files.list``: the query language, sorting, paging, lag."""
import time

import pytest
from conftest import FOLDER, refusal


@pytest.fixture
def shelf(api):
    """A few files to look for."""
    folder = api.folder("Folder")
    api.create("Report 2021.pdf", mimeType="application/pdf", appProperties={"a": "1"})
    api.create("annual-report.txt", mimeType="text/plain", parents=[folder])
    api.create("it's a \\ file", mimeType="text/html", starred=True)
    body = {"name": "old", "modifiedTime": "2001-01-01T00:00:00Z"}
    body["createdTime"] = "2000-01-01T00:00:00Z"
    api.call("POST", "/files", json=body)
    return folder


@pytest.mark.parametrize(
    "query, names",
    [
        ("name = 'old'", ["old"]),
        ("name='old'", ["old"]),
        ("name = 'it\\'s a \\\\ file'", ["it's a \\ file"]),
        ("name contains 'report'", ["Report 2021.pdf", "annual-report.txt"]),
        ("name contains 'port'", []),
        ("mimeType = 'application/pdf'", ["Report 2021.pdf"]),
        ("mimeType contains 'text/'", ["annual-report.txt", "it's a \\ file"]),
        ("mimeType = '%s'" % FOLDER, ["Folder"]),
        ("starred = true", ["it's a \\ file"]),
        ("appProperties has { key='a' and value='1' }", ["Report 2021.pdf"]),
        ("appProperties has {key='a' and value='2'}", []),
        ("properties has {key='a' and value='1'}", []),
        ("modifiedTime < '2001-01-01T00:00:01'", ["old"]),
        ("modifiedTime <= '2001-01-01T00:00:00+00:00'", ["old"]),
        ("modifiedTime < '2001-01-01T00:00:00Z'", []),
        ("createdTime = '2000-01-01T01:00:00+01:00'", ["old"]),
        ("not name contains 'r' and not (starred = true or name = 'Folder')", ["old"]),
        ("name = 'old' or name = 'Folder' and trashed = true", []),
        ("name = 'old' or (name = 'Folder' and trashed = true)", ["old"]),
        ("'me' in owners and name = 'old'", ["old"]),
        ("fullText contains 'annual'", ["annual-report.txt"]),
    ],
)
def test_queries(api, shelf, query, names):
    assert api.names(query) == names


def test_parents(api, shelf):
    assert api.names("'%s' in parents" % shelf) == ["annual-report.txt"]
    assert len(api.names("'root' in parents")) == 4
    answer = api.get("/files", q="'nowhere' in parents")
    assert refusal(answer) == (404, "notFound")


@pytest.mark.parametrize(
    "query",
    [
        "name",
        "name = old",
        'name = "old"',
        "name = 'old",
        "name = 'it's'",
        "name like 'old'",
        "name = 'o\\ld'",
        "name > 'old'",
        "colour = 'red'",
        "trashed = 'true'",
        "trashed = maybe",
        "trashed > true",
        "'x' in colours",
        "modifiedTime > 'yesterday'",
        "modifiedTime contains '2001'",
        "appProperties has { key='a' }",
        "appProperties has { value='1' and key='a' }",
        "appProperties = 'a'",
        "(name = 'old'",
        "name = 'old')",
        "name = 'old' name = 'new'",
        "name = 'old' and",
        "and",
        "fullText = 'x'",
        "name = 'old';",
    ],
)
def test_queries_not_understood(api, query):
    assert refusal(api.get("/files", q=query)) == (400, "invalid")


@pytest.mark.parametrize(
    "order, names",
    [
        ("name", ["B10", "b2", "c"]),
        ("name desc", ["c", "b2", "B10"]),
        ("name_natural", ["b2", "B10", "c"]),
        ("quotaBytesUsed desc,name", ["c", "B10", "b2"]),
        ("modifiedTime", ["b2", "c", "B10"]),
        ("folder,createdTime desc", ["B10", "c", "b2"]),
    ],
)
def test_order(api, order, names):
    for name, size in (("b2", 1), ("c", 2), ("B10", 1)):
        api.create(name, bytes(size))
        time.sleep(0.002)
    files = api.get("/files", orderBy=order).json()["files"]
    assert [file["name"] for file in files] == names


def test_pages_hold_every_file_once(api):
    for number in range(10):
        api.create("f%02d" % number, b"")
    seen, params = [], {"pageSize": 3, "orderBy": "name"}
    while True:
        answer = api.get("/files", **params).json()
        seen += [file["name"] for file in answer["files"]]
        if "nextPageToken" not in answer:
            break
        params["pageToken"] = answer["nextPageToken"]
        api.create("a%d" % len(seen), b"")  # before what was seen
    assert seen == ["f%02d" % number for number in range(10)]


def test_page_token_is_for_its_query(api, connect):
    api.create("a")
    api.create("b")
    token = api.get("/files", pageSize=1, q="trashed=false").json()["nextPageToken"]
    other = api.get("/files", pageSize=1, q="trashed=true", pageToken=token)
    assert refusal(other) == (400, "invalid")
    same = api.get("/files", pageSize=5, q="trashed=false", pageToken=token)
    assert len(same.json()["files"]) == 1


def test_page_size_default(api, emulator):
    for number in range(101):
        emulator.put_file("f%d" % number, client_id=api.grant["client_id"])
    assert len(api.get("/files").json()["files"]) == 100
    assert len(api.get("/files", pageSize=1000).json()["files"]) == 101


def test_lists_may_lag(api, emulator):
    api.create("old")
    emulator.set_list_lag(requests=2)
    new = api.create("new")
    assert api.get("/files/" + new["id"]).status_code == 200
    assert [api.names() for _number in range(3)] == [["old"], ["old"], ["new", "old"]]
    emulator.set_list_lag(ms=3600 * 1000)
    api.create("newest")
    assert api.names() == ["new", "old"]
    emulator.set_list_lag()
    assert api.names() == ["new", "newest", "old"]


def test_frozen_lists(api, emulator):
    gone, kept = api.create("gone")["id"], api.create("kept")["id"]
    emulator.freeze_list()
    api.call("DELETE", "/files/" + gone)
    api.call("PATCH", "/files/" + kept, json={"name": "renamed", "trashed": True})
    api.create("new")
    assert api.names() == ["gone", "kept"]
    assert api.names("trashed = false") == ["gone", "kept"]
    assert api.get("/files/" + gone).status_code == 404
    assert api.get("/files/" + kept).json()["name"] == "renamed"
    emulator.thaw_list()
    assert api.names() == ["new", "renamed"]


def test_lists_frozen_for_some_requests(api, emulator):
    emulator.freeze_list(requests=2)
    api.create("new")
    assert [api.names() for _number in range(3)] == [[], [], ["new"]]
