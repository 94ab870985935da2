"""Bringing the bytes of attachments back to this server."""
import contextlib
import hashlib
import os
import time
import uuid

from odoo import _, api, models
from odoo.tools import human_size

from ..drive import download
from ..drive.errors import DriveError
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
        if not self._is_intact_here():
            if self._storage() == "db":
                content = self._cloud_read()
                checksum = self.checksum or hashlib.sha1(content).hexdigest()
                self._write_columns(
                    db_datas=content, store_fname=None, checksum=checksum
                )
            else:
                self._download_to_filestore()
        self._flush_to_disk()
        vals = {"cloud_keep_local": True}
        if self._has_proxy_url():
            vals.update(type="binary", url=False)
        self.write(vals)

    def _is_intact_here(self):
        """Whether what is on this server is what went to Drive, byte for byte."""
        size, md5 = int(self.cloud_size_bytes), self.cloud_md5
        if not size or not self._is_on_server():
            return not size
        if self.store_fname:
            with open(self._full_path(self.store_fname), "rb") as file:
                return size_and_digests(file, "md5") == (size, md5)
        plain = self.with_context(bin_size=False, bin_size_db_datas=False)
        return hashlib.md5(plain.db_datas).hexdigest() == md5

    def _flush_to_disk(self):
        """A power cut after this takes nothing: the copy in Drive may go."""
        if not self.store_fname or not int(self.cloud_size_bytes):
            return
        path = self._full_path(self.store_fname)
        for name in (path, os.path.dirname(path)):  # the bytes, and their name
            handle = os.open(name, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def _is_on_server(self):
        """Whether the bytes are really here; a row may name a file that is lost."""
        if not int(self.cloud_size_bytes):
            return True
        if self.store_fname:
            return os.path.exists(self._full_path(self.store_fname))
        return bool(self.db_datas)

    def _write_columns(self, **columns):
        """Below the ORM, whose ``write`` drops ``store_fname`` and the checksum."""
        self.flush()  # what waits would overwrite it later
        for name, value in columns.items():
            self.env.cr.execute(
                "UPDATE ir_attachment SET %s = %%s WHERE id = %%s" % name,
                (value, self.id),
            )
        self.invalidate_cache(list(columns) + ["raw", "datas"], self.ids)

    def _download_to_filestore(self):
        """Stream the file from Drive to its place in the filestore."""
        part = self._full_path("%s/%s" % (PARTS, uuid.uuid4().hex))
        os.makedirs(os.path.dirname(part), exist_ok=True)
        try:
            with open(part, "wb") as target:
                self._download_into(target)
            # rows of very old versions have no checksum
            checksum = self.checksum or _sha1_of(part)
            fname = "%s/%s" % (checksum[:2], checksum)
            os.makedirs(os.path.dirname(self._full_path(fname)), exist_ok=True)
            # From here on the row is locked, which keeps the garbage collection away: the
            # file stays when this transaction commits, and goes when it does not.
            self._write_columns(store_fname=fname, db_datas=None, checksum=checksum)
            self._mark_for_gc(fname)
            os.replace(part, self._full_path(fname))
        except OSError as err:
            raise self._no_room(err) from err
        finally:
            with contextlib.suppress(OSError):
                os.unlink(part)

    @api.autovacuum
    def _gc_cloud_parts(self):
        """Remove what restores that crashed left."""
        folder = self._full_path(PARTS)
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                if time.time() - os.path.getmtime(path) > PART_SECONDS:
                    os.unlink(path)

    def _download_into(self, target):
        size, md5 = int(self.cloud_size_bytes), self.cloud_md5
        client = self._read_client()
        try:
            download.save(client, self.cloud_file_id, size, md5, target)
        except DriveError as err:
            raise self._cloud_error(err) from err

    def _no_room(self, err):
        return CloudFileError(
            _(
                "%(name)s (%(size)s) could not be written to the filestore: %(reason)s",
                name=self.name,
                size=human_size(int(self.cloud_size_bytes)),
                reason=err.strerror or err,
            )
        )


def _sha1_of(path):
    with open(path, "rb") as file:
        return size_and_digests(file, "sha1")[1]
