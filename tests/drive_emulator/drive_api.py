"""The Drive v3 API over HTTP: which request is which method, checked, then answered.

Paths, methods and parameters come from the discovery document; see ``schema``. A call
is checked in this order: a live token, the parameters, the scope, then the method.
"""
import re

import media
from access import CONTENT_SCOPES, Caller
from call import Call
from errors import DriveError
from http_message import Response, json_response
from library import Library
from listing import Listing
from resources import DEFAULT_FIELDS
from resources import Files as ShownFiles
from resources import drive as shown_drive
from resources import permission as shown_permission
from resources import user as shown_user
from schema import need, one_of
from selector import Selector, apply, names
from sharing import Sharing
from uploads import Uploads

FILE = r"/files/(?P<fileId>[^/]+)"
PERMISSION = FILE + r"/permissions/(?P<permissionId>[^/]+)"
ROUTES = (
    ("GET", r"/about", "about", "about.get"),
    ("GET", r"/files/generateIds", "files.generateIds", "files.generateIds"),
    ("GET", r"/files", "files.list", "files.list"),
    ("POST", r"/files", "files.create", "files.create"),
    ("GET", FILE, "files.get", "files.get"),
    ("PATCH", FILE, "files.update", "files.update"),
    ("DELETE", FILE, "files.delete", "files.delete"),
    ("POST", FILE + r"/copy", "files.copy", "files.copy"),
    ("GET", FILE + r"/permissions", "permissions.list", "permissions.list"),
    ("POST", FILE + r"/permissions", "permissions.create", "permissions.create"),
    ("GET", PERMISSION, "permissions.get", "permissions.get"),
    ("PATCH", PERMISSION, "permissions.update", "permissions.update"),
    ("DELETE", PERMISSION, "permissions.delete", "permissions.delete"),
    ("GET", r"/drives", "drives.list", "drives.list"),
    ("GET", r"/drives/(?P<driveId>[^/]+)", "drives.get", "drives.get"),
)
UPLOAD_ROUTES = (
    ("POST", r"/files", "files.create"),
    ("PATCH", FILE, "files.update"),
)
UPLOAD_TYPES = {
    "resumable": "files.upload.start",
    "multipart": "files.upload.multipart",
    "media": "files.upload.media",
}
API, UPLOAD_API = "/drive/v3", "/upload/drive/v3"
STATUS_QUERY = re.compile(r"bytes \*/")
BEARER = re.compile(r"Bearer +(\S+)\Z", re.I)
GENERATED_TYPES = ("files", "shortcuts")


class DriveApi:
    """Finds and answers Drive requests."""

    def __init__(self, store, discovery, accounts):
        self._store = store
        self._accounts = accounts
        self.discovery = discovery
        self.library = Library(store, discovery)
        self.shown = ShownFiles(self.library.access, store.blob_path)
        self.uploads = Uploads(store, self.library)
        self._listing = Listing(store, self.library, self.shown)
        self._sharing = Sharing(self.library, self.shown)
        self._selector = Selector(discovery.schemas)
        self._routes = [
            (verb, re.compile(API + path + r"\Z"), route, method)
            for verb, path, route, method in ROUTES
        ]
        self._upload_routes = [
            (verb, re.compile(UPLOAD_API + path + r"\Z"), method)
            for verb, path, method in UPLOAD_ROUTES
        ]

    def find(self, request):
        """Name the route of a request and return what handles it, or None."""
        if request.raw_path.startswith(UPLOAD_API):
            return self._find_upload(request)
        verb = "GET" if request.method == "HEAD" else request.method
        for wanted, path, route, method in self._routes:
            match = path.match(request.raw_path)
            if wanted != verb or not match:
                continue
            if method == "files.get" and request.query.get("alt") == "media":
                route = "files.media"
            request.route = route
            work = getattr(self, "_" + method.replace(".", "_").lower())
            return self._handler(method, match.groupdict(), work)
        return None

    def _find_upload(self, request):
        upload_id = request.query.get("upload_id")
        if upload_id and request.method in ("PUT", "POST", "DELETE"):
            return self._find_session(request, upload_id)
        for wanted, path, method in self._upload_routes:
            match = path.match(request.raw_path)
            if wanted == request.method and match:
                kind = request.query.get("uploadType", "media")
                request.route = UPLOAD_TYPES.get(kind, "files.upload.media")
                if method == "files.update" and kind != "resumable":
                    request.route = "files.update"
                return self._handler(method, match.groupdict(), self._upload)
        return None

    def _find_session(self, request, upload_id):
        asks = STATUS_QUERY.match(request.headers.get("content-range", ""))
        request.route = "files.upload.status" if asks else "files.upload.chunk"
        if request.method == "DELETE":
            request.route = "files.upload.status"
            return lambda request: self.uploads.cancel(upload_id)

        def work(request):
            if "authorization" in request.headers:
                self.token(request)
            return self.uploads.go_on(request, upload_id, self._show_uploaded)

        return work

    def _show_uploaded(self, file, caller, fields):
        tree = self.tree(fields, "files.create")
        return json_response(apply(tree, self.shown.show(file, caller, names(tree))))

    def tree(self, fields, method):
        """The compiled selection of a call's answer."""
        schema = self.discovery.response(method)
        if schema is None:
            return None
        text = fields or DEFAULT_FIELDS.get(schema, "*")
        return self._selector.compile(text, schema)

    def _handler(self, method, arguments, work):
        def handle(request):
            token = self.token(request)
            values = self.discovery.query(method, request.pairs)
            values["scopes"] = token["scopes"]
            all_drives = values.get("supportsAllDrives") or values.get(
                "supportsTeamDrives", False
            )
            caller = Caller(
                token["email"], token["client_id"], token["scopes"], all_drives
            )
            if not caller.scopes & self.discovery.scopes(method):
                raise _scope_refusal()
            call = Call(self, request, method, arguments, caller, values)
            if "fileId" in arguments:
                call.file = self.library.access.find(arguments["fileId"], caller)
            return work(call)

        return handle

    def token(self, request):
        """The live token a request brings.

        :raises DriveError: 401
        """
        header = request.headers.get("authorization")
        if not header:
            message = "Login Required."
            raise DriveError(401, "required", message, "Authorization", "header")
        match = BEARER.match(header)
        token = self._accounts.live_access(match.group(1)) if match else None
        if token is None:
            message = "Invalid Credentials"
            raise DriveError(401, "authError", message, "Authorization", "header")
        return token

    def _about_get(self, call):
        if not call.values.get("fields"):
            message = "The 'fields' parameter is required for this method."
            raise DriveError(400, "required", message, "fields")
        email, access = call.caller.email, self.library.access
        usage, limit = access.usage(email), access.limit(email)
        quota = {
            "usage": str(usage),
            "usageInDrive": str(access.own_usage(email)),
            "usageInDriveTrash": str(self._trash_usage(email)),
        }
        if call.caller.is_service_account:
            quota["limit"] = "0"
        elif limit is not None:
            quota["limit"] = str(limit)
        return call.answer(
            {
                "kind": "drive#about",
                "user": shown_user(email, email),
                "storageQuota": quota,
                "appInstalled": True,
                "canCreateDrives": not call.caller.is_service_account,
                "canCreateTeamDrives": not call.caller.is_service_account,
                "maxUploadSize": "5497558138880",
                "importFormats": {},
                "exportFormats": {},
                "maxImportSizes": {},
                "folderColorPalette": ["#ac725e", "#d06b64"],
                "driveThemes": [],
                "teamDriveThemes": [],
            }
        )

    def _trash_usage(self, email):
        access = self.library.access
        return sum(
            file.get("size", 0)
            for file in self._store.all("files")
            if file.get("owner") == email and access.trashed(file)
        )

    def _files_generateids(self, call):
        one_of(call.values, "space", ("drive", "appDataFolder"))
        one_of(call.values, "type", GENERATED_TYPES)
        ids = self.library.generate_ids(call.values["count"], call.caller.email)
        space = call.values["space"]
        return call.answer({"kind": "drive#generatedIds", "space": space, "ids": ids})

    def _files_list(self, call):
        return json_response(self._listing.answer(call))

    def _files_create(self, call):
        if call.values.get("uploadType"):
            message = "Uploads must be sent to the upload URL."
            raise DriveError(400, "wrongUrlForUpload", message)
        return call.answer_file(self._created(call, call.body()))

    def _created(self, call, body):
        return self.library.add(self.library.prepare(body, call.caller))

    def _files_get(self, call):
        if call.request.route != "files.media":
            return call.answer_file(call.file)
        if not call.caller.scopes & CONTENT_SCOPES:
            raise _scope_refusal()
        return media.download(self._store, call.file, call.request.headers.get("range"))

    def _files_update(self, call):
        body = call.body()
        call.need_writer()
        changes = self.library.changes(
            call.file, body, call.caller, call.add_parents, call.remove_parents
        )
        return call.answer_file(self.library.replace(call.file["id"], changes))

    def _files_delete(self, call):
        least = "organizer" if call.file.get("driveId") else "owner"
        self.library.access.need(call.file, call.caller, least)
        self.library.remove(call.file)
        return Response(204)

    def _files_copy(self, call):
        return call.answer_file(self.library.copy(call.file, call.body(), call.caller))

    def _upload(self, call):
        one_of(call.values, "uploadType", tuple(UPLOAD_TYPES))
        kind = call.values.get("uploadType", "media")
        if kind == "resumable":
            return self.uploads.start(call)
        if kind == "multipart":
            return call.answer_file(self.uploads.multipart(call))
        return call.answer_file(self.uploads.simple(call))

    def _permissions_list(self, call):
        found = self._sharing.all(call.file, call.caller)
        in_drive = bool(call.file.get("driveId"))
        shown = [shown_permission(one, in_drive) for one in found]
        return call.answer({"kind": "drive#permissionList", "permissions": shown})

    def _permissions_get(self, call):
        key = call.arguments["permissionId"]
        return self._answer_permission(
            call, self._sharing.one(call.file, call.caller, key)
        )

    def _permissions_create(self, call):
        body = call.body()
        return self._answer_permission(
            call, self._sharing.create(call.file, call.caller, body)
        )

    def _permissions_update(self, call):
        key, body = call.arguments["permissionId"], call.body()
        return self._answer_permission(
            call, self._sharing.update(call.file, call.caller, key, body)
        )

    def _permissions_delete(self, call):
        self._sharing.delete(call.file, call.caller, call.arguments["permissionId"])
        return Response(204)

    @staticmethod
    def _answer_permission(call, record):
        return call.answer(shown_permission(record, bool(call.file.get("driveId"))))

    def _drives_list(self, call):
        email = call.caller.email
        shown = [
            shown_drive(record, email)
            for record in self._store.all("drives")
            if email in record["members"]
        ]
        return call.answer({"kind": "drive#driveList", "drives": shown})

    def _drives_get(self, call):
        drive_id = need(call.arguments, "driveId")
        record = self._store.get("drives", drive_id)
        if record is None or call.caller.email not in record["members"]:
            message = "Shared drive not found: %s" % drive_id
            raise DriveError(404, "notFound", message, "driveId")
        return call.answer(shown_drive(record, call.caller.email))


def _scope_refusal():
    message = "Request had insufficient authentication scopes."
    return DriveError(403, "insufficientPermissions", message)
