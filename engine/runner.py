"""Runs: created, worked on by one process at a time, closed with a message."""

import contextlib
import functools
import json
import logging
from datetime import timedelta

from odoo import fields
from odoo.exceptions import UserError
from odoo.http import request
from odoo.tools import config as odoo_config

from ..drive.errors import DailyLimitError, DriveError, StoppedError, StorageFullError
from ..exceptions import RunBusyError
from .account.client import drive_client
from .attachments import put_back_all
from .messages import Messages
from .transaction import (
    INSTALLED_LOCK,
    LIVE_LOCK,
    Deadline,
    is_locked,
    locked_keys,
    retrying,
    session_lock,
)
from .translate import Translator

_logger = logging.getLogger(__name__)

LONGEST_SLICE = 10 * 60  # seconds a cron or job works before it makes room for others


def slice_seconds():
    """Half of the time that a worker has, by the clock or by the processor."""
    limits = [odoo_config.get("limit_time_real"), odoo_config.get("limit_time_cpu")]
    cron_limit = odoo_config.get("limit_time_real_cron")
    if not request and cron_limit and cron_limit > 0:
        limits[0] = cron_limit
    return min([limit / 2.0 for limit in limits if limit] + [LONGEST_SLICE])


def slice_deadline():
    """When a slice of the background ends."""
    return Deadline(slice_seconds())


def call_deadline():
    """When a call has to come back: soon in an HTTP request, whenever it likes outside."""
    return Deadline(slice_seconds() if request else None)


def create_run(config, sync_type, limit=0, **params):
    """A queued run, committed.

    :param params: what the job of this type needs to know, fit for JSON
    """
    env = config.env
    run = (
        env["cloud_storage.sync.run"]
        .sudo()
        .create(
            {
                "config_id": config.id,
                "sync_type": sync_type,
                "file_limit": max(0, limit or 0),
                "params": json.dumps(params) if params else False,
            }
        )
    )
    env.cr.commit()  # progress is looked at from other transactions
    return run


def waiting_runs(env):
    """The runs that were handed to the background."""
    recover(env)
    runs = env["cloud_storage.sync.run"].sudo()
    return runs.search([("state", "=", "queued")], order="id")


def work_through(runs, deadline):
    """Work on runs, one after the other, except where somebody else does."""
    for run in runs:
        if deadline.over:
            break
        with contextlib.suppress(RunBusyError):
            work_in_background(run, deadline)


def work_in_background(run, deadline):
    """One slice of a run, whatever its kind; when it fails its message says why.

    :raises RunBusyError: another process works on the run
    """
    try:
        work(run, deadline)
    except RunBusyError:
        raise
    except UserError as err:
        _logger.warning("Run %s failed: %s", run.id, err)


def work(run, deadline):
    """Work on a queued run until it ends or the deadline is over.

    What is left then goes on in the background. A run that somebody else has ended
    meanwhile is left as it is.

    :raises RunBusyError: another process works on the run
    :raises UserError: the run failed before a single file could be tried
    """
    recover(run.env)
    with keep_alive(run):
        run.env.cr.commit()  # somebody may have ended it before the lock was ours
        run.invalidate_cache(["state"])
        if run.exists().state != "queued":
            return
        if run._may_send():
            _work_alone(run, deadline)
        else:
            retrying(run.env, lambda: _refuse_to_send(run))


def _refuse_to_send(run):
    run._finish("stopped", Messages(run.env).not_started(run.config_id))


def job_of(run, deadline):
    """What works on a run.

    :rtype: engine.jobs.base.Job
    """
    jobs = run.env["cloud_storage.sync.service"]._jobs()
    return jobs[run.sync_type](run, deadline)


def _work_alone(run, deadline):
    job = job_of(run, deadline)
    total = job.total()
    if run.file_limit:
        total = min(total, max(0, run.file_limit - run.total_processed))
    retrying(run.env, lambda: run._start(total))
    try:
        job.work()
    except StoppedError as err:
        job.end(err)
    except (UserError, DriveError) as err:
        _fail(run, err)
    retrying(run.env, lambda: _close(run, job))


# -- who works on it ----------------------------------------------------------------------


@contextlib.contextmanager
def keep_alive(run):
    """Hold the lock of a run, and share the one that the addon is installed.

    :param run: a ``cloud_storage.sync.run`` record
    :raises RunBusyError: another process works on it, or the addon is about to leave
    """
    run.ensure_one()
    _ = Translator(run.env)
    with contextlib.ExitStack() as stack:
        cr = stack.enter_context(contextlib.closing(run.env.registry.cursor()))
        hold = functools.partial(session_lock, cr)
        if not stack.enter_context(hold(INSTALLED_LOCK, shared=True)):
            raise RunBusyError(
                _("Cloud Storage is just being uninstalled: nothing is moved now.")
            )
        if not stack.enter_context(hold(LIVE_LOCK, run.id)):
            raise RunBusyError(_("Another process works on this run already."))
        yield


def is_alive(run):
    """Whether a process works on a run."""
    run.ensure_one()
    return is_locked(run.env.cr, LIVE_LOCK, run.id)


def alive_runs(env):
    """The runs that processes work on, in a snapshot of this transaction."""
    runs = env["cloud_storage.sync.run"]
    return runs.browse(locked_keys(env.cr, LIVE_LOCK)).exists()


# -- the end -------------------------------------------------------------------------------


def _fail(run, err):
    """The run could not even begin."""
    message = _reason(run, err)
    run.env.cr.rollback()
    retrying(run.env, lambda: fail_run(run, message))
    raise UserError(message) from err


def fail_run(run, message):
    """Write a failure down and mail it to the people of the configuration, once."""
    _ = Translator(run.env)
    run._finish("failed", message)
    mail_about(run, _("Cloud Storage: %s failed", run.name), message)


def mail_about(run, subject, message):
    """Mail the people of the configuration that a run is about."""
    config = run.config_id
    body = "%s\n\n%s" % (config.name or run.name, message)
    run._notify_users(config.notify_user_ids, subject, body)


def _close(run, job):
    if job.reason is not None:
        _close_early(run, job.reason)
    elif job.out_of_time:
        run.write({"state": "queued"})
        run._go_on()  # with the state, so that neither is there without the other
    else:
        run._finish("done", run.message)


def _close_early(run, reason):
    message = _reason(run, reason)
    if isinstance(reason, StoppedError):
        run._finish_stopped(message)
        return
    fail_run(run, message)
    if isinstance(reason, DailyLimitError):
        run.config_id.paused_until = _tomorrow()


def _reason(run, err):
    messages, auth, quota = Messages(run.env), run.config_id.auth_id, None
    if isinstance(err, StorageFullError):
        with contextlib.suppress(UserError, DriveError):
            about = drive_client(auth, tries=1).about()
            quota = messages.quota(about.get("storageQuota", {}))
    return messages.ended_early(auth, err, quota)


def _tomorrow():
    tomorrow = fields.Datetime.now() + timedelta(days=1)
    return tomorrow.replace(hour=0, minute=0, second=0)


# -- processes that died -------------------------------------------------------------------


def recover(env):
    """Take back what a process that died left behind."""
    runs = env["cloud_storage.sync.run"].sudo()
    dead = runs.search([("state", "=", "running")]).filtered(
        lambda run: not is_alive(run)
    )
    env.cr.commit()  # in a new snapshot: it may have come to its end just now
    retrying(env, lambda: _close_dead(dead))
    retrying(env, lambda: _put_back_stale(env))


def _close_dead(dead):
    _ = Translator(dead.env)
    dead.invalidate_cache()
    for run in dead.exists().filtered(lambda run: run.state == "running"):
        run._finish("failed", _("The process was interrupted; the next run goes on."))


def _put_back_stale(env):
    """Files that were on their way when their process died are local again."""
    runs = env["cloud_storage.sync.run"].sudo()
    env.cr.execute(
        "SELECT DISTINCT cloud_run_id FROM ir_attachment"
        " WHERE cloud_sync_status = 'pending'"
    )
    owners = [row[0] for row in env.cr.fetchall()]
    stale = [i for i in owners if not i or not is_alive(runs.browse(i))]
    if stale:
        put_back_all(env.cr, [i or 0 for i in stale])
