"""Bringing the bytes of attachments back to this server."""
import contextlib
import os
import uuid

from odoo import _, models
from odoo.tools import human_size

from ..drive import download
from ..drive.errors import DriveError
from ..exceptions import CloudFileError


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
        if not self._is_on_server():
            if self._storage() == "db":
                self._write_columns(db_datas=self._cloud_read())
            else:
                self._download_to_filestore()
        vals = {"cloud_keep_local": True}
        if self._is_proxy_link():
            vals.update(type="binary", url=False)
        self.write(vals)

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
        fname = "%s/%s" % (self.checksum[:2], self.checksum)
        part = "%s/%s" % (self.checksum[:2], uuid.uuid4().hex)
        os.makedirs(os.path.dirname(self._full_path(part)), exist_ok=True)
        # Odoo's garbage collection takes away what a crash leaves
        self._mark_for_gc(part)
        try:
            with open(self._full_path(part), "wb") as target:
                self._download_into(target)
            # From here on the row is locked, which keeps the garbage collection away: the
            # file stays when this transaction commits, and goes when it does not.
            self._write_columns(store_fname=fname)
            self._mark_for_gc(fname)
            os.replace(self._full_path(part), self._full_path(fname))
        except OSError as err:
            raise self._no_room(err) from err
        finally:
            for left in (part, "checklist/" + part):
                with contextlib.suppress(OSError):
                    os.unlink(self._full_path(left))

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
