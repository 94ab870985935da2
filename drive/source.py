"""Local bytes to send, and the parts they are sent in."""
import re

from ..utils.digests import size_and_digests
from .errors import ChecksumError

CHUNK = 16 * 1024 * 1024  # bytes per request, a multiple of 256 KiB as Drive demands
BLOCK = 256 * 1024  # bytes read, and held in memory, at a time
MULTIPART_LIMIT = 5 * 1024 * 1024  # bytes, Drive's own limit for one-request uploads
OCTET_STREAM = "application/octet-stream"
MEDIA_TYPE = re.compile(r"[!-~]+/[ -~]+")  # anything else could end the header it is in


class Source:
    """Local bytes to send.

    :param open_file: callable that opens the content for binary reading
    :param int size: bytes
    :param str mimetype: its media type
    :param int block: bytes read at a time
    """

    def __init__(self, open_file, size, mimetype=None, block=BLOCK):
        self._file = open_file()
        self.size, self.block = size, block
        known = MEDIA_TYPE.fullmatch(mimetype or "")
        self.mimetype = mimetype if known else OCTET_STREAM

    @property
    def resumable(self):
        """Whether one request is not enough."""
        return self.size > MULTIPART_LIMIT

    def getbytes(self, begin, length):
        """Read a part.

        :raises ChecksumError: when the file is shorter than it was said to be
        """
        self._file.seek(begin)
        data = self._file.read(length)
        if len(data) < min(length, self.size - begin):
            raise ChecksumError("The local file is shorter than its recorded size")
        return data

    def measure(self, sha1=None):
        """Digests of the whole content, read block by block.

        :param str sha1: what its sha1 has to be, when that is known
        :return: sha1 and md5, in lower-case hexadecimal
        :rtype: tuple[str, str]
        :raises ChecksumError: the local bytes are not those that were recorded
        """
        self._file.seek(0)
        size, found, md5 = size_and_digests(self._file, "sha1", "md5")
        if size != self.size or (sha1 and found != sha1):
            raise ChecksumError("The local file is damaged: its checksum differs")
        return found, md5

    def close(self):
        """Close the file."""
        self._file.close()


class Part:
    """A part of a source as the body of a request: read while it is sent, any time anew.

    :param int begin: first byte
    :param on_read: called with the position of each block; may raise to stop
    """

    def __init__(self, source, begin, on_read=None):
        self._source, self._begin = source, begin
        self._end = min(begin + CHUNK, source.size)
        self._on_read = on_read

    def __len__(self):
        return self._end - self._begin

    def __iter__(self):
        for position in range(self._begin, self._end, self._source.block):
            if self._on_read:
                self._on_read(position)
            length = min(self._source.block, self._end - position)
            yield self._source.getbytes(position, length)

    @property
    def content_range(self):
        """The header that says which part it is."""
        return "bytes %d-%d/%d" % (self._begin, self._end - 1, self._source.size)
