"""The control API below ``/_emulator/``: set things up, break them, look inside.

Not a part of Google. JSON in, JSON out; ``tests/emulator.py`` is its client.
"""
import json

import jwt_grant
from access import FOLDER, Caller
from accounts import full_scope
from digests import Digests
from http_message import Response, json_response
from library import new_id
from media import download
from resources import guess_type
from resources import permission as shown_permission
from resources import rfc3339

PREFIX = "/_emulator/"
OWNER = "admin@example.com"
DEFAULT_SERVICE_ACCOUNT = "robot@emulated-project.iam.gserviceaccount.com"
BODY_LIMIT = 16 * 1024 * 1024
SETTABLE = (
    "name",
    "mimeType",
    "description",
    "owner",
    "trashed",
    "createdTime",
    "modifiedTime",
    "permissions",
    "starred",
    "properties",
)


class Control:
    """The verbs of the control API; each takes the request's JSON as keywords."""

    def __init__(self, app):
        self._app = app
        self._store = app.store
        self._accounts = app.oauth.accounts
        self._library = app.drive.library

    def find(self, request):
        """What handles a request to the control API."""
        verb = request.path[len(PREFIX) :]
        if verb == "content" and request.method == "GET":
            return self._content
        if verb in ("put_file", "edit_content"):
            return lambda request: self._with_body(verb, request)
        work = getattr(self, "do_" + verb, None)
        if work is None:
            return lambda request: json_response({"error": "unknown verb"}, 404)
        return lambda request: self._json(work, request)

    @staticmethod
    def _json(work, request):
        arguments = json.loads(request.body.read(BODY_LIMIT) or b"{}")
        try:
            return json_response({"result": work(**arguments)})
        except (ValueError, KeyError, TypeError) as err:
            return json_response({"error": "%s: %s" % (type(err).__name__, err)}, 400)

    def _content(self, request):
        file = self._store.get("files", request.query.get("id", ""))
        if file is None or "blob" not in file:
            return json_response({"error": "no such content"}, 404)
        return download(self._store, file, None)

    def _with_body(self, verb, request):
        arguments = json.loads(request.query.get("arguments", "{}"))
        blob, digests = self._store.new_blob(), Digests()
        with open(self._store.blob_path(blob), "wb", buffering=0) as stream:
            for piece in request.body.pieces():
                stream.write(piece)
                digests.update(piece)
        work = self._put_file if verb == "put_file" else self._edit_content
        return json_response({"result": work(blob, digests, **arguments)})

    def do_ping(self):
        """That the emulator is there, and where it keeps its state."""
        return {"ok": True, "directory": self._store.directory}

    def do_reset(self, everything=False):
        """Forget files, tokens, faults, counters; clients too when told."""
        self._store.reset(everything)
        self._library.access.recount()
        self._app.faults.clear()
        self._app.traffic.clear()
        self._app.latency_ms = 0

    def do_client(self, **client):
        """Register an OAuth client."""
        return self._accounts.register(**client)

    def do_grant(self, email=OWNER, client_id=None, scope="drive.file"):
        """Tokens as if the person had consented."""
        client = self._accounts.client_or_default(client_id)
        scopes = [full_scope(name) for name in scope.split()]
        email_and_client = email, client["client_id"]
        refresh = self._accounts.issue_refresh(*email_and_client, scopes)
        access, life = self._accounts.issue_access(*email_and_client, scopes)
        key = "%s %s" % (client["client_id"], email)
        self._store.put("grants", key, {"scopes": scopes, "offline": True})
        return {
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": life,
            "client_id": client["client_id"],
            "client_secret": client["client_secret"],
        }

    def do_service_account(self, email=None, delegation=None, token_uri=None):
        """A service account with a real key; ``delegation``: scopes it may use."""
        email = email or DEFAULT_SERVICE_ACCOUNT
        uri = token_uri or self._app.base_url + "/token"
        document, kept = jwt_grant.new_key(email, uri)
        if delegation is not None:
            kept["delegation"] = [full_scope(name) for name in delegation]
        self._store.put("keys", email, kept)
        return document

    def do_expire_tokens(self):
        """Every access token is expired from now on."""
        self._accounts.expire_all()

    def do_revoke_grants(self):
        """Every person takes back every grant."""
        self._accounts.revoke_all()

    def do_setting(self, name, value):
        """Change token_life, list_lag (for files made later) or clock_offset."""
        if name not in ("token_life", "list_lag", "clock_offset"):
            raise ValueError("unknown setting %r" % name)
        if name == "list_lag" and value:
            value = dict(value, since=self._store.now())
        self._store.put("settings", name, value)

    def do_freeze_list(self, requests=None):
        """Have lists show the files as they are now."""
        self._store.freeze_lists(requests)

    def do_thaw_list(self):
        """Have lists show the files as they are again."""
        self._store.thaw_lists()

    def do_latency(self, milliseconds):
        """Answer every request that much later."""
        self._app.latency_ms = milliseconds

    def do_fault(self, route, times=1, after=0, what=None):
        """Plan a fault; returns its id."""
        return self._app.faults.add(route, times, after, what or {})

    def do_faults(self):
        """The faults that wait to happen."""
        return self._app.faults.waiting()

    def do_clear_faults(self):
        """Forget planned faults."""
        self._app.faults.clear()

    def do_requests(self, route=None):
        """The log of requests."""
        return self._app.traffic.entries(route)

    def do_totals(self, route=None):
        """How many requests, and the bytes in and out."""
        entries = self._app.traffic.entries(route)
        whole = [entry for entry in entries if not entry["batched"]]
        counted = entries if route else whole  # a batch's bytes are those of its calls
        return {
            "count": len(entries),
            "http": len(whole),
            "bytes_in": sum(entry["bytes_in"] for entry in counted),
            "bytes_out": sum(entry["bytes_out"] for entry in counted),
        }

    def do_clear_requests(self):
        """Start the log anew."""
        self._app.traffic.clear()

    def do_open_connections(self):
        """Media answers being written right now."""
        return self._app.traffic.media_open()

    def do_files(self, trashed=None):
        """Every file with all that is known of it."""
        found = [
            self._whole(file)
            for file in self._store.all("files")
            if not file.get("root")
        ]
        return [one for one in found if trashed in (None, one["trashed"])]

    def do_edit_file(self, file_id, **metadata):
        """Change a file behind everybody's back."""
        self._library.replace(file_id, self._changes(metadata))
        return self._whole(self._store.get("files", file_id))

    def do_remove_file(self, file_id):
        """Delete a file for good."""
        file = self._store.get("files", file_id)
        if file is not None:
            self._library.remove(file)

    def do_set_quota(self, limit=None, usage=None, email=None):
        """How much a person (or everybody) may store, and seems to store."""
        quota = {}
        if limit is not None:
            quota["limit"] = limit
        if usage is not None:
            own = self._library.access.own_usage(email or OWNER)
            quota["other_usage"] = usage - own
        self._store.put("users", email or "*", quota)

    def do_shared_drive(self, name, members):
        """A shared drive; members is a list of addresses or address -> role."""
        if not isinstance(members, dict):
            members = dict.fromkeys(members, "organizer")
        drive_id = "0A" + new_id()[1:15] + "Uk9PVA"
        now = self._store.now()
        record = {"id": drive_id, "name": name, "members": members, "createdTime": now}
        self._store.put("drives", drive_id, record)
        root = {
            "id": drive_id,
            "name": "Drive",
            "mimeType": FOLDER,
            "parents": [],
            "driveId": drive_id,
            "owner": None,
            "apps": [],
            "root": True,
            "permissions": [],
            "createdTime": now,
            "modifiedTime": now,
            "version": 1,
        }
        self._store.put("files", drive_id, root)
        return drive_id

    def _put_file(self, blob, digests, name, parents=None, client_id=None, **metadata):
        owner = metadata.pop("owner", None) or OWNER
        access = self._library.access
        parent = parents[0] if parents else access.root(owner)["id"]
        folder = self._store.get("files", parent)
        if folder is None:
            raise ValueError("unknown parent %r" % parent)
        now = self._store.now()
        record = {
            "id": None,
            "name": name,
            "mimeType": guess_type(name),
            "parents": [parent],
            "driveId": folder.get("driveId"),
            "owner": None if folder.get("driveId") else owner,
            "apps": [client_id] if client_id else [],
            "permissions": [],
            "createdTime": now,
            "modifiedTime": now,
            "lastUser": owner,
            "originalFilename": name,
            "version": 0,
        }
        record.update(self._changes(metadata))
        if record["mimeType"] == FOLDER:
            self._store.drop_blob(blob)
            return self._library.add(record)["id"]
        return self._library.add(record, blob, digests)["id"]

    def _edit_content(self, blob, digests, file_id, **metadata):
        changes = dict(modifiedTime=self._store.now(), **self._changes(metadata))
        self._library.replace(file_id, changes, blob, digests)
        return self._whole(self._store.get("files", file_id))

    @staticmethod
    def _changes(metadata):
        changes = {}
        for key, value in metadata.items():
            if key == "appProperties":
                changes[key] = {"*": value}
            elif key == "parents":
                changes[key] = list(value)
            elif key == "client_id":
                changes["apps"] = [value]
            elif key in SETTABLE:
                changes[key] = value
            else:
                raise ValueError("cannot set %r" % key)
        return changes

    def _whole(self, file):
        whole = {
            key: value for key, value in file.items() if key not in ("blob", "apps")
        }
        properties = {}
        for mine in file.get("appProperties", {}).values():
            properties.update(mine)
        whole["appProperties"] = properties
        whole["clients"] = file["apps"]
        whole["trashed"] = self._library.access.trashed(file)
        whole["explicitlyTrashed"] = bool(file.get("trashed"))
        nobody = Caller("", "", ())
        whole["permissions"] = [
            shown_permission(one)
            for one in self._app.drive.shown.permissions(file, nobody)
        ]
        for key in ("createdTime", "modifiedTime"):
            whole[key] = rfc3339(file[key])
        return whole


def not_found(_request):
    """The answer for an address where nothing is."""
    body = {"error": {"code": 404, "message": "Not Found", "errors": []}}
    return json_response(body, 404)


def front_page(_request):
    """A page for people who open the address."""
    text = b"Drive emulator: see /_emulator/ping\n"
    return Response(200, text, (), "text/plain; charset=utf-8")
