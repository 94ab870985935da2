"""The life of an account's tokens: refresh, failure, revocation."""

import logging
from datetime import timedelta

from odoo import _, fields, models
from odoo.exceptions import UserError

from ..drive import oauth
from ..drive.errors import DriveError, TransientError
from ..engine.messages import Messages
from ..exceptions import LostSecretError, WrongDriveError

_logger = logging.getLogger(__name__)

REFRESH_MARGIN = timedelta(minutes=5)


class CloudStorageAuth(models.Model):
    _inherit = "cloud_storage.auth"

    # -- refresh -----------------------------------------------------------------------

    def refresh_access_token(self):
        """Get a new access token now, or the one another worker gets at this moment.

        :return: True; False when Google could not be reached (the state stays as it is)
            or refused (the state is ``error``); ``last_error`` says why
        :rtype: bool
        """
        self.ensure_one()
        self._check_manager()
        try:
            self.sudo()._renew_token(force=True)
        except (UserError, DriveError) as err:
            _logger.info("Account %s: token not refreshed: %s", self.id, err)
            return False
        return True

    def _get_valid_token(self):
        """An access token with at least five minutes to live.

        :rtype: str
        :raises UserError: not authorized, or Google refused to renew
        :raises TransientError: Google could not be reached
        """
        self.ensure_one()
        self._check_enabled()
        return self._fresh_token_or_none() or self._renew_token()

    def _fresh_token_or_none(self):
        try:
            return self._fresh_token()
        except LostSecretError:
            return None  # the renewal writes down what that means

    def _fresh_token(self):
        """The access token when it has five minutes to live, else False.

        Token and expiry come from one snapshot: the cache may be newer.
        """
        self.flush(["token_expiry"], self)
        self.env.cr.execute(
            "SELECT 1 FROM cloud_storage_auth WHERE id = %s AND token_expiry > %s",
            (self.id, fields.Datetime.now() + REFRESH_MARGIN),
        )
        return bool(self.env.cr.fetchone()) and self._secret("access_token")

    def _renew_token(self, stale=None, force=False):
        """Refresh under a lock, in a transaction that survives the caller's rollback.

        Two workers at once: the second waits, then finds the token of the first.

        :param str stale: refresh even a fresh token if it is still this one
        :param bool force: refresh unless another worker does so meanwhile
        :rtype: str
        :raises UserError: not authorized, or Google refused
        :raises TransientError: Google could not be reached
        """
        self.ensure_one()
        self._check_enabled()
        if force:
            stale = self._token_now()
        with self._own_transaction() as auth:
            try:
                token = auth._fresh_token()
                if not token or token == stale:
                    tokens = auth._request_tokens()
                    identity = auth._renewed_identity(tokens)
                    token = auth._store_tokens(tokens, **identity)
                return token
            except (DriveError, UserError) as err:
                failure = auth._note_failure(err)
        raise failure

    def _token_now(self):
        """The access token as committed at this moment, False without one to read."""
        if self._is_changed_here():
            return self._secret_or_false("access_token")
        with self.env.registry.cursor() as cr:
            return self._elsewhere(cr)._secret_or_false("access_token")

    def _request_tokens(self):
        if self.auth_type == "oauth":
            refresh_token = self._secret("refresh_token")
            self._check_authorized(refresh_token)
            return oauth.refresh(self._oauth_client(), refresh_token)
        key = self._secret("service_account_json")
        self._check_authorized(key)
        return oauth.service_account_token(
            oauth.parse_service_account(key),
            self.scope,
            self._endpoint("google_token_uri"),
            self.delegated_user or None,
        )

    def _check_authorized(self, known):
        if not known:
            raise UserError(
                _(
                    "The account %s is not authorized yet: authorize it first.",
                    self.name,
                )
            )

    def _store_tokens(self, tokens, **vals):
        """Keep what Google gave; a refresh token that it did not repeat stays.

        :return: the access token
        """
        secret = self.env["cloud_storage.secret"]
        secret._set(self, "access_token", tokens.access)
        if tokens.refresh:
            secret._set(self, "refresh_token", tokens.refresh)
        if not self.database_uuid:
            vals.update(self._new_binding())
        vals.update(token_expiry=tokens.expiry, state="authorized", last_error=False)
        self.write(vals)  # which forgets the cached secrets, too
        return tokens.access

    # -- failure -----------------------------------------------------------------------

    def _note_failure(self, err):
        """Write down why there is no new token; return what to raise.

        Only a refusal that a person must mend makes the account broken.
        """
        if isinstance(err, UserError) and not isinstance(err, LostSecretError):
            self._note_expiry()
            if isinstance(err, WrongDriveError):
                self.last_error = str(err)
            return err
        message = Messages(self.env).account(err)
        _logger.warning("Account %s: token not refreshed: %s", self.id, err)
        if isinstance(err, TransientError):
            self.last_error = message
            return err
        works_no_more = self.state in ("authorized", "expired")
        self.write({"state": "error", "last_error": message})
        if works_no_more:
            self._notify_lost_authorization()
        failure = UserError(message)
        failure.__cause__ = err
        return failure

    def _note_expiry(self):
        """An authorized account whose token ran out unrenewed is ``expired``."""
        now = fields.Datetime.now()
        self.filtered(
            lambda auth: auth.state == "authorized"
            and auth.token_expiry
            and auth.token_expiry <= now
        ).write({"state": "expired"})

    def _notify_lost_authorization(self):
        """Tell the people of the account's configurations that it stopped working."""
        self._notify_users(
            self.config_ids.notify_user_ids,
            _("Cloud Storage: %s has to be authorized again", self.name),
            _(
                "Odoo can not use the account %(account)s at Google Drive any more, and"
                " files in it can not be opened.\n\n%(reason)s",
                account=self.name,
                reason=self.last_error,
            ),
        )

    # -- end ---------------------------------------------------------------------------

    def _revoke_and_wipe(self):
        """Make Google forget the grant, then forget it here.

        A copy of a database only forgets: the original goes on using the grant.
        """
        self._check_enabled()
        token = self._secret_or_false("refresh_token")
        token = token or self._secret_or_false("access_token")
        if token and self.auth_type == "oauth" and not self._is_foreign_copy():
            oauth.revoke(token, self._endpoint("google_revoke_uri"))
        with self._own_transaction() as auth:
            auth._forget_grant()

    def _try_refresh(self, force=False):
        """Refresh for the cron, where one failure must not stop the other accounts.

        :return: whether the account has a good token now
        """
        try:
            with self.env.cr.savepoint():
                if force or not self._fresh_token_or_none():
                    self._renew_token(force=force)
        except (UserError, DriveError) as err:
            _logger.info("Account %s: token not refreshed: %s", self.id, err)
            return False
        except Exception:  # pylint: disable=broad-except
            _logger.exception("Account %s: token not refreshed", self.id)
            return False
        return True
