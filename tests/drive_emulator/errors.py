"""How Google says no.

Drive answers errors as ``{"error": {"code", "message", "errors": [...]}}`` (page
"Resolve errors" of the Drive guides); the OAuth endpoints as ``{"error",
"error_description"}`` (RFC 6749 section 5.2).
"""

DEFAULT_REASONS = {
    400: ("global", "badRequest", "Bad Request"),
    401: ("global", "authError", "Invalid Credentials"),
    403: ("global", "forbidden", "Forbidden"),
    404: ("global", "notFound", "Not Found"),
    409: ("global", "conflict", "Conflict"),
    410: ("global", "gone", "Gone"),
    412: ("global", "conditionNotMet", "Precondition Failed"),
    429: ("usageLimits", "rateLimitExceeded", "Rate Limit Exceeded"),
    500: ("global", "internalError", "Internal Error"),
    502: ("global", "backendError", "Backend Error"),
    503: ("global", "backendError", "Backend Error"),
    504: ("global", "backendError", "Backend Error"),
}
USAGE_REASONS = {
    "rateLimitExceeded",
    "userRateLimitExceeded",
    "dailyLimitExceeded",
    "storageQuotaExceeded",
    "sharingRateLimitExceeded",
    "downloadQuotaExceeded",
}


class DriveError(Exception):
    """A refusal by the Drive API: HTTP status, reason, message and location."""

    def __init__(self, status, reason=None, message=None, location=None, kind=None):
        super().__init__(message or reason)
        domain, usual_reason, usual_message = DEFAULT_REASONS.get(
            status,
            ("global", "backendError" if status >= 500 else "badRequest", "Error"),
        )
        self.status = status
        self.reason = reason or usual_reason
        self.message = message or usual_message
        self.domain = "usageLimits" if self.reason in USAGE_REASONS else domain
        self.location = location
        self.kind = kind or ("parameter" if location else None)

    def body(self):
        """The JSON document Google sends, as a dict."""
        detail = {
            "domain": self.domain,
            "reason": self.reason,
            "message": self.message,
        }
        if self.location:
            detail["locationType"] = self.kind
            detail["location"] = self.location
        return {
            "error": {
                "code": self.status,
                "message": self.message,
                "errors": [detail],
            }
        }


class OAuthError(Exception):
    """A refusal by the token or the revocation endpoint."""

    def __init__(self, error, description=None, status=400):
        super().__init__(description or error)
        self.status = status
        self.error = error
        self.description = description

    def body(self):
        """The JSON document of RFC 6749 section 5.2, as a dict."""
        answer = {"error": self.error}
        if self.description:
            answer["error_description"] = self.description
        return answer


class PlainError(Exception):
    """A refusal in plain text, as the upload server sends about its own protocol."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status
        self.text = text


def invalid(name, value):
    """A parameter whose value Drive does not take (400)."""
    message = "Invalid Value" if value is None else "Invalid value '%s'." % value
    return DriveError(400, "invalid", message, name)


def file_not_found(file_id):
    """A file that does not exist, or that the caller may not know of (404)."""
    return DriveError(404, "notFound", "File not found: %s." % file_id, "fileId")


def may_not(file_id):
    """The caller sees the file but may not do this to it (403)."""
    return DriveError(
        403,
        "insufficientFilePermissions",
        "The user does not have sufficient permissions for file %s." % file_id,
    )
