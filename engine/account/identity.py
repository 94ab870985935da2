"""Whose Drive an account is: the same one for as long as files of ours are there."""

import contextlib
import logging

from odoo import _

from ...drive.client import DriveClient
from ...drive.errors import (
    CircuitOpenError,
    DriveError,
    ForbiddenError,
    NotFoundError,
    RateLimitError,
    TransientError,
)
from ...drive.retry import Retrier
from ...exceptions import WrongDriveError
from ..messages import Messages
from .credentials import Credentials
from .files import has_files, some_file_ids
from .rate_limit import limits_of

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


class Identity:
    """The person and the application that Google knows an account as.

    :param auth: a ``cloud_storage.auth`` record in superuser mode
    """

    def __init__(self, auth):
        self.auth, self.env = auth, auth.env
        self._grantee = Credentials(auth).grantee

    # -- ask and compare ---------------------------------------------------------------

    def check(self, client):
        """Make sure that this is the Drive with the files of the account.

        :param DriveClient client: the account's
        :return: Drive's ``about``
        :rtype: dict
        :raises WrongDriveError: another person's Drive, or it shows no file of ours
        :raises DriveError: Drive could not be asked, which says nothing
        """
        about = _ask_about(client)
        self.check_user(about["user"])
        self.check_sees_files(client)
        return about

    def check_sees_files(self, client):
        """Make sure that files are missing because they are, not because they are hidden.

        Asks nothing while the client, the key and the scope are those that were seen to
        work. To be called once :meth:`check_user` said that it is the same person.

        :param DriveClient client: the account's
        :raises WrongDriveError: see :meth:`_ask_for_files`
        :raises DriveError: Drive could not be asked, which says nothing
        """
        if not self.auth.granted_to or self.auth.granted_to != self._grantee():
            self._ask_for_files(client)

    def of_token(self, access_token):
        """Who and what a new token stands for, as values of the account.

        :raises WrongDriveError: files of this account are somewhere else
        :raises DriveError: there are files, and Drive does not say whether they are there
        :rtype: dict
        """
        limits = limits_of(self.auth)
        client = DriveClient(
            NewToken(access_token),
            api_root=Credentials(self.auth).endpoint("google_api_root"),
            retrier=Retrier(limits.writes, limits.breaker, tries=2),
        )
        try:
            user = _ask_about(client)["user"]
        except DriveError as err:
            if has_files(self.auth):
                raise
            _logger.warning(
                "Account %s: its name could not be read: %s", self.auth.id, err
            )
            user = {}
        else:
            self.check_user(user)
        grantee = self._grantee()
        if not self._is_as_before(grantee, user):
            self._ask_for_files(client)
        return dict(user_values(user), granted_to=grantee)

    def of_renewed(self, tokens):
        """Values of the account to keep along with renewed tokens.

        A service account gets its first tokens, and those of another key, without a consent
        in between. What worked when nobody noted the grantee yet is taken over.

        :raises WrongDriveError: files of this account are somewhere else, or Drive refuses
            to say
        :raises TransientError: Drive could not be asked
        """
        grantee, known = self._grantee(), self.auth.granted_to
        if known == grantee:
            return {}
        works = not known and self.auth.state in ("authorized", "expired")
        if works or self.auth.auth_type == "oauth":
            return {"granted_to": known or grantee}
        try:
            return self.of_token(tokens.access)
        except TransientError:
            raise
        except DriveError as err:  # Google gave a token: the account is not broken
            raise WrongDriveError(Messages(self.env).account(err)) from err

    def working_grantee(self):
        """To whom the tokens were given, also where nobody noted it at the consent."""
        works = self.auth.state in ("authorized", "expired")
        return self.auth.granted_to or (works and self._grantee())

    def _is_as_before(self, grantee, user):
        """Whether the last tokens were given to the same one: then it sees the same."""
        known = self.auth.google_user_id
        same_user = bool(known) and user.get("permissionId") == known
        return same_user and self.auth.granted_to == grantee

    # -- the person --------------------------------------------------------------------

    def check_user(self, user):
        """Compare who Google says we are with who it was when the files went.

        A shared drive is nobody's: any of its members will do.

        :param dict user: ``user`` of Drive's ``about``
        :raises WrongDriveError: another Google account, or nobody
        """
        if self.auth.shared_drive_id or not has_files(self.auth):
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
                known=self.auth.account_email or _("somebody else"),
            )
        )

    def _is_same_user(self, user):
        known, found = self.auth.google_user_id, user.get("permissionId")
        if known and found:
            return known == found
        if self.auth.account_email:
            return self.auth.account_email == user.get("emailAddress")
        return not known

    # -- the application ---------------------------------------------------------------

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
                account=self.auth.name,
            )
        )

    def _some_files(self):
        newest = some_file_ids(self.auth, "DESC", NEWEST, SHARED_CONTENT)
        oldest = some_file_ids(self.auth, "ASC", OLDEST, SHARED_CONTENT)
        return list(dict.fromkeys(newest + oldest))

    def _some_folders(self):
        """Ids of folders that Odoo made; roots may be somebody's own."""
        rules = self.auth.config_ids.model_config_ids
        domain = [("model_config_id", "in", rules.ids)]
        rows = self.env["cloud_storage.folder"].sudo().search(domain, limit=FOLDERS)
        made = rules.mapped("drive_folder_id") + rows.mapped("drive_folder_id")
        return list(dict.fromkeys(filter(None, made)))[:FOLDERS]


def reserved_for(auth):
    """Who ids and upload sessions are good for: an account, as who it is now.

    Whoever authorizes it as somebody else can neither see nor go on with what was begun
    before.
    """
    return "%d %s" % (auth.id, auth.account_email or "")


def user_values(user):
    """What the account keeps of Drive's ``user``."""
    return {
        "account_email": user.get("emailAddress"),
        "google_user_id": user.get("permissionId"),
    }


def _is_somebody(user):
    return bool(user.get("permissionId") or user.get("emailAddress"))


def _ask_about(client):
    """Drive's ``about``, with a ``user`` that says who it is.

    :raises TransientError: something else answered
    """
    with _passing():
        about = client.about()
    user = about.get("user") if isinstance(about, dict) else None
    if not isinstance(user, dict) or not _is_somebody(user):
        raise TransientError("an answer that names nobody")
    return about


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
