"""Typed errors of Google Drive and Google's OAuth server; they carry the retry policy.

Each refusal is about a file, a folder, an account, a project of Google Cloud or the line.

Sources: "Resolve errors" of the Drive API guide (status and ``reason`` of a refusal),
"Error Info" of Google's common errors (``details`` of newer ones) and RFC 6749 section 5.2
(errors of a token endpoint).
"""

import json
from email.utils import parsedate_to_datetime

FILE, FOLDER, ACCOUNT, PROJECT, LINE = "file", "folder", "account", "project", "line"
# The refusal above 750 GB a day has the reason of an ordinary rate limit and this text;
# the ordinary one speaks of requests per minute and project.
DAILY_UPLOAD_MESSAGE = "User rate limit exceeded."


class DriveError(Exception):
    """A refusal by Google Drive, or no answer at all.

    :param str message: what to tell a person
    :param int status: HTTP status, None when there was no answer
    :param str reason: Drive's ``reason``, e.g. ``storageQuotaExceeded``
    :param float retry_after: seconds Drive asked to wait, None when it did not
    """

    scope = FILE  # whom it is about
    retryable = False  # the same call may succeed when repeated
    stops_run = False  # no other file would fare better now

    def __init__(self, message, status=None, reason=None, retry_after=None):
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class TransientError(DriveError):
    """Drive is down or unreachable: 5xx, a timeout, an answer that is not Google's."""

    scope = LINE
    retryable = True


class RateLimitError(DriveError):
    """Too many requests: 429, or 403 with a rate limit as its reason."""

    scope = ACCOUNT
    retryable = True


class InvalidRequestError(DriveError):
    """400 and other refusals that no repetition mends."""


class AuthError(DriveError):
    """401: the access token is not (or no longer) accepted."""

    scope = ACCOUNT
    stops_run = True


class ForbiddenError(DriveError):
    """403: the account may not do this."""


class FileForbiddenError(ForbiddenError):
    """403 about this very file: the account may not change it, whatever else it may."""


class FolderFullError(DriveError):
    """403: no more items fit into this folder; another one takes them."""

    scope = FOLDER


class AccountError(DriveError):
    """403: the account may not do this to any file."""

    scope = ACCOUNT
    stops_run = True


class ProjectError(DriveError):
    """403: the project in Google Cloud may not use the Drive API, whatever the account."""

    scope = PROJECT
    stops_run = True


class NotFoundError(DriveError):
    """404: the id is unknown, or hidden from the account."""


class ConflictError(DriveError):
    """409: a file with this id exists already."""


class RangeError(DriveError):
    """416: the bytes asked for lie beyond the end."""


class StorageFullError(DriveError):
    """403: no room left in the account's storage."""

    scope = ACCOUNT
    stops_run = True


class DailyLimitError(DriveError):
    """403: Drive takes no more today (750 GB of uploads per user and day)."""

    scope = ACCOUNT
    stops_run = True


class SessionLostError(DriveError):
    """404 or 410 for a resumable session: it expired, the upload starts over."""


class ChecksumError(DriveError):
    """The bytes on Drive are not the bytes that were meant."""


class UnverifiedError(DriveError):
    """Drive does not tell what it holds: neither good nor bad, to be asked again."""

    retryable = True


class CircuitOpenError(DriveError):
    """Too many failures in a row: Drive is taken to be down for a while."""

    scope = LINE
    stops_run = True


class ReadOnlyError(DriveError):
    """A client that may only read was about to change Drive: nothing was sent."""

    stops_run = True


class StoppedError(DriveError):
    """The person asked to stop, or the time is up."""

    stops_run = True


class OutOfTimeError(StoppedError):
    """The time of this slice is over; the next one goes on."""


class OAuthError(DriveError):
    """The OAuth server refused."""

    scope = ACCOUNT


class InvalidGrantError(OAuthError):
    """``invalid_grant``: a person has to authorize again."""


class InvalidClientError(OAuthError):
    """``invalid_client`` or ``unauthorized_client``: wrong id or secret."""


class RedirectUriError(OAuthError):
    """The redirect URI is not one of those registered for the client."""


class MissingRefreshTokenError(OAuthError):
    """The server gave an access token and nothing to renew it with."""


class MissingScopeError(OAuthError):
    """The person unticked the scope that is needed."""


class CredentialsFormatError(OAuthError):
    """A service account key that is not one."""


_BY_STATUS = {
    401: AuthError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    416: RangeError,
}
#: What a refusal is by its ``reason``, whatever its status.
_BY_REASON = {
    "rateLimitExceeded": RateLimitError,
    "userRateLimitExceeded": RateLimitError,
    "sharingRateLimitExceeded": RateLimitError,
    "dailyLimitExceeded": DailyLimitError,
    "uploadLimitExceeded": DailyLimitError,
    "storageQuotaExceeded": StorageFullError,
    "quotaExceeded": StorageFullError,
    "teamDriveFileLimitExceeded": StorageFullError,
    # not "appNotAuthorizedToFile": another OAuth client is refused every file that way
    "insufficientFilePermissions": FileForbiddenError,
    "numChildrenInNonRootLimitExceeded": FolderFullError,
    "activeItemCreationLimitExceeded": AccountError,
    "domainPolicy": AccountError,
    "insufficientPermissions": AccountError,
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": AccountError,
    "teamDriveMembershipRequired": AccountError,
    "teamDriveHierarchyTooDeep": AccountError,
    "myDriveHierarchyDepthLimitExceeded": AccountError,
    "accessNotConfigured": ProjectError,
    "SERVICE_DISABLED": ProjectError,
    "CONSUMER_SUSPENDED": ProjectError,
    "CONSUMER_INVALID": ProjectError,
    "BILLING_DISABLED": ProjectError,
    "billingNotEnabled": ProjectError,
    "dailyLimitExceededUnreg": ProjectError,
    "ipRefererBlocked": ProjectError,
    "keyExpired": ProjectError,
    "keyInvalid": ProjectError,
}


def from_response(status, headers, content):
    """Build the typed error for what is not a success.

    A refusal that is not told as Google tells one (a page of a proxy, an empty body) is
    not taken for Google's: nothing may be concluded from it.

    :param int status: HTTP status
    :param headers: mapping with lower-case names
    :param bytes content: body, JSON as Drive sends it or anything else
    :rtype: DriveError
    """
    error = _google_error(content)
    reason, message = _reason(error), _text(error.get("message"))
    kind = _error_class(
        status, reason, message, bool(error) or "www-authenticate" in headers
    )
    return kind(
        message or "HTTP %s" % status,
        status=status,
        reason=reason,
        retry_after=_retry_after(headers.get("retry-after")),
    )


def _error_class(status, reason, message, is_googles):
    if reason == "userRateLimitExceeded" and message == DAILY_UPLOAD_MESSAGE:
        return DailyLimitError
    if status >= 400 and reason in _BY_REASON:
        return _BY_REASON[reason]
    if status == 429:
        return RateLimitError
    # below 400: no refusal, but not what was asked for either
    if status >= 500 or status == 408 or status < 400 or not is_googles:
        return TransientError
    return _BY_STATUS.get(status, InvalidRequestError)


def _google_error(content):
    """The ``error`` of an answer in Google's form, empty for any other answer.

    :rtype: dict
    """
    try:
        document = json.loads(content or b"null")
    except (ValueError, RecursionError):
        return {}
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, str):  # as OAuth servers say it
        return {"errors": [{"reason": error}]}
    return error if isinstance(error, dict) else {}


def _reason(error):
    """The ``reason`` of a refusal, of the older form or the newer one."""
    for name in ("errors", "details"):
        listed = error.get(name)
        for detail in listed if isinstance(listed, list) else []:
            if isinstance(detail, dict) and _text(detail.get("reason")):
                return detail["reason"]
    return None


def _text(value):
    return value if isinstance(value, str) and value else None


def _retry_after(value):
    """Seconds of a Retry-After header (RFC 9110 section 10.2.3), None without one."""
    if not value:
        return None
    text = value.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])  # a day more or less of thirty years
    return _seconds_until(text)


def _seconds_until(http_date):
    try:
        when = parsedate_to_datetime(http_date)
        return max(0.0, (when - type(when).now(when.tzinfo)).total_seconds())
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
