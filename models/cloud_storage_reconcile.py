"""Keeping Odoo and Drive true to each other: what the cron and the button call."""
import json
import logging
from functools import partial

from odoo import _, api, models
from odoo.exceptions import UserError

from ..engine import runner
from ..engine.transaction import retrying
from .invariants import RULES, mend_rows
from .reconcile_run import ReconcileRun

_logger = logging.getLogger(__name__)

DEFAULT_LIMIT = 200  # rows and files changed per call


class CloudStorageConfig(models.Model):
    _inherit = "cloud_storage.config"

    def action_reconcile(self):
        """Compare the account with Drive in the background; open the run."""
        self.ensure_one()
        self._check_manager()
        service = self.env["cloud_storage.sync.service"].sudo()
        service._fix_links()
        run = runner.create_run(self.sudo(), "reconcile", auth_id=self.auth_id.id)
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
        runner.recover(self.env)
        report = dict.fromkeys(("checked", "fixed", "missing", "errors"), 0)
        report["fixed"] = self._fix_links(limit)
        if self.env["cloud_storage.auth"]._is_disabled():
            return report
        deadline = runner.slice_deadline()
        rows_left = bool(limit) and report["fixed"] >= limit
        for auth in self._live_accounts():
            left = max(0, limit - report["fixed"]) if limit else None
            self._reconcile_account(auth, deadline, left, rows_left, report)
            rows_left = False
        return report

    @api.model
    def _reconcile_account(self, auth, deadline, budget, rows_left, report):
        """Compare one account; what is wrong with it stops no other.

        :param int budget: most rows and files to change now; None for all
        :param bool rows_left: rows were left that contradict where their bytes are
        :param dict report: is added to
        """
        run = self._reconcile_run(auth, budget, rows_left)
        before = run.total_success
        try:
            runner.work(run, deadline)
        except UserError as err:
            _logger.warning("Account %s was not reconciled: %s", auth.id, err)
        except Exception as err:  # pylint: disable=broad-except
            _logger.exception("Account %s was not reconciled", auth.id)
            self.env.cr.rollback()
            self.env.cache.invalidate()
            message = _("Internal error: %s", err)
            retrying(self.env, lambda: runner.fail_run(run, message))
        report["checked"] += run.total_processed
        report["fixed"] += run.total_success - before
        report["missing"] += run.total_missing
        report["errors"] += run.total_errors + (run.state == "failed")

    @api.model
    def _reconcile_run(self, auth, budget, rows_left):
        """The run of an account that waits to go on, or a new one."""
        params = {"auth_id": auth.id, "budget": budget, "rows_left": rows_left}
        runs = self.env["cloud_storage.sync.run"].sudo()
        waiting = runs.search(
            [("state", "=", "queued"), ("sync_type", "=", "reconcile")], order="id"
        ).filtered(lambda run: run._get_params().get("auth_id") == auth.id)[:1]
        if waiting:
            waiting.params = json.dumps(params)
            self.env.cr.commit()
            return waiting
        config = auth.config_ids.sorted("is_active", reverse=True)[:1]
        return runner.create_run(config, "reconcile", **params)

    @api.model
    def _jobs(self):
        return dict(super()._jobs(), reconcile=ReconcileRun)

    @api.model
    def _fix_links(self, limit=0):
        """Mend rows whose type or address contradict where their bytes are.

        :param int limit: most rows to change; 0 for all
        :return: how many were changed
        """
        values = self._rule_values()
        fixed = 0
        for rule in RULES:
            if limit and fixed >= limit:
                break
            if rule.mending:
                fixed += self._mend(rule, values, limit - fixed if limit else None)
        return fixed

    @api.model
    def _rule_values(self):
        """Accounts whose configuration wants links, and those where it wants none."""
        configs = self.env["cloud_storage.config"].sudo().search([])
        linked = configs.filtered("replace_local_with_cloud").auth_id
        return {
            "linked": tuple(linked.ids) or (0,),
            "plain": tuple((configs.auth_id - linked).ids) or (0,),
        }

    @api.model
    def _mend(self, rule, values, limit):
        """Mend by one rule; when that fails, the others still are."""
        try:
            return retrying(self.env, partial(self._mend_rows, rule, values, limit))
        except Exception:  # pylint: disable=broad-except
            _logger.exception("Rows that break a rule were not mended: %s", rule.condition)
            self.env.cr.rollback()
            self.env.cache.invalidate()
            return 0

    @api.model
    def _mend_rows(self, rule, values, limit):
        attachments = self.env["ir.attachment"]
        attachments.flush()
        changed = mend_rows(self.env.cr, rule, values, limit)
        attachments.invalidate_cache()
        return changed
