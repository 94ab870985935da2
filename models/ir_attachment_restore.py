"""Bringing the bytes of attachments back to this server."""
import contextlib
import os
import time
import uuid

from odoo import _, api, models
from odoo.exceptions import UserError
from odoo.tools import human_size

from ..drive import download
from ..drive.errors import ChecksumError, DriveError
from ..engine.local_files import is_whole, measure
from ..engine.selection import check_fits_here
from ..exceptions import CloudFileError
from ..utils.digests import size_and_digests

#: Files on their way here, in a folder of the filestore that Odoo does not clean.
PARTS = "cloud_storage_parts"
PART_SECONDS = 24 * 60 * 60  # without a byte, after which a part is nobody's


class IrAttachment(models.Model):
    _inherit = "ir.attachment"

    def restore_from_cloud(self):
        """Bring the bytes back to this server, verify, and pin them.

        :return: whether all of them are local afterwards
        :rtype: bool
        :raises AccessError: the user may not write one of them
        :raises CloudFileError: the content of a file can not be had
        """
        self._check_may_move()
        for attachment in self.sudo():
            if attachment.cloud_file_id:
                attachment.browse(attachment.id)._restore_one()
        return bool(self)

    def _restore_one(self):
        """Bring one file back.

        Bytes that are on this server and are not those in Drive stay, unless they are
        damaged: they are newer.

        :raises CloudFileError: the content can not be had, or does not fit on the disk
        """
        if not self._is_intact_here():
            self._bring_back()
        self._flush_to_disk()
        vals = {"cloud_keep_local": True}
        if self._has_proxy_url():
            vals.update(type="binary", url=False)
        self.write(vals)

    def _is_intact_here(self):
        """Whether the bytes on this server are its content.

        They are when they are what went to Drive, byte for byte, or what the row or the
        name of their file say they are: then they came after.
        """
        found = measure(self.env, self)
        if found is None:
            return False
        if not self.store_fname:
            return True  # PostgreSQL lets no byte change by itself
        told = {self.cloud_sha1, self.checksum, os.path.basename(self.store_fname)}
        return found.sha1 in told

    def _bring_back(self):
        """Get the bytes from Drive.

        :raises CloudFileError: they can not be had, or do not fit on the disk
        """
        size, sha1 = self._proven_content()
        if not size:
            self._write_columns(checksum=sha1, file_size=0, cloud_sha1=sha1)
        elif self._storage() == "db":
            self._write_columns(
                db_datas=self._cloud_read(),
                store_fname=None,
                checksum=sha1,
                file_size=size,
                cloud_sha1=sha1,
                cloud_size_bytes=size,
            )
        else:
            self._check_room(size)
            self._download_to_filestore(size, sha1)

    def _check_room(self, size):
        """:raises CloudFileError: the disk would have less left than is kept free"""
        try:
            check_fits_here(self.env, size)
        except UserError as err:
            raise CloudFileError("%s: %s" % (self.name, err)) from err

    def _flush_to_disk(self):
        """A power cut after this takes nothing: the copy in Drive may go."""
        if not self.store_fname or not int(self.cloud_size_bytes):
            return
        path = self._full_path(self.store_fname)
        folder = os.path.dirname(path)
        # the bytes, their name, and that of a folder that may be new
        for name in (path, folder, os.path.dirname(folder)):
            handle = os.open(name, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def _is_on_server(self):
        """Whether the bytes are really here; a row may name a file that is lost."""
        return not int(self.cloud_size_bytes) or is_whole(self.env, self)

    def _write_columns(self, **columns):
        """Below the ORM, whose ``write`` drops ``store_fname`` and the checksum."""
        self.flush()  # what waits would overwrite it later
        for name, value in columns.items():
            self.env.cr.execute(
                "UPDATE ir_attachment SET %s = %%s WHERE id = %%s" % name,
                (value, self.id),
            )
        self.invalidate_cache(list(columns) + ["raw", "datas"], self.ids)

    def _download_to_filestore(self, size, sha1):
        """Stream the file from Drive to its place in the filestore.

        The place is named after the sha1 that was computed on the way.
        """
        part = self._full_path("%s/%s" % (PARTS, uuid.uuid4().hex))
        try:
            os.makedirs(os.path.dirname(part), exist_ok=True)
            with open(part, "wb") as target:
                self._download_into(target, size, sha1)
            fname = self._place_for(size, sha1)
            path = self._full_path(fname)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            # From here on the row is locked, which keeps the garbage collection away: the
            # file stays when this transaction commits, and goes when it does not.
            self._write_columns(
                store_fname=fname,
                db_datas=None,
                checksum=sha1,
                file_size=size,
                cloud_sha1=sha1,
                cloud_size_bytes=size,
            )
            self._mark_for_gc(fname)
            if not os.path.exists(path):  # else it has this content already
                os.replace(part, path)
        except OSError as err:
            raise self._no_room(err) from err
        finally:
            with contextlib.suppress(OSError):
                os.unlink(part)

    def _place_for(self, size, sha1):
        """The name in the filestore for a content: its sha1, as Odoo has it.

        A damaged file that has this name is somebody's last trace: it stays where it is,
        and this content gets a place beside it.
        """
        fname = "%s/%s" % (sha1[:2], sha1)
        if _is_free_or_same(self._full_path(fname), size, sha1):
            return fname
        return "%s-%s" % (fname, uuid.uuid4().hex[:8])

    @api.autovacuum
    def _gc_cloud_parts(self):
        """Remove what restores that crashed left."""
        folder = self._full_path(PARTS)
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                if time.time() - os.path.getmtime(path) > PART_SECONDS:
                    os.unlink(path)

    def _download_into(self, target, size, sha1):
        """Write the content to an open file, proven.

        :raises CloudFileError: it can not be had
        """
        client = self._read_client()
        try:
            found = download.save(client, self.cloud_file_id, size, target)
            if found != sha1:
                raise ChecksumError(download.CHANGED)
        except DriveError as err:
            data = self._from_sibling(size, sha1, err)
            if data is None:
                raise self._cloud_error(err) from err
            target.seek(0)
            target.truncate()
            target.write(data)

    def _no_room(self, err):
        return CloudFileError(
            _(
                "%(name)s (%(size)s) could not be written to the filestore: %(reason)s",
                name=self.name,
                size=human_size(int(self.cloud_size_bytes)),
                reason=err.strerror or err,
            )
        )


def _is_free_or_same(path, size, sha1):
    """Whether a path has no file yet, or one with this very content."""
    try:
        with open(path, "rb") as file:
            return size_and_digests(file, "sha1") == (size, sha1)
    except FileNotFoundError:
        return True
