"""Google's OAuth 2.0 endpoints: authorization, token and revocation.

Pages "Using OAuth 2.0 for Web Server Applications" and "OAuth 2.0 for Mobile & Desktop
Apps" (PKCE, RFC 7636); errors as RFC 6749 section 5.2 names them.
"""
import base64
import binascii
import hashlib
import hmac
import re
from urllib.parse import unquote, urlencode

import jwt_grant
from accounts import IDENTITY_SCOPES, Accounts
from consent import error_page, form_page
from errors import OAuthError
from http_message import FORM, Response, json_response

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# google-auth always names this one, whatever the key file's token_uri says
GOOGLE_AUDIENCE = "https://oauth2.googleapis.com/token"
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")
REVOKED = "Token has been expired or revoked."


class OAuth:
    """The endpoints, each a method that takes a request and gives an answer."""

    def __init__(self, store, discovery):
        self._store = store
        self.accounts = Accounts(store)
        scopes = discovery.document["auth"]["oauth2"]["scopes"]
        self._descriptions = {name: one["description"] for name, one in scopes.items()}
        self._known = set(scopes) | IDENTITY_SCOPES

    def show_consent(self, request):
        """GET of the authorization endpoint: the form, or a page saying why not."""
        refusal = self._refused(request.query)
        if refusal:
            return error_page(*refusal)
        scopes = request.query["scope"].split()
        return form_page(request.query, scopes, self._descriptions)

    def take_consent(self, request):
        """POST of the form: back to the client, with a code or an error."""
        pairs = request.form()
        params = dict(pairs)
        refusal = self._refused(params)
        if refusal:
            return error_page(*refusal)
        asked = set(params["scope"].split())
        granted = {value for name, value in pairs if name == "granted"} & asked
        if params.get("answer") != "approve" or not granted:
            return self._redirect(params, {"error": "access_denied"})
        email = params.get("email") or "admin@example.com"
        if params.get("include_granted_scopes") == "true":
            grant = self.accounts.grant(params["client_id"], email) or {}
            granted |= set(grant.get("scopes", ()))
        code = self.accounts.new_code(params, email, granted)
        return self._redirect(
            params, {"code": code, "scope": " ".join(sorted(granted))}
        )

    def _refused(self, params):
        """``(status, error, detail)`` of a request nobody may be redirected for."""
        client = self.accounts.client(params.get("client_id"))
        if client is None:
            return 401, "invalid_client", "The OAuth client was not found."
        redirect_uri = params.get("redirect_uri", "")
        if not redirect_uri:
            return 400, "invalid_request", "Missing required parameter: redirect_uri"
        if not self.accounts.redirect_fits(client, redirect_uri):
            detail = "The redirect URI %s is not registered." % redirect_uri
            return 400, "redirect_uri_mismatch", detail
        return self._refused_details(params)

    def _refused_details(self, params):
        for name in ("response_type", "scope"):
            if not params.get(name):
                return 400, "invalid_request", "Missing required parameter: " + name
        if params["response_type"] != "code":
            return 400, "unsupported_response_type", params["response_type"]
        unknown = set(params["scope"].split()) - self._known
        if unknown:
            return 400, "invalid_scope", "Unknown scopes: " + ", ".join(sorted(unknown))
        if params.get("access_type", "online") not in ("online", "offline"):
            return 400, "invalid_request", "Invalid parameter value for access_type"
        if params.get("code_challenge_method", "plain") not in ("plain", "S256"):
            return 400, "invalid_request", "Invalid code_challenge_method"
        if "code_challenge_method" in params and not params.get("code_challenge"):
            return 400, "invalid_request", "Missing required parameter: code_challenge"
        return None

    @staticmethod
    def _redirect(params, answer):
        if "state" in params:
            answer = dict({"state": params["state"]}, **answer)
        glue = "&" if "?" in params["redirect_uri"] else "?"
        location = params["redirect_uri"] + glue + urlencode(answer)
        return Response(302, b"", [("Location", location)], "text/html; charset=utf-8")

    def token(self, request):
        """POST of the token endpoint.

        :raises OAuthError: for everything it does not like
        """
        if request.content_type() != FORM:
            raise OAuthError("invalid_request", "Expected a form")
        params = dict(request.form())
        grants = {
            "authorization_code": self._exchange,
            "refresh_token": self._refresh,
            JWT_BEARER: self._service_account,
        }
        grant_type = params.get("grant_type", "")
        if not grant_type:
            raise OAuthError(
                "invalid_request", "Required parameter is missing: grant_type"
            )
        if grant_type not in grants:
            raise OAuthError(
                "unsupported_grant_type", "Invalid grant_type: %s" % grant_type
            )
        return json_response(grants[grant_type](request, params))

    def _client(self, request, params):
        client_id, secret = params.get("client_id"), params.get("client_secret")
        header = request.headers.get("authorization", "")
        if header.lower().startswith("basic "):
            client_id, secret = _basic(header[6:])
        client = self.accounts.client(client_id)
        if client is None:
            raise OAuthError("invalid_client", "The OAuth client was not found.", 401)
        if not secret:
            raise OAuthError("invalid_request", "client_secret is missing.")
        if not self.accounts.secret_fits(client, secret):
            raise OAuthError(
                "invalid_client", "The provided client secret is invalid.", 401
            )
        return client

    def _exchange(self, request, params):
        client = self._client(request, params)
        for name in ("code", "redirect_uri"):
            if not params.get(name):
                raise OAuthError(
                    "invalid_request", "Missing required parameter: " + name
                )
        record = self.accounts.take_code(params["code"])
        if record is None:
            raise OAuthError("invalid_grant", "Malformed auth code.")
        if record["client_id"] != client["client_id"]:
            raise OAuthError("invalid_grant", "Bad Request")
        if record["redirect_uri"] != params["redirect_uri"]:
            raise OAuthError("redirect_uri_mismatch", "Bad Request")
        _check_verifier(record, params.get("code_verifier"))
        answer = self._tokens(record, record["scopes"])
        if record["offline"]:
            answer["refresh_token"] = self.accounts.issue_refresh(
                record["email"], record["client_id"], record["scopes"]
            )
        return answer

    def _refresh(self, request, params):
        client = self._client(request, params)
        if not params.get("refresh_token"):
            raise OAuthError(
                "invalid_request", "Missing required parameter: refresh_token"
            )
        record = self.accounts.refresh_record(params["refresh_token"])
        if record is None:
            raise OAuthError("invalid_grant", REVOKED)
        if record["client_id"] != client["client_id"]:
            raise OAuthError("unauthorized_client", "Unauthorized", 401)
        asked = params.get("scope", "").split() or record["scopes"]
        if not set(asked) <= set(record["scopes"]):
            raise OAuthError("invalid_scope", "Bad Request")
        return self._tokens(record, asked)

    def _service_account(self, request, params):
        keys = self._store.tables["keys"]
        claims, account = jwt_grant.read_assertion(
            params.get("assertion", ""),
            keys,
            (GOOGLE_AUDIENCE, request.base_url + "/token"),
            self._store.now(),
        )
        scopes = str(claims.get("scope", "")).split()
        if not scopes or not set(scopes) <= self._known:
            raise OAuthError(
                "invalid_scope", "Invalid OAuth scope or ID token audience provided."
            )
        email = jwt_grant.subject(claims, account, scopes)
        record = {"email": email, "client_id": account["client_id"]}
        answer = self._tokens(record, scopes)
        del answer["scope"]
        return answer

    def _tokens(self, record, scopes):
        token, life = self.accounts.issue_access(
            record["email"], record["client_id"], scopes
        )
        return {
            "access_token": token,
            "expires_in": life,
            "scope": " ".join(sorted(scopes)),
            "token_type": "Bearer",
        }

    def revoke(self, request):
        """POST of the revocation endpoint; the token may be in the query, too.

        :raises OAuthError: 400 invalid_token when it is not live
        """
        params = dict(request.pairs)
        if request.content_type() == FORM:
            params.update(request.form())
        if not params.get("token"):
            raise OAuthError("invalid_request", "Missing required parameter: token")
        if not self.accounts.revoke(params["token"]):
            raise OAuthError("invalid_token", "Token expired or revoked")
        return json_response({})


def _basic(encoded):
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as err:
        raise OAuthError("invalid_client", "Unauthorized", 401) from err
    client_id, _colon, secret = text.partition(":")
    return unquote(client_id), unquote(secret)


def _check_verifier(record, verifier):
    """PKCE (RFC 7636 section 4.6)."""
    challenge = record["challenge"]
    if not challenge:
        if verifier:
            raise OAuthError("invalid_grant", "code_verifier without code_challenge.")
        return
    if not verifier:
        raise OAuthError("invalid_grant", "Missing code verifier.")
    if not VERIFIER.match(verifier):
        raise OAuthError("invalid_grant", "Invalid code verifier.")
    computed = verifier
    if record["method"] == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        computed = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if not hmac.compare_digest(computed.encode(), challenge.encode()):
        raise OAuthError("invalid_grant", "Invalid code verifier.")
