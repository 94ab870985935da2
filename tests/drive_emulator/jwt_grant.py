"""Service accounts: a signed JWT is exchanged for an access token.

Page "Using OAuth 2.0 for Server to Server Applications" (RFC 7523): RS256, ``aud`` is
the token endpoint, at most an hour between ``iat`` and ``exp``, ``sub`` only with
domain-wide delegation.
"""
import base64
import json
import secrets

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from errors import OAuthError

MAX_LIFE = 3600  # seconds
SKEW = 300  # seconds a client's clock may be ahead
TIMEFRAME = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable"
    " timeframe. Check your iat and exp values in the JWT claim."
)
NOT_DELEGATED = (
    "Client is unauthorized to retrieve access tokens using this method, or client not"
    " authorized for any of the scopes requested."
)


def new_key(email, token_uri):
    """A service account: ``(key file content, what the emulator keeps)``."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    key_id = secrets.token_hex(20)
    client_id = "1%020d" % secrets.randbelow(10**20)
    document = {
        "type": "service_account",
        "project_id": email.partition("@")[2].partition(".")[0],
        "private_key_id": key_id,
        "private_key": pem,
        "client_email": email,
        "client_id": client_id,
        "auth_uri": token_uri.rsplit("/", 1)[0] + "/o/oauth2/v2/auth",
        "token_uri": token_uri,
        "universe_domain": "googleapis.com",
    }
    kept = {"email": email, "client_id": client_id, "public": public.decode()}
    return document, dict(kept, key_id=key_id, delegation=None)


def _decoded(part):
    padded = part + "=" * (-len(part) % 4)
    return base64.urlsafe_b64decode(padded.encode())


def read_assertion(assertion, keys, audiences, now):
    """The checked claims of an assertion and the service account they speak for.

    :param dict keys: email -> kept key
    :param tuple audiences: addresses of the token endpoint
    :param float now: seconds since the epoch
    :raises OAuthError: as Google's token endpoint refuses
    """
    try:
        head, body, signature = assertion.split(".")
        header, claims = json.loads(_decoded(head)), json.loads(_decoded(body))
        signature = _decoded(signature)
        issuer, issued, expires = claims["iss"], claims["iat"], claims["exp"]
    except (ValueError, KeyError, TypeError) as err:
        raise OAuthError("invalid_request", "Bad Request") from err
    account = keys.get(issuer)
    if account is None:
        raise OAuthError("invalid_grant", "Invalid grant: account not found")
    _check_signature(header, account, (head + "." + body).encode(), signature)
    _check_times(issued, expires, now)
    if claims.get("aud") not in audiences:
        raise OAuthError("invalid_grant", "Invalid JWT: Failed audience check.")
    return claims, account


def _check_signature(header, account, signed, signature):
    if header.get("alg") != "RS256" or header.get("kid", "") != account["key_id"]:
        raise OAuthError("invalid_grant", "Invalid JWT Signature.")
    public = serialization.load_pem_public_key(account["public"].encode())
    try:
        public.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature as err:
        raise OAuthError("invalid_grant", "Invalid JWT Signature.") from err


def _check_times(issued, expires, now):
    numbers = all(isinstance(one, (int, float)) for one in (issued, expires))
    if (
        not numbers
        or expires - issued > MAX_LIFE
        or issued > now + SKEW
        or expires <= now
        or expires <= issued
    ):
        raise OAuthError("invalid_grant", TIMEFRAME)


def subject(claims, account, scopes):
    """Whose token it becomes: the account's own, or a delegated person's.

    :raises OAuthError: unauthorized_client without delegation for these scopes
    """
    person = claims.get("sub") or account["email"]
    if person == account["email"]:
        return person
    allowed = account["delegation"]
    if allowed is None or not set(scopes) <= set(allowed):
        raise OAuthError("unauthorized_client", NOT_DELEGATED, 401)
    return person
