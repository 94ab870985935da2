"""Permissions of files.

Page "Share files, folders, and drives" of the Drive guides and "permissions" of the
REST reference: who has access is kept on the file; what comes from a folder above or
from a shared drive is shown, but can only be taken away there.
"""
from access import RANK, permission_id
from errors import DriveError, may_not
from schema import need

TYPES = ("user", "group", "domain", "anyone")
ROLES = ("reader", "commenter", "writer", "fileOrganizer", "organizer", "owner")
ROLES_ON_MY_DRIVE = ("reader", "commenter", "writer")


class Sharing:
    """Lists, grants, changes and takes away permissions."""

    def __init__(self, library, shown):
        self._library = library
        self._shown = shown

    def all(self, file, caller):
        """Every permission on a file; for those who may share it.

        :raises DriveError: 403 for mere readers
        """
        self._library.access.need(file, caller, "writer")
        return self._shown.permissions(file, caller)

    def one(self, file, caller, permission_key):
        """One permission.

        :raises DriveError: 404 notFound
        """
        for record in self.all(file, caller):
            if record["id"] == permission_key:
                return record
        raise _not_found(permission_key)

    def create(self, file, caller, body):
        """Grant a role; granting it again changes the role.

        :raises DriveError: 400 for a bad body, 403 for mere readers
        """
        self._need_sharer(file, caller)
        record = self._checked(file, body)
        kept = [one for one in file["permissions"] if one["id"] != record["id"]]
        self._library.replace(file["id"], {"permissions": kept + [record]})
        return record

    def update(self, file, caller, permission_key, body):
        """Change the role of a permission."""
        self._need_sharer(file, caller)
        old = self._own(file, caller, permission_key)
        record = dict(old, role=_role(file, need(body, "role")))
        changed = [record if one is old else one for one in file["permissions"]]
        self._library.replace(file["id"], {"permissions": changed})
        return record

    def delete(self, file, caller, permission_key):
        """Take a permission away; people may always leave by themselves."""
        if permission_key != permission_id(caller.email):
            self._need_sharer(file, caller)
        old = self._own(file, caller, permission_key)
        kept = [one for one in file["permissions"] if one is not old]
        self._library.replace(file["id"], {"permissions": kept})

    def _need_sharer(self, file, caller):
        access = self._library.access
        access.need(file, caller, "writer")
        least = "writer" if file.get("writersCanShare", True) else "owner"
        access.need(file, caller, "writer" if file.get("driveId") else least)

    def _own(self, file, caller, permission_key):
        for record in file["permissions"]:
            if record["id"] == permission_key:
                return record
        if any(one["id"] == permission_key for one in self.all(file, caller)):
            raise may_not(file["id"])
        raise _not_found(permission_key)

    @staticmethod
    def _checked(file, body):
        kind, role = need(body, "type"), need(body, "role")
        if kind not in TYPES:
            raise DriveError(400, "invalid", "The specified type is invalid.", "type")
        record = {"type": kind, "role": _role(file, role)}
        if kind == "anyone":
            if RANK[role] > RANK["writer"]:
                raise DriveError(400, "invalidSharingRequest", "Invalid role")
            record["id"] = "anyoneWithLink"
            record["allowFileDiscovery"] = bool(body.get("allowFileDiscovery"))
        elif kind == "domain":
            record["domain"] = need(body, "domain")
            record["id"] = permission_id(record["domain"]) + "k"
        else:
            record["emailAddress"] = _address(need(body, "emailAddress"))
            record["id"] = permission_id(record["emailAddress"])
        if record["id"] == permission_id(file.get("owner") or ""):
            raise DriveError(400, "invalidSharingRequest", "The owner has access.")
        return record


def _role(file, role):
    if role not in ROLES:
        raise DriveError(400, "invalid", "The specified role is invalid.", "role")
    if role == "owner":
        message = "The transferOwnership parameter must be enabled."
        raise DriveError(403, "forbidden", message, "transferOwnership")
    if not file.get("driveId") and role not in ROLES_ON_MY_DRIVE:
        message = "The role is only for items of shared drives."
        raise DriveError(403, "cannotShareTeamDriveItem", message)
    return role


def _address(text):
    if text.count("@") != 1 or text.startswith("@") or text.endswith("@"):
        message = "The specified emailAddress is invalid or not applicable."
        raise DriveError(400, "invalid", message, "permission.emailAddress", "other")
    return text.lower()


def _not_found(permission_key):
    message = "Permission not found: %s." % permission_key
    return DriveError(404, "notFound", message, "permissionId")
