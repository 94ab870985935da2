"""utils/vault.py and the filters of utils/log_filters.py."""

import logging

import pytest
from cloud_storage.utils import log_filters, vault
from cryptography.fernet import Fernet

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.mark.parametrize("text", ["x", "", "ünï €", "plain:x", "fernet:x", "a\nb"])
@pytest.mark.parametrize(
    "keys", ["", NEW, "%s,%s" % (NEW, OLD), " %s\n%s " % (NEW, OLD)]
)
def test_round_trip(keys, text):
    safe = vault.Vault(keys)
    stored = safe.encrypt(text)
    assert safe.decrypt(stored) == text
    assert stored.startswith("fernet:" if keys else "plain:")
    assert not keys or safe.encrypt(text) != stored


def test_keys_open_what_they_locked():
    plain, old = vault.Vault().encrypt("x"), vault.Vault(OLD).encrypt("x")
    both = vault.Vault(NEW + "," + OLD)
    assert both.decrypt(plain) == both.decrypt(old) == "x"
    assert both.is_stale(plain) and both.is_stale(old)
    fresh = both.rotate(old)
    assert not both.is_stale(fresh)
    assert vault.Vault(NEW).decrypt(fresh) == "x"
    for safe in (vault.Vault(), vault.Vault(NEW)):
        with pytest.raises(vault.LostKeyError):
            safe.decrypt(old)
    assert not vault.Vault(NEW).is_stale(old)  # nothing can be done about it


def test_altered_value():
    stored = vault.Vault(NEW).encrypt("x")
    with pytest.raises(vault.LostKeyError):
        vault.Vault(NEW).decrypt(stored[:-4] + "AAA=")


@pytest.mark.parametrize("keys", ["x", NEW + ",x", NEW[:-4]])
def test_no_key(keys):
    with pytest.raises(ValueError):
        vault.Vault(keys)


def test_setting(monkeypatch):
    monkeypatch.delenv("CLOUD_STORAGE_TEST_SETTING", raising=False)
    assert vault.setting("CLOUD_STORAGE_TEST_SETTING", None) == ""
    assert vault.setting("CLOUD_STORAGE_TEST_SETTING", "option") == "option"
    monkeypatch.setenv("CLOUD_STORAGE_TEST_SETTING", "variable")
    assert vault.setting("CLOUD_STORAGE_TEST_SETTING", "option") == "variable"


def logged(log_filter, *messages):
    records = [logging.makeLogRecord({"msg": m, "thread": 1}) for m in messages]
    return [record.getMessage() for record in records if log_filter.filter(record)]


def test_addresses_are_shortened():
    login = "GET /web/login?redirect=http%3A%2F%2Fh%2Fcloud_storage%2Foauth%2F"
    assert logged(
        log_filters.AddressFilter(),
        '"GET /cloud_storage/oauth/callback?code=c&state=s HTTP/1.1" 200',
        login + "callback%3Fcode%3Dc%26state%3Ds HTTP/1.1",
        "PUT /upload/drive/v3/files?uploadType=resumable&upload_id=ABC HTTP/1.1",
        "GET /web?upload=1 HTTP/1.1",
    ) == [
        '"GET /cloud_storage/oauth/callback?... HTTP/1.1" 200',
        login + "callback%3F... HTTP/1.1",
        "PUT /upload/drive/v3/files?uploadType=resumable&upload_id=... HTTP/1.1",
        "GET /web?upload=1 HTTP/1.1",
    ]


def test_addresses_in_arguments():
    """What the servers' own logs do: the address is an argument of the message."""
    record = logging.makeLogRecord(
        {"msg": '"%s" %s', "args": ("GET /cloud_storage/oauth/callback?code=c", 200)}
    )
    assert log_filters.AddressFilter().filter(record)
    assert record.getMessage() == '"GET /cloud_storage/oauth/callback?..." 200'


def test_calls_with_secrets_are_dropped_to_their_end():
    messages = [
        "call write",
        "   {'client_secret':",
        "     'secret'}",
        "next call",
        "  x",
    ]
    kept = logged(log_filters.CallFilter(), *messages)
    assert kept == ["call write", "next call", "  x"]


@pytest.mark.parametrize(
    "sign",
    [
        "{'client_secret': 'x'}",
        "{'service_account_json': 'x'}",
        "{'service_account_file': 'x'}",
        "GET /cloud_storage/oauth/callback?state=auth_1.x",
    ],
)
def test_every_sign_of_a_secret(sign):
    assert logged(log_filters.CallFilter(), sign, "next call") == ["next call"]


def test_other_threads_go_on():
    log_filter = log_filters.CallFilter()
    assert not logged(log_filter, "{'client_secret':")
    other = logging.makeLogRecord({"msg": "  of another thread", "thread": 2})
    assert log_filter.filter(other)
    assert not logged(log_filter, "  'x'}")
