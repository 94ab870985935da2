import contextlib
import logging
from collections import namedtuple

from psycopg2 import OperationalError

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..drive.errors import DriveError, ForbiddenError, NotFoundError
from ..engine.metadata import is_neighbours, outdated
from ..engine.transaction import CONCURRENCY_ERRORS, QUEUE_LOCK

_logger = logging.getLogger(__name__)

BATCH = 200
DUE = "(next_attempt IS NULL OR next_attempt <= (now() at time zone 'UTC'))"
#: Rows that are about a name and marks: nothing goes to the trash by them.
MARKS = "COALESCE(drive_file_id, '') = ''"
#: Postponements (three days) after which a file whose attachment seems to be on its way to
#: another place is marked all the same: such a move may have been given up.
PATIENCE = 12
MARK_COLUMNS = "id name res_model res_id res_field checksum cloud_sha1 cloud_auth_id"
MarkRow = namedtuple("MarkRow", MARK_COLUMNS)

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
    """What Drive has to learn of attachments: files left behind, renamed, moved.

    Triggers of PostgreSQL fill it (see :mod:`.ir_attachment_schema`): whatever deletes a
    row, takes its Drive file away, renames it or moves it to another record, ORM, cascade
    or SQL, adds to the queue in the same transaction, so a rollback takes it back and a
    crash loses nothing.

    A row only says which file is to be looked at; what has to be done is read from the
    attachments at that moment. Of several attachments that share a file, it is called and
    marked as the one with the lowest id.
    """

    _name = "cloud_storage.trash"
    _description = "Drive Files To Trash, Rename Or Mark"
    _log_access = False

    auth_id = fields.Integer(required=True)  # no foreign key: a trigger must never fail
    drive_file_id = fields.Char(index=True, help="To be trashed once nobody uses it.")
    marked_file_id = fields.Char(
        index=True, help="To be called and marked as its attachment is."
    )
    attachment_id = fields.Integer(help="Whose change it was; empty for the trash.")
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

        :param str place: see ``cloud_storage.auth._reserved_for``; unknown where empty
        """
        auth_id = int((place or "0").partition(" ")[0])
        if auth_id:
            self.sudo().create({"auth_id": auth_id, "drive_file_id": reserved_id})

    @api.model
    def _process(self, box=None):
        """Do what is due; leave what can not be done now for a later turn.

        Commits per file: what happened in Drive must be remembered. While an attachment
        lacks its content no file goes to the trash: it may be what that one lost. Does
        nothing while another process is at it, who could write an older state over a newer
        one.

        :param Deadline box: a deadline, none by default
        :return: how many Drive files were changed
        """
        if self.env["cloud_storage.auth"]._is_disabled():
            return 0
        with self._alone() as alone:
            return self._process_due(box) if alone else 0

    @contextlib.contextmanager
    def _alone(self):
        """Whether nobody else tells Drive what is in the queue, until the block ends."""
        self.env.cr.commit()  # waits for nobody with a lock or an old snapshot
        with contextlib.closing(self.env.registry.cursor()) as cr:
            cr.execute("SELECT pg_try_advisory_xact_lock(%s, 0)", (QUEUE_LOCK,))
            yield cr.fetchone()[0]

    @api.model
    def _process_due(self, box):
        clients, changed, ids = {}, 0, [0]
        only_names = self._must_keep_files()
        while ids:
            ids = self._due_after(ids[-1], only_names)
            for row_id in ids:
                if box and box.over:
                    return changed
                changed += self._process_guarded(row_id, clients)
        return changed

    @api.model
    def _process_guarded(self, row_id, clients):
        """Do one row and commit; whatever is wrong with it, the others get their turn."""
        self.env.cr.commit()  # a new snapshot
        try:
            changed = self._process_one(row_id, clients)
            self.env.cr.commit()  # one file, one fact
            return changed
        except Exception as err:  # pylint: disable=broad-except
            self.env.cr.rollback()
            self.env.cache.invalidate()
            if getattr(err, "pgcode", None) in CONCURRENCY_ERRORS:
                return 0  # the next turn finds it as it was
            # not the text of the error: it may name what must not be in a log
            _logger.warning("Row %s of the queue: %s", row_id, type(err).__name__)
        with contextlib.suppress(OperationalError):
            self._postpone(row_id)
            self.env.cr.commit()
        return 0

    @api.model
    def _must_keep_files(self):
        """Whether files wait for the trash and may not go there now."""
        self.env.cr.execute(  # pylint: disable=sql-injection
            "SELECT count(*) FROM cloud_storage_trash WHERE NOT %s AND %s" % (MARKS, DUE)
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
            "SELECT id FROM cloud_storage_trash WHERE id > %s AND " + DUE
            + (" AND " + MARKS if only_names else "")
            + " ORDER BY id LIMIT %s",
            (row_id, BATCH),
        )
        return [row[0] for row in self.env.cr.fetchall()]

    @api.model
    def _process_one(self, row_id, clients):
        self.env.cr.execute(
            "SELECT id, auth_id, drive_file_id, attachment_id FROM cloud_storage_trash"
            " WHERE id = %s",
            (row_id,),
        )
        row = self.env.cr.fetchone()
        if not row:
            return 0
        marked = self._marked_file(row_id)
        if marked:
            return self._follow(row_id, marked, clients)
        return self._trash(row, clients)

    @api.model
    def _trash(self, row, clients):
        row_id, auth_id, file_id, _attachment_id = row
        if self._is_used(file_id):
            return self._pass_on(row_id, file_id, clients)
        return self._change(row_id, clients, auth_id, file_id, trashed=True)

    # -- names and marks ---------------------------------------------------------------

    @api.model
    def _marked_file(self, row_id):
        """The file that a row wants called and marked anew, None for other rows.

        Rows of an earlier version have an attachment alone.
        """
        self.env.cr.execute(
            "SELECT COALESCE(q.marked_file_id, a.cloud_file_id, a.cloud_reserved_id)"
            " FROM cloud_storage_trash q LEFT JOIN ir_attachment a"
            " ON a.id = q.attachment_id"
            " WHERE q.id = %s AND COALESCE(q.drive_file_id, '') = ''",
            (row_id,),
        )
        row = self.env.cr.fetchone()
        return row and row[0]

    @api.model
    def _pass_on(self, row_id, file_id, clients):
        """A file that was let go of is another attachment's, so it is marked for that."""
        self.env.cr.execute(
            "DELETE FROM cloud_storage_trash WHERE drive_file_id = %s AND id != %s",
            (file_id, row_id),
        )
        self.env.cr.execute(
            "UPDATE cloud_storage_trash SET marked_file_id = drive_file_id,"
            " drive_file_id = NULL, attachment_id = 0 WHERE id = %s",
            (row_id,),
        )
        return self._follow(row_id, file_id, clients)

    @api.model
    def _follow(self, row_id, file_id, clients):
        """Have a Drive file called and marked as the attachment that owns it is now.

        One update, whatever was queued for the file until now, none when all is right.

        :return: 1 when it was changed, 0 when it needs no change or can not be had now
        """
        ids, attempts = self._queued_for(row_id, file_id)
        owner, is_moving = self._owner_of_marks(file_id)
        if is_moving and attempts < PATIENCE:
            return self._postpone(*ids)
        auth = self.env["cloud_storage.auth"].sudo()
        auth = auth.browse(owner and owner.cloud_auth_id).exists()
        if not auth:
            return self._drop(*ids)
        try:
            changed = self._update_marks(auth, file_id, owner, clients)
        except NotFoundError:
            changed = 0  # gone: comparing with Drive tells what that means
        except (DriveError, UserError) as err:
            _logger.info("Drive file %s was not marked yet: %s", file_id, err)
            return self._postpone(*ids)
        self._drop(*ids)
        return changed

    @api.model
    def _queued_for(self, row_id, file_id):
        """This row and the others that want a file marked, as far as they are committed.

        What is queued from now on is left for the next turn: the attachments are looked
        at in the same snapshot.

        :return: ids, and how often they were postponed
        """
        self.env.cr.execute(
            "SELECT array_agg(id), COALESCE(max(attempts), 0) FROM cloud_storage_trash"
            " WHERE id = %s OR marked_file_id = %s",
            (row_id, file_id),
        )
        return self.env.cr.fetchone()

    @api.model
    def _owner_of_marks(self, file_id):
        """The attachment whose name and marks a file bears, and whether to wait for it.

        Which one of many is arbitrary, but always the same, so that it can be compared.

        :return: row or None; whether one of its attachments is going up or to another
            account, after which it may be another file's
        :rtype: tuple[MarkRow, bool]
        """
        self.env.cr.execute(
            "SELECT bool_or(cloud_reserved_id IS NOT NULL) FROM ir_attachment"
            " WHERE cloud_file_id = %s OR cloud_reserved_id = %s",
            (file_id, file_id),
        )
        (is_moving,) = self.env.cr.fetchone()
        self.env.cr.execute(
            "SELECT %s FROM ir_attachment WHERE cloud_file_id = %%s ORDER BY id LIMIT 1"
            % MARK_COLUMNS.replace(" ", ", "),
            (file_id,),
        )
        row = self.env.cr.fetchone()
        return row and MarkRow(*row), is_moving

    @api.model
    def _update_marks(self, auth, file_id, owner, clients):
        """:return: 1 when something had to be changed, else 0"""
        if auth.id not in clients:
            clients[auth.id] = auth._drive_client(write=True, tries=3)
        uuid, client = auth._database_uuid(), clients[auth.id]
        self.env.cr.commit()  # no snapshot is held while Drive is asked
        file = client.get(file_id, fields="id,name,appProperties")
        change = outdated(file, uuid, owner)
        if change:
            client.update(file_id, fields="id", **change)
        return 1 if change else 0

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
    def _drop(self, *ids):
        self.env.cr.execute("DELETE FROM cloud_storage_trash WHERE id IN %s", (ids,))
        return 0

    @api.model
    def _postpone(self, *ids):
        """Try again in 1, 2, 4… minutes, at last once a day."""
        self.env.cr.execute(
            "UPDATE cloud_storage_trash SET attempts = q.known + 1, next_attempt ="
            " (now() at time zone 'UTC') + least(power(2, q.known), 24 * 60)"
            " * interval '1 minute' FROM (SELECT id,"  # a power has its limits
            "  greatest(0, least(COALESCE(attempts, 0), 1000)) AS known"
            "  FROM cloud_storage_trash WHERE id IN %s) AS q"
            " WHERE cloud_storage_trash.id = q.id",
            (ids,),
        )
        return 0
