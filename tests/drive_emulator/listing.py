"""``files.list``: what a caller finds, filtered, sorted, page by page.

Pages "Search for files and folders" and "files.list" of the Drive documentation. A
setting makes lists lag behind, as the real ones may: new files stay hidden for some
time or for some lists. Frozen lists show the past: files that are gone, old metadata.
"""
import base64
import hashlib
import json
import re

from access import permission_id
from errors import DriveError, file_not_found, invalid
from properties import app_properties
from query import Query
from schema import one_of
from selector import ALL, apply, names

CORPORA = ("user", "domain", "drive", "allDrives")
DIGITS = re.compile(r"(\d+)")


def _folder_key(file, _caller):
    return file["mimeType"] != "application/vnd.google-apps.folder"


def _natural(file, _caller):
    parts = DIGITS.split(file["name"].casefold())
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _viewed(file, caller):
    return file["modifiedTime"] if file.get("lastUser") == caller.email else 0


SORT_KEYS = {
    "createdTime": lambda file, _caller: file["createdTime"],
    "folder": _folder_key,
    "modifiedByMeTime": _viewed,
    "modifiedTime": lambda file, _caller: file["modifiedTime"],
    "name": lambda file, _caller: file["name"].casefold(),
    "name_natural": _natural,
    "quotaBytesUsed": lambda file, _caller: file.get("size", 0),
    "recency": lambda file, _caller: file["modifiedTime"],
    "sharedWithMeTime": lambda _file, _caller: 0,
    "starred": lambda file, _caller: not file.get("starred"),
    "viewedByMeTime": _viewed,
}


class View:
    """A file as the terms of a query ask for it."""

    def __init__(self, library, caller, root):
        self._access = library.access
        self._caller = caller
        self._root = root
        self._aliases = {"root": root, "me": caller.email}
        self.file = None

    def __call__(self, name):
        getter = getattr(self, "_" + name, None)
        return getter() if getter else self.file.get(name, "")

    def _alias(self):
        return lambda item: self._aliases.get(item, item)

    def _trashed(self):
        return self._access.trashed(self.file)

    def _starred(self):
        return bool(self.file.get("starred"))

    def _sharedWithMe(self):
        return self.file.get("owner") not in (None, self._caller.email)

    def _fullText(self):
        return self.file["name"] + " " + self.file.get("description", "")

    def _visibility(self):
        everyone = any(one["type"] == "anyone" for one in self.file["permissions"])
        return "anyoneWithLink" if everyone else "limited"

    def _parents(self):
        return self.file["parents"]

    def _owners(self):
        return [self.file.get("owner")]

    def _with_role(self, roles):
        return [
            one.get("emailAddress")
            for one in self.file["permissions"]
            if one["role"] in roles
        ] + self._owners()

    def _writers(self):
        return self._with_role(("writer",))

    def _readers(self):
        return self._with_role(("writer", "commenter", "reader"))

    def _appProperties(self):
        return app_properties(self.file, self._caller.client_id)

    def _properties(self):
        return self.file.get("properties", {})

    def _viewedByMeTime(self):
        return _viewed(self.file, self._caller) or None

    def _sharedWithMeTime(self):
        return None

    def _createdTime(self):
        return round(self.file["createdTime"], 3)

    def _modifiedTime(self):
        return round(self.file["modifiedTime"], 3)


class Listing:
    """Answers ``files.list``."""

    def __init__(self, store, library, shown):
        self._store = store
        self._library = library
        self._shown = shown

    def answer(self, call):
        """A FileList resource with the selected fields."""
        values, caller = call.values, call.caller
        self._check(values)
        found = self._found(values, caller)
        order = _order(values.get("orderBy"), caller)
        for key, backwards in reversed(order):
            found.sort(key=key, reverse=backwards)
        self._store.lists += 1
        start = _start(values, caller, found)
        page = found[start : start + values["pageSize"]]
        answer = {"kind": "drive#fileList", "incompleteSearch": False}
        if start + len(page) < len(found):
            answer["nextPageToken"] = _token(values, caller, start, page)
        answer["files"] = self._resources(call.tree, page, caller)
        return apply(call.tree, answer)

    def _resources(self, tree, page, caller):
        below = ALL if tree is ALL else tree.get("files", tree.get("*", {}))
        wanted = names(below)
        return [self._shown.show(file, caller, wanted) for file in page]

    def _check(self, values):
        one_of(values, "corpora", CORPORA)
        spaces = set(values["spaces"].split(","))
        if not spaces <= {"drive", "appDataFolder", "photos"}:
            raise invalid("spaces", values["spaces"])
        in_drive = values.get("corpora") == "drive"
        if in_drive != bool(values.get("driveId")):
            message = "driveId must be given exactly when corpora is drive."
            raise DriveError(400, "invalid", message, "driveId")
        everywhere = values["includeItemsFromAllDrives"]
        supports = values["supportsAllDrives"]
        if values.get("corpora") in ("drive", "allDrives") and not everywhere:
            message = "includeItemsFromAllDrives must be true for this corpora."
            raise DriveError(400, "invalid", message, "includeItemsFromAllDrives")
        if everywhere and not supports:
            message = "supportsAllDrives must be true to include items of all drives."
            raise DriveError(400, "invalid", message, "supportsAllDrives")

    def _found(self, values, caller):
        root = self._library.access.root(caller.email)["id"]
        query = self._query(values.get("q"), caller, root)
        everywhere = values["includeItemsFromAllDrives"]
        drive_id = values.get("driveId")
        if drive_id and caller.email not in self._library.access.members(drive_id):
            raise DriveError(404, "notFound", "Shared drive not found: %s" % drive_id)
        view = View(self._library, caller, root)
        found = []
        for file in reversed(self._store.listed()):
            if file.get("driveId") and not everywhere:
                continue
            if drive_id and file.get("driveId") != drive_id:
                continue
            view.file = file
            if query and not query.matches(view):
                continue
            if self._lists(file, caller):
                found.append(file)
        return found

    def _query(self, text, caller, root):
        if not text:
            return None
        query = Query(text)
        for parent in query.parents:
            wanted = root if parent == "root" else parent
            folder = self._store.get("files", wanted)
            if folder is None or not self._may_look_into(folder, caller):
                raise file_not_found("")
        return query

    def _may_look_into(self, folder, caller):
        access = self._library.access
        if folder.get("root"):
            return access.role(folder, caller) is not None
        return access.sees(folder, caller)

    def _lists(self, file, caller):
        if file.get("root") or self._lags(file):
            return False
        if file.get("owner") == caller.email:
            return caller.wide or caller.client_id in file["apps"]
        return self._library.access.sees(file, caller, links=False)

    def _lags(self, file):
        lag = self._store.setting("list_lag")
        if not lag or file.get("addedTime", 0) < lag["since"]:
            return False
        young = self._store.now() - file["addedTime"] < lag.get("ms", 0) / 1000
        return young or self._store.lists - file["list_mark"] < lag.get("requests", 0)


def _order(text, caller):
    keys = []
    for part in (text or "").split(",") if text else ():
        name, _space, direction = part.strip().partition(" ")
        if name not in SORT_KEYS or direction.strip() not in ("", "desc"):
            raise invalid("orderBy", text)
        key = SORT_KEYS[name]
        keys.append((lambda file, key=key: key(file, caller), bool(direction.strip())))
    return keys


def _signature(values, caller):
    kept = {
        name: value
        for name, value in values.items()
        if name not in ("pageToken", "pageSize", "fields", "alt", "prettyPrint")
    }
    text = json.dumps([kept, permission_id(caller.email)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _token(values, caller, start, page):
    state = [_signature(values, caller), start + len(page), page[-1]["id"]]
    return "~!!~" + base64.urlsafe_b64encode(json.dumps(state).encode()).decode()


def _start(values, caller, found):
    """Where the page begins: behind the last file of the one before, if still there."""
    token = values.get("pageToken")
    if not token:
        return 0
    try:
        signature, offset, last = json.loads(base64.urlsafe_b64decode(token[4:]))
    except (ValueError, TypeError) as err:
        raise DriveError(400, "invalid", "Invalid Value", "pageToken") from err
    if signature != _signature(values, caller):
        raise DriveError(400, "invalid", "Invalid Value", "pageToken")
    for position, file in enumerate(found):
        if file["id"] == last:
            return position + 1
    return offset
