"""What state an account is in, and whether it may be used at all."""

from odoo import _, api, fields, models

from ...engine.account.credentials import Credentials
from ...engine.account.database import DATABASE_FIELDS, is_copy
from ...engine.account.files import count_files
from ...engine.account.usable import is_disabled
from ...engine.messages import Messages
from .auth import IDENTITY_FIELDS, TYPED_FIELDS
from .auth import CloudStorageAuth as Account

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

    @api.depends("state", "grant_expiry", *DATABASE_FIELDS)
    def _compute_health(self):
        for auth in self:
            auth.health = auth._get_health()

    def _get_health(self):
        if is_disabled():
            return "disabled"
        if is_copy(self):
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
