"""What an error means for people, and what they can do: said here and nowhere else.

A refusal by Google has a kind (:mod:`..drive.errors`); what it means depends on what was
tried, so there is one method for each situation in which people meet one.
"""
from odoo import _
from odoo.exceptions import UserError
from odoo.tools import human_size

from ..drive.errors import (
    ChecksumError,
    CircuitOpenError,
    CredentialsFormatError,
    DailyLimitError,
    DriveError,
    ForbiddenError,
    InvalidClientError,
    InvalidGrantError,
    MissingRefreshTokenError,
    MissingScopeError,
    NotFoundError,
    RangeError,
    RedirectUriError,
    StoppedError,
    StorageFullError,
    TransientError,
)
from ..exceptions import CloudFileError


class Messages:
    """Sentences in the language of an environment.

    :param env: an Odoo environment; ``_`` finds the language by ``self.env``
    """

    def __init__(self, env):
        self.env = env

    # -- numbers -----------------------------------------------------------------------

    def files(self, count, size):
        """``count`` files of ``size`` bytes together."""
        return _(
            "%(count)s files (%(size)s)", count=count, size=human_size(size) or "0 bytes"
        )

    def quota(self, quota):
        """How much room an account has.

        :param dict quota: ``storageQuota`` of Drive's ``about``
        """
        used = human_size(int(quota.get("usage") or 0)) or _("nothing")
        if not quota.get("limit"):
            return _("%s used, no limit.", used)
        return _(
            "%(used)s of %(limit)s used.",
            used=used,
            limit=human_size(int(quota["limit"])) or _("nothing"),
        )

    # -- Drive -------------------------------------------------------------------------

    def drive(self, err):
        """What a failed call means for a person who waits for it.

        :param DriveError err: what Drive said
        :rtype: str
        """
        if isinstance(err, (TransientError, CircuitOpenError)):
            return _("Google Drive can not be reached just now. Try again later.")
        if isinstance(err, DriveError) and err.stops_run:
            return _("Google Drive refused: %s", err)
        return str(err)

    def ended_early(self, auth, err, quota=None):
        """Why a run ended before its time.

        :param auth: the account that the run used
        :param err: a DriveError or UserError
        :param str quota: how much room the account has, where that is known
        :rtype: str
        """
        if isinstance(err, UserError):
            return str(err)
        if isinstance(err, StoppedError):
            return _("Stopped. What was uploaded stays; start again to go on.")
        if isinstance(err, StorageFullError):
            return _(
                "The storage of %(account)s is full (%(quota)s). Free space in Google"
                " Drive or buy more, then sync again.",
                account=auth.account_email or auth.name,
                quota=quota or _("used and limit could not be read"),
            )
        if isinstance(err, DailyLimitError):
            return _("Google Drive takes no more uploads today. It goes on tomorrow.")
        if isinstance(err, CircuitOpenError):
            return _("%s and seems to be down. The next run goes on.", err)
        return self.drive(err)

    # -- a configuration ---------------------------------------------------------------

    def not_started(self, config):
        """Nobody has agreed yet that the files of a configuration leave."""
        return _(
            "Nobody has started the sync of %s yet: press Sync Now there.", config.name
        )

    # -- one file ----------------------------------------------------------------------

    def cloud_file(self, name, err):
        """What a failed read means for the person who wants the file.

        :param str name: of the file
        :param DriveError err: why it can not be had
        :rtype: CloudFileError
        """
        if isinstance(err, NotFoundError):
            message = _(
                "%s is gone from Google Drive. Somebody deleted it there, or the"
                " account lost access to it.",
                name,
            )
            return CloudFileError(message, http_status=404)
        if isinstance(err, ForbiddenError):
            return CloudFileError(
                _(
                    "Google Drive does not give %(name)s away: %(reason)s",
                    name=name,
                    reason=err,
                )
            )
        if isinstance(err, (ChecksumError, RangeError)):
            return CloudFileError(
                _("%s was changed in Google Drive: it is not the file it was.", name)
            )
        return CloudFileError("%s: %s" % (name, self.drive(err)))

    def lasting_problem(self, err):
        """What a failed read says about the file in Drive; None where it says nothing.

        :param DriveError err: why it can not be had
        """
        if isinstance(err, NotFoundError):
            return _("The file is gone from Google Drive.")
        return str(err) if isinstance(err, (ChecksumError, RangeError)) else None

    # -- an account --------------------------------------------------------------------

    def busy_account(self):
        """Another worker holds the account for too long."""
        return _("Another process is working with this account. Try again.")

    def unreadable(self, count, size):
        """Which files can not be opened while their account can not be used.

        :param int count: of files that are nowhere else
        :param int size: in bytes
        """
        if not count:
            return _("Every file of this account has a copy on this server.")
        return _(
            "%s are only in this account: nobody can open them until it is authorized"
            " again. They are not deleted.",
            self.files(count, size),
        )

    def account(self, err):
        """Why an account does not work.

        :param err: a DriveError or UserError
        :rtype: str
        """
        if isinstance(err, TransientError):
            return _("Google could not be reached (%s). It will be tried again.", err)
        if isinstance(err, CredentialsFormatError):
            return _("The key of the service account can not be used: %s.", err)
        if isinstance(err, UserError):
            return str(err)
        return self._refused_grant(err) or _("Google refused: %s", err)

    def _refused_grant(self, err):
        if isinstance(err, InvalidGrantError):
            return _(
                "Google does not accept the authorization any more. The usual causes:"
                " access was revoked or the password changed; the OAuth consent screen"
                " is in Testing mode, where authorizations end after 7 days; it was not"
                " used for 6 months. Authorize again."
            )
        if isinstance(err, InvalidClientError):
            return _(
                "Google does not accept the application (%s). Compare client ID and"
                " client secret with the Google Cloud console. A service account that"
                " acts for a user needs domain-wide delegation for the chosen scope.",
                err,
            )
        if isinstance(err, MissingRefreshTokenError):
            return _(
                "Google gave no refresh token. Remove the access of this application at"
                " myaccount.google.com/permissions, then authorize again."
            )
        if isinstance(err, MissingScopeError):
            return _(
                "Access to Google Drive was not granted. Authorize again and leave the"
                " box for Google Drive ticked."
            )
        if isinstance(err, RedirectUriError):
            return _(
                "Google does not know this redirect URI. Enter the redirect URI of the"
                " account, letter for letter, as an authorized redirect URI of the"
                " OAuth client in the Google Cloud console."
            )
        return None

    def consent(self, err):
        """Why a consent did not come to its end.

        :param err: a DriveError or UserError
        :rtype: str
        """
        if isinstance(err, InvalidGrantError):
            return _(
                "Google did not accept the code of this authorization: it was used"
                " before, came too late, or belongs to another authorization. Nothing"
                " was changed; authorize again."
            )
        if isinstance(err, TransientError):
            return _(
                "Google could not be reached (%s). Nothing was changed; authorize again"
                " in a while.",
                err,
            )
        return self.account(err)
