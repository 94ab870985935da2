"""What the tests of the proxy share."""
import hashlib
import http.client
import os
import socket
import threading
import time
from urllib.parse import urlsplit

import requests

from odoo.tools import config

from .common import CloudCase

TIMEOUT = 60  # seconds
PATH = "/cloud_storage/file/%d"


def make_content(size, seed=b"content"):
    """Bytes of which no part looks like another."""
    blocks = (
        hashlib.sha512(b"%s %d" % (seed, number)).digest()
        for number in range(size // 64 + 1)
    )
    return b"".join(blocks)[:size]


class ProxyCase(CloudCase):
    """Files in the cloud, asked for over HTTP."""

    def setUp(self):
        super().setUp()
        self.logged = 0
        # before the fixtures go: a row that is just being written holds on to them
        self.addCleanup(self._settle)
        self.addCleanup(self.cr.rollback)
        self.base = "http://127.0.0.1:%d" % config["http_port"]

    def make_cloud_file(self, content, name="note.txt", **vals):
        """An attachment whose bytes are on Drive only, in no cache."""
        attachment = self.make_attachment(content, name=name, **vals)
        file_id = self.emulator.put_file(
            name,
            content,
            client_id=self.auth.client_id,
            owner="admin@example.com",
        )
        self.link(attachment, file_id, content)
        return attachment

    def link(self, attachment, file_id, content, auth=None):
        """Make an attachment what it is after its local bytes were released."""
        attachment.write(
            {
                "cloud_file_id": file_id,
                "cloud_md5": hashlib.md5(content).hexdigest(),
                "cloud_sha1": hashlib.sha1(content).hexdigest(),
                "cloud_size_bytes": len(content),
                "cloud_sync_status": "synced",
                "cloud_synced_date": "2021-03-04 05:06:07",
                "cloud_auth_id": (auth or self.auth).id,
                "type": "url",
                "url": PATH % attachment.id,
            }
        )
        attachment.flush()
        self.set_bytes(attachment, store_fname=None)

    def set_bytes(self, attachment, **columns):
        """Have a row name other bytes on this server, as no method does; commits."""
        attachment.flush()
        for name, value in columns.items():
            self.cr.execute(  # pylint: disable=sql-injection
                "UPDATE ir_attachment SET %s = %%s WHERE id = %%s" % name,
                (value, attachment.id),
            )
        attachment.invalidate_cache()
        self.cr.commit()

    def new_session(self, user=None):
        """A browser's session, logged in when a user is given."""
        session = requests.Session()
        session.trust_env = False
        self.addCleanup(session.close)
        if user:
            answer = session.post(
                self.base + "/web/session/authenticate",
                json={
                    "params": {
                        "db": self.cr.dbname,
                        "login": user.login,
                        "password": user.login,
                    }
                },
                timeout=TIMEOUT,
            )
            self.assertEqual(answer.json()["result"]["uid"], user.id)
        return session

    def get(self, attachment, user=None, session=None, method="GET", params=None, **kw):
        """Ask for an attachment, as the public or as a user.

        :param kw: request headers, with underscores for dashes; ``stream``
        """
        stream = kw.pop("stream", False)
        headers = {key.replace("_", "-"): value for key, value in kw.items()}
        return self.ask(
            session or self.new_session(user),
            PATH % attachment.id,
            method,
            params=params,
            headers=headers,
            stream=stream,
        )

    def begin(self, base, attachment, **headers):
        """Ask a server for a file; return the answer before its body is read.

        Little of it is under way meanwhile. ``leave()`` hangs up.
        """
        connection = http.client.HTTPConnection(urlsplit(base).netloc)
        connection.timeout = TIMEOUT
        connection.connect()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        self.addCleanup(connection.close)
        connection.request("GET", PATH % attachment.id, headers=headers)
        answer = connection.getresponse()
        answer.leave = lambda: (answer.close(), connection.close())
        return answer

    def ask(self, session, path, method="GET", logged=True, **options):
        """Send a request.

        :param bool logged: it will be in the access log
        """
        self.logged += logged
        return session.request(method, self.base + path, timeout=TIMEOUT, **options)

    def rows(self):
        """Rows of the access log, the oldest first, once all requests have theirs."""
        self._settle()
        self.env.cache.invalidate()
        rows = self.env["cloud_storage.access.log"].search([], order="id")
        # refused requests of a minute are counted in one row
        self.assertEqual(sum(rows.mapped("requests")), self.logged)
        return rows

    def _settle(self):
        """Wait for requests to end: their rows come after the last byte."""
        deadline = time.monotonic() + TIMEOUT
        while any(
            thread.name.startswith("odoo.service.http.request.")
            for thread in threading.enumerate()
        ):
            self.assertLess(time.monotonic(), deadline, "a request does not end")
            time.sleep(0.01)
        self.cr.commit()

    def cached_files(self):
        """Names of the entries of the disk cache, once all requests have ended."""
        self._settle()  # what was begun goes with the request
        return [
            name
            for _path, _folders, names in os.walk(self.cache()._layout.base)
            for name in names
            if len(name) >= 32
        ]

    def cache(self):
        """The disk cache of the tests' database."""
        return self.env["ir.attachment"]._disk_cache()
