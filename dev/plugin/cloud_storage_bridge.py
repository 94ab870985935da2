"""Pytest plugin: what Odoo's own test support lacks on a busy machine.

Chromium
    Odoo 14.0 and 15.0 wait 3 seconds for its debugging port (``ChromeBrowser`` in
    ``odoo/tests/common.py``) and then skip the test. Here it gets a minute: where there
    is a browser, its tests must run.
HTTP on 14.0
    pytest-odoo calls ``odoo.service.server.start(stop=True)`` for every module, which
    starts a server thread and shuts it down again at once; tests work only while the
    thread happens to be slower than that. Here one server starts and stays.
Log
    Says which test begins, so that a failure finds its part of Odoo's log.
"""
import logging
import socket
import time

import odoo
from odoo.service import server
from odoo.tests.common import ChromeBrowser

PATIENCE = 60  # seconds
_logger = logging.getLogger(__name__)

_ask = ChromeBrowser._json_command


def _ask_patiently(self, command, timeout=PATIENCE, get_key=None):
    return _ask(self, command, timeout, get_key)


def _start_once(preload=None, stop=False):
    if server.server is None:
        server.load_server_wide_modules()
        odoo.service.wsgi_server._patch_xmlrpc_marshaller()
        server.server = server.ThreadedServer(odoo.service.wsgi_server.application)
        server.server.http_spawn()
        _wait_for(server.server.port)
    # pytest-odoo has just picked another one
    odoo.tools.config["http_port"] = server.server.port


def pytest_runtest_logstart(nodeid):
    """Mark the place in Odoo's log."""
    _logger.info("begins: %s", nodeid)


def _wait_for(port):
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), PATIENCE).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


ChromeBrowser._json_command = _ask_patiently
if odoo.release.version_info < (15,):
    server.start = _start_once
