"""Faults on demand: what goes wrong, on which route, how often and from when on.

The table only decides; the server carries a fault out, outside any lock:
``status``/``reason``/``message``/``retry_after`` refuse, ``delay_ms`` waits,
``cut_after`` breaks the connection after so many body bytes (of the request for
uploads, else of the answer), ``truncate`` and ``alter`` shorten or change a stored or
sent body without a sign, ``omit`` leaves fields (with commas between) out of an answer,
``lose_answer`` does the work and hangs up, ``rate`` sends a
file at so many bytes a second, as a network would.
"""
import itertools
import json
import threading

from errors import DriveError, OAuthError

ROUTES = (
    "token",
    "revoke",
    "about",
    "files.create",
    "files.upload.multipart",
    "files.upload.media",
    "files.upload.start",
    "files.upload.chunk",
    "files.upload.status",
    "files.get",
    "files.media",
    "files.list",
    "files.update",
    "files.delete",
    "files.copy",
    "files.generateIds",
    "permissions.list",
    "permissions.get",
    "permissions.create",
    "permissions.update",
    "permissions.delete",
    "drives.get",
    "drives.list",
    "*",
)
KINDS = {
    "status": int,
    "reason": str,
    "message": str,
    "retry_after": (int, float, str),
    "delay_ms": (int, float),
    "cut_after": int,
    "truncate": int,
    "alter": bool,
    "omit": str,
    "lose_answer": bool,
    "rate": (int, float),
}
OAUTH_REASONS = {400: "invalid_grant", 401: "invalid_client"}


class Faults:
    """The faults that wait to happen."""

    def __init__(self):
        self._lock = threading.Lock()
        self._waiting = []
        self._ids = itertools.count(1)

    def add(self, route, times, after, what):
        """Plan a fault.

        :param str route: one of ROUTES
        :param int times: how many requests it hits; -1 for all of them
        :param int after: how many requests of that route pass first
        :param dict what: keys of KINDS
        :returns: its id
        :raises ValueError: for an unknown route or kind, or a value of a wrong type
        """
        if route not in ROUTES:
            raise ValueError("unknown route %r" % route)
        for kind, value in what.items():
            if kind not in KINDS or not isinstance(value, KINDS[kind]):
                raise ValueError("unknown fault %s=%r" % (kind, value))
        fault = {"route": route, "times": times, "after": after, "what": dict(what)}
        with self._lock:
            fault["id"] = next(self._ids)
            self._waiting.append(fault)
        return fault["id"]

    def clear(self):
        """Forget every planned fault."""
        with self._lock:
            self._waiting = []

    def waiting(self):
        """The planned faults that are not used up."""
        with self._lock:
            return [dict(fault) for fault in self._waiting]

    def take(self, route):
        """What happens to this request: the kinds of all faults due, merged.

        Of two faults of one kind, the later one waits for the next request.
        """
        if not self._waiting:
            return {}
        with self._lock:
            due = {}
            for fault in self._waiting:
                if fault["route"] in (route, "*") and _is_due(fault, due):
                    due.update(fault["what"])
            self._waiting = [one for one in self._waiting if one["times"]]
        return due


def _is_due(fault, due):
    if fault["after"] > 0:
        fault["after"] -= 1
        return False
    if set(fault["what"]) & set(due):
        return False
    if fault["times"] > 0:
        fault["times"] -= 1
    return True


def refusal(route, fault):
    """The error a fault with a status answers with, in the shape of its endpoint."""
    status, message = fault["status"], fault.get("message")
    if route not in ("token", "revoke"):
        return DriveError(status, fault.get("reason"), message)
    usual = OAUTH_REASONS.get(status, "internal_failure")
    return OAuthError(fault.get("reason", usual), message or "Bad Request", status)


def tamper(data, fault):
    """The bytes as a fault leaves them: shortened, with one bit turned, less fields."""
    if "omit" in fault and data:
        kept = without(json.loads(data), set(fault["omit"].split(",")))
        data = json.dumps(kept).encode()
    if "truncate" in fault:
        data = data[: fault["truncate"]]
    if fault.get("alter") and data:
        middle = len(data) // 2
        turned = bytes([data[middle] ^ 1])
        data = b"".join((data[:middle], turned, data[middle + 1 :]))
    return data


def without(document, names):
    """A JSON document without the fields of some names, at any depth."""
    if isinstance(document, list):
        return [without(one, names) for one in document]
    if not isinstance(document, dict):
        return document
    return {
        key: without(value, names)
        for key, value in document.items()
        if key not in names
    }
