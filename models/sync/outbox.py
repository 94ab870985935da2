from odoo import fields, models

#: Wakes the cron once per transaction, as ``ir.cron._trigger`` of Odoo 15 does; Odoo 14 has
#: no such table, there Drive learns with the cron's next turn, within the hour.
WAKE = """
CREATE OR REPLACE FUNCTION cloud_storage_wake_cron() RETURNS trigger AS $$
BEGIN
    IF to_regclass('ir_cron_trigger') IS NOT NULL THEN
        INSERT INTO ir_cron_trigger (cron_id, call_at)
        SELECT res_id, now() at time zone 'UTC' FROM ir_model_data
        WHERE module = 'cloud_storage' AND name = 'cron_queued_runs'
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

    Triggers of PostgreSQL fill it (see ``ir.attachment``): whatever deletes a row, takes
    its Drive file away, renames it or moves it to another record, ORM, cascade or SQL,
    adds to the queue in the same transaction, so a rollback takes it back and a crash
    loses nothing. :mod:`...engine.outbox` tells Drive.
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
