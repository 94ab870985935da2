"""What came back over the line: what was asked for, a refusal, or noise.

Between Odoo and Google there are proxies, captive portals and boxes that inspect. What
they answer instead of Google (a page with status 200, an object without its fields, a
range that was ignored) changes nothing: it is the line that failed, for a while.
"""

import json

from .errors import TransientError, from_response

NOISE = (
    "The answer did not come from Google Drive (a proxy or a login page in between?)"
)
#: Types of what Drive tells of a file ("Files" of the API reference); sizes are text.
FILE_TYPES = {
    "id": str,
    "name": str,
    "mimeType": str,
    "size": str,
    "md5Checksum": str,
    "sha1Checksum": str,
    "trashed": bool,
    "parents": list,
    "appProperties": dict,
    "permissionIds": list,
    "webViewLink": str,
    "createdTime": str,
    "modifiedTime": str,
    "driveId": str,
}
UNREADABLE = (ValueError, RecursionError)  # what json raises, wrong bytes included


def noise():
    """The error for an answer that is none.

    :rtype: TransientError
    """
    return TransientError(NOISE)


def decoded(status, headers, content):
    """The JSON document of an answer.

    :param int status: HTTP status
    :param headers: mapping with lower-case names
    :param bytes content: body
    :return: None where there is no body
    :raises DriveError: a refusal, or noise
    """
    if status >= 300:
        raise from_response(status, headers, content)
    if not content:
        return None
    try:
        return json.loads(content)
    except UNREADABLE as err:
        raise noise() from err


def an_object(answer, **types):
    """An answer that is an object and has what was asked for.

    :param types: by name of a member that it must have
    :rtype: dict
    :raises TransientError: it is not
    """
    if not isinstance(answer, dict):
        raise noise()
    for name, kind in types.items():
        if not isinstance(answer.get(name), kind):
            raise noise()
    return answer


def a_file(answer):
    """Metadata of a file; what there is of it has the types that Drive gives it.

    :rtype: dict
    :raises TransientError: it is none
    """
    known = an_object(answer, id=str)
    for name, kind in FILE_TYPES.items():
        if name in known and not isinstance(known[name], kind):
            raise noise()
    return known


def a_page(answer):
    """One page of a list of files.

    :return: files, and the token of the next page, None on the last
    :rtype: tuple[list[dict], str]
    :raises TransientError: it is none
    """
    files = an_object(answer, files=list)["files"]
    token = answer.get("nextPageToken")
    if token is not None and not isinstance(token, str):
        raise noise()
    return [a_file(file) for file in files], token or None


def whole_length(response):
    """How many bytes the file has that a part was sent of (RFC 9110, section 14.4).

    :param response: of requests, with status 206 or 416
    :return: None when the answer does not tell
    :rtype: int
    """
    total = response.headers.get("Content-Range", "").rpartition("/")[2].strip()
    return int(total) if total.isdecimal() else None


def first_byte(response):
    """Where the part begins that was sent; None when the answer does not tell.

    :rtype: int
    """
    unit, _space, rest = response.headers.get("Content-Range", "").partition(" ")
    start = rest.partition("-")[0].strip()
    return int(start) if unit == "bytes" and start.isdecimal() else None
