import logging

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ..drive.errors import DriveError, ForbiddenError, NotFoundError
from .drive_metadata import drive_name, is_neighbours

_logger = logging.getLogger(__name__)

BATCH = 200

#: Wakes the cron once per transaction, as ``ir.cron._trigger`` of Odoo 15 does; Odoo 14 has
#: no such table, there Drive learns with the cron's next turn.
WAKE = """
CREATE OR REPLACE FUNCTION cloud_storage_wake_cron() RETURNS trigger AS $$
BEGIN
    IF to_regclass('ir_cron_trigger') IS NOT NULL THEN
        INSERT INTO ir_cron_trigger (cron_id, call_at)
        SELECT res_id, now() at time zone 'UTC' FROM ir_model_data
        WHERE module = 'cloud_storage' AND name = 'cron_automatic_sync'
        AND NOT EXISTS (SELECT 1 FROM ir_cron_trigger
                        WHERE cron_id = res_id AND call_at = now() at time zone 'UTC');
    END IF;
    RETURN NULL;
END $$ LANGUAGE plpgsql;
DROP TRIGGER IF EXISTS cloud_storage_wake_cron ON cloud_storage_trash;
CREATE TRIGGER cloud_storage_wake_cron AFTER INSERT ON cloud_storage_trash
    FOR EACH STATEMENT EXECUTE PROCEDURE cloud_storage_wake_cron();
"""


class CloudStorageTrash(models.Model):
    """What Drive has to learn of attachments: files left behind, files renamed.

    Triggers of PostgreSQL fill it (see :mod:`.ir_attachment_schema`): whatever deletes a
    row, takes its Drive file away or renames it, ORM, cascade or SQL, adds to the queue in
    the same transaction, so a rollback takes it back and a crash loses nothing.
    """

    _name = "cloud_storage.trash"
    _description = "Drive Files To Trash Or Rename"
    _log_access = False

    auth_id = fields.Integer(required=True)  # no foreign key: a trigger must never fail
    drive_file_id = fields.Char(index=True, help="To be trashed once nobody uses it.")
    attachment_id = fields.Integer(help="Whose Drive file gets its name.")
    queued_at = fields.Datetime(required=True, default=fields.Datetime.now)
    attempts = fields.Integer(default=0)
    next_attempt = fields.Datetime(index=True)

    def init(self):
        """Have the background come by soon for what is queued."""
        super().init()
        self.env.cr.execute(WAKE)

    @api.model
    def _queue_given_up(self, reserved_id, place):
        """An id that no upload will use any more: what came to be under it can go.

        :param str place: see ``cloud_storage.auth._place``; unknown where empty
        """
        auth_id = int((place or "0").partition(" ")[0])
        if auth_id:
            self.sudo().create({"auth_id": auth_id, "drive_file_id": reserved_id})

    @api.model
    def _process(self, box=None):
        """Do what is due; leave what can not be done now for a later turn.

        Commits per file: what happened in Drive must be remembered. While an attachment
        lacks its content no file goes to the trash: it may be what that one lost.

        :param TimeBox box: a deadline, none by default
        :return: how many Drive files were changed
        """
        if self.env["cloud_storage.auth"]._is_disabled():
            return 0
        clients, changed, ids = {}, 0, [0]
        only_names = self._must_keep_files()
        while ids:
            ids = self._due_after(ids[-1], only_names)
            for row_id in ids:
                if box and box.over:
                    return changed
                changed += self._process_one(row_id, clients)
                self.env.cr.commit()  # one file, one fact
        return changed

    @api.model
    def _must_keep_files(self):
        """Whether files wait for the trash and may not go there now."""
        self.env.cr.execute(
            "SELECT count(*) FROM cloud_storage_trash WHERE drive_file_id IS NOT NULL"
            " AND (next_attempt IS NULL OR next_attempt <= (now() at time zone 'UTC'))"
        )
        count = self.env.cr.fetchone()[0]
        lacking = count and self.env["cloud_storage.sync.service"]._lacking_ids()
        if lacking:
            _logger.warning(
                "%s files stay in Drive: %s attachments have no content",
                count,
                len(lacking),
            )
        return bool(lacking)

    @api.model
    def _due_after(self, row_id, only_names=False):
        """The next ids; by id, so that what can not be done is not met again."""
        self.env.cr.execute(
            "SELECT id FROM cloud_storage_trash WHERE id > %s AND (next_attempt IS NULL"
            " OR next_attempt <= (now() at time zone 'UTC'))"
            " AND (drive_file_id IS NULL OR NOT %s) ORDER BY id LIMIT %s",
            (row_id, only_names, BATCH),
        )
        return [row[0] for row in self.env.cr.fetchall()]

    @api.model
    def _process_one(self, row_id, clients):
        self.env.cr.execute(
            "SELECT id, auth_id, drive_file_id, attachment_id FROM cloud_storage_trash"
            " WHERE id = %s FOR UPDATE SKIP LOCKED",
            (row_id,),
        )
        row = self.env.cr.fetchone()
        if not row:
            return 0
        return self._rename(row, clients) if row[-1] else self._trash(row, clients)

    @api.model
    def _trash(self, row, clients):
        row_id, auth_id, file_id, _attachment_id = row
        if self._is_used(file_id):
            return self._drop(row_id)
        return self._change(row_id, clients, auth_id, file_id, trashed=True)

    @api.model
    def _rename(self, row, clients):
        row_id, _auth_id, _file_id, attachment_id = row
        attachments = self.env["ir.attachment"].sudo()
        attachments.invalidate_cache()  # another transaction may have renamed it again
        attachment = attachments.browse(attachment_id).exists()
        if attachment.cloud_reserved_id:
            return self._postpone(row_id)  # it is just going up, by its old name
        return self._change(
            row_id,
            clients,
            attachment.cloud_auth_id.id,
            attachment.cloud_file_id,
            name=attachment.name and drive_name(attachment),
        )

    @api.model
    def _change(self, row_id, clients, auth_id, file_id, **change):
        """Change metadata of a Drive file.

        :return: 1 when it was changed, 0 when it needs no change or can not be had now
        """
        auth = self.env["cloud_storage.auth"].sudo().browse(auth_id).exists()
        if not auth or not file_id:
            return self._drop(row_id)
        try:
            if auth_id not in clients:
                clients[auth_id] = auth._drive_client(write=True, tries=3)
            client = clients[auth_id]
            if "trashed" in change and self._is_neighbours(client, file_id):
                return self._drop(row_id)
            client.update(file_id, fields="id", **change)
        except (NotFoundError, ForbiddenError) as err:
            _logger.info("Drive file %s can not be changed: %s", file_id, err)
            return self._drop(row_id)
        except (DriveError, UserError) as err:
            _logger.info("Drive file %s was not changed yet: %s", file_id, err)
            return self._postpone(row_id)
        self._drop(row_id)
        return 1

    @api.model
    def _is_neighbours(self, client, file_id):
        """Whether another database uses the file: this one was a copy of it once."""
        uuid = self.env["cloud_storage.auth"]._database_uuid()
        return is_neighbours(client.get(file_id, fields="id,appProperties"), uuid)

    @api.model
    def _is_used(self, file_id):
        self.env.cr.execute(
            "SELECT 1 FROM ir_attachment WHERE cloud_file_id = %s"
            " OR cloud_reserved_id = %s LIMIT 1",
            (file_id, file_id),
        )
        return bool(self.env.cr.fetchone())

    @api.model
    def _drop(self, row_id):
        self.env.cr.execute("DELETE FROM cloud_storage_trash WHERE id = %s", (row_id,))
        return 0

    @api.model
    def _postpone(self, row_id):
        self.env.cr.execute(
            "UPDATE cloud_storage_trash SET attempts = attempts + 1, next_attempt ="
            " (now() at time zone 'UTC') + least(power(2, attempts), 24 * 60)"
            " * interval '1 minute' WHERE id = %s",
            (row_id,),
        )
        return 0


class CloudStorageAuth(models.Model):
    _inherit = "cloud_storage.auth"

    def _check_nothing_to_trash(self):
        """Deleted attachments' files stay in Drive for ever when their account goes.

        An account that can not be used any more would never be rid of them.

        :raises UserError: Drive is going to learn of some soon
        """
        usable = self.filtered(lambda auth: auth._can_still_trash())
        count = self.env["cloud_storage.trash"].sudo().search_count(
            [("auth_id", "in", usable.ids), ("drive_file_id", "!=", False)]
        )
        if count:
            raise UserError(
                _(
                    "%s files of deleted attachments are still to go to the trash of"
                    " this account. The next automatic sync does that; delete the"
                    " account afterwards, or switch Active off first to leave them in"
                    " Drive.",
                    count,
                )
            )

    def _can_still_trash(self):
        return (
            self.is_active
            and self.state in ("authorized", "expired")
            and not self._is_foreign_copy()
            and not self._is_disabled()
        )
