"""Whose Drive an account is: the same one for as long as files of ours are there."""
import logging

from odoo import _, fields, models
from odoo.exceptions import UserError

from ..drive.client import DriveClient
from ..drive.errors import DriveError
from ..drive.retry import Retrier

_logger = logging.getLogger(__name__)


class NewToken:
    """The token source for a token that is not stored yet.

    :param str token: access token
    """

    def __init__(self, token):
        self._token = token

    def token(self):
        """The token."""
        return self._token

    def renew(self, _stale):
        """There is no other."""
        return self._token


class CloudStorageAuth(models.Model):
    _inherit = "cloud_storage.auth"

    google_user_id = fields.Char(
        "Google User",
        readonly=True,
        copy=False,
        help="Drive's permissionId of the person who authorized the account.",
    )

    def _identity(self, access_token):
        """Whose token it is, as values of the account; none while Drive is away.

        :raises UserError: not the person in whose Drive the files of this account are
        :rtype: dict
        """
        client = DriveClient(
            NewToken(access_token),
            api_root=self._endpoint("google_api_root"),
            retrier=Retrier(*self._pacing(), tries=2),
        )
        try:
            user = client.about().get("user", {})
        except DriveError as err:  # no reason to refuse: reconcile looks again
            _logger.warning("Account %s: its name could not be read: %s", self.id, err)
            return {}
        self._check_user(user)
        return self._user_values(user)

    def _user_values(self, user):
        return {
            "account_email": user.get("emailAddress"),
            "google_user_id": user.get("permissionId"),
        }

    def _check_user(self, user):
        """Compare who Google says we are with who it was when the files went.

        A shared drive is nobody's: any of its members will do.

        :param dict user: ``user`` of Drive's ``about``
        :raises UserError: another Google account
        """
        if self.shared_drive_id or self._is_same_user(user) or not self._holds_files():
            return
        raise UserError(
            _(
                "This is the Drive of another Google account, %(found)s: files of this"
                " account are in that of %(known)s. Authorize it with the one it had, or"
                " create another account for the new one and migrate. Nothing was"
                " changed.",
                found=user.get("emailAddress") or _("somebody else"),
                known=self.account_email or _("somebody else"),
            )
        )

    def _is_same_user(self, user):
        if self.google_user_id:
            return user.get("permissionId") in (None, self.google_user_id)
        return not self.account_email or self.account_email == user.get("emailAddress")

    def _holds_files(self):
        self.env.cr.execute(
            "SELECT 1 FROM ir_attachment WHERE cloud_auth_id = %s"
            " AND cloud_file_id IS NOT NULL LIMIT 1",
            (self.id,),
        )
        return bool(self.env.cr.fetchone())
