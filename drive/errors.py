"""Typed errors of Google Drive and Google's OAuth server; they carry the retry policy.

Sources: "Resolve errors" of the Drive API guide (status and ``reason`` of a refusal) and
RFC 6749 section 5.2 (errors of a token endpoint).
"""
import json
from email.utils import parsedate_to_datetime

RATE_LIMIT_REASONS = frozenset(
    ("rateLimitExceeded", "userRateLimitExceeded", "sharingRateLimitExceeded")
)
DAILY_LIMIT_REASONS = frozenset(("dailyLimitExceeded", "uploadLimitExceeded"))
STORAGE_REASONS = frozenset(
    ("storageQuotaExceeded", "quotaExceeded", "teamDriveFileLimitExceeded")
)
# Not "appNotAuthorizedToFile": another OAuth client is refused every file that way.
FILE_REASONS = frozenset(("insufficientFilePermissions",))
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

    retryable = False  # the same call may succeed when repeated
    stops_run = False  # no other file would fare better now

    def __init__(self, message, status=None, reason=None, retry_after=None):
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class TransientError(DriveError):
    """Drive is down or unreachable: 5xx, a timeout, a broken connection."""

    retryable = True


class RateLimitError(DriveError):
    """Too many requests: 429, or 403 with a rate limit as its reason."""

    retryable = True


class InvalidRequestError(DriveError):
    """400 and other refusals that no repetition mends."""


class AuthError(DriveError):
    """401: the access token is not (or no longer) accepted."""

    stops_run = True


class ForbiddenError(DriveError):
    """403: the account may not do this."""


class FileForbiddenError(ForbiddenError):
    """403 about this very file: the account may not change it, whatever else it may."""


class NotFoundError(DriveError):
    """404: the id is unknown, or hidden from the account."""


class ConflictError(DriveError):
    """409: a file with this id exists already."""


class RangeError(DriveError):
    """416: the bytes asked for lie beyond the end."""


class StorageFullError(DriveError):
    """403: no room left in the account's storage."""

    stops_run = True


class DailyLimitError(DriveError):
    """403: Drive takes no more today (750 GB of uploads per user and day)."""

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

    stops_run = True


class StoppedError(DriveError):
    """The person asked to stop, or the time is up."""

    stops_run = True


class OutOfTimeError(StoppedError):
    """The time of this slice is over; the next one goes on."""


class OAuthError(DriveError):
    """The OAuth server refused."""


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
    429: RateLimitError,
}


def from_response(status, headers, content):
    """Build the typed error for a refusal by the Drive API.

    :param int status: HTTP status
    :param headers: mapping with lower-case names
    :param bytes content: body, JSON as Drive sends it or anything else
    :rtype: DriveError
    """
    reason, message = _reason_and_message(content)
    kind = _error_class(status, reason, message)
    return kind(
        message or "HTTP %s" % status,
        status=status,
        reason=reason,
        retry_after=_retry_after(headers.get("retry-after")),
    )


def _error_class(status, reason, message):
    if reason in DAILY_LIMIT_REASONS:
        return DailyLimitError
    if reason == "userRateLimitExceeded" and message == DAILY_UPLOAD_MESSAGE:
        return DailyLimitError
    if reason in STORAGE_REASONS:
        return StorageFullError
    if reason in RATE_LIMIT_REASONS:
        return RateLimitError
    if status == 403 and reason in FILE_REASONS:
        return FileForbiddenError
    if status >= 500 or status == 408 or status < 400:
        return TransientError  # below 400: no refusal, but not what was asked for either
    return _BY_STATUS.get(status, InvalidRequestError)


def _reason_and_message(content):
    try:
        error = json.loads(content or b"{}").get("error") or {}
    except (ValueError, AttributeError):
        return None, None
    if not isinstance(error, dict):
        return str(error), None
    details = error.get("errors") or [{}]
    return details[0].get("reason"), error.get("message")


def _retry_after(value):
    """Seconds of a Retry-After header (RFC 9110 section 10.2.3), None without one."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    return _seconds_until(value)


def _seconds_until(http_date):
    try:
        when = parsedate_to_datetime(http_date)
    except (TypeError, ValueError):
        return None
    return max(0.0, (when - type(when).now(when.tzinfo)).total_seconds())
