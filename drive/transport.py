"""How requests reach Google, and what becomes of the libraries' errors."""

import concurrent.futures
import functools
import http.client
import json
import queue
import threading
import weakref

import google.auth.credentials
import google_auth_httplib2
import httplib2
import requests
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport.requests import AuthorizedSession
from googleapiclient import discovery_cache
from googleapiclient.discovery import build_from_document
from googleapiclient.errors import HttpError

from .answers import noise
from .errors import AuthError, ReadOnlyError, TransientError, from_response
from .retry import LOOK_SECONDS

NETWORK_ERRORS = (
    OSError,
    http.client.HTTPException,
    httplib2.HttpLib2Error,
    requests.RequestException,
)

#: What httplib2 raises for some headers and bodies (an empty one that is called gzip).
CONFUSED = (ValueError, LookupError, TypeError, AttributeError)


class TokenCredentials(google.auth.credentials.Credentials):
    """Access tokens for google-auth, taken from wherever the account keeps them.

    :param token_source: object with ``token() -> str`` and ``renew(stale) -> str``, both
        callable from any thread
    """

    def __init__(self, token_source):
        super().__init__()
        self._source = token_source
        self.token = None

    @property
    def expired(self):
        """Expiry is the source's affair: it hands out live tokens only."""
        return False

    @property
    def valid(self):
        """False until the first token was taken."""
        return self.token is not None

    def refresh(self, request):
        """Take a token; after a 401, another than the refused one."""
        if self.token is None:
            self.token = self._source.token()
        else:
            self.token = self._source.renew(self.token)


def _check_only_reads(method, uri):
    """:raises ReadOnlyError: a request would change Drive, whoever made it"""
    # the batches of this package hold nothing but files.get
    if method not in ("GET", "HEAD") and "/batch/" not in uri:
        raise ReadOnlyError(
            "This client may only read, and would have sent a %s" % method
        )


class ReadOnlyHttp(google_auth_httplib2.AuthorizedHttp):
    """The httplib2 transport of a client that must not change Drive."""

    def request(self, uri, method="GET", *args, **kwargs):
        """Send what only reads.

        :raises ReadOnlyError: it does more
        """
        _check_only_reads(method, uri)
        return super().request(uri, method, *args, **kwargs)


class ReadOnlySession(AuthorizedSession):
    """The requests session of a client that must not change Drive."""

    def request(self, method, url, *args, **kwargs):
        """Send what only reads.

        :raises ReadOnlyError: it does more
        """
        _check_only_reads(method.upper(), url)
        return super().request(method, url, *args, **kwargs)


@functools.lru_cache(maxsize=8)
def service_for(api_root):
    """The service that builds requests, the same for all threads."""
    return service_from_root(api_root, httplib2.Http())


def service_from_root(api_root, http):
    """The Drive service for an API root, from the discovery document that is shipped.

    ``client_options.api_endpoint`` does not reach media uploads, the document's
    ``rootUrl`` does.
    """
    document = json.loads(discovery_cache.get_static_doc("drive", "v3"))
    document["rootUrl"] = api_root.rstrip("/") + "/"
    document["baseUrl"] = document["rootUrl"] + document["servicePath"]
    document.pop("mtlsRootUrl", None)
    return build_from_document(document, http=http)


def sent(transport, request):
    """Send a request of googleapiclient, once.

    :param transport: as httplib2's ``Http``
    :return: its response and the body
    :raises TransientError: httplib2 can not make sense of the answer's headers
    """
    try:
        return transport.request(
            request.uri,
            method=request.method,
            body=request.body,
            headers=request.headers,
        )
    except CONFUSED as err:
        raise noise() from err


def translated(func):
    """Call ``func()`` once and translate what the libraries raise.

    :raises DriveError: instead of what the libraries raise
    """
    try:
        return func()
    except HttpError as err:
        raise from_response(err.resp.status, err.resp, err.content) from err
    except NETWORK_ERRORS as err:
        # not the text of the error: the address of an upload session is a secret
        name = type(err).__name__
        raise TransientError("No answer from Google Drive: %s" % name) from err
    except GoogleAuthError as err:
        raise _from_google_auth(err) from err


def _from_google_auth(err):
    """google-auth wraps what the transport below it met."""
    if isinstance(err, TransportError) or getattr(err, "retryable", False):
        return TransientError("No answer from Google: %s" % type(err).__name__)
    return AuthError(str(err), status=401)


# -- a request that can be given up -------------------------------------------------------


class Watcher:
    """Calls functions in one thread beside, which keeps its connections.

    The libraries wait as long as their timeout is, and nothing stops them. So a request is
    sent from there, and who wants the answer looks at the clock meanwhile.

    :param check: called while one waits; raises to give up
    """

    def __init__(self, check):
        self._check = check
        self._tasks = self._finalizer = None

    def call(self, func):
        """Return what ``func()`` returns, or raise what it raises.

        What is given up goes on by itself until it fails or ends, and nobody hears of it.

        :raises DriveError: whatever ``check`` raises
        """
        if self._tasks is None:
            self._begin()
        outcome = concurrent.futures.Future()
        self._tasks.put((func, outcome))
        while not concurrent.futures.wait([outcome], timeout=LOOK_SECONDS).done:
            try:
                self._check()
            except BaseException:
                self._leave()
                raise
        return outcome.result()

    def _begin(self):
        self._tasks = queue.SimpleQueue()
        # the thread ends with this object, that is with its client
        self._finalizer = weakref.finalize(self, self._tasks.put, None)
        threading.Thread(
            target=_serve, args=(self._tasks,), name="drive-request", daemon=True
        ).start()

    def _leave(self):
        """Have the thread end after what it is at; the next call gets another."""
        self._finalizer()
        self._tasks = None


def _serve(tasks):
    """Do one task after the other, until there comes None."""
    while True:
        task = tasks.get()
        if task is None:
            return
        func, outcome = task
        del task
        try:
            outcome.set_result(func())
        except BaseException as err:  # noqa: B036  # pylint: disable=broad-except
            outcome.set_exception(err)  # it is raised where the answer is waited for
        del func, outcome
