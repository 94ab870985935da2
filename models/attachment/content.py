import base64
import hashlib
import os

from odoo import api, fields, models, tools
from odoo.tools import human_size

from ...engine.content import restoring
from ...engine.local_files import is_here
from ...engine.reader import caches, preview
from ...engine.reader.source import read
from ...odoo_bridge import fresh_environment
from ...utils.constants import THUMBNAIL_SIDES


class ContentField(fields.Binary):
    """Content that may be in the cloud: sizes are known, files come one at a time.

    ``Binary.compute_value`` (odoo/fields.py) reads contents to tell their sizes, and
    computes for a whole batch of records, the one that was asked for first.
    """

    def _can_setup_from(self, field):
        # Odoo 14: the attributes of a plain Binary hold; later versions know by themselves
        return isinstance(field, fields.Binary)

    def compute_value(self, records):
        remote = records._cloud_only()
        if not remote:
            return super().compute_value(records)
        context = records.env.context
        if context.get("bin_size") or context.get("bin_size_" + self.name):
            for record in remote:
                size = self.convert_to_cache(human_size(record.file_size), record)
                records.env.cache.set(record, self, size)
            records -= remote
        else:
            # the one that was asked for alone, or all that are local: never both, see
            # _compute_raw
            first = records[:1]
            records = first if first in remote else records - remote
        return super().compute_value(records)


class IrAttachment(models.Model):
    """Odoo reads content where it is: :mod:`...engine.reader` for files in the cloud."""

    _inherit = "ir.attachment"

    raw = ContentField()
    datas = ContentField()

    @api.depends("cloud_file_id")  # so that ``read`` fetches it along with the others
    def _compute_raw(self):
        # ContentField asks for local files, or for one that is in the cloud
        if len(self) == 1 and self._cloud_only():
            self.raw = self._content_of_origin()
        else:
            super()._compute_raw()

    @api.depends("cloud_file_id")
    @api.depends_context("cloud_thumbnail")
    def _compute_datas(self):
        """In the context ``cloud_thumbnail`` (a side), what fits in its square.

        Only for images in the cloud, and only ``/web/image`` sets it (see
        ``ir.http._binary_record_content``): code that reads a field gets all of it.
        """
        side = self.env.context.get("cloud_thumbnail")
        remote = self._cloud_only() if side in THUMBNAIL_SIDES else self.browse()
        small = remote.filtered("id")
        super(IrAttachment, self - small)._compute_datas()
        for attachment in small:
            data = preview.thumbnail(attachment.sudo(), side) or attachment.raw
            attachment.datas = base64.b64encode(data)

    def _content_of_origin(self):
        """The bytes of a file in the cloud; of virtual records, those of the real one.

        What a virtual record says of itself came from a browser: only what the database
        says of its origin counts.
        """
        origin = self._origin
        if origin == self:
            return read(self.sudo())
        if not origin:
            return False
        origin.check("read")
        return origin.raw

    def _cloud_only(self):
        """Those whose bytes are not on this server."""
        next(iter(self), self).cloud_file_id  # pylint: disable=expression-not-assigned
        # which fetched it for all: a look at the cache is enough for those that never left
        known = list(self.env.cache.get_values(self, self._fields["cloud_file_id"]))
        if len(known) == len(self) and not any(known):
            return self.browse()
        there = [a for a in self if a.cloud_file_id]
        return self.browse(a.id for a in there if not is_here(a))

    @api.model
    def _file_read(self, fname):
        """A file that the filestore lost may be in the cloud; it is named by its sha1."""
        data = super()._file_read(fname)
        if data:  # an empty content has no file
            return data
        if self._origin != self and self._origin.store_fname != fname:
            return data  # a virtual record: its values come from a browser
        # this transaction may have begun before the file left
        with fresh_environment(self.env) as env:
            env.cr.execute(
                "SELECT id FROM ir_attachment WHERE checksum = %s"
                " AND cloud_file_id IS NOT NULL"
                # other than the checksum this one is no hint; a file that was proven to
                # be something else is none either
                " AND COALESCE(cloud_sha1, checksum) = checksum ORDER BY id LIMIT 1",
                (os.path.basename(fname),),
            )
            found = env.cr.fetchone()
            if not found:
                return data
            content = read(env[self._name].browse(found[0]))
        is_it = hashlib.sha1(content).hexdigest() == os.path.basename(fname)
        return content if is_it else data

    # -- caches --------------------------------------------------------------------------

    @api.model
    def _disk_cache(self):
        """The disk cache of this database, one object per process."""
        return caches.disk_cache(self.env)

    @api.model
    @tools.ormcache()
    def _memory_limits(self):
        """Files, bytes (as they are) and seconds that the memory cache may keep."""
        active = self.env["cloud_storage.config"].sudo().get_active_config()
        if not active:
            return None, None, None
        return active.max_cache_size, None, active.cache_timeout_minutes * 60

    @api.model
    def _clear_cloud_cache(self):
        caches.clear(self.env)

    @api.autovacuum
    def _gc_cloud_cache(self):
        """Remove what is too old or too much, and what crashed processes left."""
        caches.disk_cache(self.env).sweep()

    @api.autovacuum
    def _gc_cloud_parts(self):
        """Remove what restores that crashed left."""
        restoring.sweep_parts(self.env)
