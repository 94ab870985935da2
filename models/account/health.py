"""What state an account is in, and whether it may be used at all."""
import os

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import config, str2bool

from ...engine.account import database
from ...engine.account.credentials import Credentials
from ...engine.account.files import count_files
from ...engine.account.identity import Identity
from ...engine.messages import Messages
from .auth import IDENTITY_FIELDS, TYPED_FIELDS
from .auth import CloudStorageAuth as Account

DISABLED_VARIABLE = "CLOUD_STORAGE_DISABLED"
ENDING_DAYS = 14  # days before its end that an authorization is called ending


class CloudStorageAuth(models.Model):
    _inherit = Account._name

    health = fields.Selection(
        [
            ("disabled", "Switched Off"),
            ("copy", "Copied Database"),
            ("key_lost", "Encryption Key Lost"),
            ("draft", "Draft"),
            ("pending", "Waiting for Consent"),
            ("ending", "Authorization Ends Soon"),
            ("authorized", "Authorized"),
            ("expired", "Expired"),
            ("error", "Error"),
        ],
        compute="_compute_health",
        help="The state, or what matters more; each has one banner on the form.",
    )
    days_left = fields.Integer(
        "Days Until the Authorization Ends",
        compute="_compute_days_left",
        help="-1: Google named no end.",
    )

    @api.depends("state", "grant_expiry", *database.DATABASE_FIELDS)
    def _compute_health(self):
        for auth in self:
            auth.health = auth._get_health()

    def _get_health(self):
        if self._is_disabled():
            return "disabled"
        if self._is_copy():
            return "copy"
        if self._origin and Credentials(self._origin).are_lost():
            return "key_lost"
        if self.state == "authorized" and 0 <= self.days_left <= ENDING_DAYS:
            return "ending"
        return self.state

    @api.depends("grant_expiry")
    def _compute_days_left(self):
        now = fields.Datetime.now()
        for auth in self:
            known = auth.grant_expiry
            auth.days_left = max(0, (known - now).days) if known else -1

    @api.onchange(*IDENTITY_FIELDS, *TYPED_FIELDS)
    def _onchange_identity(self):
        """Warn, with numbers, before a change is saved that costs the authorization."""
        known = self._origin
        if not known.token_set or not known._changes_identity(self):
            return {}
        _all, only_there = count_files(known)
        message = _("Once saved, this account has to be authorized again.")
        message += " " + Messages(self.env).unreadable(*only_there)
        return {"warning": {"title": _("Cloud Storage"), "message": message}}

    # -- may we talk to Google? --------------------------------------------------------

    @api.model
    def _is_disabled(self):
        """Whether the kill switch is on (environment or ``odoo.conf``)."""
        option = config.get(DISABLED_VARIABLE.lower())
        text = os.environ.get(DISABLED_VARIABLE) or option
        return str2bool(str(text), True) if text else False

    @api.model
    def _check_enabled(self):
        """:raises UserError: the kill switch is on"""
        if self._is_disabled():
            raise UserError(
                _(
                    "Cloud Storage is switched off on this server (%s is set): nothing"
                    " is sent to or read from Google.",
                    DISABLED_VARIABLE,
                )
            )

    @api.model
    def _database_uuid(self):
        """Odoo's id of this database, which the files in Drive are marked with."""
        return database.database_uuid(self.env)

    def _is_copy(self):
        """Whether another database than this one authorized the account."""
        self.ensure_one()
        return database.is_copy(self)

    def _check_may_write(self):
        """:raises UserError: this database must not change that Drive, or nobody may"""
        self._check_enabled()
        if self._is_copy():
            raise UserError(
                _(
                    "This database looks like a copy: %(account)s was authorized by"
                    " another one, whose files in Drive it must not touch. If this is"
                    " the real one now (moved to another server, restored, PostgreSQL"
                    ' upgraded), open the account and press "This Is the Real'
                    ' Database".',
                    account=self.name,
                )
            )
        grantee = Identity(self).working_grantee()
        database.keep_binding(self, granted_to=grantee or None)
        if not self.is_active:
            # what lives there can still be read and restored
            raise UserError(
                _("The account %s is not active: nothing is sent to it.", self.name)
            )
