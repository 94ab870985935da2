"""HTTP/1.1 as the emulator speaks it: keep-alive, streamed bodies, real cuts.

Written on sockets instead of ``http.server`` because faults need them: an answer lost
after the work was done, a body that ends early. Bodies go from and to disk in
pieces, so memory does not grow with a file.
"""
import socket
import socketserver
import time

from answers import answer, close
from faults import tamper
from http_message import MAX_LINE, REASONS, Body, BrokenBody, FilePart, Request

MAX_HEADERS = 200
SEND_BUFFER = 256 * 1024  # small, so that bytes "written" are nearly bytes received
IDLE_TIMEOUT = 120  # seconds a kept connection may stay silent


class Connection(socketserver.StreamRequestHandler):
    """One client connection: requests one after the other until either side ends."""

    rbufsize = 64 * 1024
    disable_nagle_algorithm = True
    timeout = IDLE_TIMEOUT

    def setup(self):
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        super().setup()

    def handle(self):
        try:
            while self._one():
                continue
        except (OSError, ValueError):
            return  # gone, silent, or no HTTP: nothing is left to be said

    def finish(self):
        self.rfile.close()

    def _one(self):
        request = self._read_head()
        if request is None:
            return False
        keep = request.headers.get("connection", "").lower() != "close"
        app = self.server.app
        host = request.headers.get("host")
        request.base_url = "http://" + host if host else app.base_url
        request.body = Body(self.rfile, request.headers, {"bytes_in": 0})
        if "100-continue" in request.headers.get("expect", "").lower():
            request.body._before = self._go_on
        request.take_override()
        handler = app.find(request)
        if request.route is None:
            return self._finish(request, handler(request), {"bytes_out": 0}, keep)
        entry = app.traffic.open(request.route, request.method, request.path)
        entry["bytes_in"] = request.body.entry["bytes_in"]
        request.body.entry = entry
        request.fault = app.faults.take(request.route)
        return self._work(request, handler, entry, keep)

    def _work(self, request, handler, entry, keep):
        fault = request.fault
        wait = fault.get("delay_ms", 0) + self.server.app.latency_ms
        if wait:
            time.sleep(wait / 1000)
        if request.stores:
            request.body.cut_after = fault.get("cut_after")
        try:
            response = answer(request, handler)
            request.body.drain()
        except BrokenBody:
            entry["status"] = 0
            return False
        entry["status"] = response.status
        if fault.get("lose_answer"):
            close(response)
            return False
        return self._finish(request, response, entry, keep)

    def _finish(self, request, response, entry, keep):
        request.body.drain()
        keep = keep and not response.close
        fault = {} if request.stores or "status" in request.fault else request.fault
        if not isinstance(response.body, FilePart):
            response.body = tamper(response.body, fault)
        elif "truncate" in fault:
            response.body.length = min(response.body.length, fault["truncate"])
        head = self._head(response, keep)
        if request.method == "HEAD" or response.status in (204, 304):
            self.request.sendall(head)
            close(response)
            return keep
        return self._send(head, response.body, fault, entry) and keep

    def _send(self, head, body, fault, entry):
        cut_after = fault.get("cut_after")
        if isinstance(body, FilePart):
            return self._send_file(head, body, fault, entry)
        whole = cut_after is None or cut_after >= len(body)
        body = body if whole else body[:cut_after]
        self.request.sendall(head + body)
        entry["bytes_out"] += len(body)
        return whole

    def _send_file(self, head, part, fault, entry):
        traffic = self.server.app.traffic
        left = fault.get("cut_after", part.length)
        whole = left >= part.length
        change = {"alter": True} if fault.get("alter") else {}
        pace = _Pace(fault.get("rate"))
        traffic.media_started(entry)
        try:
            self.request.sendall(head)
            for piece in part.pieces():
                piece, change = tamper(piece[:left], change), {}
                pace.wait(len(piece))
                self.request.sendall(piece)
                entry["bytes_out"] += len(piece)
                left -= len(piece)
                if not left:
                    break
        finally:
            part.stream.close()
            traffic.media_ended(entry)
        return whole

    def _head(self, response, keep):
        reason = REASONS.get(response.status, "Unknown")
        lines = ["HTTP/1.1 %d %s" % (response.status, reason)]
        lines += ["%s: %s" % pair for pair in response.headers]
        if response.status != 204:
            lines.append("Content-Length: %d" % response.length)
        lines.append(
            "Date: %s" % time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
        )
        lines.append("Cache-Control: no-cache, no-store, max-age=0, must-revalidate")
        if not keep:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def _go_on(self):
        self.request.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _read_head(self):
        line = self.rfile.readline(MAX_LINE)
        while line in (b"\r\n", b"\n"):
            line = self.rfile.readline(MAX_LINE)
        if not line:
            return None
        method, target, version = line.decode("latin-1").split()
        headers = {}
        for _count in range(MAX_HEADERS):
            line = self.rfile.readline(MAX_LINE)
            if line in (b"\r\n", b"\n", b""):
                break
            name, _colon, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        if version == "HTTP/1.0":
            headers.setdefault("connection", "close")
        return Request(method.upper(), target, headers)


class _Pace:
    """Lets bytes go at a rate (bytes per second; None: as they come)."""

    def __init__(self, rate):
        self._rate = rate
        self._due = time.monotonic()

    def wait(self, length):
        if self._rate:
            time.sleep(max(0, self._due - time.monotonic()))
            # who fell behind may catch up, as a network's buffers allow
            self._due += length / self._rate


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """A thread per connection; the application is its ``app``."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address, app):
        self.app = app
        super().__init__(address, Connection)

    def handle_error(self, request, client_address):
        """A bug in the emulator: shown on stderr, the connection ends."""
        super().handle_error(request, client_address)
