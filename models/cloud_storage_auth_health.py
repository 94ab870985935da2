"""What state an account is in, and whether it may be used at all."""

import os

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import config, str2bool

from ..drive import oauth
from ..drive.client import GOOGLE_API_ROOT
from ..drive.errors import OAuthError
from ..drive.oauth_transport import check_endpoint
from .cloud_storage_auth import DATABASE_FIELDS, SECRETS

DISABLED_VARIABLE = "CLOUD_STORAGE_DISABLED"
ENDING_DAYS = 14  # days before its end that an authorization is called ending


class CloudStorageAuth(models.Model):
    _inherit = "cloud_storage.auth"

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
        if self._is_disabled():
            return "disabled"
        if self._is_foreign_copy():
            return "copy"
        if self._origin and self._origin._has_lost_secrets():
            return "key_lost"
        if self.state == "authorized" and 0 <= self.days_left <= ENDING_DAYS:
            return "ending"
        return self.state

    def _has_lost_secrets(self):
        try:
            for name in SECRETS:
                self._secret(name)
        except UserError:
            return True
        return False

    @api.depends("grant_expiry")
    def _compute_days_left(self):
        now = fields.Datetime.now()
        for auth in self:
            known = auth.grant_expiry
            auth.days_left = max(0, (known - now).days) if known else -1

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
    def _endpoint(self, name):
        """A system parameter of Google's addresses, Google's own by default.

        :raises UserError: neither HTTPS nor on this machine: tokens would be seen
        """
        defaults = {
            "google_auth_uri": oauth.AUTH_URI,
            "google_token_uri": oauth.TOKEN_URI,
            "google_revoke_uri": oauth.REVOKE_URI,
            "google_api_root": GOOGLE_API_ROOT,
        }
        get_param = self.env["ir.config_parameter"].sudo().get_param
        address = get_param("cloud_storage.%s" % name) or defaults[name]
        try:
            check_endpoint(address)
        except OAuthError as err:
            raise UserError(
                _("The system parameter cloud_storage.%s is no https address.", name)
            ) from err
        return address
