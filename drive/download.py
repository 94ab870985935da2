"""Bytes down: streamed, and by range again when the connection breaks."""

import functools
import http.client

import urllib3

from .answers import first_byte, noise, whole_length
from .errors import ChecksumError, DriveError, TransientError, from_response

BLOCK = 256 * 1024  # bytes read at a time
CHANGED = "The file on Drive was changed (sha1 differs)"


class Download:
    """A file's bytes as an iterator that survives broken connections.

    :param DriveClient client: the account's
    :param str file_id: what to read
    :param int start: first byte
    :param int length: bytes wanted
    :param int size: bytes of the whole file as it should be, when known
    :raises ChecksumError: from opening: the file on Drive has another size
    :raises DriveError: from iteration: the file is gone, Drive is down…
    """

    def __init__(self, client, file_id, start, length, size=None, block=BLOCK):
        self._client, self._file_id = client, file_id
        self._position, self._end = start, start + length
        self._size, self._block = size, block
        self._response = None
        self._skip = 0  # bytes before the position that this answer begins with

    def open(self):
        """Connect, so that a refusal shows before the first byte is promised."""
        if self._response is None and self._position < self._end:
            self._response = self._client.retrier.call(
                lambda: self._client.guard(self._request)
            )
        return self

    def _request(self):
        response = self._client.session().get(
            self._client.api_root + "drive/v3/files/%s" % self._file_id,
            params={"alt": "media", "supportsAllDrives": "true"},
            headers={
                "Range": "bytes=%d-%d" % (self._position, self._end - 1),
                "Accept-Encoding": "identity",
            },
            stream=True,
            timeout=self._client.timeout,
        )
        try:
            self._skip = self._to_skip(response)
        except DriveError:
            response.close()
            raise
        return response

    def _to_skip(self, response):
        """How many bytes come before those that were asked for.

        A range may be ignored (RFC 9110, section 14.2) and the whole length left open
        (14.4): that is still the file.

        :raises DriveError: it is not
        """
        if response.status_code in (206, 416) and self._is_other_file(response):
            raise ChecksumError("The file on Drive was changed (size differs)")
        if response.status_code == 206 and first_byte(response) == self._position:
            return 0
        if response.status_code == 200 and self._is_whole(response):
            return self._position
        if response.status_code < 400:
            raise noise()
        raise from_response(response.status_code, response.headers, response.content)

    def _is_other_file(self, response):
        known = whole_length(response)
        return None not in (known, self._size) and known != self._size

    def _is_whole(self, response):
        """Whether this is the file from its first byte: by its length, or, for who wants
        all of it and compares the sha1, by its end.
        """
        length = response.headers.get("Content-Length", "")
        if length.isdecimal():
            return self._size is not None and int(length) == self._size
        return self._position == 0 and self._end == self._size

    def __iter__(self):
        failures = 0
        while self._position < self._end:
            before = self._position
            try:
                self.open()
                yield from self._blocks()
            except TransientError:
                failures = 0 if self._position > before else failures + 1
                if failures >= self._client.retrier.tries:
                    raise
            finally:
                self.close()

    def _blocks(self):
        while self._skip:
            self._skip -= len(self._next(min(self._block, self._skip)))
        while self._position < self._end:
            data = self._next(min(self._block, self._end - self._position))
            self._position += len(data)
            yield data

    def _next(self, wanted):
        """Up to so many bytes of the answer, one at least.

        :raises TransientError: it ended
        """
        raw = self._response.raw
        data = self._client.guard(functools.partial(_read, raw, wanted))
        self._client.retrier.check()
        if not data:
            raise TransientError("Drive closed the connection too early")
        return data

    def close(self):
        """Close the connection to Drive, read to the end or not."""
        if self._response is not None:
            self._response.close()
            self._response = None


def _read(raw, size):
    """Read from urllib3; its errors are not OSErrors, those of a plain file are."""
    try:
        return raw.read(size)
    except (urllib3.exceptions.HTTPError, http.client.HTTPException) as err:
        raise ConnectionError(str(err)) from err
