"""The Drive v3 API, as far as the addon needs it.

One :class:`DriveClient` serves one account in one process. It may be used by many threads:
the service object only builds requests, each thread sends them over a transport of its own
(httplib2 is not thread-safe), and the rate limit is shared.
"""

import functools
import threading

import httplib2
from google.auth.transport.requests import AuthorizedSession
from google_auth_httplib2 import AuthorizedHttp

from .answers import a_file, a_page, an_object, decoded, noise
from .batch import GET_BATCH, BatchGet
from .errors import ConflictError
from .query import FOLDER_TYPE, folder_named
from .retry import Retrier
from .transport import (
    ReadOnlyHttp,
    ReadOnlySession,
    TokenCredentials,
    Watcher,
    sent,
    service_for,
    service_from_root,
    translated,
)

GOOGLE_API_ROOT = "https://www.googleapis.com/"
TIMEOUT = 60  # seconds without a byte, for connecting and for reading
FILE_FIELDS = (
    "id,name,mimeType,size,md5Checksum,sha1Checksum,trashed,parents,appProperties,"
    "webViewLink,createdTime,modifiedTime,driveId"
)
LIST_FIELDS = (
    "id,name,mimeType,size,md5Checksum,sha1Checksum,trashed,parents,appProperties,"
    "createdTime,permissionIds"
)
ID_BATCH = 1000  # most ids that one generateIds gives
PAGE_SIZE = 1000  # most files that one list gives


class DriveClient:
    """Google Drive for one account.

    Every method raises :class:`~.errors.DriveError` or one of its kinds.

    :param token_source: see :class:`TokenCredentials`
    :param str api_root: root URL of Google's APIs
    :param Retrier retrier: keeps to the rate limit and repeats
    :param str shared_drive_id: list and create in this shared drive, when set
    :param float timeout: seconds without a byte, for connecting and for reading
    :param bool read_only: refuse to send what would change Drive
    """

    def __init__(
        self,
        token_source,
        api_root=GOOGLE_API_ROOT,
        retrier=None,
        shared_drive_id=None,
        timeout=TIMEOUT,
        read_only=False,
    ):
        self.api_root = api_root.rstrip("/") + "/"
        self.retrier = retrier or Retrier()
        self.shared_drive_id = shared_drive_id or None
        self.timeout = timeout
        self.service = service_for(self.api_root)
        self.files = self.service.files()  # made anew at each call, for milliseconds
        self._http_class = ReadOnlyHttp if read_only else AuthorizedHttp
        self._session_class = ReadOnlySession if read_only else AuthorizedSession
        self._token_source = token_source
        self._local = threading.local()

    def http(self):
        """The httplib2 transport of this thread, with the token in it."""
        if not hasattr(self._local, "http"):
            self._local.http = self._http_class(
                TokenCredentials(self._token_source),
                http=httplib2.Http(timeout=self.timeout),
            )
        return self._local.http

    def session(self):
        """The requests session of this thread, with the token in it; it can stream."""
        if not hasattr(self._local, "session"):
            self._local.session = self._session_class(
                TokenCredentials(self._token_source), max_refresh_attempts=1
            )
        return self._local.session

    def bound_service(self):
        """The service with this thread's transport in it, for code of your own."""
        return service_from_root(self.api_root, self.http())

    def guard(self, func):
        """Call ``func()`` once and translate what the libraries raise.

        Where the retrier can be stopped, it is stopped in the middle of a request too.

        :raises DriveError: instead of what the libraries raise
        """
        if not self.retrier.can_stop:
            return translated(func)
        if not hasattr(self._local, "watcher"):
            self._local.watcher = Watcher(self.retrier.check)
        return self._local.watcher.call(functools.partial(translated, func))

    def execute(self, request):
        """Send a request of the service, within the rate limit and repeated.

        :param request: ``googleapiclient.http.HttpRequest``; its own ``execute`` does not
            survive each answer that a proxy may give
        :return: the decoded answer, None when it is empty
        :raises DriveError: a refusal, or no answer of Google's
        """
        return self._execute(request, lambda answer: answer)

    def _execute(self, request, checked):
        """:param checked: returns the answer, or raises when it is not what was asked for"""

        def send():
            """One request."""
            response, content = sent(self.http(), request)
            return checked(decoded(response.status, response, content))

        return self.retrier.call(lambda: self.guard(send))

    def execute_file(self, request):
        """Send a request whose answer is the metadata of a file.

        :rtype: dict
        """
        return self._execute(request, a_file)

    # -- the account ---------------------------------------------------------------------

    def about(self):
        """Who the account is and its quota (``user``, ``storageQuota``)."""
        return self._execute(
            self.service.about().get(
                fields="user(displayName,emailAddress,permissionId),storageQuota"
            ),
            lambda answer: an_object(answer, user=dict),
        )

    # -- files ---------------------------------------------------------------------------

    def generate_ids(self, count):
        """Reserve ids for files to be created.

        :rtype: list[str]
        """
        ids = []
        while len(ids) < count:
            batch = min(ID_BATCH, count - len(ids))
            request = self.files.generateIds(count=batch, space="drive")
            ids += self._execute(request, functools.partial(_new_ids, batch))
        return ids

    def get(self, file_id, fields=FILE_FIELDS):
        """Metadata of a file, also of a trashed one."""
        if "id" not in fields.split(","):
            fields = "id," + fields  # an answer without it is none of Drive's
        return self.execute_file(
            self.files.get(fileId=file_id, fields=fields, supportsAllDrives=True)
        )

    def get_many(self, file_ids, fields=FILE_FIELDS):
        """Metadata of many files, at one request per 100 (the batch endpoint's limit).

        :param file_ids: ids, each asked for once
        :return: by id; absent is what is not there, or refused for this file alone
        :rtype: dict[str, dict]
        """
        found, left = {}, list(dict.fromkeys(file_ids))
        while left:
            chunk, left = left[:GET_BATCH], left[GET_BATCH:]
            found.update(BatchGet(self, chunk, fields).answers())
        return found

    def update(self, file_id, fields=FILE_FIELDS, **body):
        """Change metadata: ``name``, ``trashed``, ``appProperties``…"""
        return self.execute_file(
            self.files.update(
                fileId=file_id, body=body, fields=fields, supportsAllDrives=True
            )
        )

    def move(self, file_id, new_parent, old_parents):
        """Put a file below another folder."""
        return self.execute_file(
            self.files.update(
                fileId=file_id,
                addParents=new_parent,
                removeParents=",".join(old_parents),
                fields=FILE_FIELDS,
                supportsAllDrives=True,
            )
        )

    def delete(self, file_id):
        """Delete a file for good, past the trash."""
        return self.execute(self.files.delete(fileId=file_id, supportsAllDrives=True))

    def copy(self, file_id, **body):
        """Copy a file on Drive's side; return the copy's metadata."""
        return self.execute_file(
            self.files.copy(
                fileId=file_id, body=body, fields=FILE_FIELDS, supportsAllDrives=True
            )
        )

    def list(self, query, fields=LIST_FIELDS, page_size=PAGE_SIZE):
        """Iterate over the files that match ``query`` (see :mod:`.query`)."""
        for files, _token in self.pages(query, fields, page_size):
            yield from files

    def pages(self, query, fields=LIST_FIELDS, page_size=PAGE_SIZE, token=None):
        """As :meth:`list`, page by page.

        :param str token: go on there
        :return: iterator of a page's files, and the token of the next one
        :raises InvalidRequestError: the token is not good any more
        """
        arguments = {
            "q": query,
            "pageSize": page_size,
            "fields": "nextPageToken,files(%s)" % fields,
            "supportsAllDrives": True,
            "includeItemsFromAllDrives": True,
        }
        if self.shared_drive_id:
            arguments.update(corpora="drive", driveId=self.shared_drive_id)
        if token:
            arguments["pageToken"] = token
        while True:
            files, token = self._execute(self.files.list(**arguments), a_page)
            yield files, token
            if not token:
                return
            arguments["pageToken"] = token

    # -- folders -------------------------------------------------------------------------

    def root_id(self):
        """Id of the folder everything lives below."""
        return self.shared_drive_id or "root"

    def create_folder(self, name, parent_id, **body):
        """Create a folder; return its metadata."""
        body.update(
            id=self.generate_ids(1)[0],  # a repeated request makes no second one
            name=name,
            mimeType=FOLDER_TYPE,
            parents=[parent_id],
        )
        request = self.files.create(
            body=body, fields=FILE_FIELDS, supportsAllDrives=True
        )
        try:
            return self.execute_file(request)
        except ConflictError:
            return self.get(body["id"])

    def find_folder(self, name, parent_id):
        """The oldest live folder of that name below ``parent_id``, or None."""
        found = list(self.list(folder_named(name, parent_id)))
        return min(found, key=lambda f: f["createdTime"], default=None)

    # -- permissions ---------------------------------------------------------------------

    def permissions(self, file_id):
        """Permissions of a file: ``id``, ``type``, ``role``, ``emailAddress``."""
        answer = self._execute(
            self.service.permissions().list(
                fileId=file_id,
                fields="permissions(id,type,role,emailAddress)",
                supportsAllDrives=True,
            ),
            an_object,
        )
        return [an_object(one, id=str) for one in answer.get("permissions") or []]

    def share(self, file_id, email, role="reader"):
        """Let another account read a file, without a mail to it; return the id."""
        answer = self._execute(
            self.service.permissions().create(
                fileId=file_id,
                body={"type": "user", "role": role, "emailAddress": email},
                sendNotificationEmail=False,
                supportsAllDrives=True,
                fields="id",
            ),
            a_file,
        )
        return answer["id"]

    def unshare(self, file_id, permission_id):
        """Take a permission away."""
        return self.execute(
            self.service.permissions().delete(
                fileId=file_id, permissionId=permission_id, supportsAllDrives=True
            )
        )


def _new_ids(count, answer):
    """As many ids as were asked for: a set would be too short if one came twice."""
    ids = an_object(answer, ids=list)["ids"]
    if len(set(map(str, ids))) != count or not all(isinstance(one, str) for one in ids):
        raise noise()
    return ids
