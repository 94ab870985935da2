"""The files themselves: made, changed, put away. Rules of Drive, no HTTP.

Page "files" of the REST reference, "Trash or
delete files and folders" of the Drive guides. Checks run before bytes move; the
step that makes a change visible is short and holds the store's lock.
"""
import secrets

from access import FOLDER, RANK, Access
from digests import Digests
from errors import DriveError, may_not
from properties import app_properties, check_sizes, merge_properties, merged
from query import timestamp
from resources import guess_type, is_google_type

OCTETS = "application/octet-stream"
PLAIN_FIELDS = (
    "name",
    "description",
    "starred",
    "copyRequiresWriterPermission",
    "writersCanShare",
    "originalFilename",
)
NO_MATTER = {"kind"}  # sent back by clients that return a whole resource


def new_id():
    """An id as Drive makes them: 33 characters."""
    return "1" + secrets.token_urlsafe(24)


class Library:
    """Creates, updates, copies and deletes files for callers."""

    def __init__(self, store, discovery):
        self._store = store
        self._read_only = discovery.read_only("File") - NO_MATTER
        self.access = Access(store)

    def check_metadata(self, body, create):
        """Refuse fields a client may not write.

        :raises DriveError: 403 fieldNotWritable, 400 for bad property values
        """
        bad = set(body) & self._read_only
        if not create:
            bad |= set(body) & {"id", "parents"}
        if bad & {"parents"}:
            message = (
                "The parents field is not directly writable in update requests. Use the"
                " addParents and removeParents parameters instead."
            )
            raise DriveError(403, "fieldNotWritable", message)
        if bad:
            message = (
                "The resource body includes fields which are not directly writable."
            )
            raise DriveError(403, "fieldNotWritable", message)
        for kind in ("appProperties", "properties"):
            check_sizes(body.get(kind) or {})

    def prepare(self, body, caller, content_type=None):
        """The record of a file to be, checked but not stored yet.

        :param dict body: File resource of the request
        :param str content_type: media type of its content; None without content
        :raises DriveError: as files.create refuses
        """
        self.check_metadata(body, True)
        parent = self._one_parent(body.get("parents"), caller)
        self.check_id(body.get("id"))
        mime_type = _media_type(body, content_type)
        if content_type and is_google_type(mime_type):
            raise DriveError(400, "badRequest", "Conversion is not supported here.")
        if body.get("id") and is_google_type(mime_type) and mime_type != FOLDER:
            message = "Generated IDs are not supported for Docs Editors formats."
            raise DriveError(403, "insufficientFilePermissions", message)
        now = self._store.now()
        record = {
            "id": body.get("id"),
            "name": "Untitled",
            "mimeType": mime_type,
            "parents": [parent["id"]],
            "driveId": parent.get("driveId"),
            "owner": None if parent.get("driveId") else caller.email,
            "apps": [caller.client_id],
            "permissions": [],
            "createdTime": now,
            "modifiedTime": now,
            "lastUser": caller.email,
            "version": 0,
        }
        changed = self._with_metadata(record, body, caller, create=True)
        if not is_google_type(changed["mimeType"]):
            changed.setdefault("originalFilename", changed["name"])
            self.check_room(changed, 0)
        return changed

    def check_room(self, record, more):
        """Refuse content that its owner has no room for.

        :raises DriveError: 403 storageQuotaExceeded
        """
        if record.get("owner") and not is_google_type(record["mimeType"]):
            self.access.check_quota(record["owner"], more)

    def check_id(self, file_id):
        """A wished id must have been generated and not be used yet.

        :raises DriveError: 409 fileIdInUse, 400 fileIdNotUsable
        """
        if not file_id:
            return
        if self._store.get("files", file_id):
            message = "A file already exists with the provided ID."
            raise DriveError(409, "fileIdInUse", message, "file.id", "other")
        if not self._store.get("generated", file_id):
            message = "The provided file ID is not usable."
            raise DriveError(400, "fileIdNotUsable", message, "file.id", "other")

    def generate_ids(self, count, email):
        """Reserve ids and return them."""
        ids = [new_id() for _number in range(count)]
        self._store.put_all("generated", dict.fromkeys(ids, {"email": email}))
        return ids

    def add(self, record, blob=None, digests=None):
        """Store a prepared file with its content.

        :raises DriveError: 409 when its id was taken meanwhile, 403 without room
        """
        if blob is None and not is_google_type(record["mimeType"]):
            blob, digests = self._empty()
        if digests:
            record = _with_content(record, blob, digests)
        with self._store.lock:
            self.check_id(record["id"])
            self.check_room(record, record.get("size", 0))
            record = dict(record, id=record["id"] or new_id())
            record["list_mark"] = self._store.lists
            record["addedTime"] = self._store.now()
            self._save(record)
        return record

    def replace(self, file_id, changes, blob=None, digests=None):
        """Store the changed fields of a file, and its new content if there is one.

        :raises DriveError: 404 when it is gone meanwhile, 403 without room
        """
        with self._store.lock:
            file = self._store.get("files", file_id)
            if file is None:
                raise DriveError(404, "notFound", "File not found: %s." % file_id)
            record = dict(file, **changes)
            if blob:
                record = _with_content(record, blob, digests)
                self.check_room(record, record["size"] - file.get("size", 0))
            self._save(record, file)
        if blob:
            self._store.drop_blob(file.get("blob"))
        return record

    def changes(self, file, body, caller, add=(), remove=()):
        """The fields an update changes, checked.

        :raises DriveError: as files.update refuses
        """
        self.check_metadata(body, False)
        changed = self._with_metadata(file, body, caller, create=False)
        if "trashed" in body and body["trashed"] is not None:
            self._check_trash(file, caller)
            changed["trashed"] = body["trashed"]
            changed["trashedTime"] = self._store.now() if body["trashed"] else None
        if add or remove:
            changed.update(self._moved(file, caller, add, remove))
        changed["lastUser"] = caller.email
        return {
            key: value for key, value in changed.items() if file.get(key, self) != value
        }

    def copy(self, file, body, caller):
        """A copy of a file that the caller can read, owned by the caller.

        :raises DriveError: as files.copy refuses
        """
        if "blob" not in file:
            message = "This file cannot be copied by the user."
            raise DriveError(403, "cannotCopyFile", message)
        wished = dict(body)
        wished.setdefault("name", "Copy of " + file["name"])
        wished.setdefault("mimeType", file["mimeType"])
        wished.setdefault("parents", self._copy_parents(file, caller))
        mine = app_properties(file, caller.client_id)
        wished["appProperties"] = merged(mine, body.get("appProperties") or {})
        wished["properties"] = merged(
            file.get("properties"), body.get("properties") or {}
        )
        record = self.prepare(wished, caller, OCTETS)
        kept = ("md5Checksum", "sha1Checksum", "size")
        record.update({name: file[name] for name in kept})
        self.check_room(record, record["size"])
        record["blob"] = self._store.copy_blob(file["blob"])
        record["headRevisionId"] = new_id()
        try:
            return self.add(record, record["blob"])
        except DriveError:
            self._store.drop_blob(record["blob"])
            raise

    def _copy_parents(self, file, caller):
        for parent in file["parents"]:
            folder = self._store.get("files", parent)
            if folder and RANK[self.access.role(folder, caller)] >= RANK["writer"]:
                if folder.get("root") or self.access.sees(folder, caller):
                    return [parent]
        return []

    def remove(self, file):
        """Delete a file for good, and all that is below a folder."""
        with self._store.lock:
            gone = self.tree(file)
            for one in gone:
                self.access.count(one.get("owner"), -one.get("size", 0))
            self._store.drop("files", *[one["id"] for one in gone])
        for one in gone:
            self._store.drop_blob(one.get("blob"))

    def tree(self, file):
        """The file and everything below it."""
        found = [file]
        if file["mimeType"] != FOLDER:
            return found
        children = {}
        for one in self._store.all("files"):
            for parent in one["parents"]:
                children.setdefault(parent, []).append(one)
        for one in found:
            found.extend(children.get(one["id"], ()))
        return found

    def _save(self, record, before=None):
        before = before or {}
        record["version"] += 1
        self.access.count(record.get("owner"), record.get("size", 0))
        self.access.count(before.get("owner"), -before.get("size", 0))
        self._store.put("files", record["id"], record)

    def _empty(self):
        blob = self._store.new_blob()
        with open(self._store.blob_path(blob), "wb"):
            return blob, Digests()

    def _one_parent(self, parents, caller):
        if not parents:
            return self.access.root(caller.email)
        if len(parents) > 1:
            message = "A file cannot have more than one parent."
            raise DriveError(403, "multipleParentsNotSupported", message)
        return self.access.parent(parents[0], caller)

    def _with_metadata(self, file, body, caller, create):
        changed = dict(file)
        for name in PLAIN_FIELDS:
            if body.get(name) is not None:
                changed[name] = body[name]
        if body.get("mimeType"):
            self._check_type(file, body["mimeType"], create)
            changed["mimeType"] = body["mimeType"]
        touched = {"name", "description"} & set(body)
        if not create and touched:
            changed["modifiedTime"] = self._store.now()
        for name in ("modifiedTime",) + (("createdTime",) if create else ()):
            if body.get(name):
                changed[name] = timestamp(body[name])
        merge_properties(changed, body, caller.client_id)
        return changed

    @staticmethod
    def _check_type(file, wanted, create):
        folderness = (file["mimeType"] == FOLDER) != (wanted == FOLDER)
        if not create and folderness:
            raise DriveError(403, "fieldNotWritable", "mimeType cannot be changed so.")

    def _check_trash(self, file, caller):
        least = "fileOrganizer" if file.get("driveId") else "owner"
        self.access.need(file, caller, least)

    def _moved(self, file, caller, add, remove):
        if file.get("root"):
            raise may_not(file["id"])
        root = self.access.root(caller.email)["id"]
        add = [root if one == "root" else one for one in add]
        remove = [root if one == "root" else one for one in remove]
        left = [one for one in file["parents"] if one not in remove]
        parents = left + [one for one in add if one not in left]
        if not parents:
            parents = [root]
        if len(parents) > 1:
            message = (
                "Increasing the number of parents is not allowed; remove the old one in"
                " the same request."
            )
            raise DriveError(403, "cannotAddParent", message)
        parent = self.access.parent(parents[0], caller)
        if file["id"] in [node["id"] for node in self.access.chain(parent)]:
            raise DriveError(403, "cyclicMemberships", "A folder cannot be in itself.")
        drive_id = parent.get("driveId")
        owner = None if drive_id else (file.get("owner") or caller.email)
        return {"parents": [parent["id"]], "driveId": drive_id, "owner": owner}


def _media_type(body, content_type):
    """The type asked for, else that of the content, else what the name suggests."""
    if body.get("mimeType"):
        return body["mimeType"]
    if content_type not in (None, "", OCTETS):
        return content_type
    return OCTETS if content_type is None else guess_type(body.get("name") or "")


def _with_content(record, blob, digests):
    record = dict(record, blob=blob, **digests.values())
    record["headRevisionId"] = new_id()
    return record
