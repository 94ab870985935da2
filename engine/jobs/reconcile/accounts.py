"""All accounts, one after the other."""

import json
import logging

from odoo.exceptions import UserError

from ... import invariants, runner
from ...account.client import live_accounts
from ...account.usable import is_disabled
from ...transaction import retrying
from ...translate import Translator

_logger = logging.getLogger(__name__)


def reconcile(env, limit):
    """Find and mend, or flag, every difference between Odoo and Drive.

    See ``cloud_storage.sync.service.reconcile_cloud_references``.
    """
    runner.recover(env)
    report = dict.fromkeys(("checked", "fixed", "missing", "errors"), 0)
    report["fixed"] = invariants.mend(env, limit)
    if is_disabled():
        return report
    deadline = runner.slice_deadline()
    rows_left = bool(limit) and report["fixed"] >= limit
    for auth in live_accounts(env):
        left = max(0, limit - report["fixed"]) if limit else None
        _reconcile_account(auth, deadline, left, rows_left, report)
        rows_left = False
    return report


def _reconcile_account(auth, deadline, budget, rows_left, report):
    """Compare one account; what is wrong with it stops no other.

    :param int budget: most rows and files to change now; None for all
    :param bool rows_left: rows were left that contradict where their bytes are
    :param dict report: is added to
    """
    run = _run_of(auth, budget=budget, rows_left=rows_left)
    before = run.total_success
    try:
        runner.work(run, deadline)
    except UserError as err:
        _logger.warning("Account %s was not reconciled: %s", auth.id, err)
    except Exception as err:  # pylint: disable=broad-except
        # whatever is wrong with one account
        _logger.exception("Account %s was not reconciled", auth.id)
        _fail(run, err)
    if not run.exists():
        report["errors"] += 1
        return
    report["checked"] += run.total_processed
    report["fixed"] += run.total_success - before
    report["missing"] += run.total_missing
    report["errors"] += run.total_errors + (run.state == "failed")


def _fail(run, err):
    _ = Translator(run.env)
    run.env.cr.rollback()
    run.env.cache.invalidate()
    message = _("Internal error: %s", err)
    if run.exists():  # else it failed before anybody saw it
        retrying(run.env, lambda: runner.fail_run(run, message))


def _run_of(auth, **params):
    """The run of an account that waits to go on, or a new one."""
    params["auth_id"] = auth.id
    runs = auth.env["cloud_storage.sync.run"].sudo()
    waiting = runs.search(
        [("state", "=", "queued"), ("sync_type", "=", "reconcile")], order="id"
    ).filtered(lambda run: run._get_params().get("auth_id") == auth.id)[:1]
    if waiting:
        kept = waiting._get_params().get("comparison")
        if kept:  # it goes on where it was
            params["comparison"] = kept
        waiting.params = json.dumps(params)
        auth.env.cr.commit()  # runs are looked at from other transactions
        return waiting
    config = auth.config_ids.sorted("is_active", reverse=True)[:1]
    return runner.new_run(config, "reconcile", **params)
