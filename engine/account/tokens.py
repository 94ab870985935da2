"""The life of an account's tokens: used, renewed, refused, given back."""
import logging
from datetime import timedelta

from odoo import _, fields
from odoo.exceptions import UserError

from ...drive import oauth
from ...drive.errors import DriveError, TransientError
from ...exceptions import LostSecretError, WrongDriveError
from ..messages import Messages
from .credentials import Credentials
from .database import is_copy, new_binding
from .identity import Identity
from .transaction import elsewhere, is_changed_here, own_transaction
from .usable import check_enabled

_logger = logging.getLogger(__name__)

REFRESH_MARGIN = timedelta(minutes=5)


class Tokens:
    """The tokens of one account.

    :param auth: a ``cloud_storage.auth`` record in superuser mode
    """

    def __init__(self, auth):
        self.auth, self.env = auth, auth.env
        self.credentials = Credentials(auth)

    # -- use ---------------------------------------------------------------------------

    def valid(self):
        """An access token with at least five minutes to live.

        :rtype: str
        :raises UserError: not authorized, or Google refused to renew
        :raises TransientError: Google could not be reached
        """
        return self.fresh_or_none() or self.renew()

    def fresh_or_none(self):
        """The access token when it has five minutes to live."""
        try:
            return self._fresh()
        except LostSecretError:
            return None  # the renewal writes down what that means

    def _fresh(self):
        """Token and expiry come from one snapshot: the cache may be newer."""
        self.auth.flush(["token_expiry"], self.auth)
        self.env.cr.execute(
            "SELECT 1 FROM cloud_storage_auth WHERE id = %s AND token_expiry > %s",
            (self.auth.id, fields.Datetime.now() + REFRESH_MARGIN),
        )
        found = self.env.cr.fetchone()
        return bool(found) and self.credentials.secret("access_token")

    # -- renew -------------------------------------------------------------------------

    def renew(self, stale=None, force=False):
        """Refresh under a lock, in a transaction that survives the caller's rollback.

        Two workers at once: the second waits, then finds the token of the first.

        :param str stale: refresh even a fresh token if it is still this one
        :param bool force: refresh unless another worker does so meanwhile
        :rtype: str
        :raises UserError: switched off, not authorized, or Google refused
        :raises TransientError: Google could not be reached
        """
        check_enabled(self.auth.env)
        if force:
            stale = self._token_now()
        with own_transaction(self.auth) as auth:
            locked = Tokens(auth)
            try:
                return locked._renew_locked(stale)
            except (DriveError, UserError) as err:
                failure = locked._note_failure(err)
        raise failure

    def _renew_locked(self, stale):
        token = self._fresh()
        if token and token != stale:
            return token
        tokens = self._request()
        return self.store(tokens, **Identity(self.auth).of_renewed(tokens))

    def _token_now(self):
        """The access token as committed at this moment, False without one to read."""
        if is_changed_here(self.auth):
            return self.credentials.secret_or_false("access_token")
        with self.env.registry.cursor() as cr:
            there = Credentials(elsewhere(self.auth, cr))
            return there.secret_or_false("access_token")

    def _request(self):
        if self.auth.auth_type == "oauth":
            refresh_token = self.credentials.secret("refresh_token")
            self._check_authorized(refresh_token)
            return oauth.refresh(self.credentials.oauth_client(), refresh_token)
        key = self.credentials.secret("service_account_json")
        self._check_authorized(key)
        return oauth.service_account_token(
            oauth.parse_service_account(key),
            self.auth.scope,
            self.credentials.endpoint("google_token_uri"),
            self.auth.delegated_user or None,
        )

    def _check_authorized(self, known):
        if not known:
            raise UserError(
                _(
                    "The account %s is not authorized yet: authorize it first.",
                    self.auth.name,
                )
            )

    def store(self, tokens, **vals):
        """Keep what Google gave; a refresh token that it did not repeat stays.

        :param tokens: see :class:`...drive.oauth.Tokens`
        :param vals: more values of the account
        :return: the access token
        """
        secret = self.env["cloud_storage.secret"]
        secret._set(self.auth, "access_token", tokens.access)
        if tokens.refresh:
            secret._set(self.auth, "refresh_token", tokens.refresh)
        if not self.auth.database_uuid:
            vals.update(new_binding(self.env))
        vals.update(token_expiry=tokens.expiry, state="authorized", last_error=False)
        self.auth.write(vals)  # which forgets the cached secrets, too
        return tokens.access

    # -- fail --------------------------------------------------------------------------

    def _note_failure(self, err):
        """Write down why there is no new token; return what to raise.

        Only a refusal that a person must mend makes the account broken.
        """
        auth = self.auth
        if isinstance(err, UserError) and not isinstance(err, LostSecretError):
            auth._note_expiry()
            if isinstance(err, WrongDriveError):
                auth.last_error = str(err)
            return err
        message = Messages(self.env).account(err)
        _logger.warning("Account %s: token not refreshed: %s", auth.id, err)
        if isinstance(err, TransientError):
            auth.last_error = message
            return err
        works_no_more = auth.state in ("authorized", "expired")
        auth.write({"state": "error", "last_error": message})
        if works_no_more:
            self._notify_lost_authorization()
        failure = UserError(message)
        failure.__cause__ = err
        return failure

    def _notify_lost_authorization(self):
        """Tell the people of the account's configurations that it stopped working."""
        self.auth._notify_users(
            self.auth.config_ids.notify_user_ids,
            _("Cloud Storage: %s has to be authorized again", self.auth.name),
            _(
                "Odoo can not use the account %(account)s at Google Drive any more, and"
                " files in it can not be opened.\n\n%(reason)s",
                account=self.auth.name,
                reason=self.auth.last_error,
            ),
        )

    # -- end ---------------------------------------------------------------------------

    def revoke(self):
        """Make Google forget the grant, then forget it here.

        A copy of a database only forgets: the original goes on using the grant.

        :raises DriveError: Google could not be reached; nothing was changed
        """
        check_enabled(self.auth.env)
        secret = self.credentials.secret_or_false
        token = secret("refresh_token") or secret("access_token")
        if token and self.auth.auth_type == "oauth" and not is_copy(self.auth):
            oauth.revoke(token, self.credentials.endpoint("google_revoke_uri"))
        with own_transaction(self.auth) as auth:
            auth._forget_grant()
