"""Databases and Odoo processes beside those of the tests."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid

import odoo
from odoo.sql_db import close_db, db_connect
from odoo.tests.common import get_db_name

TIMEOUT = 180  # seconds a process may take
MARK = "RESULT "
PREFACE = """
import json, os, time
def report(value):
    print("%s" + json.dumps(value), flush=True)
def ready():
    open(%r, "w").close()
def wait():
    ready()
    while not os.path.exists(%r):
        time.sleep(0.002)
"""


class OdooShell:
    """Code in an ``odoo-bin shell`` of its own, in its own process group.

    :param str code: has ``env``; ``report(value)`` hands a value back, ``ready()``
        tells that the interesting part begins, ``wait()`` waits there for :meth:`go`
    :param str database: the tests' own by default
    :param variables: for its environment
    """

    def __init__(self, code, database=None, **variables):
        self._folder = tempfile.mkdtemp(prefix="odoo-shell-")
        self._ready = os.path.join(self._folder, "ready")
        self._go = os.path.join(self._folder, "go")
        self._output = open(os.path.join(self._folder, "output"), "w+")
        self.process = subprocess.Popen(
            [
                os.environ["CLOUD_STORAGE_TEST_PYTHON"],
                os.environ["CLOUD_STORAGE_TEST_ODOO_BIN"],
                "shell",
                "-c",
                os.environ["CLOUD_STORAGE_TEST_ODOO_CONF"],
                "-d",
                database or get_db_name(),
                "--no-http",
            ],
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=dict(os.environ, **variables),
            start_new_session=True,
            universal_newlines=True,
        )
        self.process.stdin.write(PREFACE % (MARK, self._ready, self._go) + code)
        self.process.stdin.close()

    @property
    def is_ready(self):
        """Whether it called ``ready()``, or ended."""
        return os.path.exists(self._ready) or self.process.poll() is not None

    def go(self):
        """Let it go on behind its ``wait()``."""
        open(self._go, "w").close()

    def kill(self):
        """End it as a power cut would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(TIMEOUT)
        self._close()

    def finish(self):
        """Wait for the end; return what it reported last.

        :raises AssertionError: it failed or reported nothing
        """
        try:
            code = self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._output.seek(0)
        text = self._output.read()
        self._close()
        results = [line for line in text.splitlines() if line.startswith(MARK)]
        if code or not results:
            raise AssertionError("the process failed:\n" + text)
        return json.loads(results[-1][len(MARK) :])

    def _close(self):
        self._output.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def run_shell(code, database=None, **variables):
    """Run code in a process of its own; return what it reported."""
    return OdooShell(code, database, **variables).finish()


def run_at_once(code, count=2):
    """Run code in several processes, from its ``wait()`` on at once.

    :return: what each of them reported
    """
    shells = [OdooShell(code) for _number in range(count)]
    deadline = time.monotonic() + TIMEOUT
    while not all(shell.is_ready for shell in shells):
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    for shell in shells:
        shell.go()
    return [shell.finish() for shell in shells]


def sql(statement, database="postgres", fetch=False):
    """Run one statement outside of any transaction."""
    with contextlib.closing(db_connect(database, allow_uri=True).cursor()) as cr:
        cr.autocommit(True)
        cr.execute(statement)
        return cr.fetchall() if fetch else None


@contextlib.contextmanager
def database_copy(case, filestore=True):
    """A copy of the tests' database as ``createdb -T`` makes it; dropped afterwards.

    PostgreSQL wants nobody to be connected meanwhile: the case gets a new cursor.

    :param CloudCase case: the test
    :param bool filestore: copy the filestore as well
    :return: its name
    """
    source, name = get_db_name(), "copy_%s" % uuid.uuid4().hex[:8]
    case.cr.commit()
    case.cr.close()
    close_db(source)
    sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = '%s' AND pid != pg_backend_pid()" % source
    )
    sql('CREATE DATABASE "%s" TEMPLATE "%s"' % (name, source))
    case.connect()
    for attribute in ("auth", "config"):
        setattr(case, attribute, getattr(case, attribute).with_env(case.env))
    stores = [odoo.tools.config.filestore(database) for database in (source, name)]
    if filestore and os.path.isdir(stores[0]):
        shutil.copytree(stores[0], stores[1])
    try:
        yield name
    finally:
        close_db(name)
        sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = '%s'" % name
        )
        sql('DROP DATABASE "%s"' % name)
        shutil.rmtree(stores[1], ignore_errors=True)
