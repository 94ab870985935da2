"""OAuth: consent, codes, PKCE, refresh, revocation, service accounts."""
import base64
import hashlib
import json
import time
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from conftest import Api, refusal
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from google.auth.transport.requests import Request
from google.oauth2 import service_account
from google_auth_oauthlib.flow import Flow

SCOPE = "https://www.googleapis.com/auth/drive.file"
ALL_FILES = "https://www.googleapis.com/auth/drive"
REDIRECT = "https://odoo.example.com/cloud_storage/oauth/callback"
VERIFIER = "v" * 64
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture
def client(emulator):
    return emulator.client([REDIRECT, "https://other.example.com/back"])


@pytest.fixture
def ask(emulator, client):
    """Make an authorization address with parameters changed or (None) left out."""

    def make(**changes):
        params = {
            "client_id": client["client_id"],
            "redirect_uri": REDIRECT,
            "response_type": "code",
            "scope": SCOPE,
            "access_type": "offline",
            "state": "st&te=1",
        }
        params.update(changes)
        params = {key: value for key, value in params.items() if value is not None}
        url = emulator.url + "/o/oauth2/v2/auth"
        return requests.Request("GET", url, params=params).prepare().url

    return make


@pytest.fixture
def exchange(emulator, client):
    """Post to the token endpoint; parameters changed or (None) left out."""

    def post(**changes):
        data = {
            "client_id": client["client_id"],
            "client_secret": client["client_secret"],
            "grant_type": "authorization_code",
            "redirect_uri": REDIRECT,
        }
        data.update(changes)
        data = {key: value for key, value in data.items() if value is not None}
        return requests.post(emulator.url + "/token", data=data, timeout=30)

    return post


def answers(location):
    return {key: one[0] for key, one in parse_qs(urlsplit(location).query).items()}


def oauth_refusal(answer):
    body = answer.json()
    assert set(body) <= {"error", "error_description"}
    return answer.status_code, body["error"]


def test_flow_with_pkce_end_to_end(emulator, client, monkeypatch):
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    config = {
        "web": {
            "client_id": client["client_id"],
            "client_secret": client["client_secret"],
            "auth_uri": emulator.url + "/o/oauth2/v2/auth",
            "token_uri": emulator.url + "/token",
        }
    }
    flow = Flow.from_client_config(
        config, [SCOPE], redirect_uri=REDIRECT, autogenerate_code_verifier=True
    )
    url, state = flow.authorization_url(access_type="offline", prompt="consent")
    assert "code_challenge_method=S256" in url
    location = emulator.consent(url, email="someone@example.com")
    assert location.startswith(REDIRECT + "?")
    assert answers(location)["state"] == state
    flow.fetch_token(authorization_response=location)
    credentials = flow.credentials
    assert credentials.refresh_token
    user = Api(emulator, {"access_token": credentials.token}).get(
        "/about", fields="user(emailAddress)"
    )
    assert user.json() == {"user": {"emailAddress": "someone@example.com"}}
    before = credentials.token
    credentials.refresh(Request())
    assert credentials.token != before


def test_the_page_shows_who_asks_for_what(ask, client):
    page = requests.get(ask(scope=SCOPE + " " + ALL_FILES), timeout=30)
    assert page.headers["Content-Type"].startswith("text/html")
    assert client["client_id"] in page.text
    assert page.text.count('type="checkbox"') == 2


def test_the_page_escapes_what_it_shows(ask):
    page = requests.get(ask(state='"><script>alert(1)</script>'), timeout=30)
    assert page.status_code == 200
    assert "<script>" not in page.text


@pytest.mark.parametrize(
    "status, error, changes",
    [
        (401, "invalid_client", {"client_id": "nobody"}),
        (400, "invalid_request", {"redirect_uri": None}),
        (400, "redirect_uri_mismatch", {"redirect_uri": REDIRECT + "/"}),
        (400, "invalid_request", {"response_type": None}),
        (400, "unsupported_response_type", {"response_type": "token"}),
        (400, "invalid_request", {"scope": None}),
        (400, "invalid_scope", {"scope": SCOPE + " drive"}),
        (400, "invalid_request", {"access_type": "forever"}),
        (400, "invalid_request", {"code_challenge_method": "S256"}),
        (
            400,
            "invalid_request",
            {"code_challenge": "x", "code_challenge_method": "S1"},
        ),
    ],
)
def test_bad_authorization_requests_get_a_page(ask, status, error, changes):
    page = requests.get(ask(**changes), timeout=30, allow_redirects=False)
    assert page.status_code == status
    assert "Error %d: %s" % (status, error) in page.text


def test_denied(emulator, ask):
    location = emulator.consent(ask(), approve=False)
    assert answers(location) == {"error": "access_denied", "state": "st&te=1"}


def test_code_works_once(emulator, ask, exchange):
    code = answers(emulator.consent(ask()))["code"]
    first = exchange(code=code)
    assert first.status_code == 200
    assert set(first.json()) == {
        "access_token",
        "refresh_token",
        "expires_in",
        "scope",
        "token_type",
    }
    assert oauth_refusal(exchange(code=code)) == (400, "invalid_grant")


def test_code_expires(emulator, ask, exchange):
    code = answers(emulator.consent(ask()))["code"]
    emulator.set_clock(601)
    assert oauth_refusal(exchange(code=code)) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "status, error, changes",
    [
        (401, "invalid_client", {"client_secret": "wrong"}),
        (401, "invalid_client", {"client_id": "nobody"}),
        (400, "invalid_request", {"client_secret": None}),
        (
            400,
            "redirect_uri_mismatch",
            {"redirect_uri": "https://other.example.com/back"},
        ),
        (400, "invalid_request", {"redirect_uri": None}),
        (400, "unsupported_grant_type", {"grant_type": "password"}),
        (400, "invalid_request", {"grant_type": None}),
        (400, "invalid_request", {"code": None}),
        (400, "invalid_grant", {"code": "4/0nonsense"}),
    ],
)
def test_bad_exchanges(emulator, ask, exchange, status, error, changes):
    code = answers(emulator.consent(ask()))["code"]
    assert oauth_refusal(exchange(**dict({"code": code}, **changes))) == (status, error)


def test_a_code_is_for_its_client_only(emulator, ask, exchange):
    other = emulator.client([REDIRECT])
    code = answers(emulator.consent(ask()))["code"]
    assert oauth_refusal(exchange(code=code, **other_keys(other)))[1] == "invalid_grant"


def other_keys(client):
    return {key: client[key] for key in ("client_id", "client_secret")}


def test_client_may_authenticate_in_the_header(emulator, ask, client):
    code = answers(emulator.consent(ask()))["code"]
    data = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
    auth = client["client_id"], client["client_secret"]
    answer = requests.post(emulator.url + "/token", data=data, auth=auth, timeout=30)
    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["plain", "S256"])
def test_pkce(emulator, ask, exchange, method):
    challenge = VERIFIER
    if method == "S256":
        digest = hashlib.sha256(VERIFIER.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    asked = {"code_challenge": challenge, "code_challenge_method": method}
    for verifier in (None, "w" * 64, "short"):
        code = answers(emulator.consent(ask(**asked)))["code"]
        refused = exchange(code=code, code_verifier=verifier)
        assert oauth_refusal(refused) == (400, "invalid_grant")
    code = answers(emulator.consent(ask(**asked)))["code"]
    assert exchange(code=code, code_verifier=VERIFIER).status_code == 200


def test_refresh_token_comes_with_the_first_offline_consent(emulator, ask, exchange):
    def refresh_token(**changes):
        code = answers(emulator.consent(ask(**changes)))["code"]
        return exchange(code=code).json().get("refresh_token")

    assert refresh_token(access_type=None) is None
    assert refresh_token()
    assert refresh_token() is None
    assert refresh_token(prompt="select_account") is None
    assert refresh_token(prompt="consent")
    emulator.revoke_grants()
    assert refresh_token()


def test_people_may_grant_less(emulator, ask, exchange):
    url = ask(scope=SCOPE + " " + ALL_FILES)
    location = emulator.consent(url, scopes=[SCOPE])
    assert answers(location)["scope"] == SCOPE
    answer = exchange(code=answers(location)["code"]).json()
    assert answer["scope"] == SCOPE
    location = emulator.consent(ask(scope=ALL_FILES, include_granted_scopes="true"))
    assert answers(location)["scope"].split() == [ALL_FILES, SCOPE]
    assert answers(emulator.consent(url, scopes=[]))["error"] == "access_denied"


def refresh(exchange, token, **changes):
    data = {"grant_type": "refresh_token", "redirect_uri": None, "refresh_token": token}
    return exchange(**dict(data, **changes))


def test_refresh(emulator, client, exchange):
    grant = emulator.grant(client_id=client["client_id"])
    answer = refresh(exchange, grant["refresh_token"])
    assert answer.status_code == 200
    assert "refresh_token" not in answer.json()
    new = Api(emulator, answer.json())
    assert new.get("/files").status_code == 200
    narrower = refresh(exchange, grant["refresh_token"], scope=ALL_FILES)
    assert oauth_refusal(narrower) == (400, "invalid_scope")
    unknown = refresh(exchange, "1//unknown")
    assert oauth_refusal(unknown) == (400, "invalid_grant")


def test_a_refresh_token_is_for_its_client_only(emulator, exchange):
    grant = emulator.grant()
    answer = refresh(exchange, grant["refresh_token"])
    assert oauth_refusal(answer) == (401, "unauthorized_client")


def test_the_token_endpoint_wants_a_form(emulator):
    answer = requests.post(emulator.url + "/token", json={}, timeout=30)
    assert oauth_refusal(answer) == (400, "invalid_request")


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_revoking_any_token_ends_the_grant(emulator, client, exchange, kind):
    grant = emulator.grant(client_id=client["client_id"])
    other = emulator.grant(client_id=client["client_id"], email="b@example.com")
    data = {"token": grant[kind]}
    assert requests.post(emulator.url + "/revoke", data=data, timeout=30).json() == {}
    assert refusal(Api(emulator, grant).get("/files")) == (401, "authError")
    answer = refresh(exchange, grant["refresh_token"])
    assert oauth_refusal(answer) == (400, "invalid_grant")
    again = requests.post(emulator.url + "/revoke", params=data, timeout=30)
    assert oauth_refusal(again) == (400, "invalid_token")
    assert Api(emulator, other).get("/files").status_code == 200


def test_tokens_expire(emulator, connect):
    emulator.set_token_life(100)
    api = connect()
    assert api.grant["expires_in"] == 100
    assert api.get("/files").status_code == 200
    emulator.set_clock(101)
    assert refusal(api.get("/files")) == (401, "authError")
    emulator.set_clock(0)
    assert api.get("/files").status_code == 200
    emulator.expire_tokens()
    assert refusal(api.get("/files")) == (401, "authError")


def test_at_most_a_hundred_refresh_tokens(emulator, client, exchange):
    tokens = [
        emulator.grant(client_id=client["client_id"])["refresh_token"]
        for _number in range(101)
    ]
    assert oauth_refusal(refresh(exchange, tokens[0]))[1] == "invalid_grant"
    assert refresh(exchange, tokens[1]).status_code == 200


def encoded(part):
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture
def assertion(emulator):
    """Post a hand-made service account assertion, with claims changed."""
    key = emulator.service_account(delegation=["drive.file"])
    other = emulator.service_account(email="other@p.iam.gserviceaccount.com")

    def post(signed_by=key, header=(), **changes):
        now = int(time.time())
        claims = {
            "iss": key["client_email"],
            "scope": SCOPE,
            "aud": key["token_uri"],
            "iat": now,
            "exp": now + 3600,
        }
        claims.update(changes)
        head = {"alg": "RS256", "typ": "JWT", "kid": key["private_key_id"]}
        head.update(header)
        signed = encoded(head) + "." + encoded(claims)
        private = serialization.load_pem_private_key(
            signed_by["private_key"].encode(), None
        )
        signature = private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        data = {
            "grant_type": JWT_BEARER,
            "assertion": signed + "." + encoded(signature),
        }
        return requests.post(emulator.url + "/token", data=data, timeout=30)

    post.other = other
    return post


def test_service_account_token(emulator, assertion):
    answer = assertion()
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "expires_in", "token_type"}
    api = Api(emulator, answer.json())
    assert api.get("/about", fields="user(emailAddress)").json()["user"] == {
        "emailAddress": "robot@emulated-project.iam.gserviceaccount.com"
    }


@pytest.mark.parametrize(
    "error, changes",
    [
        ("invalid_grant", {"iss": "nobody@example.com"}),
        ("invalid_grant", {"aud": "https://other.example.com/token"}),
        ("invalid_grant", {"iat": 1000, "exp": 4600}),
        ("invalid_grant", {"exp": int(time.time()) + 9000}),
        ("invalid_grant", {"header": {"kid": "0" * 40}}),
        ("invalid_grant", {"header": {"alg": "none"}}),
        ("invalid_scope", {"scope": ""}),
        ("invalid_scope", {"scope": "drive"}),
        ("unauthorized_client", {"sub": "a@example.com", "scope": ALL_FILES}),
    ],
)
def test_bad_assertions(assertion, error, changes):
    assert oauth_refusal(assertion(**changes))[1] == error


def test_assertion_signed_with_another_key(assertion):
    refused = assertion(signed_by=assertion.other)
    assert oauth_refusal(refused) == (400, "invalid_grant")


def test_delegation_speaks_for_a_person(emulator):
    key = emulator.service_account(delegation=["drive.file"])
    credentials = service_account.Credentials.from_service_account_info(
        key, scopes=[SCOPE], subject="boss@example.com"
    )
    credentials.refresh(Request())
    api = Api(emulator, {"access_token": credentials.token})
    api.create("mine")
    assert emulator.files()[0]["owner"] == "boss@example.com"
