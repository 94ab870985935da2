"""How the token endpoints are talked to, and what their refusals mean."""

import contextlib
import ipaddress
import json
import logging
import os
import re
import threading
from urllib.parse import urlsplit

import requests
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
from google.auth.transport.requests import Request
from oauthlib.oauth2 import OAuth2Error

from .errors import (
    InvalidClientError,
    InvalidGrantError,
    OAuthError,
    RedirectUriError,
    TransientError,
)

TIMEOUT = 20  # seconds
LONGEST_LIFE = 100 * 365 * 86400  # seconds
#: What may stand in a header (RFC 6750 section 2.1, and what else is printable).
TOKEN = re.compile(r"[!-~]+")
MESSAGE_LENGTH = 200  # characters of a refusal that are worth keeping
#: Statuses of a server that is down or busy, whatever the body says.
AWAY_STATUSES = frozenset((408, 429))
_ERRORS = {
    "invalid_grant": InvalidGrantError,
    "invalid_client": InvalidClientError,
    "unauthorized_client": InvalidClientError,
    "redirect_uri_mismatch": RedirectUriError,
}
_LOOPBACK_LOCK = threading.Lock()

# these write requests and answers, with every secret in them, to the log when it is at
# the level debug; the filter holds even for a level that is set on them later
for _name in ("requests_oauthlib.oauth2_session", "google.auth.transport.requests"):
    logging.getLogger(_name).addFilter(lambda record: record.levelno > logging.DEBUG)


class _Transport(Request):
    """google-auth's transport, with a timeout and a memory of the last status."""

    status = None

    def __call__(self, url, **options):
        # redirected, the form would take its secrets along
        options = dict(options, timeout=TIMEOUT, allow_redirects=False)
        response = super().__call__(url, **options)
        self.status = response.status
        if response.status == 200:
            check_tokens(response.status, response.data)
        return response


def refresh_credentials(credentials):
    """Have google-auth get an access token.

    :raises OAuthError: the server refused
    :raises TransientError: no answer, or none that the server gave
    """
    transport = _Transport()
    try:
        with translated():
            credentials.refresh(transport)
    except OAuthError as err:
        if err.reason is None or is_away(transport.status or 0):
            # not a refusal as RFC 6749 has it: the server is ill, or a proxy answered
            raise TransientError("HTTP %s" % transport.status) from err
        raise


def is_away(status):
    """Whether a server with this HTTP status is down or busy."""
    return status >= 500 or status in AWAY_STATUSES


def check_body(status, text):
    """Read an answer of the OAuth server.

    :rtype: dict
    :raises TransientError: the server is down, or something else answered for it
    """
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if is_away(status) or not isinstance(answer, dict):
        raise TransientError("HTTP %s" % status)
    return answer


def check_tokens(status, text):
    """Check an answer with status 200: only tokens as RFC 6749 section 5.1 has them count.

    The answer is never quoted.

    :raises TransientError: something else than Google's token endpoint answered
    """
    answer = check_body(status, text)
    fits = {
        "access_token": _is_token(answer.get("access_token")),
        "refresh_token": _is_token(answer.get("refresh_token", "none")),
        "token_type": str(answer.get("token_type", "bearer")).lower() == "bearer",
        "expires_in": _is_life(answer.get("expires_in", 1)),
        "refresh_token_expires_in": _is_life(answer.get("refresh_token_expires_in", 1)),
    }
    odd = sorted(name for name, is_right in fits.items() if not is_right)
    if odd:
        raise TransientError("an answer with another %s" % ", ".join(odd))


def _is_token(value):
    return isinstance(value, str) and TOKEN.fullmatch(value) is not None


def _is_life(value):
    """Whether it is a number of seconds that something can live."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return False
    try:
        return 0 < float(value) <= LONGEST_LIFE
    except (ValueError, OverflowError):
        return False


@contextlib.contextmanager
def translated():
    """Raise the typed errors of this package instead of the libraries'."""
    try:
        yield
    except RefreshError as err:
        code = _error_code(err)
        message = (
            "%s: %s" % (code, err.args[1].get("error_description")) if code else ""
        )
        # not "from err": it quotes the whole answer, which belongs in no traceback
        raise _oauth_error(code, message[:MESSAGE_LENGTH]) from None
    except OAuth2Error as err:
        raise _oauth_error(err.error, err.description or err.error) from err
    except (TransportError, requests.RequestException) as err:
        raise TransientError("No answer from Google: %s" % type(err).__name__) from err
    except GoogleAuthError as err:
        raise OAuthError(type(err).__name__) from err


def _oauth_error(code, message):
    return _ERRORS.get(code, OAuthError)(message or str(code), reason=code)


def _error_code(err):
    details = err.args[1] if len(err.args) > 1 else None
    code = details.get("error") if isinstance(details, dict) else None
    return code if isinstance(code, str) else None


@contextlib.contextmanager
def allow_loopback(uri):
    """Let oauthlib talk plain HTTP to this machine, and to no other.

    :raises OAuthError: the endpoint is neither HTTPS nor on this machine
    """
    if check_endpoint(uri):
        yield
        return
    with _LOOPBACK_LOCK:  # one at a time, or the variable would stay
        before = os.environ.get("OAUTHLIB_INSECURE_TRANSPORT")
        os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
        try:
            yield
        finally:
            if before is None:
                del os.environ["OAUTHLIB_INSECURE_TRANSPORT"]


def check_endpoint(uri):
    """Tell whether an address uses https; plain HTTP may only stay on this machine.

    :raises OAuthError: it is neither HTTPS nor on this machine
    :rtype: bool
    """
    parts = urlsplit(uri)
    if parts.scheme == "https":
        return True
    if parts.scheme != "http" or not _is_loopback(parts.hostname):
        raise OAuthError("The endpoint %s must use https" % uri)
    return False


def _is_loopback(host):
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
