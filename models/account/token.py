"""The secrets of an account: written, never read; its tokens: renewed in time."""
import base64
import binascii
import logging

from odoo import api, fields, models
from odoo.exceptions import UserError

from ...drive.errors import DriveError
from ...engine.account.client import drive_client
from ...engine.account.credentials import SECRETS, TOKEN_SECRETS, Credentials
from ...engine.account.tokens import Tokens
from ...engine.account.usable import check_enabled
from .auth import TYPED_FIELDS
from .auth import CloudStorageAuth as Account

_logger = logging.getLogger(__name__)


class CloudStorageAuth(models.Model):
    """Secrets are fields that can be written, never read: their values live in
    ``cloud_storage.secret`` and only a shell or cron of the superuser sees them.
    """

    _inherit = Account._name

    client_secret = fields.Char(
        compute="_compute_secrets",
        inverse="_inverse_client_secret",
        search="_search_secret",
        copy=False,
    )
    service_account_json = fields.Text(
        "Service Account Key",
        compute="_compute_secrets",
        inverse="_inverse_service_account",
        search="_search_secret",
        copy=False,
        help="The JSON key file of the service account.",
    )
    service_account_file = fields.Binary(
        "Service Account Key File",
        compute="_compute_service_account_file",
        inverse="_inverse_service_account",
        search="_search_secret",
        copy=False,
    )
    access_token = fields.Char(
        compute="_compute_secrets",
        inverse="_inverse_access_token",
        search="_search_secret",
        copy=False,
    )
    refresh_token = fields.Char(
        compute="_compute_secrets",
        inverse="_inverse_refresh_token",
        search="_search_secret",
        copy=False,
    )
    client_secret_set = fields.Boolean(compute="_compute_secrets_set")
    service_account_set = fields.Boolean(compute="_compute_secrets_set")
    token_set = fields.Boolean(compute="_compute_secrets_set")
    token_expiry = fields.Datetime(readonly=True, copy=False)
    grant_expiry = fields.Datetime(
        "Authorization Ends",
        readonly=True,
        copy=False,
        help="When the authorization itself ends, where Google said so.",
    )

    # -- secrets -----------------------------------------------------------------------

    @api.depends_context("uid")
    def _compute_secrets(self):
        """Values for the superuser, nothing for anybody who can log in."""
        reveal = self.env["cloud_storage.secret"]._may_reveal()
        for auth in self:
            secret = Credentials(auth).secret_or_false
            for name in SECRETS:
                auth[name] = reveal and auth.id and secret(name)

    def _compute_service_account_file(self):
        self.service_account_file = False  # a way in only

    def _compute_secrets_set(self):
        names = self.env["cloud_storage.secret"]._names(self._origin)
        for auth in self:
            stored = names.get(auth._origin.id, ())
            from_server = Credentials(auth).from_server
            auth.token_set = "access_token" in stored
            auth.client_secret_set = bool(
                "client_secret" in stored or from_server("client_secret")
            )
            auth.service_account_set = bool(
                "service_account_json" in stored or from_server("service_account_json")
            )

    def _inverse_client_secret(self):
        self._inverse_secret("client_secret")

    def _inverse_access_token(self):
        self._inverse_secret("access_token")

    def _inverse_refresh_token(self):
        self._inverse_secret("refresh_token")

    def _inverse_secret(self, name):
        for auth in self:
            self.env["cloud_storage.secret"]._set(auth, name, auth[name])

    def _inverse_service_account(self):
        """Keep a key that was uploaded or pasted, once it proved to be one."""
        for auth in self:
            text = auth._uploaded_key() or auth.service_account_json
            if text:
                Credentials(auth).parse_key(text)
            self.env["cloud_storage.secret"]._set(auth, "service_account_json", text)

    def _uploaded_key(self):
        try:
            return base64.b64decode(self.service_account_file or b"").decode(
                "utf-8-sig"
            )
        except (binascii.Error, UnicodeDecodeError):
            return "not a text"  # which the check for a key refuses

    def _forget_cached_secrets(self):
        """What was just written can not be read, and what is set may have changed."""
        known = ("client_secret_set", "service_account_set", "token_set", "health")
        self.invalidate_cache([*TYPED_FIELDS, *TOKEN_SECRETS, *known], self.ids)

    def _secret(self, name):
        """The stored secret, else the one of the environment, else False.

        :raises LostSecretError: the encryption key is lost
        """
        self.ensure_one()
        return Credentials(self).secret(name)

    # -- tokens ------------------------------------------------------------------------

    def refresh_access_token(self):
        """Get a new access token now, or the one another worker gets at this moment.

        :return: True; False when Google could not be reached (the state stays as it is)
            or refused (the state is ``error``); ``last_error`` says why
        :rtype: bool
        """
        self.ensure_one()
        self._check_manager()
        try:
            Tokens(self.sudo()).renew(force=True)
        except (UserError, DriveError) as err:
            _logger.info("Account %s: token not refreshed: %s", self.id, err)
            return False
        return True

    def _get_valid_token(self):
        """An access token with at least five minutes to live.

        :rtype: str
        :raises UserError: switched off, not authorized, or Google refused to renew
        :raises TransientError: Google could not be reached
        """
        self.ensure_one()
        check_enabled(self.env)
        return Tokens(self).valid()

    def _try_refresh(self, force=False):
        """Refresh for the cron, where one failure must not stop the other accounts.

        :return: whether the account has a good token now
        """
        tokens = Tokens(self)
        try:
            with self.env.cr.savepoint():
                if force or not tokens.fresh_or_none():
                    tokens.renew(force=force)
        except (UserError, DriveError) as err:
            _logger.info("Account %s: token not refreshed: %s", self.id, err)
            return False
        except Exception:  # pylint: disable=broad-except
            # whatever is wrong with this one (a row that somebody edited, a bug), the
            # tokens of the others would run out with it
            _logger.exception("Account %s: token not refreshed", self.id)
            return False
        return True

    def _note_expiry(self):
        """An authorized account whose token ran out unrenewed is ``expired``."""
        now = fields.Datetime.now()
        self.filtered(
            lambda auth: auth.state == "authorized"
            and auth.token_expiry
            and auth.token_expiry <= now
        ).write({"state": "expired"})

    def _drive_client(self, write=False, rate=None, **options):
        """A client for this account; threads may share it.

        :param bool write: it is going to change Drive (refused on a copied database);
            a client that is not refuses to
        :param float rate: requests per second; its configuration's by default
        :param options: ``tries``, ``should_stop`` of the
            :class:`~...drive.retry.Retrier`
        :rtype: ...drive.client.DriveClient
        :raises UserError: switched off, not authorized, not active or a copied database
            (the last two only to write)
        :raises TransientError: the token could not be renewed for now
        """
        self.ensure_one()
        return drive_client(self, write, rate, **options)
