"""Where the bytes of an attachment come from: this server, a cache, Drive."""

import functools
import hashlib
import os

from odoo import SUPERUSER_ID, _, api, fields, models, tools
from odoo.exceptions import UserError
from odoo.tools import config, human_size

from ..cache.shared import disk_cache, memory_cache
from ..drive import download
from ..drive.compare import COMPARE_FIELDS, OTHER, compare, size_of
from ..drive.errors import (
    ChecksumError,
    DriveError,
    NotFoundError,
    RangeError,
    TransientError,
)
from ..engine.local_files import is_here, measure, open_content
from ..engine.messages import Messages
from ..exceptions import CloudFileError
from ..odoo_bridge import fresh_environment

MB = 1024 * 1024
CACHE_TTL_SECONDS = 86400
CACHE_MAX_SIZE_MB = 1024
#: How long a reader waits for another one that downloads the same file.
FILL_SECONDS = 60
READ_TRIES = 4  # calls per request to Drive while a person waits
MOST_SIBLINGS = 5  # attachments looked at for a content that Drive lost


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
    _inherit = "ir.attachment"

    raw = ContentField()
    datas = ContentField()

    # -- dispatchers ---------------------------------------------------------------------

    @api.depends("cloud_file_id")  # so that ``read`` fetches it along with the others
    def _compute_raw(self):
        # ContentField asks for local files, or for one that is in the cloud
        if len(self) == 1 and self._cloud_only():
            self.raw = self._content_of_origin()
        else:
            super()._compute_raw()

    def _content_of_origin(self):
        """The bytes of a file in the cloud; of virtual records, those of the real one.

        What a virtual record says of itself came from a browser: only what the database
        says of its origin counts.
        """
        origin = self._origin
        if origin == self:
            return self.sudo()._cloud_read()
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
            content = env[self._name].browse(found[0])._cloud_read()
        is_it = hashlib.sha1(content).hexdigest() == os.path.basename(fname)
        return content if is_it else data

    # -- reading -------------------------------------------------------------------------

    def _cloud_read(self):
        """All bytes, from a cache or from Drive, proven by their sha1.

        :rtype: bytes
        :raises CloudFileError: they can not be had; never returns wrong or empty bytes
        """
        self.ensure_one()
        self._read(["cloud_size_bytes", "cloud_sha1", "cloud_auth_id"])  # in one query
        self._check_cloud_access()
        size, sha1 = self._proven_content()
        if not size:
            return b""
        memory = self._memory_cache()
        data = memory.get(sha1)
        if data is None:
            data = self._cached(size, sha1) or self._fetch(size, sha1)
            memory.put(sha1, data)
        return data

    def _cached(self, size, sha1):
        return self._disk_cache().read(sha1, size)

    def _fetch(self, size, sha1):
        """All bytes from Drive, into the disk cache; one download for all who wait."""
        with self._disk_cache().fill_lock(sha1, FILL_SECONDS):
            return self._cached(size, sha1) or self._download(size, sha1)

    def _download(self, size, sha1):
        """All bytes from Drive, into the disk cache on the way."""
        try:
            data = download.read(self._read_client(), self.cloud_file_id, size, sha1)
        except DriveError as err:
            data = self._from_sibling(size, sha1, err)
            if data is None:
                raise self._cloud_error(err) from err
        self._disk_cache().put(sha1, data)
        return data

    # -- what it has to be ---------------------------------------------------------------

    def _proven_content(self):
        """Size and sha1 of the content in Drive.

        Rows of older versions, and of other tools, do not know the sha1: Drive is asked
        for it once, and it is kept.

        :rtype: tuple[int, str]
        :raises CloudFileError: Drive has something else, or can not be asked
        """
        if self.cloud_sha1:
            return int(self.cloud_size_bytes), self.cloud_sha1
        try:
            file = self._read_client().get(self.cloud_file_id, fields=COMPARE_FIELDS)
        except DriveError as err:
            raise self._cloud_error(err) from err
        known_size = int(self.cloud_size_bytes) or size_of(file)
        if compare(file, known_size, None, self.cloud_md5) == OTHER:
            err = ChecksumError("The file on Drive was changed (size or md5 differs)")
            raise self._cloud_error(err) from err
        size, sha1 = size_of(file), file.get("sha1Checksum")
        if size is None or not sha1:
            err = TransientError("Google Drive does not tell what it holds")
            raise self._cloud_error(err) from err
        note = functools.partial(
            self._note_proven, self.cloud_file_id, size, sha1, file.get("md5Checksum")
        )
        # not in this transaction, nor before its end: it may go on to write the row
        self.env.cr.postcommit.add(note)
        return size, sha1

    def _note_proven(self, file_id, size, sha1, md5):
        """Keep what Drive told of a row that did not know."""
        with self.env.registry.cursor() as cr:
            cr.execute(
                "UPDATE ir_attachment SET cloud_sha1 = %s, cloud_size_bytes = %s,"
                " cloud_md5 = %s WHERE id IN ("
                " SELECT id FROM ir_attachment WHERE id = %s AND cloud_file_id = %s"
                " AND cloud_sha1 IS NULL FOR UPDATE SKIP LOCKED)",
                (sha1, size, md5, self.id, file_id),
            )

    # -- the same content elsewhere ------------------------------------------------------

    def _from_sibling(self, size, sha1, err):
        """The bytes of another attachment with the same content, when Drive lost these.

        :param DriveError err: why they can not be had where they should be
        :return: bytes; None when there are none, or it is no use to look
        """
        for sibling in self._siblings(size, sha1, err):
            if is_here(sibling):
                with open_content(self.env, sibling) as file:
                    return file.read()
            try:
                client = sibling._read_client()
                return download.read(client, sibling.cloud_file_id, size, sha1)
            except (DriveError, CloudFileError):
                continue
        return None

    def _siblings(self, size, sha1, err):
        """Iterate over attachments that have the same content elsewhere.

        Those here first, their bytes read and compared; then those with another file in
        Drive that was proven to be it.

        :param DriveError err: as in :meth:`_from_sibling`
        """
        if not isinstance(err, (NotFoundError, ChecksumError, RangeError)):
            return
        self.env.cr.execute(
            "SELECT id FROM ir_attachment WHERE checksum = %s AND id != %s"
            " AND (store_fname IS NOT NULL OR db_datas IS NOT NULL"
            " OR cloud_sha1 = checksum AND cloud_file_id != %s)"
            " ORDER BY store_fname IS NULL AND db_datas IS NULL, id LIMIT %s",
            (sha1, self.id, self.cloud_file_id, MOST_SIBLINGS),
        )
        for (row_id,) in self.env.cr.fetchall():
            sibling = self.with_user(SUPERUSER_ID).browse(row_id)
            if not is_here(sibling):
                yield sibling
            elif (measure(self.env, sibling) or ())[:2] == (size, sha1):
                yield sibling

    # -- who may -------------------------------------------------------------------------

    def _check_cloud_access(self):
        """:raises CloudFileError: access is switched off, or the account is gone"""
        auth = self.cloud_auth_id
        if not auth:
            raise CloudFileError(_("The account of %s is gone.", self.name))
        configs = auth.config_ids.filtered("is_active")
        if configs and not any(configs.mapped("enable_cloud_access")):
            raise CloudFileError(
                _(
                    "%s is in the cloud, and access to the cloud is switched off in the"
                    " configuration.",
                    self.name,
                )
            )

    def _read_client(self):
        """A client of the account the file lives in.

        :raises CloudFileError: access is switched off, or there is no usable account
        """
        self._check_cloud_access()
        try:
            return self.cloud_auth_id._drive_client(tries=READ_TRIES)
        except UserError as err:
            raise CloudFileError("%s: %s" % (self.name, err)) from err
        except DriveError as err:
            raise self._cloud_error(err) from err

    def _cloud_error(self, err):
        """What a failed read means for people; noted when it says something lasting.

        :rtype: CloudFileError
        """
        messages = Messages(self.env)
        problem = messages.lasting_problem(err)
        if problem:
            self._flag_cloud_problem(problem)
        return messages.cloud_file(self.name, err)

    def _flag_cloud_problem(self, message):
        """Remember a fact about Drive, in a transaction that survives the error.

        A row that is locked is left alone: waiting could mean waiting for ourselves.
        """
        with self.env.registry.cursor() as cr:
            cr.execute(
                "UPDATE ir_attachment SET cloud_error_message = %s WHERE id IN ("
                " SELECT id FROM ir_attachment WHERE id = %s FOR UPDATE SKIP LOCKED)",
                (message, self.id),
            )

    # -- caches --------------------------------------------------------------------------

    @api.model
    def _memory_cache(self):
        """The memory cache of this database in this process."""
        cache = memory_cache(self.env.cr.dbname)
        cache.configure(*self._memory_limits())
        return cache

    @api.model
    def _disk_cache(self):
        """The disk cache of this database, one object per process."""
        param = self.env["ir.config_parameter"].sudo().get_param
        root = param("cloud_storage.cache_dir") or os.path.join(
            config["data_dir"], "cloud_storage_cache"
        )
        number = self.env["cloud_storage.mixin"]._int_parameter
        return disk_cache(
            root,
            self.env.cr.dbname,
            number("cache_max_size_mb", CACHE_MAX_SIZE_MB) * MB,
            number("cache_ttl_seconds", CACHE_TTL_SECONDS),
        )

    @api.model
    @tools.ormcache()
    def _memory_limits(self):
        """Files, bytes (as they are) and seconds that the memory cache may keep."""
        active = self.env["cloud_storage.config"].sudo().get_active_config()
        if not active:
            return None, None, None
        return active.max_cache_size, None, active.cache_timeout_minutes * 60

    @api.model
    def _configure_memory_cache(self):
        """The limits changed: every process reads them anew."""
        self.clear_caches()

    @api.model
    def _clear_cloud_cache(self):
        memory_cache(self.env.cr.dbname).clear()
        self._disk_cache().clear()

    @api.autovacuum
    def _gc_cloud_cache(self):
        """Remove what is too old or too much, and what crashed processes left."""
        self._disk_cache().sweep()
