"""Tokens: OAuth 2.0 for web servers, and service accounts.

Over google-auth and google-auth-oauthlib; what they raise is translated into
:mod:`.errors`. Sources: "Using OAuth 2.0 for Web Server Applications" of Google
Identity, RFC 6749, RFC 7636 (PKCE).
"""

import json
import secrets
from collections import namedtuple
from datetime import datetime, timedelta

import requests
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials
from google_auth_oauthlib.flow import Flow

from .errors import (
    CredentialsFormatError,
    MissingRefreshTokenError,
    MissingScopeError,
    OAuthError,
    TransientError,
)
from .oauth_transport import (
    TIMEOUT,
    allow_loopback,
    check_body,
    check_tokens,
    refresh_credentials,
    translated,
)

AUTH_URI = "https://accounts.google.com/o/oauth2/v2/auth"
TOKEN_URI = "https://oauth2.googleapis.com/token"
REVOKE_URI = "https://oauth2.googleapis.com/revoke"
SCOPES = {
    "drive.file": "https://www.googleapis.com/auth/drive.file",
    "drive": "https://www.googleapis.com/auth/drive",
}
SERVICE_ACCOUNT_KEYS = ("client_email", "private_key", "private_key_id")
#: Where Google Drive is; keys for other clouds make tokens that nobody checked.
UNIVERSE = "googleapis.com"
DEFAULT_LIFE = 3600  # seconds a token lives when the server does not say

#: An OAuth client as the Google Cloud console gives it, and where to use it.
OAuthClient = namedtuple(
    "OAuthClient", "client_id client_secret redirect_uri auth_uri token_uri"
)
#: Times are UTC without tzinfo. ``refresh`` is None when none was given,
#: ``grant_expiry`` when the server did not say how long the refresh token lives.
Tokens = namedtuple("Tokens", "access refresh expiry grant_expiry", defaults=(None,))


def new_verifier():
    """A PKCE code verifier (RFC 7636 section 4.1): 64 random URL-safe characters."""
    return secrets.token_urlsafe(48)


def authorization_url(client, scope, state, verifier):
    """The address of the consent page.

    Offline access with forced consent, since Google gives the refresh token only then.

    :param OAuthClient client: the application
    :param str scope: a key of :data:`SCOPES`
    :param str state: comes back untouched
    :param str verifier: see :func:`new_verifier`
    :rtype: str
    """
    with allow_loopback(client.auth_uri):
        url, _state = _flow(client, scope, verifier).authorization_url(
            access_type="offline", prompt="consent", state=state
        )
    return url


def exchange_code(client, scope, code, verifier):
    """Turn the code of the callback into tokens.

    :raises MissingRefreshTokenError: the answer has no refresh token
    :raises MissingScopeError: the person did not grant ``scope``
    :raises OAuthError: the server refused
    :raises TransientError: no answer
    :rtype: Tokens
    """
    with allow_loopback(client.token_uri), translated():
        token = _fetch_token(_flow(client, scope, verifier), code)
    granted = token.get("scope") or SCOPES[scope]
    granted = granted.split() if isinstance(granted, str) else granted
    if SCOPES[scope] not in granted:
        raise MissingScopeError("The scope %s was not granted" % SCOPES[scope])
    if not token.get("refresh_token"):
        raise MissingRefreshTokenError("Google gave no refresh token")
    # present for time-limited consent and for clients in Testing mode
    grant_life = token.get("refresh_token_expires_in")
    return Tokens(
        token["access_token"],
        token["refresh_token"],
        _after(token.get("expires_in") or DEFAULT_LIFE),
        _after(grant_life) if grant_life else None,
    )


def _fetch_token(flow, code):
    session = flow.oauth2session
    session.register_compliance_hook("access_token_response", _check_answer)
    session.max_redirects = 0  # the form would take its secrets along
    try:
        return flow.fetch_token(code=code, timeout=TIMEOUT)
    except Warning as changed:
        # oauthlib warns by exception when other scopes were granted than asked for
        return changed.token


def _check_answer(response):
    check = check_tokens if response.status_code == 200 else check_body
    check(response.status_code, response.text)
    return response


def refresh(client, refresh_token):
    """Get a new access token.

    :return: tokens; ``refresh`` is the old one unless the server gave another
    :raises InvalidGrantError: a person has to authorize again
    :raises OAuthError: the server refused
    :raises TransientError: no answer, try later
    """
    credentials = Credentials(
        None,
        refresh_token=refresh_token,
        token_uri=client.token_uri,
        client_id=client.client_id,
        client_secret=client.client_secret,
    )
    refresh_credentials(credentials)
    return Tokens(
        credentials.token,
        credentials.refresh_token or refresh_token,
        credentials.expiry or _after(DEFAULT_LIFE),
    )


def service_account_token(key, scope, token_uri, subject=None):
    """Get an access token for a service account (RFC 7523).

    :param dict key: see :func:`parse_service_account`
    :param str subject: user to act for (domain-wide delegation)
    :rtype: Tokens
    """
    credentials = _service_credentials(
        key, token_uri, scopes=[SCOPES[scope]], subject=subject
    )
    refresh_credentials(credentials)
    return Tokens(
        credentials.token, None, credentials.expiry or _after(DEFAULT_LIFE)
    )


def _service_credentials(key, token_uri, **options):
    """google-auth's credentials, from nothing of the file but who it is and its key.

    Whatever else stands in a key file (another ``token_uri``, a ``universe_domain`` for
    which google-auth signs tokens itself) has no say in where a token comes from.

    :raises CredentialsFormatError: the private key can not be read
    """
    info = {name: key[name] for name in SERVICE_ACCOUNT_KEYS}
    info["token_uri"] = token_uri
    try:
        return service_account.Credentials.from_service_account_info(info, **options)
    except ValueError as err:
        raise CredentialsFormatError("The private key can not be read") from err


def parse_service_account(text):
    """Check the JSON key file of a service account.

    :raises CredentialsFormatError: it is not one; the message never quotes it
    :rtype: dict
    """
    try:
        key = json.loads(text)
    except ValueError as err:
        raise CredentialsFormatError("This is not JSON") from err
    if not isinstance(key, dict) or key.get("type") != "service_account":
        raise CredentialsFormatError("This is not the key of a service account")
    missing = [name for name in SERVICE_ACCOUNT_KEYS if not _is_text(key.get(name))]
    if missing:
        raise CredentialsFormatError("The key lacks: %s" % ", ".join(missing))
    if key.get("universe_domain", UNIVERSE) != UNIVERSE:
        raise CredentialsFormatError(
            "The key belongs to another cloud than Google's own (universe_domain is not"
            " %s), which has no Google Drive" % UNIVERSE
        )
    _service_credentials(key, TOKEN_URI)
    return key


def _is_text(value):
    return isinstance(value, str) and bool(value)


def revoke(token, revoke_uri):
    """Make Google forget a grant; a token it does not know is as good as revoked.

    :raises OAuthError: the server refused
    :raises TransientError: no answer
    """
    with translated():
        response = requests.post(
            revoke_uri, data={"token": token}, timeout=TIMEOUT, allow_redirects=False
        )
    answer = check_body(response.status_code, response.text or "{}")
    if response.status_code in range(300, 400):
        raise TransientError("HTTP %s" % response.status_code)
    if response.status_code != 200 and answer.get("error") != "invalid_token":
        raise OAuthError("HTTP %s" % response.status_code)


def _after(seconds):
    """The time (UTC, without tzinfo) so many seconds from now."""
    return datetime.utcnow().replace(microsecond=0) + timedelta(seconds=float(seconds))


def _flow(client, scope, verifier):
    return Flow.from_client_config(
        {
            "web": {
                "client_id": client.client_id,
                "client_secret": client.client_secret,
                "auth_uri": client.auth_uri,
                "token_uri": client.token_uri,
            }
        },
        scopes=[SCOPES[scope]],
        redirect_uri=client.redirect_uri,
        code_verifier=verifier,
        autogenerate_code_verifier=False,
    )
