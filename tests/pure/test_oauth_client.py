"""drive/oauth.py against the emulator, and against servers that answer nonsense."""

import contextlib
import http.server
import json
import os
import threading
from datetime import datetime, timedelta

import pytest
from cloud_storage.drive import oauth
from cloud_storage.drive.errors import (
    CredentialsFormatError,
    InvalidClientError,
    InvalidGrantError,
    OAuthError,
    TransientError,
)

REDIRECT = "http://127.0.0.1/cloud_storage/oauth/callback"
INSECURE = "OAUTHLIB_INSECURE_TRANSPORT"


@pytest.fixture
def client(emulator):
    made = emulator.client()
    return oauth.OAuthClient(
        made["client_id"],
        made["client_secret"],
        REDIRECT,
        emulator.url + "/o/oauth2/v2/auth",
        emulator.url + "/token",
    )


@contextlib.contextmanager
def answering(status, body, content_type="application/json"):
    """A token endpoint that always says the same."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield oauth.OAuthClient(
            "id",
            "secret",
            REDIRECT,
            oauth.AUTH_URI,
            "http://127.0.0.1:%d/token" % server.server_address[1],
        )
    finally:
        server.shutdown()
        server.server_close()


def exchange(client, code="4/0code"):
    return oauth.exchange_code(client, "drive.file", code, oauth.new_verifier())


def granted(**more):
    return dict(
        {
            "access_token": "ya29.secret-in-the-answer",
            "refresh_token": "1//0secret-in-the-answer",
            "expires_in": 3599,
            "scope": oauth.SCOPES["drive.file"],
            "token_type": "Bearer",
        },
        **more,
    )


def seconds_until(when):
    return (when - datetime.utcnow()).total_seconds()


def test_known_end_of_the_grant():
    with answering(200, granted(refresh_token_expires_in=604799)) as client:
        tokens = exchange(client)
    assert abs(seconds_until(tokens.grant_expiry) - 604799) < 60
    assert abs(seconds_until(tokens.expiry) - 3599) < 60


def test_no_known_end_of_the_grant():
    with answering(200, granted()) as client:
        assert exchange(client).grant_expiry is None


def test_answer_without_life_or_scope():
    answer = granted()
    del answer["expires_in"], answer["scope"]
    with answering(200, answer) as client:
        assert abs(seconds_until(exchange(client).expiry) - 3600) < 60


NONSENSE = [
    (200, b"<html>please log in to the hotel</html>"),
    (200, b"[]"),
    (200, b""),
    (403, b"<html>proxy</html>"),
    (407, b""),
    (500, b"<html>oops</html>"),
    (502, b"<html>bad gateway</html>"),
    (502, {"error": "invalid_grant"}),
    (429, {"error": "rate_limit_exceeded"}),
    (400, {"error": {"code": 400, "message": "not OAuth's shape"}}),
]


@pytest.mark.parametrize("status,body", NONSENSE)
def test_nonsense_is_no_refusal(status, body):
    with answering(status, body) as client:
        with pytest.raises(TransientError):
            oauth.refresh(client, "1//0x")


@pytest.mark.parametrize("status,body", NONSENSE[:-1])
def test_nonsense_for_a_code(status, body):
    with answering(status, body) as client:
        with pytest.raises(TransientError):
            exchange(client)


@pytest.mark.parametrize(
    "code,kind",
    [
        ("invalid_grant", InvalidGrantError),
        ("invalid_client", InvalidClientError),
        ("unauthorized_client", InvalidClientError),
        ("deleted_client", OAuthError),
        ("admin_policy_enforced", OAuthError),
    ],
)
def test_refusals(code, kind):
    body = {"error": code, "error_description": "Words of Google"}
    with answering(400, body) as client:
        for call in (lambda: oauth.refresh(client, "1//0x"), lambda: exchange(client)):
            with pytest.raises(kind) as caught:
                call()
            assert not isinstance(caught.value, TransientError)
            assert caught.value.reason == code
            assert "Words of Google" in str(caught.value)


def test_answer_without_token_is_not_quoted():
    answer = granted()
    del answer["access_token"]
    with answering(200, answer) as client:
        with pytest.raises(TransientError) as caught:
            oauth.refresh(client, "1//0x")
    assert "secret-in-the-answer" not in str(caught.getrepr(style="long"))


ODD_ANSWERS = [
    {"access_token": ""},
    {"access_token": None},
    {"access_token": ["ya29.x"]},
    {"access_token": "ya29.x\nHost: evil"},
    {"expires_in": "soon"},
    {"expires_in": -1},
    {"expires_in": 0},
    {"expires_in": True},
    {"expires_in": 1e300},
    {"expires_in": [3600]},
    {"token_type": "mac"},
    {"token_type": 1},
    {"refresh_token": {"a": "b"}},
]


@pytest.mark.parametrize("change", ODD_ANSWERS)
def test_answer_that_was_not_asked_for(emulator, change):
    """Whoever answers so is not Google's token endpoint: nothing follows from it."""
    key = oauth.parse_service_account(json.dumps(emulator.service_account()))
    with answering(200, granted(**change)) as client:
        for call in (
            lambda: oauth.refresh(client, "1//0x"),
            lambda: exchange(client),
            lambda: oauth.service_account_token(key, "drive", client.token_uri),
        ):
            with pytest.raises(TransientError):
                call()


@pytest.mark.parametrize("life", ["forever", -5, [1]])
def test_odd_end_of_the_grant(life):
    with answering(200, granted(refresh_token_expires_in=life)) as client:
        with pytest.raises(TransientError):
            exchange(client)


@pytest.mark.parametrize("name", ["bearer", "Bearer", "BEARER"])
def test_token_type_in_any_case(name):
    with answering(200, granted(token_type=name)) as client:
        assert exchange(client).access
        assert oauth.refresh(client, "1//0x").access


@pytest.mark.parametrize(
    "status,body",
    [
        (200, b"<html>please log in to the hotel</html>"),
        (400, b"<html>invalid_token</html>"),
        (302, b""),
        (200, b"[]"),
    ],
)
def test_nonsense_revokes_nothing(status, body):
    with answering(status, body) as client:
        with pytest.raises(TransientError):
            oauth.revoke("1//0x", client.token_uri)


def test_redirect_takes_no_secret_along():
    """A token endpoint redirects nobody; the form with the secrets stays here."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(307)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = "http://127.0.0.1:%d/token" % server.server_port
    client = oauth.OAuthClient("id", "s", REDIRECT, oauth.AUTH_URI, address)
    try:
        for call in (
            lambda: oauth.refresh(client, "1//0x"),
            lambda: exchange(client),
            lambda: oauth.revoke("1//0x", address),
        ):
            with pytest.raises(TransientError):
                call()
    finally:
        server.shutdown()
        server.server_close()
    assert set(seen) == {"/token"}


def test_round_trip_over_plain_http_leaves_no_trace(client, emulator):
    verifier = oauth.new_verifier()
    assert 43 <= len(verifier) <= 128
    url = oauth.authorization_url(client, "drive", "state", verifier)
    back = emulator.consent(url)
    code = back.partition("code=")[2].partition("&")[0].replace("%2F", "/")
    tokens = oauth.exchange_code(client, "drive", code, verifier)
    assert (
        tokens.refresh
        and oauth.refresh(client, tokens.refresh).refresh == tokens.refresh
    )
    assert INSECURE not in os.environ


def test_plain_http_only_on_this_machine(client):
    away = client._replace(
        auth_uri="http://example.com/auth", token_uri="http://example.com/token"
    )
    with pytest.raises(OAuthError, match="must use https"):
        oauth.authorization_url(away, "drive.file", "state", oauth.new_verifier())
    with pytest.raises(OAuthError, match="must use https"):
        exchange(away)


def test_many_threads_leave_no_trace(client):
    def ask():
        for _i in range(20):
            oauth.authorization_url(client, "drive.file", "s", oauth.new_verifier())

    threads = [threading.Thread(target=ask) for _i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert INSECURE not in os.environ


def test_no_server(client):
    away = client._replace(token_uri="http://127.0.0.1:9/token")
    for call in (
        lambda: oauth.refresh(away, "1//0x"),
        lambda: exchange(away),
        lambda: oauth.revoke("1//0x", "http://127.0.0.1:9/revoke"),
    ):
        with pytest.raises(TransientError):
            call()


def test_service_account(emulator):
    key = oauth.parse_service_account(json.dumps(emulator.service_account()))
    tokens = oauth.service_account_token(key, "drive.file", emulator.url + "/token")
    assert tokens.access.startswith("ya29.") and tokens.refresh is None
    assert timedelta(0) < tokens.expiry - datetime.utcnow() < timedelta(hours=2)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "authorized_user"},
        {"private_key": "my secret"},
        {"private_key": ["my secret"]},
        {"private_key_id": 7},
        {"client_email": ""},
        {"client_email": {"a": "b"}},
        {"universe_domain": "example.com"},
        {"universe_domain": "my secret"},
        {"universe_domain": ""},
        {"universe_domain": None},
        {"universe_domain": ["googleapis.com"]},
        {"universe_domain": "googleapis.com.example.com"},
    ],
)
def test_bad_keys(emulator, change):
    text = json.dumps(dict(emulator.service_account(), **change))
    with pytest.raises(CredentialsFormatError) as caught:
        oauth.parse_service_account(text)
    assert "my secret" not in str(caught.value)


def test_key_says_nothing_of_where_to_go(emulator):
    """Only who it is and its key count; the token comes from the endpoint of Odoo."""
    key = emulator.service_account()
    key.update(token_uri="http://127.0.0.1:9/token", universe_domain="example.com")
    key.update(trust_boundary={"locations": []}, quota_project_id="x")
    tokens = oauth.service_account_token(key, "drive.file", emulator.url + "/token")
    assert tokens.access.startswith("ya29.")
    assert emulator.count("token") == 1


def test_universe_is_named():
    with pytest.raises(CredentialsFormatError, match="universe_domain"):
        oauth.parse_service_account(
            json.dumps(
                {
                    "type": "service_account",
                    "client_email": "x@y",
                    "private_key": "k",
                    "private_key_id": "1",
                    "universe_domain": "example.com",
                }
            )
        )


def test_key_without_a_universe(emulator):
    key = emulator.service_account()
    del key["universe_domain"]
    assert oauth.parse_service_account(json.dumps(key))


def test_revoke(emulator):
    grant = emulator.grant()
    for _again in range(2):  # what Google does not know is as good as revoked
        oauth.revoke(grant["refresh_token"], emulator.url + "/revoke")
    emulator.fault("revoke", status=400, reason="invalid_request")
    with pytest.raises(OAuthError):
        oauth.revoke("x", emulator.url + "/revoke")
