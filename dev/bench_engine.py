"""The sync engine in Odoo against a plain loop of requests, and against the limit.

The loop sends one file after the other with google-api-python-client: a folder lookup
and a resumable session for each. The limit is a bare pool of threads, without Odoo,
database or check: one multipart request for a small file; for a large one, which Drive
does not take that way, a session and one request with all its bytes.
"""
import concurrent.futures
import http.client
import json
import os
import pathlib
import statistics
import sys
import threading
import time
import urllib.parse
from typing import NamedTuple

import httplib2
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient import discovery_cache
from googleapiclient.discovery import build_from_document
from googleapiclient.http import MediaFileUpload

from . import processes, results, shell
from .demo import DATABASE, FOLDER, expect
from .emulator import drive_emulator
from .sandbox import sandbox
from .say import exit_code, step

KB, MB = 1024, 1024 * 1024
LATENCY = 50  # ms until Drive answers
THREADS = 8
ROUNDS = 5
TIMEOUT = 60  # seconds
IDLE_BAR = 100 * MB  # memory above an idle Odoo
ENDPOINTS = {"google_token_uri": "/token", "google_api_root": "/"}


class Load(NamedTuple):
    """Files to upload; the loop takes fewer of them, its pace is the same for each."""

    name: str
    count: int
    size: int
    extension: str
    in_loop: int


SMALL = Load("200 x 100 KB", 200, 100 * KB, "bin", 40)
LARGE = Load("10 x 20 MB", 10, 20 * MB, "iso", 5)

ACCOUNT = """
import datetime
grant = given["grant"]
for name, path in given["endpoints"].items():
    env["ir.config_parameter"].set_param("cloud_storage." + name, given["url"] + path)
auth = env["cloud_storage.auth"].create(dict(
    name="Bench", client_id=grant["client_id"], client_secret=grant["client_secret"]))
auth.write(dict(
    access_token=grant["access_token"], refresh_token=grant["refresh_token"],
    token_expiry=datetime.datetime.utcnow() + datetime.timedelta(hours=1),
    state="authorized"))
found["account"] = auth.id
env.cr.commit()
"""
FILES = """
import os
for extension, count, size in given["loads"]:
    found[extension] = env["cloud_storage.config"].create(dict(
        name=extension, auth_id=given["account"], delete_local_after_sync=True,
        max_parallel_uploads=given["threads"], requests_per_second=100000,
        model_config_ids=[(0, 0, dict(model_name="res.partner"))],
        file_type_ids=[(0, 0, dict(extension=extension))])).id
    for number in range(count):
        env["ir.attachment"].create(dict(
            name="%d.%s" % (number, extension), raw=b"\0" + os.urandom(size - 1),
            res_model="res.partner", res_id=1))
        env.cache.invalidate()
env.cr.commit()
"""
SYNC = """
import time
if given["count"]:
    started = time.perf_counter()
    found.update(env["cloud_storage.sync.service"].manual_sync(
        given["config"], limit=given["count"]))
    found["seconds"] = time.perf_counter() - started
with open("/proc/self/status") as status:
    fields = dict(line.split(":", 1) for line in status)
found["peak"] = int(fields["VmHWM"].split()[0]) * 1024
"""


class Reading(NamedTuple):
    """One upload of a load."""

    speed: float  # files per second
    requests: float  # per file
    peak: int = 0  # bytes of memory at most


class Limit:
    """A pool of threads that does nothing but send.

    :param str folder: id of the Drive folder
    """

    def __init__(self, url, token, folder):
        self._host = urllib.parse.urlsplit(url).netloc
        self._headers = {"Authorization": "Bearer " + token}
        self._folder = folder
        self._local = threading.local()

    def upload(self, files):
        """Upload files of one size."""
        small = files[0].stat().st_size <= 5 * MB
        send = self._multipart if small else self._session
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(send, files))

    def _multipart(self, path):
        head = (
            "--part\r\nContent-Type: application/json\r\n\r\n%s\r\n"
            "--part\r\nContent-Type: application/octet-stream\r\n\r\n"
        ) % self._metadata(path)
        body = head.encode() + path.read_bytes() + b"\r\n--part--"
        headers = {"Content-Type": "multipart/related; boundary=part"}
        self._ask("POST", self._target("multipart"), body, headers)

    def _session(self, path):
        headers = {"Content-Type": "application/json"}
        metadata = self._metadata(path)
        answer = self._ask("POST", self._target("resumable"), metadata, headers)
        headers = {"Content-Length": str(path.stat().st_size)}
        with open(path, "rb") as stream:
            self._ask("PUT", answer.headers["Location"], stream, headers)

    def _metadata(self, path):
        return json.dumps({"name": path.name, "parents": [self._folder]})

    @staticmethod
    def _target(kind):
        return "/upload/drive/v3/files?fields=id&uploadType=" + kind

    def _ask(self, method, target, body, headers):
        if not hasattr(self._local, "connection"):
            connection = http.client.HTTPConnection(self._host, timeout=TIMEOUT)
            self._local.connection = connection
        connection = self._local.connection
        connection.request(method, target, body, {**self._headers, **headers})
        answer = connection.getresponse()
        answer.read()
        expect(answer.status == 200, "%s: HTTP %s", target, answer.status)
        return answer


class Loop:
    """One file after the other, as most scripts do it."""

    def __init__(self, url, token, folder_name):
        document = json.loads(discovery_cache.get_static_doc("drive", "v3"))
        document.update(rootUrl=url + "/", baseUrl=url + "/drive/v3/")
        http_ = AuthorizedHttp(Credentials(token), http=httplib2.Http(timeout=TIMEOUT))
        self._files = build_from_document(document, http=http_).files()
        self._query = "name = '%s' and mimeType = '%s'" % (folder_name, FOLDER)

    def upload(self, files):
        """Upload files."""
        for path in files:
            found = self._files.list(q=self._query, fields="files(id)").execute()
            body = {"name": path.name, "parents": [found["files"][0]["id"]]}
            media = MediaFileUpload(
                str(path), mimetype="application/octet-stream", resumable=True
            )
            self._files.create(body=body, media_body=media, fields="id").execute()


class Bench:
    """An Odoo with files for every round, and their like on disk for the peers."""

    def __init__(self, box, emulator):
        self.box, self.emulator = box, emulator
        token = emulator.grant(scope="drive")["access_token"]
        folder = emulator.put_file("peers", mimeType=FOLDER)
        self.limit = Limit(emulator.url, token, folder)
        self.loop = Loop(emulator.url, token, "peers")
        self.files = {load: list(self._on_disk(load)) for load in (SMALL, LARGE)}
        self.configs = self._in_odoo()

    def _on_disk(self, load):
        for number in range(load.count):
            path = self.box.folder / ("%d.%s" % (number, load.extension))
            path.write_bytes(os.urandom(load.size))
            yield path

    def _in_odoo(self):
        account = shell.run(
            self.box, DATABASE, ACCOUNT, grant=self.emulator.grant(),
            url=self.emulator.url, endpoints=ENDPOINTS,
        )["account"]
        loads = [
            (load.extension, load.count * ROUNDS, load.size) for load in self.files
        ]
        return shell.run(
            self.box, DATABASE, FILES, account=account, threads=THREADS, loads=loads
        )

    def through_odoo(self, load):
        """Sync a load in an Odoo process of its own."""
        self.emulator.clear_requests()
        config = self.configs[load.extension]
        done = shell.run(self.box, DATABASE, SYNC, config=config, count=load.count)
        expect(done["synced"] == load.count, "not all were synced: %s", done)
        requests = self.emulator.count() / load.count
        return Reading(load.count / done["seconds"], requests, done["peak"])

    def idle(self):
        """Peak memory of an Odoo process that was only started."""
        return shell.run(self.box, DATABASE, SYNC, count=0)["peak"]

    def with_peer(self, peer, load, count):
        """Have a peer upload files of a load."""
        self.emulator.clear_requests()
        started = time.perf_counter()
        peer.upload(self.files[load][:count])
        seconds = time.perf_counter() - started
        return Reading(count / seconds, self.emulator.count() / count)

    def compare(self, load):
        """Readings of ours, the limit and the loop, taken in turns."""
        step("%s at %d ms", load.name, LATENCY)
        ours, limit, loop = [], [], []
        for _round in range(ROUNDS):
            ours.append(self.through_odoo(load))
            limit.append(self.with_peer(self.limit, load, load.count))
            loop.append(self.with_peer(self.loop, load, load.in_loop))
        return ours, limit, loop


def speed(readings):
    """The middle one, which a busy moment of the machine does not move."""
    return statistics.median(reading.speed for reading in readings)


def requests(readings):
    """The most, which is when the folders were made."""
    return max(reading.requests for reading in readings)


def rows_of(load, ours, limit, loop, **bars):
    """Rows of one load; ``bars`` are for speed and requests of small files."""
    name = "sync of %s: " % load.name
    return [
        results.row(name + "files against the loop", speed(ours), speed(loop), "1/s"),
        results.row(name + "files against the limit", speed(ours), speed(limit),
                    "1/s", at_least=bars.get("speed")),
        results.row(name + "requests per file against the loop", requests(ours),
                    requests(loop), "requests"),
        results.row(name + "requests per file against the limit", requests(ours),
                    requests(limit), "requests", at_most=bars.get("requests")),
    ]


def main():
    """Measure and publish."""
    with sandbox(pathlib.Path(sys.executable)) as box, drive_emulator() as emulator:
        box.create_database(DATABASE)
        box.install_addon(DATABASE)
        bench = Bench(box, emulator)
        emulator.latency(LATENCY)
        rows = rows_of(SMALL, *bench.compare(SMALL), speed=0.6, requests=1.1)
        large = bench.compare(LARGE)
        rows += rows_of(LARGE, *large)
        peak = max(reading.peak for reading in large[0])
        growth = peak - statistics.median(bench.idle() for _round in range(3))
        rows.append(results.row("sync of %s: memory above idle, of %d MB" % (
            LARGE.name, IDLE_BAR // MB), growth / MB, IDLE_BAR / MB, "MB", at_most=1))
        results.publish(rows)


if __name__ == "__main__":
    with processes.household():
        code = exit_code(main)
    sys.exit(code)
