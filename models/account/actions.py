"""Buttons of an account: each turns an error into a sentence."""

from odoo import _, fields, models
from odoo.exceptions import UserError

from ...drive.errors import DriveError, NotFoundError
from ...engine.account.database import is_copy, new_binding
from ...engine.account.identity import Identity, user_values
from ...engine.account.tokens import Tokens
from ...engine.account.transaction import own_transaction
from ...engine.messages import Messages
from .auth import CloudStorageAuth as Account


class CloudStorageAuth(models.Model):
    _inherit = Account._name

    def action_authorize(self):
        """Lead to Google's consent page; a service account is tried at once."""
        self.ensure_one()
        if self.auth_type == "service_account":
            return self.action_test_connection()
        return {
            "type": "ir.actions.act_url",
            "url": self.get_auth_url(),
            "target": "self",
        }

    def action_test_connection(self):
        """Show who the account is, its quota and whether it can be written to.

        :raises UserError: it does not work; the message says why
        """
        self.ensure_one()
        self._check_manager()
        try:
            client = self._drive_client(tries=2)
            about = Identity(self.sudo()).check(client)
            folders = self.sudo()._probe_folders(client)
        except DriveError as err:
            raise UserError(Messages(self.env).account(err)) from err
        user = about["user"]
        with own_transaction(self) as auth:
            auth.write(dict(user_values(user), last_error=False))
        lines = [
            _("Connected as %s.", user.get("emailAddress") or user.get("displayName")),
            Messages(self.env).quota(about.get("storageQuota", {})),
        ]
        return self._notification("\n".join(lines + folders), sticky=True)

    def test_connection(self):
        """Alias of :meth:`action_test_connection`."""
        return self.action_test_connection()

    def _probe_folders(self, client):
        """Whether the root folders can be written to, one line each."""
        get_param = self.env["ir.config_parameter"].sudo().get_param
        folder_ids = set(self.config_ids.mapped("drive_root_folder_id"))
        folder_ids.add(get_param("cloud_storage.drive_root_folder_id"))
        lines = [
            self._probe_folder(client, one) for one in sorted(filter(None, folder_ids))
        ]
        return lines or [_("The root folder will be created by the first sync.")]

    def _probe_folder(self, client, folder_id):
        try:
            found = client.get(folder_id, fields="name,trashed,capabilities")
        except NotFoundError:
            return _("The folder %s does not exist, or is hidden from it!", folder_id)
        if found.get("trashed") or not found["capabilities"].get("canAddChildren"):
            return _("The folder %s can not be written to!", found["name"])
        return _("The folder %s is writable.", found["name"])

    def action_refresh_token(self):
        """Get a new access token and say how it went."""
        self.ensure_one()
        if self.refresh_access_token():
            return self._notification(_("The token was refreshed."))
        message = self.last_error or _("The token was not refreshed: authorize first.")
        return self._notification(message, "danger")

    def action_check_token_status(self):
        """Say how long the token lives; one that ran out makes the account expired."""
        self.ensure_one()
        self._check_manager()
        if not self.token_set or not self.token_expiry:
            return self._notification(
                _("There is no token yet: authorize the account."), "warning"
            )
        self.sudo()._note_expiry()
        left = int((self.token_expiry - fields.Datetime.now()).total_seconds() // 60)
        if left <= 0:
            return self._notification(
                _("The token is expired; it is refreshed when it is needed."), "warning"
            )
        message = _("The token is valid for %s minutes.", left)
        if self.days_left >= 0:
            message += " " + _("The authorization ends in %s days.", self.days_left)
        return self._notification(message)

    def action_ask_revoke(self):
        """Revoke; show first how many files nobody can open afterwards."""
        self.ensure_one()
        self._check_manager()
        return self.env["cloud_storage.confirmation"]._ask("revoke", auth_id=self.id)

    def action_revoke(self):
        """Revoke the grant at Google and forget every token.

        :raises UserError: Google could not be reached; nothing was changed
        """
        self.ensure_one()
        self._check_manager()
        try:
            Tokens(self.sudo()).revoke()
        except DriveError as err:
            raise UserError(Messages(self.env).account(err)) from err
        if is_copy(self):
            return self._notification(
                _("This copy forgot the tokens. The original goes on using them.")
            )
        return self._notification(_("The authorization was revoked."))

    def action_ask_database(self):
        """Confirm this database; show first which files it may change then."""
        self.ensure_one()
        self._check_manager()
        return self.env["cloud_storage.confirmation"]._ask("database", auth_id=self.id)

    def action_confirm_database(self):
        """Let this database write to the Drive that another one authorized."""
        self.ensure_one()
        self._check_manager()
        self.sudo().write(new_binding(self.env))
        return True
