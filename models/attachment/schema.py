import hashlib

from odoo import api, models

from ...engine.rows import HERE, UNMEASURED, WAITING

#: What the engine looks for; none of them holds a row that has nothing to do with it.
INDEXES = {
    "ir_attachment_cloud_waiting_idx": (
        "ON ir_attachment (res_model, id) WHERE type = 'binary'"
        " AND res_model IS NOT NULL AND " + WAITING
    ),
    "ir_attachment_cloud_unmeasured_idx": (
        "ON ir_attachment (id) WHERE type = 'binary' AND " + UNMEASURED
    ),
    "ir_attachment_cloud_pending_idx": (
        "ON ir_attachment (cloud_run_id) WHERE cloud_sync_status = 'pending'"
    ),
    "ir_attachment_cloud_file_idx": (
        "ON ir_attachment (cloud_file_id) WHERE cloud_file_id IS NOT NULL"
    ),
    "ir_attachment_cloud_reserved_idx": (
        "ON ir_attachment (cloud_reserved_id) WHERE cloud_reserved_id IS NOT NULL"
    ),
    "ir_attachment_cloud_release_idx": (
        "ON ir_attachment (id) WHERE cloud_sync_status = 'synced' AND " + HERE
    ),
    # with the size: what an account holds is summed without a look at the table
    "ir_attachment_cloud_held_idx": (
        "ON ir_attachment (cloud_auth_id, cloud_sync_status, cloud_size_bytes)"
        " WHERE cloud_auth_id IS NOT NULL"
    ),
    # on the id, since a message may be longer than an index can hold
    "ir_attachment_cloud_problem_idx": (
        "ON ir_attachment (id) WHERE cloud_error_message IS NOT NULL"
    ),
}

#: A Drive file loses its attachment, gets another one, or its attachment another name or
#: record, in the transaction that changes the row, be it the ORM's, a cascade's or plain
#: SQL's: the queue is filled in the same one. A file is queued once per transaction; rows
#: of others are not looked at, for they may be on their way out. The WHEN clauses keep the
#: function away from rows that never left.
TRIGGERS = """
CREATE OR REPLACE FUNCTION cloud_storage_queue_trash() RETURNS trigger AS $$
DECLARE
    attachment integer := CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END;
    marked varchar[];
    file_id varchar;
BEGIN
    IF TG_ARGV[0] = 'moved' THEN
        -- going up or to another account, it has no file yet or is about to get another
        marked := ARRAY[NEW.cloud_file_id, NEW.cloud_reserved_id];
    ELSIF TG_ARGV[0] = 'linked' THEN
        -- what went up for this row was marked for it, unless it changed meanwhile
        IF NEW.cloud_file_id IS DISTINCT FROM OLD.cloud_reserved_id OR EXISTS (
            SELECT 1 FROM cloud_storage_trash WHERE marked_file_id = NEW.cloud_file_id
        ) THEN
            marked := ARRAY[NEW.cloud_file_id];
        END IF;
    ELSIF OLD.cloud_file_id IS NOT NULL AND NOT EXISTS (
        -- else others were looked for already, and there are none more of them
        SELECT 1 FROM cloud_storage_trash WHERE drive_file_id = OLD.cloud_file_id
        AND auth_id = COALESCE(OLD.cloud_auth_id, 0)
        AND queued_at = now() at time zone 'UTC'
    ) THEN
        INSERT INTO cloud_storage_trash (auth_id, drive_file_id, queued_at, attempts)
        VALUES (COALESCE(OLD.cloud_auth_id, 0), OLD.cloud_file_id,
                now() at time zone 'UTC', 0);
        IF EXISTS (SELECT 1 FROM ir_attachment WHERE cloud_file_id = OLD.cloud_file_id)
        THEN
            marked := ARRAY[OLD.cloud_file_id, OLD.cloud_reserved_id];
        END IF;
    END IF;
    IF TG_ARGV[0] = 'deleted' THEN
        DELETE FROM cloud_storage_secret
        WHERE res_model = 'ir.attachment' AND res_id = OLD.id;
    END IF;
    -- one by one, for a join would read the whole queue each time
    FOREACH file_id IN ARRAY COALESCE(marked, '{}') LOOP
        CONTINUE WHEN file_id IS NULL OR EXISTS (
            SELECT 1 FROM cloud_storage_trash
            WHERE marked_file_id = file_id AND queued_at = now() at time zone 'UTC');
        INSERT INTO cloud_storage_trash
            (auth_id, attachment_id, marked_file_id, queued_at, attempts)
        VALUES (0, attachment, file_id, now() at time zone 'UTC', 0);
    END LOOP;
    RETURN NULL;
-- the queue is empty when the plan is made, and then grows by a row for each moved one
END $$ LANGUAGE plpgsql SET enable_seqscan = off;
DROP TRIGGER IF EXISTS cloud_storage_deleted ON ir_attachment;
CREATE TRIGGER cloud_storage_deleted AFTER DELETE ON ir_attachment FOR EACH ROW
    WHEN (OLD.cloud_file_id IS NOT NULL OR OLD.cloud_reserved_id IS NOT NULL)
    EXECUTE PROCEDURE cloud_storage_queue_trash('deleted');
DROP TRIGGER IF EXISTS cloud_storage_changed ON ir_attachment;
CREATE TRIGGER cloud_storage_changed AFTER UPDATE OF cloud_file_id ON ir_attachment
    FOR EACH ROW
    WHEN (OLD.cloud_file_id IS NOT NULL
          AND OLD.cloud_file_id IS DISTINCT FROM NEW.cloud_file_id)
    EXECUTE PROCEDURE cloud_storage_queue_trash('changed');
DROP TRIGGER IF EXISTS cloud_storage_linked ON ir_attachment;
CREATE TRIGGER cloud_storage_linked AFTER UPDATE OF cloud_file_id ON ir_attachment
    FOR EACH ROW
    WHEN (NEW.cloud_file_id IS NOT NULL
          AND OLD.cloud_file_id IS DISTINCT FROM NEW.cloud_file_id)
    EXECUTE PROCEDURE cloud_storage_queue_trash('linked');
DROP TRIGGER IF EXISTS cloud_storage_renamed ON ir_attachment;
DROP TRIGGER IF EXISTS cloud_storage_moved ON ir_attachment;
CREATE TRIGGER cloud_storage_moved
    AFTER UPDATE OF name, res_model, res_id, res_field ON ir_attachment FOR EACH ROW
    WHEN ((NEW.cloud_file_id IS NOT NULL OR NEW.cloud_reserved_id IS NOT NULL)
          AND (OLD.name, OLD.res_model, OLD.res_id, OLD.res_field)
          IS DISTINCT FROM (NEW.name, NEW.res_model, NEW.res_id, NEW.res_field))
    EXECUTE PROCEDURE cloud_storage_queue_trash('moved');
"""


class IrAttachment(models.Model):
    """What PostgreSQL does for attachments in the cloud: indexes and triggers."""

    _inherit = "ir.attachment"

    def init(self):
        """Create what is missing."""
        super().init()
        # of a development version, without the rows that have no status
        self.env.cr.execute("DROP INDEX IF EXISTS ir_attachment_cloud_todo_idx")
        for name, definition in INDEXES.items():
            self._create_index(name, definition)
        self.env.cr.execute(TRIGGERS)

    @api.model
    def _create_index(self, name, definition):
        """Create an index that is not there, or is of another definition.

        Its comment tells which one it was made of: what PostgreSQL gives back as the
        definition is never what was written.

        :param str name: of the index
        :param str definition: what follows its name in ``CREATE INDEX``
        """
        digest = hashlib.sha1(definition.encode()).hexdigest()
        comment = "cloud_storage, definition %s" % digest
        self.env.cr.execute(
            "SELECT obj_description(indexrelid, 'pg_class') FROM pg_index"
            " WHERE indexrelid = to_regclass(%s) AND indisvalid",
            (name,),
        )
        if self.env.cr.fetchone() == (comment,):
            return
        # names and definitions come from the table above
        self.env.cr.execute(  # pylint: disable=sql-injection
            "DROP INDEX IF EXISTS {0}; CREATE INDEX {0} {1}; COMMENT ON INDEX {0} IS"
            " '{2}'".format(name, definition, comment)
        )
