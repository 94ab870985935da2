"""The ``state`` of a consent: bound to the session that asked, good once, ten minutes."""
import hashlib
import hmac
import json
import secrets
import time

from odoo import SUPERUSER_ID
from odoo.http import request

from ...drive import oauth
from .transaction import own_transaction

STATE_LIFE = 10 * 60  # seconds a consent may take
STATE_SECRET = "oauth_state"
STATE_PREFIX = "auth_"


def begin(auth):
    """Remember a consent that is about to be asked for.

    :return: the ``state`` to send along, ``auth_<id>.<secret>``, and the PKCE verifier
    :rtype: tuple[str, str]
    """
    nonce, verifier = secrets.token_urlsafe(32), oauth.new_verifier()
    pending = {
        "nonce": _digest(nonce),
        "session": _session_digest(),
        "uid": auth.env.uid,
        "verifier": verifier,
        "expires": time.time() + STATE_LIFE,
    }
    auth.env["cloud_storage.secret"]._set(auth, STATE_SECRET, json.dumps(pending))
    return "%s%d.%s" % (STATE_PREFIX, auth.id, nonce), verifier


def pending_consent(auth):
    """What :func:`begin` remembered, empty when nothing is under way.

    :rtype: dict
    """
    stored = auth.env["cloud_storage.secret"]._get(auth, STATE_SECRET)
    return json.loads(stored) if stored else {}


def forget(auth):
    """The consent came to its end."""
    auth.env["cloud_storage.secret"]._wipe(auth, [STATE_SECRET])


def take(env, state):
    """Use up a ``state`` that came back; committed, so that it works only once.

    :return: the account and the PKCE verifier; two times None when the state is
        wrong, used, expired or another session's
    """
    auth, nonce = _parse(env, state)
    if not auth:
        return None, None
    with own_transaction(auth) as locked:
        pending = pending_consent(locked)
        if not hmac.compare_digest(pending.get("nonce", ""), _digest(nonce)):
            return None, None
        if not _is_same_session(env, pending):
            return None, None
        forget(locked)
    if pending["expires"] < time.time():
        return None, None
    return auth, pending["verifier"]


def _parse(env, state):
    """The account of a ``state``, none when it is no state, and the secret in it."""
    accounts = env["cloud_storage.auth"]
    head, _dot, nonce = (state or "").partition(".")
    number = head[len(STATE_PREFIX) :]
    if not head.startswith(STATE_PREFIX) or not number.isdecimal() or not nonce:
        return accounts, nonce
    known = accounts.browse(int(number)).exists() if len(number) < 10 else accounts
    return known, nonce


def _is_same_session(env, pending):
    if pending["session"]:
        return hmac.compare_digest(pending["session"], _session_digest())
    # asked for outside of a browser (shell, XML-RPC): any session of that user
    return pending["uid"] in (env.uid, SUPERUSER_ID)


def _session_digest():
    """A digest of the browser session that asks, empty outside of one."""
    session = request and getattr(request, "session", None)
    return _digest(session.sid) if session and session.uid else ""


def _digest(text):
    return hashlib.sha256(text.encode()).hexdigest()
