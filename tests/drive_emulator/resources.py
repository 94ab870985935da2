"""Records as Drive shows them: the File, Permission, User and Drive resources.

Page "files" of the REST reference. Every field is a function of a file and its viewer,
so only what a selection asks for is computed.
"""
import mimetypes
from datetime import datetime, timezone

from access import FOLDER, GOOGLE_TYPES, RANK, permission_id
from digests import sha256
from properties import app_properties

WEB = "https://drive.google.com/"
_FILE = "kind,id,name,mimeType,driveId,teamDriveId"
_PERMISSION = "kind,id,type,role,allowFileDiscovery"
DEFAULT_FIELDS = {
    "File": _FILE,
    "FileList": "kind,incompleteSearch,nextPageToken,files(%s)" % _FILE,
    "Permission": _PERMISSION,
    "PermissionList": "kind,nextPageToken,permissions(%s)" % _PERMISSION,
    "Drive": "kind,id,name",
    "DriveList": "kind,nextPageToken,drives(kind,id,name)",
}
CAPABILITIES = {
    "canAddChildren": "writer",
    "canComment": "commenter",
    "canCopy": "reader",
    "canDelete": "owner",
    "canDownload": "reader",
    "canEdit": "writer",
    "canListChildren": "reader",
    "canModifyContent": "writer",
    "canReadRevisions": "writer",
    "canRename": "writer",
    "canShare": "writer",
    "canTrash": "owner",
    "canUntrash": "owner",
}


def rfc3339(seconds):
    """A time as Drive writes it, UTC with milliseconds."""
    moment = datetime.fromtimestamp(round(seconds, 3), tz=timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (
        moment.microsecond // 1000
    )


def user(email, viewer):
    """A User resource."""
    return {
        "kind": "drive#user",
        "displayName": email.partition("@")[0],
        "me": email == viewer,
        "permissionId": permission_id(email),
        "emailAddress": email,
    }


def permission(record, in_drive=False):
    """A Permission resource."""
    shown = {
        "kind": "drive#permission",
        "id": record["id"],
        "type": record["type"],
        "role": record["role"],
    }
    if record["type"] in ("user", "group"):
        shown["emailAddress"] = record["emailAddress"]
        shown["displayName"] = record["emailAddress"].partition("@")[0]
        shown["deleted"] = False
        shown["pendingOwner"] = False
    else:
        shown["allowFileDiscovery"] = record.get("allowFileDiscovery", False)
    if record["type"] == "domain":
        shown["domain"] = record["domain"]
        shown["displayName"] = record["domain"]
    if in_drive:
        inherited = record.get("inheritedFrom")
        detail = {
            "permissionType": "member" if inherited else "file",
            "role": record["role"],
            "inherited": bool(inherited),
        }
        if inherited:
            detail["inheritedFrom"] = inherited
        shown["permissionDetails"] = [detail]
    return shown


def drive(record, viewer):
    """A Drive resource."""
    return {
        "kind": "drive#drive",
        "id": record["id"],
        "name": record["name"],
        "createdTime": rfc3339(record["createdTime"]),
        "hidden": False,
        "capabilities": {
            "canAddChildren": RANK[record["members"].get(viewer)] >= RANK["writer"],
            "canListChildren": viewer in record["members"],
        },
    }


class Files:
    """Shows files to a caller.

    :param access: who may do what
    :param function blob_path: where a content is on disk
    """

    def __init__(self, access, blob_path):
        self._access = access
        self.blob_path = blob_path

    def show(self, file, caller, wanted=None):
        """A File resource with the wanted top-level fields, or all that are set."""
        shown = {}
        for name in FIELDS if wanted is None else wanted:
            getter = FIELDS.get(name)
            value = getter(self, file, caller) if getter else None
            if value is not None:
                shown[name] = value
        return shown

    def permissions(self, file, caller):
        """The permissions on a file: its own, those from above, and the owner's."""
        found = {}
        for node in reversed(self._access.chain(file)):
            for record in node["permissions"]:
                found[record["id"]] = record
        owner = file.get("owner")
        if owner:
            key = permission_id(owner)
            found[key] = {
                "id": key,
                "type": "user",
                "role": "owner",
                "emailAddress": owner,
            }
        for email, role in self._members(file).items():
            key = permission_id(email)
            found.setdefault(
                key,
                {
                    "id": key,
                    "type": "user",
                    "role": role,
                    "emailAddress": email,
                    "inheritedFrom": file["driveId"],
                },
            )
        return list(found.values())

    def _members(self, file):
        if not file.get("driveId"):
            return {}
        return self._access.members(file["driveId"])

    def capabilities(self, file, caller):
        """What the caller may do, as far as the emulator models it."""
        rank = RANK[self._access.role(file, caller)]
        in_drive = bool(file.get("driveId"))
        answer = {}
        for name, least in CAPABILITIES.items():
            if in_drive and least == "owner":
                least = "organizer" if name == "canDelete" else "fileOrganizer"
            answer[name] = rank >= RANK[least]
        return answer

    def shared(self, file, caller):
        """Whether anyone but the owner has a role."""
        return any(one["role"] != "owner" for one in self.permissions(file, caller))


def _blob(key, text=str):
    def show(_files, file, _caller):
        return text(file[key]) if "blob" in file else None

    return show


def _plain(key):
    return lambda _files, file, _caller: file.get(key)


def _time(key):
    def show(_files, file, _caller):
        return rfc3339(file[key]) if file.get(key) is not None else None

    return show


def _mine_only(value):
    """Fields that items of a shared drive do not have."""

    def show(files, file, caller):
        return None if file.get("driveId") else value(files, file, caller)

    return show


def _sha256(files, file, _caller):
    return sha256(files.blob_path(file["blob"])) if "blob" in file else None


def _extension(_files, file, _caller):
    if "blob" not in file:
        return None
    _stem, dot, extension = file["name"].rpartition(".")
    return extension if dot else ""


def _web_view(_files, file, _caller):
    if file["mimeType"] == FOLDER:
        return WEB + "drive/folders/" + file["id"]
    return "%sfile/d/%s/view?usp=drivesdk" % (WEB, file["id"])


def _web_content(_files, file, _caller):
    if "blob" not in file:
        return None
    return "%suc?id=%s&export=download" % (WEB, file["id"])


def _permissions(files, file, caller):
    if RANK[files._access.role(file, caller)] < RANK["writer"]:
        return None
    return [permission(one) for one in files.permissions(file, caller)]


def _last_user(_files, file, caller):
    return user(file["lastUser"], caller.email) if file.get("lastUser") else None


def _properties(_files, file, _caller):
    return file.get("properties") or None


FIELDS = {
    "kind": lambda _files, _file, _caller: "drive#file",
    "id": _plain("id"),
    "name": _plain("name"),
    "mimeType": _plain("mimeType"),
    "description": _plain("description"),
    "starred": lambda _files, file, _caller: bool(file.get("starred")),
    "trashed": lambda files, file, _caller: files._access.trashed(file),
    "explicitlyTrashed": lambda _files, file, _caller: bool(file.get("trashed")),
    "trashedTime": lambda _files, file, _caller: (
        rfc3339(file["trashedTime"])
        if file.get("driveId") and file.get("trashedTime")
        else None
    ),
    "parents": lambda _files, file, _caller: list(file["parents"]) or None,
    "properties": _properties,
    "appProperties": lambda _files, file, caller: (
        app_properties(file, caller.client_id) or None
    ),
    "spaces": lambda _files, _file, _caller: ["drive"],
    "version": lambda _files, file, _caller: str(file["version"]),
    "webContentLink": _web_content,
    "webViewLink": _web_view,
    "iconLink": lambda _files, file, _caller: (
        "https://drive-thirdparty.googleusercontent.com/16/type/" + file["mimeType"]
    ),
    "hasThumbnail": lambda _files, _file, _caller: False,
    "thumbnailVersion": lambda _files, _file, _caller: "0",
    "viewedByMe": lambda _files, file, caller: file.get("lastUser") == caller.email,
    "createdTime": _time("createdTime"),
    "modifiedTime": _time("modifiedTime"),
    "modifiedByMe": lambda _files, file, caller: file.get("lastUser") == caller.email,
    "sharedWithMeTime": lambda _files, _file, _caller: None,
    "driveId": _plain("driveId"),
    "teamDriveId": _plain("driveId"),
    "lastModifyingUser": _last_user,
    "owners": _mine_only(
        lambda _files, file, caller: [user(file["owner"], caller.email)]
    ),
    "ownedByMe": _mine_only(lambda _files, file, caller: file["owner"] == caller.email),
    "shared": _mine_only(lambda files, file, caller: files.shared(file, caller)),
    "capabilities": lambda files, file, caller: files.capabilities(file, caller),
    "viewersCanCopyContent": lambda _files, _file, _caller: True,
    "copyRequiresWriterPermission": lambda _files, file, _caller: (
        file.get("copyRequiresWriterPermission", False)
    ),
    "writersCanShare": _mine_only(
        lambda _files, file, _caller: file.get("writersCanShare", True)
    ),
    "permissions": _mine_only(_permissions),
    "permissionIds": lambda files, file, caller: [
        one["id"] for one in files.permissions(file, caller)
    ],
    "originalFilename": _blob("originalFilename"),
    "fullFileExtension": _extension,
    "fileExtension": _extension,
    "md5Checksum": _blob("md5Checksum"),
    "sha1Checksum": _blob("sha1Checksum"),
    "sha256Checksum": _sha256,
    "size": _blob("size"),
    "quotaBytesUsed": lambda _files, file, _caller: str(file.get("size", 0)),
    "headRevisionId": _blob("headRevisionId"),
    "isAppAuthorized": lambda _files, file, caller: caller.client_id in file["apps"],
}


def guess_type(name):
    """The media type Drive would find for a file name."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def is_google_type(mime_type):
    """A type whose files have no bytes of their own (folders, documents)."""
    return mime_type.startswith(GOOGLE_TYPES)
