"""Who sees and may change a file: scopes, owners, sharing, shared drives.

Pages "Choose Drive API scopes", "Roles and permissions" and "Shared drives overview"
of the Drive guides. A file is found by those with a role on it or on a folder above;
``drive.file`` narrows that to what the application itself made.
"""
import hashlib

from errors import DriveError, file_not_found, may_not
from schema import SCOPE_PREFIX

FOLDER = "application/vnd.google-apps.folder"
GOOGLE_TYPES = "application/vnd.google-apps."
SERVICE_ACCOUNT_DOMAIN = ".gserviceaccount.com"
RANK = {
    None: 0,
    "reader": 1,
    "commenter": 2,
    "writer": 3,
    "fileOrganizer": 4,
    "organizer": 5,
    "owner": 6,
}
WIDE_SCOPES = {
    "drive",
    "drive.readonly",
    "drive.metadata",
    "drive.metadata.readonly",
}
CONTENT_SCOPES = {"drive", "drive.readonly", "drive.file", "drive.appdata"}
MAX_DEPTH = 100  # folders above a file; Drive's own limit
NO_OWN_STORAGE = (
    "Service Accounts do not have storage quota. Leverage shared drives"
    " (https://developers.google.com/workspace/drive/api/guides/about-shareddrives),"
    " or use OAuth delegation"
    " (http://support.google.com/a/answer/7281227) instead."
)


class Caller:
    """On whose behalf, through which application and with which scopes."""

    def __init__(self, email, client_id, scopes, all_drives=False):
        self.email = email
        self.client_id = client_id
        self.scopes = {
            scope[len(SCOPE_PREFIX) :]
            for scope in scopes
            if scope.startswith(SCOPE_PREFIX)
        }
        self.all_drives = all_drives
        self.wide = bool(self.scopes & WIDE_SCOPES)

    @property
    def is_service_account(self):
        """Whether it is a service account acting for itself."""
        return self.email.endswith(SERVICE_ACCOUNT_DOMAIN)


def permission_id(text):
    """The stable id of a person or group, twenty digits."""
    digest = hashlib.sha256(text.lower().encode()).hexdigest()
    return "%020d" % (int(digest, 16) % 10**20)


def root_id(email):
    """The id of the folder My Drive of a person."""
    return "0A%sUk9PVA" % hashlib.sha256(email.encode()).hexdigest()[:9]


class Access:
    """Answers about one store."""

    def __init__(self, store):
        self._store = store
        self._own_usage = {}
        self.recount()

    def recount(self):
        """Add up anew what everybody stores."""
        self._own_usage = {}
        for file in self._store.all("files"):
            self.count(file.get("owner"), file.get("size", 0))

    def count(self, email, difference):
        """Keep the sum of a person's bytes; called with the store locked."""
        if email and difference:
            self._own_usage[email] = self.own_usage(email) + difference

    def root(self, email):
        """The record of a person's My Drive, made when first needed."""
        file_id = root_id(email)
        found = self._store.get("files", file_id)
        if found:
            return found
        now = self._store.now()
        record = {
            "id": file_id,
            "name": "My Drive",
            "mimeType": FOLDER,
            "parents": [],
            "owner": email,
            "apps": [],
            "root": True,
            "permissions": [],
            "createdTime": now,
            "modifiedTime": now,
            "version": 1,
        }
        self._store.put("files", file_id, record)
        return record

    def chain(self, file):
        """The file and the folders above it, nearest first."""
        found, seen = [file], 0
        while file["parents"] and seen < MAX_DEPTH:
            file = self._store.get("files", file["parents"][0])
            if file is None:
                break
            found.append(file)
            seen += 1
        return found

    def role(self, file, caller, links=True):
        """The best role of the caller on a file, or None.

        :param bool links: count what anyone with the link may do
        """
        if file.get("owner") == caller.email:
            return "owner"
        best = None
        if file.get("driveId"):
            best = self.members(file["driveId"]).get(caller.email)
        for node in self.chain(file):
            roles = [best, *_granted(node, caller.email, links)]
            best = max(roles, key=RANK.__getitem__)
        return best

    def members(self, drive_id):
        """Address -> role of the members of a shared drive."""
        drive = self._store.get("drives", drive_id)
        return drive["members"] if drive else {}

    def trashed(self, file):
        """In the trash by itself or with a folder above it."""
        return any(node.get("trashed") for node in self.chain(file))

    def sees(self, file, caller, links=True):
        """Whether the caller can find the file at all."""
        if file.get("driveId") and not caller.all_drives:
            return False
        if not caller.wide and caller.client_id not in file["apps"]:
            return False
        return self.role(file, caller, links) is not None

    def find(self, file_id, caller):
        """The file, or a 404 that does not tell whether it exists.

        :raises DriveError: 404 notFound
        """
        if file_id == "root":
            file_id = self.root(caller.email)["id"]
        file = self._store.get("files", file_id)
        if file is None or not self.sees(file, caller):
            raise file_not_found(file_id)
        return file

    def need(self, file, caller, least):
        """Refuse a caller whose role is below the least one.

        :raises DriveError: 403 insufficientFilePermissions
        """
        if RANK[self.role(file, caller)] < RANK[least]:
            raise may_not(file["id"])

    def parent(self, file_id, caller):
        """A folder to put something into.

        The root of My Drive and of a shared drive may be used by every application.

        :raises DriveError: 404 unknown, 403 not a folder or not writable
        """
        if file_id == "root":
            return self.root(caller.email)
        file = self._store.get("files", file_id)
        if file is None:
            raise file_not_found(file_id)
        if not file.get("root") or (file.get("driveId") and not caller.all_drives):
            file = self.find(file_id, caller)
        if self.role(file, caller) is None:
            raise file_not_found(file_id)
        if file["mimeType"] != FOLDER:
            message = "The specified parent is not a folder."
            raise DriveError(403, "parentNotAFolder", message)
        if RANK[self.role(file, caller)] < RANK["writer"]:
            message = "Insufficient permissions for the specified parent."
            raise DriveError(403, "insufficientParentPermissions", message)
        return file

    def check_quota(self, email, more):
        """Refuse bytes that do not fit into a person's storage.

        :raises DriveError: 403 storageQuotaExceeded
        """
        if email.endswith(SERVICE_ACCOUNT_DOMAIN):
            raise DriveError(403, "storageQuotaExceeded", NO_OWN_STORAGE)
        limit = self.limit(email)
        if limit is not None and self.usage(email) + more > limit:
            message = "The user's Drive storage quota has been exceeded."
            raise DriveError(403, "storageQuotaExceeded", message)

    def limit(self, email):
        """Bytes a person may store, or None."""
        return self._quota(email).get("limit", 15 * 1024**3)

    def usage(self, email):
        """Bytes a person stores, the trash included."""
        return self._quota(email).get("other_usage", 0) + self.own_usage(email)

    def own_usage(self, email):
        """Bytes of the files here that count against a person."""
        return self._own_usage.get(email, 0)

    def _quota(self, email):
        default = self._store.get("users", "*") or {}
        return dict(default, **(self._store.get("users", email) or {}))


def _granted(node, email, links):
    for permission in node["permissions"]:
        if permission.get("emailAddress") == email:
            yield permission["role"]
        elif links and permission["type"] == "anyone":
            yield permission["role"]
