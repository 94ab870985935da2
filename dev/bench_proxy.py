"""The proxy against Odoo's own way of serving files, and against Drive itself.

A 200 MB file is read by one client. "Straight" is the same client reading it from the
emulator. Drive is behind a network, so the bar holds at the speed of one: 1 Gbit/s. Over
bare loopback the peer is the same client fetching the file for the same result: the md5
is checked, and a copy is on the disk, as the proxy leaves one in its cache; what just
reading makes there, without a check, is shown too.
"""
import contextlib
import hashlib
import pathlib
import sys
import tempfile
import time
from typing import NamedTuple

import requests

from . import processes, results, shell
from .demo import DATABASE, LOGIN, PASSWORD, expect
from .emulator import drive_emulator
from .odoo import Server
from .rpc import TIMEOUT, OdooSession
from .sandbox import sandbox
from .say import exit_code, step

MB = 1024 * 1024
SIZE = 200 * MB
BLOCK = 256 * 1024
ROUNDS = 7
NETWORK = 125e6  # bytes per second: 1 Gbit/s
NETWORK_ROUNDS = 3
ENDPOINTS = {"google_token_uri": "/token", "google_api_root": "/"}
MAKE_FILES = """
import datetime, os
for name, value in given["parameters"].items():
    env["ir.config_parameter"].set_param("cloud_storage." + name, value)
grant = given["grant"]
auth = env["cloud_storage.auth"].create(dict(
    name="Bench", client_id=grant["client_id"], client_secret=grant["client_secret"]))
auth.write(dict(
    access_token=grant["access_token"], refresh_token=grant["refresh_token"],
    token_expiry=datetime.datetime.utcnow() + datetime.timedelta(hours=1),
    state="authorized"))
env["cloud_storage.config"].create(dict(
    name="Bench", auth_id=auth.id, delete_local_after_sync=True,
    model_config_ids=[(0, 0, dict(model_name="res.partner"))],
    file_type_ids=[(0, 0, dict(extension="pdf"))]))
content = os.urandom(given["size"])
for name in ("local.iso", "cloud.pdf"):
    file = env["ir.attachment"].create(dict(
        name=name, raw=content, res_model="res.partner", res_id=1))
    found[name] = file.id
env.cr.commit()
file.sync_to_cloud()
found.update(drive=file.cloud_file_id, local=bool(file.store_fname))
"""


class Reading(NamedTuple):
    """One download: bytes per second, and seconds until the first byte."""

    speed: float
    first: float


def read(session, url, copy=None, **headers):
    """Read ``url`` to the end.

    :param copy: open file; when given, the content goes there and its md5 is made
    :rtype: Reading
    """
    digest, size, first = hashlib.md5(), 0, None
    started = time.perf_counter()
    answer = session.get(url, headers=headers, stream=True, timeout=TIMEOUT)
    with answer:
        expect(answer.ok, "%s: HTTP %s", url, answer.status_code)
        for block in iter(lambda: answer.raw.read(BLOCK), b""):
            first = first or time.perf_counter() - started
            size += len(block)
            if copy:
                digest.update(block)
                copy.write(block)
    expect(size == SIZE, "%s gave %d bytes", url, size)
    return Reading(size / (time.perf_counter() - started), first)


def best(readings, field):
    """The least disturbed round: what others do to the machine is not measured."""
    choose = max if field == "speed" else min
    return choose(getattr(reading, field) for reading in readings)


class Memory:
    """Peak memory of a process above what it had before, see proc(5)."""

    def __init__(self, pid):
        self._folder = pathlib.Path("/proc/%d" % pid)

    @contextlib.contextmanager
    def growth(self, into):
        """Append the bytes by which the process grew at most while the block ran."""
        (self._folder / "clear_refs").write_text("5")
        before = self._status("VmRSS")
        yield
        into.append(self._status("VmHWM") - before)

    def _status(self, name):
        for line in (self._folder / "status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
        raise KeyError(name)


class Bench:
    """A running Odoo with the same file here and in the cloud."""

    def __init__(self, server, emulator, made):
        self.folder = server.sandbox.folder
        self.emulator = emulator
        self.memory = Memory(server.process.pid)
        self.session = OdooSession(server.url)
        self.session.login(DATABASE, LOGIN, PASSWORD)
        self.proxy = "%s/cloud_storage/file/%s" % (server.url, made["cloud.pdf"])
        self.content = "%s/web/content/%s" % (server.url, made["local.iso"])
        grant = emulator.grant(scope="drive")
        self.token = "Bearer " + grant["access_token"]
        self.drive = "%s/drive/v3/files/%s?alt=media" % (emulator.url, made["drive"])

    def forget(self):
        """Empty the caches."""
        self.session.call("cloud_storage.config", "clear_file_cache")

    def through_proxy(self):
        """Read the file through the proxy, from where it happens to be."""
        return read(self.session.http, self.proxy)

    def from_odoo(self):
        """Read the local copy as Odoo serves it."""
        return read(self.session.http, self.content)

    def straight(self, copy=None):
        """Read the file from the emulator."""
        with requests.Session() as session:
            session.trust_env = False
            return read(session, self.drive, copy, Authorization=self.token)

    def fetched(self):
        """Fetch the file from the emulator: checked, and on the disk."""
        with tempfile.TemporaryFile(dir=self.folder) as copy:
            return self.straight(copy)

    @contextlib.contextmanager
    def network(self):
        """Have Drive send as fast as a network lets it."""
        self.emulator.fault("files.media", times=-1, rate=NETWORK)
        yield
        self.emulator.clear_faults()

    def distant(self):
        """Rows about a file that is in no cache, Drive behind a network."""
        ours, peer = [], []
        with self.network():
            for _round in range(NETWORK_ROUNDS):
                self.forget()
                ours.append(self.through_proxy())
                peer.append(self.straight())
        return [
            results.row("cold proxy vs straight from Drive at 1 Gbit/s: throughput",
                        best(ours, "speed") / MB, best(peer, "speed") / MB,
                        "MB/s", at_least=0.8),
            results.row("cold proxy vs straight from Drive at 1 Gbit/s: first byte",
                        best(ours, "first") * 1000, best(peer, "first") * 1000, "ms"),
        ]

    def cold(self):
        """Rows about a file that is in no cache, over loopback."""
        ours, peer, careless, growth = [], [], [], []
        for _round in range(ROUNDS):
            self.forget()
            with self.memory.growth(growth):
                ours.append(self.through_proxy())
            peer.append(self.fetched())
            careless.append(self.straight())
        speed, first = best(ours, "speed") / MB, best(ours, "first") * 1000
        return [
            results.row("cold proxy vs fetching, loopback: throughput", speed,
                        best(peer, "speed") / MB, "MB/s", at_least=0.8),
            results.row("cold proxy vs just reading, loopback: throughput", speed,
                        best(careless, "speed") / MB, "MB/s"),
            results.row("cold proxy vs fetching, loopback: first byte", first,
                        best(peer, "first") * 1000, "ms"),
            results.row("cold proxy: peak memory vs size of the file",
                        max(growth) / MB, SIZE / MB, "MB", at_most=0.1),
        ]

    def warm(self):
        """Rows about a file in the disk cache; the caches are filled before."""
        ours, peer, our_growth, peer_growth = [], [], [], []
        for _round in range(ROUNDS):
            with self.memory.growth(our_growth):
                ours.append(self.through_proxy())
        for _round in range(ROUNDS):
            with self.memory.growth(peer_growth):
                peer.append(self.from_odoo())
        return [
            results.row("warm proxy vs /web/content: throughput",
                        best(ours, "speed") / MB, best(peer, "speed") / MB,
                        "MB/s", at_least=3),
            results.row("warm proxy vs /web/content: first byte",
                        best(ours, "first") * 1000, best(peer, "first") * 1000,
                        "ms", at_most=1),
            results.row("warm proxy vs /web/content: peak memory",
                        max(our_growth) / MB, max(peer_growth) / MB, "MB",
                        at_most=0.1),
        ]


def make_files(box, emulator):
    """Create the files in a process that ends: its memory is not measured.

    :return: what was made: name -> id
    :rtype: dict
    """
    step("making two files of %d MB, one goes to the cloud", SIZE // MB)
    made = shell.run(
        box,
        DATABASE,
        MAKE_FILES,
        size=SIZE,
        grant=emulator.grant(),
        parameters={name: emulator.url + path for name, path in ENDPOINTS.items()},
    )
    expect(not made["local"], "not in the cloud: %s", made)
    return made


def main():
    """Measure and publish."""
    with sandbox(pathlib.Path(sys.executable)) as box, drive_emulator() as emulator:
        box.create_database(DATABASE)
        box.install_addon(DATABASE)
        made = make_files(box, emulator)
        with Server(box, DATABASE) as server:
            bench = Bench(server, emulator, made)
            bench.through_proxy()  # what Odoo loads once
            results.publish(bench.distant() + bench.cold() + bench.warm())


if __name__ == "__main__":
    with processes.household():
        code = exit_code(main)
    sys.exit(code)
