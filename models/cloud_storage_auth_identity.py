"""Whose Drive an account is: the same one for as long as files of ours are there."""
import contextlib
import logging

from odoo import _, api, fields, models

from ..drive.client import DriveClient
from ..drive.errors import (
    CircuitOpenError,
    DriveError,
    ForbiddenError,
    NotFoundError,
    RateLimitError,
    TransientError,
)
from ..drive.retry import Retrier
from ..engine.messages import Messages
from ..exceptions import WrongDriveError

_logger = logging.getLogger(__name__)

NEWEST, OLDEST = 3, 2  # files that Drive is asked for
FOLDERS = 4  # and folders, when it shows none of the files
SHARED_CONTENT = 50  # attachments looked at for so many different files
#: How Drive refuses a file of another application, where it does not say 404.
HIDDEN = "appNotAuthorizedToFile"


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
    granted_to = fields.Char(
        readonly=True,
        copy=False,
        help="OAuth client or service account that Google gave the tokens to, and scope.",
    )

    def _identity(self, access_token):
        """Who and what a new token stands for, as values of the account.

        :raises WrongDriveError: files of this account are somewhere else
        :raises DriveError: there are files, and Drive does not say whether they are there
        :rtype: dict
        """
        client = DriveClient(
            NewToken(access_token),
            api_root=self._endpoint("google_api_root"),
            retrier=Retrier(*self._pacing(), tries=2),
        )
        try:
            user = self._about(client)["user"]
        except DriveError as err:
            if self._holds_files():
                raise
            _logger.warning("Account %s: its name could not be read: %s", self.id, err)
            user = {}
        else:
            self._check_user(user)
        grantee = self._grantee()
        if not self._is_as_before(grantee, user):
            self._ask_for_files(client)
        return dict(self._user_values(user), granted_to=grantee)

    @api.model
    def _about(self, client):
        """Drive's ``about``, with a ``user`` that says who it is.

        :raises TransientError: something else answered
        """
        with _passing():
            about = client.about()
        user = about.get("user") if isinstance(about, dict) else None
        if not isinstance(user, dict) or not _is_somebody(user):
            raise TransientError("an answer that names nobody")
        return about

    def _user_values(self, user):
        return {
            "account_email": user.get("emailAddress"),
            "google_user_id": user.get("permissionId"),
        }

    # -- the person --------------------------------------------------------------------

    def _check_user(self, user):
        """Compare who Google says we are with who it was when the files went.

        A shared drive is nobody's: any of its members will do.

        :param dict user: ``user`` of Drive's ``about``
        :raises WrongDriveError: another Google account, or nobody
        """
        if self.shared_drive_id or not self._holds_files():
            return
        if not _is_somebody(user):
            raise WrongDriveError(
                _(
                    "Google did not say whose Drive this is. Nothing was changed; try"
                    " again."
                )
            )
        if self._is_same_user(user):
            return
        raise WrongDriveError(
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
        known, found = self.google_user_id, user.get("permissionId")
        if known and found:
            return known == found
        if self.account_email:
            return self.account_email == user.get("emailAddress")
        return not known

    def _holds_files(self):
        self.env.cr.execute(
            "SELECT 1 FROM ir_attachment WHERE cloud_auth_id = %s"
            " AND cloud_file_id IS NOT NULL LIMIT 1",
            (self.id,),
        )
        return bool(self.env.cr.fetchone())

    # -- the application ---------------------------------------------------------------

    def _grantee(self):
        """What decides, besides the person, which files Google shows.

        Not the key of a service account: it may get a new one.

        :return: words, False without a client or a key
        """
        who = self._service_account() if self.auth_type != "oauth" else self._client_id()
        return who and "%s %s %s" % (self.auth_type, who, self.scope)

    def _service_account(self):
        text = self._secret_or_false("service_account_json")
        if not text:
            return False
        email = self._parse_key(text)["client_email"]
        return "%s %s" % (email, self.delegated_user or "")

    def _is_as_before(self, grantee, user):
        """Whether the last tokens were given to the same one: then it sees the same."""
        known = self.google_user_id
        same_user = bool(known) and user.get("permissionId") == known
        return same_user and self.granted_to == grantee

    def _renewed_identity(self, tokens):
        """Values of the account to keep along with renewed tokens.

        A service account gets its first tokens, and those of another key, without a consent
        in between. What worked when nobody noted the grantee yet is taken over.

        :raises WrongDriveError: files of this account are somewhere else, or Drive refuses
            to say
        :raises TransientError: Drive could not be asked
        """
        grantee = self._grantee()
        if self.granted_to == grantee:
            return {}
        works = not self.granted_to and self.state in ("authorized", "expired")
        if works or self.auth_type == "oauth":
            return {"granted_to": self.granted_to or grantee}
        try:
            return self._identity(tokens.access)
        except TransientError:
            raise
        except DriveError as err:  # Google gave a token: the account is not broken
            raise WrongDriveError(Messages(self.env).account(err)) from err

    def _check_sees_files(self, client):
        """Make sure that files are missing because they are, not because they are hidden.

        Asks nothing while the client, the key and the scope are those that were seen to
        work. To be called once :meth:`_check_user` said that it is the same person.

        :param DriveClient client: the account's
        :raises WrongDriveError: see :meth:`_ask_for_files`
        :raises DriveError: Drive could not be asked, which says nothing
        """
        if not self.granted_to or self.granted_to != self._grantee():
            self._ask_for_files(client)

    def _ask_for_files(self, client):
        """Ask Drive for a few of the files that this account holds.

        With the scope ``drive.file`` each OAuth client sees what it made itself: to another
        one, of the same person, every file looks deleted. One that is seen is enough; when
        all are gone, the folders of Odoo tell a deletion from another client.

        :param DriveClient client: with the token in question
        :raises WrongDriveError: Drive shows none of them
        :raises DriveError: Drive could not be asked, which says nothing
        """
        files = self._some_files()
        if not files or _sees_any(client, files):
            return
        if _sees_any(client, self._some_folders()):
            return
        raise WrongDriveError(
            _(
                "This OAuth client or service account does not see the files that Odoo"
                " stored in %(account)s: with the scope drive.file each one sees its own"
                " files only. Use the former one again or the scope drive, or create"
                " another account for the new one and migrate. Nothing was changed.",
                account=self.name,
            )
        )

    def _some_files(self):
        """Ids of the newest and the oldest files that are in Drive for sure."""
        files = self._file_ids("DESC", NEWEST) + self._file_ids("ASC", OLDEST)
        return list(dict.fromkeys(files))

    def _file_ids(self, order, count):
        self.env["ir.attachment"].flush()
        # the order comes from the code; attachments may share a file
        self.env.cr.execute(  # pylint: disable=sql-injection
            "SELECT cloud_file_id FROM ir_attachment WHERE cloud_auth_id = %s"
            " AND cloud_sync_status = 'synced' AND cloud_file_id IS NOT NULL"
            " ORDER BY id " + order + " LIMIT %s",
            (self.id, SHARED_CONTENT),
        )
        return list(dict.fromkeys(row[0] for row in self.env.cr.fetchall()))[:count]

    def _some_folders(self):
        """Ids of folders that Odoo made; roots may be somebody's own."""
        rules = self.config_ids.model_config_ids
        domain = [("model_config_id", "in", rules.ids)]
        rows = self.env["cloud_storage.folder"].sudo().search(domain, limit=FOLDERS)
        made = rules.mapped("drive_folder_id") + rows.mapped("drive_folder_id")
        return list(dict.fromkeys(filter(None, made)))[:FOLDERS]


def _is_somebody(user):
    return bool(user.get("permissionId") or user.get("emailAddress"))


@contextlib.contextmanager
def _passing():
    """:raises TransientError: for what is no answer either: no JSON, or not just now"""
    try:
        yield
    except ValueError as err:
        raise TransientError("an answer that is not Google Drive's") from err
    except (RateLimitError, CircuitOpenError) as err:
        raise TransientError(str(err)) from err


def _sees_any(client, file_ids):
    """Whether Drive shows one of these files.

    :raises DriveError: it shows none, and of some it did not say whether they exist
    """
    unsure = None
    for file_id in file_ids:
        try:
            with _passing():
                found = client.get(file_id, fields="id")
        except NotFoundError:
            continue
        except ForbiddenError as err:
            unsure = unsure if err.reason == HIDDEN else err
            continue
        if isinstance(found, dict) and found.get("id") == file_id:
            return True
        unsure = TransientError("an answer that is not Google Drive's")
    if unsure:
        raise unsure
    return False
