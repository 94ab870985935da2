"""Bytes down: streamed, and by range again when the connection breaks."""
import functools
import http.client

import urllib3

from .errors import ChecksumError, TransientError, from_response

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
        if response.status_code == 206 and self._is_same_file(response):
            return response
        with response:
            if response.status_code in (206, 416) and self._size is not None:
                raise ChecksumError("The file on Drive was changed (size differs)")
            if response.status_code == 200 and self._position == 0:
                raise ChecksumError("Drive ignored the range of the request")
            raise from_response(
                response.status_code, response.headers, response.content
            )

    def _is_same_file(self, response):
        """Compare the length behind the slash of Content-Range (RFC 9110, 14.4)."""
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        return self._size is None or total == str(self._size)

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
        raw = self._response.raw
        while self._position < self._end:
            wanted = min(self._block, self._end - self._position)
            data = self._client.guard(functools.partial(_read, raw, wanted))
            self._client.retrier.check()
            if not data:
                raise TransientError("Drive closed the connection too early")
            self._position += len(data)
            yield data

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
