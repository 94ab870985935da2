"""From the button "Authorize" to the first tokens of an account."""

import hashlib
import hmac
import json
import logging
import secrets
import time

from odoo import SUPERUSER_ID, _, api, models
from odoo.exceptions import UserError
from odoo.http import request

from ..drive import oauth
from ..drive.errors import DriveError, OAuthError
from ..engine.messages import Messages
from ..exceptions import WrongDriveError

_logger = logging.getLogger(__name__)

STATE_LIFE = 10 * 60  # seconds a consent may take
STATE_SECRET = "oauth_state"
STATE_PREFIX = "auth_"


class CloudStorageAuth(models.Model):
    _inherit = "cloud_storage.auth"

    def get_auth_url(self):
        """Begin the consent: return the address of Google's page (state ``pending``).

        The ``state`` in it is ``auth_<id>.<secret>``: bound to the session that asked,
        good once, for ten minutes. An account that works goes on working meanwhile.

        :rtype: str
        :raises UserError: not an OAuth account, or the client is incomplete
        """
        self.ensure_one()
        self._check_manager()
        self._check_enabled()
        client = self.sudo()._oauth_client()
        nonce, verifier = secrets.token_urlsafe(32), oauth.new_verifier()
        self._remember_consent(nonce, verifier)
        if self.state in ("draft", "error"):
            self.sudo().state = "pending"
        state = "%s%d.%s" % (STATE_PREFIX, self.id, nonce)
        try:
            return oauth.authorization_url(client, self.scope, state, verifier)
        except OAuthError as err:
            raise UserError(str(err)) from err

    def _oauth_client(self):
        self.ensure_one()
        if self.auth_type != "oauth":
            raise UserError(
                _("A service account needs no consent: test the connection instead.")
            )
        client_id = self._client_id()
        client_secret = self._secret("client_secret")
        if not client_id or not client_secret:
            raise UserError(
                _("Enter the client ID and the client secret of %s first.", self.name)
            )
        return oauth.OAuthClient(
            client_id,
            client_secret,
            self.redirect_uri or self._default_redirect_uri(),
            self._endpoint("google_auth_uri"),
            self._endpoint("google_token_uri"),
        )

    def _client_id(self):
        return self.client_id or self._environment("client_id")

    # -- state -------------------------------------------------------------------------

    def _remember_consent(self, nonce, verifier):
        pending = {
            "nonce": _digest(nonce),
            "session": self._session_digest(),
            "uid": self.env.uid,
            "verifier": verifier,
            "expires": time.time() + STATE_LIFE,
        }
        self.env["cloud_storage.secret"]._set(self, STATE_SECRET, json.dumps(pending))

    def _pending_consent(self):
        stored = self.env["cloud_storage.secret"]._get(self, STATE_SECRET)
        return json.loads(stored) if stored else {}

    @api.model
    def _session_digest(self):
        """A digest of the browser session that asks, empty outside of one."""
        session = request and getattr(request, "session", None)
        return _digest(session.sid) if session and session.uid else ""

    @api.model
    def _take_state(self, state):
        """Use up a ``state`` that came back; committed, so that it works only once.

        :return: the account and the PKCE verifier; two times None when the state is
            wrong, used, expired or another session's
        """
        auth = self._account_of_state(state)
        if not auth:
            return None, None
        nonce = state.partition(".")[2]
        with auth._own_transaction() as locked:
            pending = locked._pending_consent()
            if not hmac.compare_digest(pending.get("nonce", ""), _digest(nonce)):
                return None, None
            if not self._is_same_session(pending):
                return None, None
            locked.env["cloud_storage.secret"]._wipe(locked, [STATE_SECRET])
        if pending["expires"] < time.time():
            return None, None
        return auth, pending["verifier"]

    @api.model
    def _account_of_state(self, state):
        head, _dot, nonce = (state or "").partition(".")
        number = head[len(STATE_PREFIX) :]
        if not head.startswith(STATE_PREFIX) or not number.isdecimal() or not nonce:
            return self.browse()
        return self.browse(int(number)).exists() if len(number) < 10 else self.browse()

    @api.model
    def _is_same_session(self, pending):
        if pending["session"]:
            return hmac.compare_digest(pending["session"], self._session_digest())
        # asked for outside of a browser (shell, XML-RPC): any session of that user
        return pending["uid"] in (self.env.uid, SUPERUSER_ID)

    # -- code --------------------------------------------------------------------------

    def exchange_code_for_token(self, code, verifier=None):
        """End the consent: trade the callback's code for tokens.

        A refusal is noted in ``last_error`` and changes nothing else.

        :param str code: as the callback got it
        :param str verifier: PKCE verifier; the one of the pending consent by default
        :return: True, the account is ``authorized``
        :raises UserError: Google refused, or these tokens do not lead to the files of the
            account; the message says what to do
        """
        self.ensure_one()
        self._check_manager()
        self._check_enabled()
        auth = self.sudo()
        client = auth._oauth_client()
        verifier = verifier or auth._pending_consent().get("verifier")
        try:
            tokens = oauth.exchange_code(client, auth.scope, code, verifier)
            identity = auth._identity(tokens.access)
        except (DriveError, WrongDriveError) as err:
            message = Messages(self.env).consent(err)
            with auth._own_transaction() as locked:
                locked.last_error = message
            raise UserError(message) from err
        with auth._own_transaction() as locked:
            locked._store_tokens(tokens, grant_expiry=tokens.grant_expiry, **identity)
            locked.env["cloud_storage.secret"]._wipe(locked, [STATE_SECRET])
        return True


def _digest(text):
    return hashlib.sha256(text.encode()).hexdigest()
