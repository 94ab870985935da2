"""The client of the Drive emulator: starts it, sets it up, breaks it, looks inside.

Standard library and requests only, so that Odoo tests, plain tests and the workshop
can all use it. The emulator itself is the program ``drive_emulator`` beside this file.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "drive_emulator")
TIMEOUT = 60  # seconds for a control request
START_TIMEOUT = 60  # seconds until it must answer
STOP_TIMEOUT = 10  # seconds until it is killed


class EmulatorError(Exception):
    """The emulator refused a control request, or did not start."""


class _Form(HTMLParser):
    """The first form of a page: where it goes and what it would send."""

    def __init__(self, text):
        super().__init__()
        self.action = None
        self.fields = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "form":
            self.action = attributes.get("action", "")
        elif tag == "input" and attributes.get("name"):
            if attributes.get("type") != "checkbox" or "checked" in attributes:
                self.fields.append((attributes["name"], attributes.get("value") or ""))


class Emulator:
    """A running emulator.

    :param str url: its address, as ``http://127.0.0.1:PORT``
    """

    def __init__(self, url, process=None, scratch=None):
        self.url = url.rstrip("/")
        self.process = process
        self._scratch = scratch
        self._session = requests.Session()
        self._session.trust_env = False

    @classmethod
    def start(
        cls, state_dir=None, latency_ms=0, port=0, python=sys.executable, detach=False
    ):
        """Start one in its own process group and wait until it answers.

        :raises EmulatorError: when it ends or stays silent instead
        """
        scratch = tempfile.mkdtemp(prefix="drive-emulator-client-")
        port_file = os.path.join(scratch, "port")
        command = [python, PROGRAM, "--port", str(port), "--port-file", port_file]
        command += ["--latency-ms", str(latency_ms)]
        if state_dir:
            command += ["--state-dir", str(state_dir)]
        if detach:
            command.append("--detach")
        environment = dict(os.environ, TMPDIR=scratch)
        with open(os.path.join(scratch, "log"), "wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        emulator = cls("http://127.0.0.1:0", process, scratch)
        try:
            emulator._wait(port_file)
        except EmulatorError:
            emulator.kill()
            raise
        return emulator

    def _wait(self, port_file):
        deadline = time.monotonic() + START_TIMEOUT
        while not os.path.exists(port_file):
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(os.path.join(self._scratch, "log"), errors="replace") as log:
                    raise EmulatorError("the emulator did not start: " + log.read())
            time.sleep(0.01)
        with open(port_file) as stream:
            self.url = "http://127.0.0.1:%d" % int(stream.read())
        self._call("ping")

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.stop()

    def stop(self):
        """End it (only one that was started from here) and wait for that."""
        self._end(signal.SIGTERM)

    def kill(self):
        """End it as a crash would; a state directory stays as it is."""
        self._end(signal.SIGKILL)

    def _end(self, sign):
        self._session.close()
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(sign)
            try:
                self.process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(STOP_TIMEOUT)
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _call(self, verb, **arguments):
        url = "%s/_emulator/%s" % (self.url, verb)
        answer = self._session.post(url, json=arguments, timeout=TIMEOUT)
        return self._result(answer)

    def _send(self, verb, content, **arguments):
        url = "%s/_emulator/%s" % (self.url, verb)
        params = {"arguments": json.dumps(arguments)}
        answer = self._session.post(url, params=params, data=content, timeout=TIMEOUT)
        return self._result(answer)

    @staticmethod
    def _result(answer):
        document = answer.json()
        if answer.status_code != 200:
            raise EmulatorError(document["error"])
        return document["result"]

    def reset(self, clients=False):
        """Forget files, tokens, faults and counters; OAuth clients too when told."""
        self._call("reset", everything=clients)

    def client(self, redirect_uris=None, client_id=None, client_secret=None):
        """Register an OAuth client; returns its ``client_id`` and ``client_secret``.

        Without ``redirect_uris`` any loopback address will do.
        """
        return self._call(
            "client",
            redirect_uris=redirect_uris,
            client_id=client_id,
            client_secret=client_secret,
        )

    def consent(self, auth_url, email="admin@example.com", approve=True, scopes=None):
        """Play the person: open the consent page, fill in its form, send it.

        :param list scopes: the scopes left ticked; None for all
        :returns: the address the person is sent back to, not followed
        :raises EmulatorError: when the page is a refusal
        """
        with requests.Session() as browser:
            browser.trust_env = False
            page = browser.get(auth_url, timeout=TIMEOUT)
            form = _Form(page.text)
            if page.status_code != 200 or form.action is None:
                raise EmulatorError("no consent form: %s" % page.text)
            fields = [
                (name, email if name == "email" else value)
                for name, value in form.fields
                if name != "granted" or scopes is None or value in scopes
            ]
            fields.append(("answer", "approve" if approve else "deny"))
            answer = browser.post(
                urljoin(auth_url, form.action),
                data=fields,
                allow_redirects=False,
                timeout=TIMEOUT,
            )
        if answer.status_code != 302:
            raise EmulatorError("the consent was refused: %s" % answer.text)
        return answer.headers["Location"]

    def grant(self, email="admin@example.com", client_id=None, scope="drive.file"):
        """Tokens as if the person had consented, for tests that are not about OAuth.

        :returns: access_token, refresh_token, expires_in, client_id, client_secret
        """
        return self._call("grant", email=email, client_id=client_id, scope=scope)

    def service_account(self, email=None, delegation=None):
        """The content of a new key file of a service account.

        :param list delegation: scopes it may use in the name of people; None: none
        """
        return self._call(
            "service_account",
            email=email,
            delegation=delegation,
            token_uri=self.url + "/token",
        )

    def expire_tokens(self):
        """Every access token is expired from now on."""
        self._call("expire_tokens")

    def revoke_grants(self):
        """Every person takes back every grant: refreshing gives invalid_grant."""
        self._call("revoke_grants")

    def set_token_life(self, seconds):
        """How long access tokens made from now on live."""
        self._call("setting", name="token_life", value=seconds)

    def set_list_lag(self, ms=0, requests=0):
        """Hide new files from lists for some time or for so many lists."""
        lag = {"ms": ms, "requests": requests} if ms or requests else None
        self._call("setting", name="list_lag", value=lag)

    def set_clock(self, ahead):
        """Move the emulator's clock to so many seconds ahead of the real one."""
        self._call("setting", name="clock_offset", value=ahead)

    def fault(self, route, times=1, after=0, **what):
        """Plan a fault on a route; see ``drive_emulator/faults.py``.

        :param int times: how many requests it hits; -1 for ever
        :param int after: how many pass unharmed first
        :param what: status, reason, message, retry_after, delay_ms, cut_after,
            truncate, alter, omit, lose_answer, rate
        :returns: its id
        """
        return self._call("fault", route=route, times=times, after=after, what=what)

    def faults(self):
        """The faults that wait to happen."""
        return self._call("faults")

    def clear_faults(self):
        """Forget planned faults."""
        self._call("clear_faults")

    def files(self, trashed=None):
        """Every file with all metadata, as a list of dicts."""
        return self._call("files", trashed=trashed)

    def file(self, file_id):
        """One file with all metadata, or None."""
        for found in self.files():
            if found["id"] == file_id:
                return found
        return None

    def content(self, file_id):
        """The bytes of a file."""
        url = self.url + "/_emulator/content"
        answer = self._session.get(url, params={"id": file_id}, timeout=TIMEOUT)
        if answer.status_code != 200:
            raise EmulatorError("no content: %s" % file_id)
        return answer.content

    def put_file(self, name, content=b"", parents=None, **metadata):
        """Put a file there as if its owner had done so on the web; returns its id.

        :param metadata: mimeType, owner, client_id (whose application may see it with
            drive.file), appProperties, trashed, permissions, ...
        """
        return self._send("put_file", content, name=name, parents=parents, **metadata)

    def edit_file(self, file_id, content=None, **metadata):
        """Change a file behind everybody's back; returns it."""
        if content is None:
            return self._call("edit_file", file_id=file_id, **metadata)
        return self._send("edit_content", content, file_id=file_id, **metadata)

    def remove_file(self, file_id):
        """Delete a file for good."""
        self._call("remove_file", file_id=file_id)

    def set_quota(self, limit=None, usage=None, email=None):
        """How many bytes a person (or everybody) may store and seems to store."""
        self._call("set_quota", limit=limit, usage=usage, email=email)

    def shared_drive(self, name, members):
        """Make a shared drive; members is a list of addresses or address -> role."""
        return self._call("shared_drive", name=name, members=members)

    def requests(self, route=None):
        """The log: route, method, path, status, bytes_in, bytes_out, time."""
        return self._call("requests", route=route)

    def count(self, route=None):
        """How many requests came (to a route)."""
        return self._call("totals", route=route)["count"]

    def bytes_out(self, route="files.media"):
        """Body bytes written to clients of a route."""
        return self._call("totals", route=route)["bytes_out"]

    def bytes_in(self, route=None):
        """Body bytes read from clients of a route."""
        return self._call("totals", route=route)["bytes_in"]

    def clear_requests(self):
        """Start the log anew."""
        self._call("clear_requests")

    def latency(self, ms):
        """Answer every request that many milliseconds later."""
        self._call("latency", milliseconds=ms)

    def open_connections(self):
        """How many media answers are being written right now."""
        return self._call("open_connections")
