"""OAuth clients, what people granted them, and the tokens that say so.

Page "Using OAuth 2.0 for Web Server Applications" of Google's identity guides: a
refresh token comes with the first offline consent (or with ``prompt=consent``), at most
100 live per account and client; revoking any token of a grant ends the grant.
"""
import hmac
import secrets
from urllib.parse import urlsplit

from schema import SCOPE_PREFIX

TOKEN_LIFE = 3599  # seconds
CODE_LIFE = 600  # seconds
MAX_REFRESH_TOKENS = 100
DEFAULT_CLIENT = "emulator-default.apps.googleusercontent.com"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
IDENTITY_SCOPES = {
    "openid",
    "email",
    "profile",
    SCOPE_PREFIX + "userinfo.email",
    SCOPE_PREFIX + "userinfo.profile",
}


def full_scope(name):
    """The whole address of a scope given by its short name."""
    plain = "/" in name or name in IDENTITY_SCOPES
    return name if plain else SCOPE_PREFIX + name


class Accounts:
    """Clients, grants and tokens in the store."""

    def __init__(self, store):
        self._store = store

    def register(self, redirect_uris=None, client_id=None, client_secret=None):
        """A new OAuth client.

        Without ``redirect_uris`` any loopback address will do, as for Google's
        desktop clients.
        """
        client_id = client_id or "%s-%s.apps.googleusercontent.com" % (
            secrets.randbelow(10**12),
            secrets.token_hex(16),
        )
        secret = client_secret or "GOCSPX-" + secrets.token_urlsafe(21)
        client = {
            "client_id": client_id,
            "client_secret": secret,
            "redirect_uris": redirect_uris,
        }
        self._store.put("clients", client_id, client)
        return client

    def client(self, client_id):
        """The registered client, or None."""
        return self._store.get("clients", client_id or "")

    def client_or_default(self, client_id):
        """A client for tests that are not about OAuth."""
        wanted = client_id or DEFAULT_CLIENT
        return self.client(wanted) or self.register(client_id=wanted)

    def secret_fits(self, client, secret):
        """Compare a client secret in constant time."""
        given = (secret or "").encode()
        return hmac.compare_digest(client["client_secret"].encode(), given)

    def redirect_fits(self, client, redirect_uri):
        """Whether an address is among the registered ones, to the letter."""
        registered = client["redirect_uris"]
        if registered is None:
            return urlsplit(redirect_uri).hostname in LOOPBACK
        return redirect_uri in registered

    def new_code(self, params, email, scopes):
        """An authorization code that stands for one consent."""
        code = "4/0" + secrets.token_urlsafe(48)
        record = {
            "client_id": params["client_id"],
            "redirect_uri": params["redirect_uri"],
            "email": email,
            "scopes": sorted(scopes),
            "offline": self._gives_refresh(params, email),
            "challenge": params.get("code_challenge"),
            "method": params.get("code_challenge_method", "plain"),
            "expires": self._store.now() + CODE_LIFE,
        }
        self._store.put("codes", code, record)
        grant = self.grant(params["client_id"], email) or {"offline": False}
        had = set(grant.get("scopes", ()))
        offline = grant["offline"] or record["offline"]
        self._store.put(
            "grants",
            _grant_key(params["client_id"], email),
            {"scopes": sorted(had | set(scopes)), "offline": offline},
        )
        return code

    def _gives_refresh(self, params, email):
        if params.get("access_type") != "offline":
            return False
        grant = self.grant(params["client_id"], email)
        first = not grant or not grant["offline"]
        return first or "consent" in params.get("prompt", "").split()

    def take_code(self, code):
        """The consent a code stands for; the code works this one time."""
        with self._store.lock:
            record = self._store.get("codes", code)
            self._store.drop("codes", code)
        if record and record["expires"] > self._store.now():
            return record
        return None

    def grant(self, client_id, email):
        """What a person has granted a client so far, or None."""
        return self._store.get("grants", _grant_key(client_id, email))

    def issue_access(self, email, client_id, scopes):
        """A new access token; returns ``(token, seconds it lives)``."""
        token = "ya29." + secrets.token_urlsafe(60)
        life = self._store.setting("token_life", TOKEN_LIFE)
        record = {
            "email": email,
            "client_id": client_id,
            "scopes": sorted(scopes),
            "expires": self._store.now() + life,
        }
        self._store.put("access", token, record)
        return token, life

    def issue_refresh(self, email, client_id, scopes):
        """A new refresh token; beyond 100 the oldest one dies without a word."""
        token = "1//0" + secrets.token_urlsafe(48)
        record = {"email": email, "client_id": client_id, "scopes": sorted(scopes)}
        with self._store.lock:
            self._store.put("refresh", token, record)
            mine = self._tokens_of("refresh", client_id, email)
            self._store.drop("refresh", *mine[:-MAX_REFRESH_TOKENS])
        return token

    def refresh_record(self, token):
        """What a refresh token stands for, or None."""
        return self._store.get("refresh", token or "")

    def live_access(self, token):
        """What an access token stands for, or None when unknown or expired."""
        record = self._store.get("access", token)
        if record and record["expires"] > self._store.now():
            return record
        return None

    def revoke(self, token):
        """End the grant a token belongs to; False when the token is not live."""
        record = self.refresh_record(token) or self.live_access(token)
        if not record:
            return False
        self._end(record["client_id"], record["email"])
        return True

    def revoke_all(self):
        """End every grant, as people do on their account page."""
        for key, _grant in self._store.items("grants"):
            self._end(*key.split(" ", 1))
        for _token, record in self._store.items("refresh"):
            self._end(record["client_id"], record["email"])

    def expire_all(self):
        """Let every access token be expired."""
        expired = {
            token: dict(record, expires=0)
            for token, record in self._store.items("access")
        }
        self._store.put_all("access", expired)

    def _end(self, client_id, email):
        with self._store.lock:
            self._store.drop("grants", _grant_key(client_id, email))
            for table in ("refresh", "access"):
                self._store.drop(table, *self._tokens_of(table, client_id, email))

    def _tokens_of(self, table, client_id, email):
        return [
            token
            for token, record in self._store.items(table)
            if (record["client_id"], record["email"]) == (client_id, email)
        ]


def _grant_key(client_id, email):
    return "%s %s" % (client_id, email)
