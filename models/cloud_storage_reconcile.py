"""Keeping Odoo and Drive true to each other: what the cron and the button call."""
import logging
from functools import partial

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from .cloud_storage_sync_run import TimeBox
from .reconcile_run import ReconcileRun
from .transaction import retrying

_logger = logging.getLogger(__name__)

DEFAULT_LIMIT = 200  # rows and files changed per call
#: Links of the proxy, to whatever attachment.
PROXY = "'/cloud_storage/file/%%'"
#: Rows whose type or address contradict where their bytes are: condition, then mending.
LINK_RULES = [
    (  # only in Drive, and not a link to the proxy
        "a.cloud_file_id IS NOT NULL AND a.store_fname IS NULL AND a.db_datas IS NULL"
        " AND a.cloud_size_bytes > 0 AND (a.type != 'url'"
        " OR a.url IS DISTINCT FROM '/cloud_storage/file/' || a.id)",
        "type = 'url', url = '/cloud_storage/file/' || a.id",
    ),
    (  # a link to the proxy, and nothing in Drive
        "a.cloud_file_id IS NULL AND a.type = 'url'"
        " AND a.url = '/cloud_storage/file/' || a.id",  # another's is a person's link
        "type = 'binary', url = NULL, cloud_sync_status = 'local'",
    ),
    (  # said to be in Drive, and is not
        "a.cloud_file_id IS NULL AND a.cloud_sync_status = 'synced'",
        "cloud_sync_status = 'local'",
    ),
    (  # here as well, and a link though it is pinned or the configuration wants none
        "a.cloud_file_id IS NOT NULL AND a.type = 'url' AND a.url LIKE " + PROXY
        + " AND (a.store_fname IS NOT NULL OR a.db_datas IS NOT NULL)"
        " AND (a.cloud_keep_local OR a.cloud_auth_id IN %(plain)s)",
        "type = 'binary', url = NULL",
    ),
    (  # here and a file, and yet with the address of a link
        "a.type = 'binary' AND a.url = '/cloud_storage/file/' || a.id"
        " AND (a.store_fname IS NOT NULL OR a.db_datas IS NOT NULL)",
        "url = NULL",
    ),
    (  # here as well, and no link though the configuration wants one
        "a.cloud_file_id IS NOT NULL AND a.cloud_sync_status = 'synced'"
        " AND a.type = 'binary' AND a.cloud_keep_local IS NOT TRUE"
        " AND (a.store_fname IS NOT NULL OR a.db_datas IS NOT NULL)"
        " AND COALESCE(a.url, '') = '' AND a.cloud_auth_id IN %(linked)s",
        "type = 'url', url = '/cloud_storage/file/' || a.id",
    ),
]


class CloudStorageSyncRun(models.Model):
    _inherit = "cloud_storage.sync.run"

    total_missing = fields.Integer("Missing", readonly=True)


class CloudStorageConfig(models.Model):
    _inherit = "cloud_storage.config"

    def action_reconcile(self):
        """Compare the account with Drive in the background; open the run."""
        self.ensure_one()
        self._check_manager()
        service = self.env["cloud_storage.sync.service"].sudo()
        service._fix_links()
        run = service._create_run(self.sudo(), "reconcile", auth_id=self.auth_id.id)
        run._go_on()
        return run.action_open()


class CloudStorageSyncService(models.AbstractModel):
    _inherit = "cloud_storage.sync.service"

    @api.model
    def reconcile_cloud_references(self, limit=DEFAULT_LIMIT):
        """Find and mend, or flag, every difference between Odoo and Drive.

        One list call per 1,000 files. An account that can not be asked just now is left
        as it is.

        :param int limit: most rows and files to change; 0 for all
        :return: ``checked`` attachments; ``fixed`` differences; attachments ``missing``
            in Drive; ``errors``: files that are not what they were, and accounts that
            could not be asked
        :rtype: dict
        """
        self._check_manager()
        self._recover_dead_runs()
        report = dict.fromkeys(("checked", "fixed", "missing", "errors"), 0)
        report["fixed"] = self._fix_links(limit)
        if self.env["cloud_storage.auth"]._is_disabled():
            return report
        box = TimeBox(self._slice_seconds())
        for auth in self._live_accounts():
            left = max(0, limit - report["fixed"]) if limit else None
            config = auth.config_ids.sorted("is_active", reverse=True)[:1]
            run = self._create_run(config, "reconcile", auth_id=auth.id, budget=left)
            try:
                self._work(run, box)
            except UserError as err:
                _logger.warning("Account %s was not reconciled: %s", auth.id, err)
            report["checked"] += run.total_processed
            report["fixed"] += run.total_success
            report["missing"] += run.total_missing
            report["errors"] += run.total_errors + (run.state == "failed")
        return report

    @api.model
    def _worker(self, run, box):
        if run.sync_type != "reconcile":
            return super()._worker(run, box)
        return ReconcileRun(self, run, box)

    @api.model
    def _fix_links(self, limit=0):
        """Mend rows whose type or address contradict where their bytes are.

        :param int limit: most rows to change; 0 for all
        :return: how many were changed
        """
        configs = self.env["cloud_storage.config"].sudo().search([])
        linked = configs.filtered("replace_local_with_cloud").auth_id
        values = {
            "linked": tuple(linked.ids) or (0,),
            "plain": tuple((configs.auth_id - linked).ids) or (0,),
        }
        fixed = 0
        for condition, mending in LINK_RULES:
            if limit and fixed >= limit:
                break
            values["limit"] = limit - fixed if limit else None
            mend = partial(self._mend, condition, mending, values)
            fixed += retrying(self.env, mend)
        return fixed

    @api.model
    def _mend(self, condition, mending, values):
        attachments = self.env["ir.attachment"]
        attachments.flush()
        # both texts come from the table above
        self.env.cr.execute(
            "UPDATE ir_attachment AS a SET " + mending + " FROM ("
            "SELECT a.id FROM ir_attachment AS a WHERE " + condition + " AND"
            " a.cloud_sync_status IS DISTINCT FROM 'pending'"
            " ORDER BY a.id LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS wrong"
            " WHERE a.id = wrong.id",
            values,
        )
        changed = self.env.cr.rowcount
        attachments.invalidate_cache()
        return changed

    @api.model
    def _report_words(self, run, relink_needed):
        words = _(
            "%(checked)s checked, %(fixed)s fixed, %(missing)s missing, %(errors)s"
            " errors.",
            checked=run.total_processed,
            fixed=run.total_success,
            missing=run.total_missing,
            errors=run.total_errors,
        )
        if not relink_needed:
            return words
        return "%s %s" % (
            words,
            _(
                "There are files in Drive of attachments that this database does not"
                " know: was it restored from an old backup? To get them back, call"
                " _relink_from_drive() of cloud_storage.sync.service in a shell."
            ),
        )
