"""Nothing leaves before a person has started the sync of a configuration."""
from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.exceptions import AccessError
from odoo.tools.sql import column_exists, table_exists

#: What tells that the sync of a configuration was under way before it was asked for.
RAN = """
    UPDATE cloud_storage_config AS config
    SET started_on = COALESCE(config.create_date, now() at time zone 'UTC')
    WHERE config.is_active AND (
        EXISTS (SELECT 1 FROM cloud_storage_sync_run AS run
                WHERE run.config_id = config.id AND run.total_success > 0
                AND run.sync_type IN ('manual', 'automatic'))
        OR EXISTS (SELECT 1 FROM cloud_storage_sync_log AS log
                   WHERE log.config_id = config.id AND log.status = 'success'
                   AND log.sync_type IN ('manual', 'automatic'))
        OR EXISTS (SELECT 1 FROM ir_attachment AS file
                   WHERE file.cloud_auth_id = config.auth_id
                   AND file.cloud_sync_status = 'synced')
           AND NOT EXISTS (SELECT 1 FROM cloud_storage_config AS other
                           WHERE other.auth_id = config.auth_id
                           AND other.id != config.id))"""


class CloudStorageConfig(models.Model):
    _inherit = "cloud_storage.config"

    started_on = fields.Datetime(
        readonly=True,
        copy=False,
        help="When somebody pressed Sync Now, knowing how many files that moves. Before,"
        " nothing leaves this server by itself. Another account, or switching the"
        " configuration off, asks for it again.",
    )

    def _auto_init(self):
        known = column_exists(self.env.cr, self._table, "started_on")
        existed = table_exists(self.env.cr, self._table)
        result = super()._auto_init()
        if existed and not known:
            # the other tables may get their columns only now
            self.pool.post_init(self._start_those_that_ran)
        return result

    @api.model
    def _start_those_that_ran(self):
        """Let what synced with the last version of this addon go on, and nothing else."""
        self.env.cr.execute(RAN)
        self.invalidate_cache(["started_on"])

    # -- a field of the server ---------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._check_start_field(vals)
        # an explicit value: neither the context nor ir.default can slip in another
        return super().create([dict({"started_on": False}, **vals) for vals in vals_list])

    def write(self, vals):
        self._check_start_field(vals)
        changed = self.filtered(lambda config: config._is_another_sync(vals))
        result = super().write(vals)
        if "started_on" not in vals:
            changed._ask_again()
        return result

    @api.model
    def _check_start_field(self, vals):
        """Like the cloud fields of attachments: being in ``sudo()`` is not enough.

        :raises AccessError: somebody else than the server says when the sync started
        """
        if "started_on" in vals and self.env.uid != SUPERUSER_ID:
            raise AccessError(_("Press Sync Now to start the sync."))

    def _is_another_sync(self, vals):
        """Whether values make this another sync than the one that a person agreed to."""
        self.ensure_one()
        to_another = "auth_id" in vals and vals["auth_id"] != self.auth_id.id
        switched = "is_active" in vals and bool(vals["is_active"]) != self.is_active
        return to_another or switched

    def _ask_again(self):
        """Have nothing leave by itself before somebody presses Sync Now again."""
        started = self.with_user(SUPERUSER_ID).filtered("started_on")
        started.write({"started_on": False})

    def _mark_started(self):
        """Note that a person started the sync; the caller knows that it was one."""
        new = self.with_user(SUPERUSER_ID).filtered(lambda config: not config.started_on)
        new.write({"started_on": fields.Datetime.now()})


class CloudStorageSyncRun(models.Model):
    _inherit = "cloud_storage.sync.run"

    def _may_send(self):
        """Whether somebody agreed that the files of this upload run leave.

        The files of a single run were chosen by a person, for the account of then.
        """
        self.ensure_one()
        if self.sync_type not in ("manual", "automatic", "single"):
            return True  # restore, migrate and the like say themselves what they move
        if self.config_id.started_on:
            return True
        chosen_for = self._get_params().get("chosen_for")
        return self.sync_type == "single" and chosen_for == self.config_id.auth_id.id
