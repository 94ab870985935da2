"""From the button "Authorize" to the first tokens of an account."""
from odoo import models
from odoo.exceptions import UserError

from ...drive import oauth
from ...drive.errors import DriveError, OAuthError
from ...engine.account import consent
from ...engine.account.credentials import Credentials
from ...engine.account.identity import Identity
from ...engine.account.tokens import Tokens
from ...engine.account.transaction import own_transaction
from ...engine.messages import Messages
from ...exceptions import WrongDriveError
from .auth import CloudStorageAuth as Account


class CloudStorageAuth(models.Model):
    _inherit = Account._name

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
        client = Credentials(self.sudo()).oauth_client()
        state, verifier = consent.begin(self)
        if self.state in ("draft", "error"):
            self.sudo().state = "pending"
        try:
            return oauth.authorization_url(client, self.scope, state, verifier)
        except OAuthError as err:
            raise UserError(str(err)) from err

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
        client = Credentials(auth).oauth_client()
        verifier = verifier or consent.pending_consent(auth).get("verifier")
        try:
            tokens = oauth.exchange_code(client, auth.scope, code, verifier)
            identity = Identity(auth).of_token(tokens.access)
        except (DriveError, WrongDriveError) as err:
            message = Messages(self.env).consent(err)
            with own_transaction(auth) as locked:
                locked.last_error = message
            raise UserError(message) from err
        with own_transaction(auth) as locked:
            expiry = tokens.grant_expiry
            Tokens(locked).store(tokens, grant_expiry=expiry, **identity)
            consent.forget(locked)
        return True

    def _way_back(self):
        """Where Google's consent page leads back to: who is in the guided start, there.

        :rtype: str
        """
        runs = self.config_ids.run_ids
        if self.config_ids and "done" not in runs.mapped("state"):
            action = self.env.ref("cloud_storage.cloud_storage_setup_action")
            return "/web#action=%d" % action.id
        return "/web#id=%d&model=%s&view_type=form" % (self.id, self._name)
