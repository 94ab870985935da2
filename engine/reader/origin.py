"""Bytes from Drive, or from a sibling where Drive lost them."""

import contextlib
import functools

from odoo import SUPERUSER_ID, api, registry

from ...cache.stream import section
from ...drive.download import Download
from ...drive.errors import DriveError
from ...exceptions import CloudFileError
from ...odoo_bridge import environments
from ..local_files import is_here, open_content
from .content import LOST, client_for, confirmed, explained, siblings


class Origin:
    """Where the content of one attachment is for good.

    ``was_asked`` tells whether anything was asked of Drive.

    :param StoredFile file: what is known of it
    :param attachment: a function that gives a context with the record; by default one
        with a cursor of its own
    :param client_of: see :func:`~.content.client_for`
    """

    def __init__(self, file, attachment=None, client_of=None):
        self._file = file
        self._attachment = attachment or self._own_attachment
        self._client_of = client_of
        self._resources = contextlib.ExitStack()
        self.was_asked = False

    def open(self, start, end):
        """Connect to Drive; return an iterator over the bytes between.

        :raises DriveError: they can not be had, as far as is known now; the iterator too
        :raises CloudFileError: the account can not be used
        """
        self.was_asked = True
        with self._attachment() as attachment:
            client = client_for(attachment, self._client_of)
            file_id = attachment.cloud_file_id
        try:
            return self._download(client, file_id, start, end)
        except LOST as err:
            return self.elsewhere(err, start, end)

    def elsewhere(self, err, start, end):
        """The bytes from another attachment with the same content.

        :param err: why Drive has not got them; raised when there is no such attachment
        """
        ways = []
        with self._attachment() as attachment:
            for sibling in siblings(attachment, self._file.size, self._file.sha1):
                with contextlib.suppress(CloudFileError, OSError):
                    ways.append(self._way_to(sibling, start, end))
        for way in ways:  # without a cursor of ours while Drive is asked
            with contextlib.suppress(DriveError):
                return way()
        raise err

    def explained(self, err):
        """What the failure of a download means for people.

        An attachment that is gone explains itself.

        :rtype: CloudFileError
        """
        try:
            with self._attachment() as attachment:
                client = client_for(attachment, self._client_of)
                file_id = attachment.cloud_file_id
            err = confirmed(client, file_id, self._file.size, self._file.sha1, err)
            with self._attachment() as attachment:
                return explained(attachment, err)
        except CloudFileError as gone:
            return gone

    def close(self):
        """Close files and the connection to Drive, read to the end or not."""
        self._resources.close()

    def _download(self, client, file_id, start, end):
        download = Download(client, file_id, start, end - start, self._file.size)
        self._resources.callback(download.close)
        return iter(download.open())

    def _way_to(self, sibling, start, end):
        """A function that opens the bytes of a sibling."""
        if is_here(sibling):
            stream = open_content(sibling.env, sibling)
            self._resources.enter_context(stream)
            return functools.partial(section, stream, start, end)
        client = client_for(sibling, self._client_of)
        file_id = sibling.cloud_file_id
        return functools.partial(self._download, client, file_id, start, end)

    @contextlib.contextmanager
    def _own_attachment(self):
        """The attachment, with a cursor that lives as long as the context.

        :raises CloudFileError: it was deleted, or left the cloud
        """
        with environments(), registry(self._file.dbname).cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            attachment = env["ir.attachment"].browse(self._file.attachment_id).exists()
            if not attachment.cloud_file_id:
                raise CloudFileError("The file is gone.", http_status=404)
            yield attachment
