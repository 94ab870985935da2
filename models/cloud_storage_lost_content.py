"""Attachments that lack their content, and where else it may be."""

import hashlib
import logging
import os
import re
import time
from collections import namedtuple

from odoo import api, models
from odoo.exceptions import UserError

from ..drive.client import FILE_FIELDS
from ..drive.compare import SAME, compare
from ..drive.errors import DriveError, NotFoundError
from ..engine import candidates
from ..engine.attachments import set_fname
from ..engine.metadata import attachment_id, properties_of
from ..utils.digests import size_and_digests
from .content_proof import NO_CONTENT, Content, is_content_of, row_size
from .invariants import MAY_LACK_CONTENT, NOT_SYSTEM

_logger = logging.getLogger(__name__)

#: Part of the time that looking for every file of the filestore may take.
SHARE_OF_TIME = 60
QUICK = 1.0  # seconds of a look that is never remembered
PIECE = 4 * 1024 * 1024  # bytes read from the database at a time
SIBLINGS = 20  # attachments looked at for the content of another
FILESTORE_NAME = re.compile(r"[0-9a-f]{2}/([0-9a-f]{40})")
#: Where a content is: a name in the filestore, the id of an attachment that has it in
#: the database, or the account and metadata of a file in Drive; the others are None.
Place = namedtuple("Place", "fname attachment_id auth file content")


class CloudStorageSyncService(models.AbstractModel):
    _inherit = "cloud_storage.sync.service"

    # -- who lacks it ------------------------------------------------------------------

    @api.model
    def _lacking_ids(self, fresh=False):
        """Attachments whose content is neither here nor, as it was, in Drive.

        Files of the system are left out: they never go there. Where the look takes long
        its result is good for a while.

        :param bool fresh: look now
        :rtype: list[int]
        """
        known = getattr(self.pool, "cloud_storage_lacking", None)
        if known and not fresh and time.monotonic() < known[0]:
            return known[1]
        started = time.monotonic()
        found = [row[0] for row in self._lacking_rows("TRUE")]
        ended = time.monotonic()
        good_until = ended + max(0, ended - started - QUICK) * SHARE_OF_TIME
        self.pool.cloud_storage_lacking = (good_until, found)
        return found

    @api.model
    def _lacking_rows(self, condition, *values):
        """Iterate over id, name in the filestore, size and checksum of such rows."""
        self.env["ir.attachment"].flush()
        rows = self._rows(
            "id, store_fname, file_size, checksum",
            "%s AND %s AND (%s)" % (NOT_SYSTEM, MAY_LACK_CONTENT, condition),
            *values
        )
        return (row for row in rows if not self._is_file_here(row[1], row[2]))

    @api.model
    def _is_file_here(self, fname, size):
        """Whether the filestore has a file, and not an empty one instead."""
        if not fname:
            return False
        try:
            return bool(
                os.path.getsize(self.env["ir.attachment"]._full_path(fname)) or not size
            )
        except OSError:
            return False

    @api.model
    def _is_readable(self, attachment):
        """Whether the bytes are really on this server."""
        if attachment.store_fname:
            return self._is_file_here(attachment.store_fname, attachment.file_size)
        # not through the ORM, which would read the bytes of all that were searched
        self.env.cr.execute(
            "SELECT db_datas IS NOT NULL FROM ir_attachment WHERE id = %s",
            (attachment.id,),
        )
        return self.env.cr.fetchone() == (True,)

    @api.model
    def _lacks_content(self, attachment):
        """As :meth:`_lacking_ids` for one; Drive is asked where that is in doubt."""
        if attachment.cloud_sync_status == "pending" or self._is_readable(attachment):
            return False
        if attachment.cloud_file_id:
            is_flagged = attachment.cloud_sync_status == "error"
            return is_flagged and self._is_gone(attachment)
        return bool(
            attachment.file_size
            or attachment.store_fname
            or attachment._has_proxy_url()
        )

    @api.model
    def _is_gone(self, attachment):
        """Whether Drive says that it has not got the file of an attachment."""
        try:
            client = attachment.cloud_auth_id._drive_client(tries=2)
            client.get(attachment.cloud_file_id, fields="id")
        except NotFoundError:
            return True
        except (DriveError, UserError, ValueError) as err:
            _logger.info("%s can not be asked for: %s", attachment, err)
        return False

    @api.model
    def _lacking_for(self, files):
        """Those of some files that attachments may have lost.

        :param list files: metadata of files that nobody uses
        """
        marks = {attachment_id(properties_of(file)) for file in files}
        sha1s = {file.get("sha1Checksum") for file in files} - {None}
        if not files:
            return []
        rows = list(
            self._lacking_rows(
                "id IN %s OR checksum IN %s", tuple(marks), tuple(sha1s) or ("",)
            )
        )
        ids = {row[0] for row in rows}
        lost = {sha1 for row in rows for sha1 in self._sha1s_of(row[1], row[3])}
        return [
            file
            for file in files
            if attachment_id(properties_of(file)) in ids
            or file.get("sha1Checksum") in lost
        ]

    @api.model
    def _sha1s_of(self, fname, checksum):
        """What a row says of its content: its checksum, and the name of its file."""
        named = FILESTORE_NAME.fullmatch(fname or "")
        return {named.group(1) if named else None, checksum} - {None, False}

    # -- where it is -------------------------------------------------------------------

    @api.model
    def _content_elsewhere(self, row):
        """Find the content of an attachment whose file is gone from Drive.

        Found is only what was read and hashed, or what Drive says the sha1 of. Call it
        without locks: Drive may be asked.

        :param row: object with ``id``, ``checksum`` and the ``cloud_`` columns
        :rtype: Place
        :return: None when it is nowhere
        """
        sha1 = row.cloud_sha1 or row.checksum
        if not row_size(row) or sha1 in NO_CONTENT:
            return None
        siblings = self._siblings(row, sha1)
        return self._content_here(row, sha1, siblings) or self._content_in_drive(
            row, sha1, siblings
        )

    @api.model
    def _siblings(self, row, sha1):
        """Attachments that may have the same content."""
        return candidates.search(
            self.env,
            [
                ("id", "!=", row.id),
                "|",
                ("checksum", "=", sha1),
                ("cloud_file_id", "=", row.cloud_file_id),
            ],
            limit=SIBLINGS,
            order="id",
        )

    @api.model
    def _content_here(self, row, sha1, siblings):
        fnames = ["%s/%s" % (sha1[:2], sha1)]
        fnames += [fname for fname in siblings.mapped("store_fname") if fname]
        for fname in dict.fromkeys(fnames):
            content = self._measure_file(fname)
            if content and self._fits_row(content, row, sha1):
                return Place(fname, None, None, None, content)
        for sibling in siblings.filtered(lambda a: not a.store_fname):
            content = self._measure_bytes(sibling)
            if self._fits_row(content, row, sha1):
                return Place(None, sibling.id, None, None, content)
        return None

    @api.model
    def _fits_row(self, content, row, sha1):
        return content.sha1 == sha1 and is_content_of(content, row)

    @api.model
    def _measure_file(self, fname):
        """Read a file of the filestore.

        :rtype: Content
        :return: None when it is not there
        """
        try:
            with open(self.env["ir.attachment"]._full_path(fname), "rb") as file:
                return Content(*size_and_digests(file, "sha1", "md5"))
        except OSError:
            return None

    @api.model
    def _measure_bytes(self, attachment):
        """Read what an attachment has in the database, piece by piece.

        :rtype: Content
        """
        sha1, md5, size = hashlib.sha1(), hashlib.md5(), 0
        while True:
            self.env.cr.execute(
                "SELECT substring(db_datas FROM %s FOR %s) FROM ir_attachment"
                " WHERE id = %s",
                (size + 1, PIECE, attachment.id),
            )
            (piece,) = self.env.cr.fetchone() or (None,)
            if not piece:
                return Content(size, sha1.hexdigest(), md5.hexdigest())
            sha1.update(piece)
            md5.update(piece)
            size += len(piece)

    @api.model
    def _content_in_drive(self, row, sha1, siblings):
        for sibling in siblings:
            if sibling.cloud_file_id in (False, row.cloud_file_id):
                continue
            file = self._file_of(sibling)
            if file and compare(file, row_size(row), sha1, row.cloud_md5) == SAME:
                return Place(None, None, sibling.cloud_auth_id, file, None)
        return None

    @api.model
    def _file_of(self, attachment):
        """Metadata of an attachment's file.

        :return: None when it is not there, in the trash, or can not be asked for
        """
        try:
            client = attachment.cloud_auth_id._drive_client(tries=2)
            file = client.get(attachment.cloud_file_id, fields=FILE_FIELDS)
        except (DriveError, UserError, ValueError) as err:
            _logger.info("%s can not be asked for: %s", attachment, err)
            return None
        return None if file.get("trashed") else file

    # -- giving it back ----------------------------------------------------------------

    @api.model
    def _take_content(self, attachment, place):
        """Give an attachment the content that was found elsewhere.

        :param Place place: see :meth:`_content_elsewhere`
        :return: whether it has it now
        """
        if place.file:
            self._link(attachment, place.auth, place.file)
            return True
        if place.fname:
            return self._take_file(attachment, place)
        source = attachment.browse(place.attachment_id).exists()
        if not source or self._measure_bytes(source) != place.content:
            return False
        plain = source.with_context(bin_size=False, bin_size_db_datas=False)
        # with its type, or Odoo guesses another
        attachment.write(
            {"raw": bytes(plain.db_datas), "mimetype": attachment.mimetype}
        )
        return True

    @api.model
    def _take_file(self, attachment, place):
        """Let an attachment have a file of the filestore, as others have it.

        The row is changed first, which keeps the garbage collection of files away.
        """
        attachment.flush()
        before = attachment.store_fname or None
        set_fname(self.env, attachment.id, place.fname)
        if self._is_file_here(place.fname, place.content.size):
            attachment._write_columns(
                db_datas=None,
                checksum=place.content.sha1,
                file_size=place.content.size,
            )
            attachment._forget_cloud()
            return True
        set_fname(self.env, attachment.id, before)
        return False
