"""Pure tests: plain pytest, no Odoo, no database.

The repository root is the addon, whose ``__init__`` needs Odoo. Here ``cloud_storage``
is a bare package with the same path instead, so that ``cloud_storage.drive`` and
``cloud_storage.utils`` are imported as in Odoo.
"""
import importlib.util
import json
import os
import sys
import types

import pytest
import requests
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient import discovery
from googleapiclient.http import build_http

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _make_package():
    package = types.ModuleType("cloud_storage")
    package.__path__ = [ROOT]
    package.__file__ = os.path.join(ROOT, "__init__.py")
    sys.modules["cloud_storage"] = package


def _load(name, path):
    spec = importlib.util.spec_from_file_location(name, os.path.join(ROOT, path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


_make_package()
# by path: ``cloud_storage.tests`` would import the Odoo tests
Emulator = _load("cloud_storage.tests_emulator", "tests/emulator.py").Emulator
collision = _load("cloud_storage.tests_collision", "tests/collision.py")
readme_walks = _load("cloud_storage.tests_readme_walks", "tests/readme_walks.py")


@pytest.fixture(scope="session")
def running_emulator():
    """One emulator process for the whole session."""
    with Emulator.start() as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator):
    """The running emulator with nothing in it."""
    running_emulator.reset(clients=True)
    return running_emulator


class Api:
    """A bare HTTP client of the emulator's Drive for one account.

    :param emulator: the emulator
    :param dict grant: what ``Emulator.grant`` returns
    """

    def __init__(self, emulator, grant):
        self.url = emulator.url
        self.token = grant["access_token"]
        self.grant = grant
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = "Bearer " + self.token

    def call(self, method, path, **options):
        """Any request; paths are below ``/drive/v3`` unless they name the upload."""
        if not path.startswith(("http://", "/upload", "/token", "/revoke", "/o/")):
            path = "/drive/v3" + path
        url = path if path.startswith("http://") else self.url + path
        options.setdefault("timeout", 30)
        return self.session.request(method, url, **options)

    def get(self, path, headers=None, **params):
        """GET with query parameters."""
        return self.call("GET", path, params=params, headers=headers)

    def create(self, name="f.bin", content=b"content", fields="*", **metadata):
        """Upload in one multipart request; returns the file."""
        body = related(dict(metadata, name=name), content)
        params = {"uploadType": "multipart", "fields": fields}
        params["supportsAllDrives"] = "true"
        answer = self.call(
            "POST", "/upload/drive/v3/files", params=params, data=body, headers=RELATED
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def folder(self, name="folder", **metadata):
        """Make a folder; returns its id."""
        body = dict(metadata, name=name, mimeType=FOLDER)
        answer = self.call(
            "POST", "/files", json=body, params={"supportsAllDrives": "true"}
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]

    def start(self, fields="id,size,md5Checksum", total=None, **metadata):
        """Start a resumable upload; returns its session URI."""
        headers = {} if total is None else {"X-Upload-Content-Length": str(total)}
        answer = self.call(
            "POST",
            "/upload/drive/v3/files",
            params={"uploadType": "resumable", "fields": fields},
            json=metadata,
            headers=headers,
        )
        assert answer.status_code == 200, answer.text
        return answer.headers["Location"]

    def names(self, q=None, **params):
        """The names ``files.list`` finds, sorted."""
        if q is not None:
            params["q"] = q
        answer = self.get("/files", **params)
        assert answer.status_code == 200, answer.text
        return sorted(file["name"] for file in answer.json()["files"])


FOLDER = "application/vnd.google-apps.folder"
RELATED = {"Content-Type": "multipart/related; boundary=part"}


def related(metadata, content, content_type="application/octet-stream"):
    """A multipart/related body with the boundary ``part``."""
    head = "--part\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n%s\r\n"
    middle = "--part\r\nContent-Type: %s\r\n\r\n" % content_type
    parts = (head % json.dumps(metadata)).encode(), middle.encode(), content
    return b"".join(parts) + b"\r\n--part--\r\n"


def refusal(answer):
    """``(status, reason)`` of a Drive error, its shape checked on the way."""
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    assert error["message"] == error["errors"][0]["message"]
    assert error["errors"][0]["domain"]
    return answer.status_code, error["errors"][0]["reason"]


@pytest.fixture
def connect(emulator):
    """Make an Api: ``connect(email=..., scope=..., client_id=...)``."""

    def make(**grant):
        return Api(emulator, emulator.grant(**grant))

    return make


@pytest.fixture
def api(connect):
    """The Api of the usual account with the scope drive.file."""
    return connect()


@pytest.fixture(scope="session")
def discovery_document():
    """The Drive v3 discovery document of google-api-python-client, as a dict."""
    package = importlib.util.find_spec("googleapiclient")
    folder = list(package.submodule_search_locations)[0]
    path = os.path.join(folder, "discovery_cache", "documents", "drive.v3.json")
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)


@pytest.fixture
def google_drive(emulator, discovery_document):
    """Make Google's own client: ``google_drive(credentials)``.

    ``client_options.api_endpoint`` does not reach media uploads, so the root of the
    document itself is rewritten.
    """

    def make(credentials, timeout=30):
        document = dict(discovery_document, rootUrl=emulator.url + "/")
        document.pop("mtlsRootUrl", None)
        http = build_http()
        http.timeout = timeout
        http = AuthorizedHttp(credentials, http=http)
        return discovery.build_from_document(document, http=http)

    return make
