"""An Odoo server of its own, as an administrator starts one."""
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

import requests

START_SECONDS = 120
STOP_SECONDS = 20
ODOO = "CLOUD_STORAGE_TEST_ODOO_BIN"
CONFIG = "CLOUD_STORAGE_TEST_ODOO_CONF"


def can_start():
    """Whether the environment says where Odoo's program and configuration are."""
    return ODOO in os.environ and CONFIG in os.environ


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class OdooServer:
    """A running Odoo on a database; ended with the context.

    :param str dbname: the database it serves
    :param options: further command line options
    """

    def __init__(self, dbname, *options):
        self.port = free_port()
        self.url = "http://127.0.0.1:%d" % self.port
        self.command = [
            os.environ.get("CLOUD_STORAGE_TEST_PYTHON", sys.executable),
            os.environ[ODOO],
            "-c",
            os.environ[CONFIG],
            "-d",
            dbname,
            "--db-filter",
            "^%s$" % dbname,
            "--http-port",
            str(self.port),
            "--longpolling-port",
            str(free_port()),
            "--max-cron-threads",
            "0",
            *options,
        ]
        self.process = self._log = None

    def __enter__(self):
        self._log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise AssertionError("Odoo did not start: %s" % " ".join(self.command))
            time.sleep(0.2)
        return self

    def __exit__(self, *_error):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            # its own session: no other process is in this group
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(STOP_SECONDS)
        self._log.close()

    def _answers(self):
        try:
            answer = requests.get(self.url + "/cloud_storage/file/0", timeout=60)
        except requests.ConnectionError:
            return False
        return answer.status_code == 404

    def pids(self):
        """The server's process and its workers."""
        path = "/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)
        with open(path) as children:
            return [self.process.pid, *map(int, children.read().split())]


class PeakMemory:
    """By how much processes grow at most while a block runs, see proc(5)."""

    def __init__(self, pids):
        self._pids = pids
        self.growth = 0  # bytes, of the one that grew most

    def __enter__(self):
        for pid in self._pids:
            # one of them, which Odoo uses for live chat, may fail to start
            with contextlib.suppress(FileNotFoundError):
                with open("/proc/%d/clear_refs" % pid, "w") as file:
                    file.write("5")
        self._before = {pid: _status(pid, "VmRSS") for pid in self._pids}
        return self

    def __exit__(self, *_error):
        self.growth = max(
            _status(pid, "VmHWM") - before for pid, before in self._before.items()
        )


def _status(pid, name):
    """A size of a process in bytes, 0 when it has ended."""
    with contextlib.suppress(FileNotFoundError), open("/proc/%d/status" % pid) as file:
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    return 0
