"""Small images of large ones that left: lists of pictures ask Drive nothing."""
import base64
import logging

import psycopg2

from odoo import api, models
from odoo.tools import image_process

from ..utils.constants import THUMBNAIL_SIDES

_logger = logging.getLogger(__name__)

#: Above that a variant is not worth its place (a GIF stays as large as it was).
LARGEST_VARIANT = 256 * 1024
#: Above that pictures are not decoded while files leave.
LARGEST_SOURCE = 32 * 1024 * 1024


class IrAttachment(models.Model):
    _inherit = "ir.attachment"

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
            data = attachment.sudo()._thumbnail(side) or attachment.raw
            attachment.datas = base64.b64encode(data)

    def _thumbnail(self, side):
        """The variant that fits in a square, made again when the cache lost it.

        :return: bytes; None when there can be none
        """
        if not self._is_picture():
            return None
        cache, key = self._disk_cache(), self._thumbnail_key(side)
        data = cache.read(key)
        if data is None:
            self._make_thumbnails(self.raw)
            data = cache.read(key)
        return data

    def _keep_thumbnails(self):
        """Make the variants of images that are about to leave this server.

        Whatever is wrong with one of them, the others go.
        """
        for picture in self.filtered(lambda attachment: attachment._is_picture()):
            attachment = picture.with_prefetch()  # contents one by one
            try:
                attachment._keep_own_thumbnails()
            except psycopg2.Error:
                raise  # the transaction is over
            # anybody can upload anything
            except Exception as err:  # pylint: disable=broad-except
                _logger.info("No thumbnail of attachment %s: %s", attachment.id, err)

    def _keep_own_thumbnails(self):
        if self._has_thumbnails():
            return
        if self.store_fname:
            data = self._file_read(self.store_fname)
        else:
            data = self.db_datas
        if data:
            self._make_thumbnails(data)

    def _is_picture(self):
        kind, _sep, subtype = (self.mimetype or "").partition("/")
        return (
            kind == "image"
            and not subtype.startswith("svg")
            and bool(self.cloud_sha1)
            and self.cloud_size_bytes <= LARGEST_SOURCE
        )

    def _has_thumbnails(self):
        cache = self._disk_cache()
        return all(cache.read(self._thumbnail_key(side)) for side in THUMBNAIL_SIDES)

    def _thumbnail_key(self, side):
        return "%s-image_%d" % (self.cloud_sha1, side)

    def _make_thumbnails(self, data):
        source, cache = base64.b64encode(data), self._disk_cache()
        for side in THUMBNAIL_SIDES:
            try:
                small = image_process(source, size=(side, side), verify_resolution=True)
            # image libraries raise what they like: bombs, struct.error, MemoryError...
            except Exception as err:  # pylint: disable=broad-except
                _logger.info("No thumbnail of attachment %s: %s", self.id, err)
                return
            variant = base64.b64decode(small)
            if len(variant) <= LARGEST_VARIANT:
                cache.put(self._thumbnail_key(side), variant)
