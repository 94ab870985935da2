"""The public face of the sync: what buttons, crons and shells call."""
import json
import logging
from datetime import timedelta

from odoo import SUPERUSER_ID, _, api, models
from odoo.exceptions import UserError
from odoo.http import request
from odoo.tools import config as odoo_config

from ..drive.errors import (
    CircuitOpenError,
    DailyLimitError,
    DriveError,
    StoppedError,
    StorageFullError,
)
from .cloud_storage_sync_run import RunBusyError, TimeBox
from .transaction import retrying
from .upload_run import UploadRun

_logger = logging.getLogger(__name__)

BUTTON_SECONDS = 15  # how long a button works before the rest goes to the background
LONGEST_SLICE = 10 * 60  # seconds a cron works before it makes room for others
DEFAULT_LIMIT = 500


class CloudStorageSyncService(models.AbstractModel):
    _inherit = "cloud_storage.sync.service"

    # -- API -----------------------------------------------------------------------------

    @api.model
    def manual_sync(self, config_id, limit=DEFAULT_LIMIT):
        """Sync now, up to ``limit`` files; commits as it goes.

        :param int config_id: id of a ``cloud_storage.config``
        :param int limit: most files to process
        :return: ``synced``, ``errors``, ``skipped``, ``remaining``, ``bytes_uploaded``,
            ``bytes_freed``, ``duration_s``, ``run_ids``
        :rtype: dict
        :raises UserError: no configuration, or its account can not be used
        """
        self._check_manager()
        self = self.sudo()  # folders and the like are nobody's
        config = self._config(config_id)
        run = self._create_run(config, "manual", limit)
        self._work(run, TimeBox(self._request_seconds()))
        return run._summary(remaining=self._count_candidates(config))

    @api.model
    def automatic_sync(self):
        """Continue the runs that wait, then sync every active configuration.

        Works in slices: what does not fit before the worker's time limit goes on in the
        next turn of the cron, which is asked for at once where Odoo can.

        :rtype: dict
        """
        self._check_manager()
        self = self.sudo()  # folders and the like are nobody's
        box = TimeBox(self._slice_seconds())
        self.env["cloud_storage.trash"]._process(box)
        runs = self._continue_queued(box)
        configs = self.env["cloud_storage.config"].sudo()
        if self._is_due():
            configs = configs.search([("is_active", "=", True), ("auto_sync", "=", True)])
        for config in configs:
            if box.over or config in runs.config_id:
                continue
            runs |= self._automatic_run(config, box)
        remaining = sum(self._count_candidates(config) for config in configs)
        if box.over or runs.filtered(lambda run: run.state == "queued"):
            self._wake_cron()
        return runs._summary(remaining=remaining)

    @api.model
    def _automatic_run(self, config, box):
        run = self.env["cloud_storage.sync.run"].sudo()
        if not config.auth_id.is_active or config.auth_id.state == "draft":
            return run
        if config.paused_until and config.paused_until > self._utcnow():
            return run
        run = self._create_run(config, "automatic", 0)
        try:
            freed = self._release_due(config, box)
            run._add(bytes_freed=freed)
            self._work(run, box, background=True)
        except UserError as err:
            _logger.warning("Configuration %s was not synced: %s", config.id, err)
        return run

    @api.model
    def _continue_queued(self, box):
        """Work on the runs that were handed to the background."""
        self._recover_dead_runs()
        runs = self.env["cloud_storage.sync.run"].sudo()
        for run in runs.search([("state", "=", "queued")], order="id"):
            if box.over:
                break
            self._run_slice(run, box)
            runs |= run
        return runs

    @api.model
    def _run_slice(self, run, box):
        """One slice of a background run, whatever its kind."""
        try:
            self._work(run, box, background=True)
        except RunBusyError:
            _logger.info("Run %s is being worked on by somebody else", run.id)
        except UserError as err:
            _logger.warning("Run %s failed: %s", run.id, err)

    # -- one run -------------------------------------------------------------------------

    @api.model
    def _config(self, config_id):
        config = self.env["cloud_storage.config"].sudo().browse(config_id or 0).exists()
        if not config:
            raise UserError(
                _("There is no active configuration: create one first, with an account.")
            )
        return config

    @api.model
    def _create_run(self, config, sync_type, limit=0, **params):
        """A queued run, committed.

        :param params: what the worker of this type needs to know, fit for JSON
        """
        run = (
            self.env["cloud_storage.sync.run"]
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
        self.env.cr.commit()  # progress is looked at from other transactions
        return run

    @api.model
    def _work(self, run, box, background=False):
        """Work on a run until it ends or the box is over.

        :param bool background: a rest goes on in the cron
        :raises UserError: the run failed before a single file could be tried
        """
        self._recover_dead_runs()
        with run._alive():
            if not self._is_queued(run):
                return  # somebody else was quicker
            worker = self._worker(run, box)
            total = worker.total()
            if run.file_limit:
                total = min(total, max(0, run.file_limit - run.total_processed))
            retrying(self.env, lambda: run._start(total))
            try:
                worker.work()
            except (UserError, DriveError) as err:
                self._fail(run, err)
            retrying(self.env, lambda: self._close(run, worker, background))

    @api.model
    def _is_queued(self, run):
        self.env.cr.commit()  # the look needs a new snapshot
        run.invalidate_cache(["state"], run.ids)
        return run.exists().state == "queued"

    @api.model
    def _worker(self, run, box):
        """What works on a run of this type: an object with ``total()``, ``work()``, and
        afterwards ``reason`` (the error that ended it early) and ``out_of_time``.
        """
        return UploadRun(self, run, box, run._get_params().get("ids"))

    @api.model
    def _fail(self, run, err):
        """The run could not even begin."""
        message = self._words(run, err)
        self.env.cr.rollback()
        retrying(self.env, lambda: self._fail_run(run, message))
        raise UserError(message) from err

    @api.model
    def _fail_run(self, run, message):
        """Write a failure down and mail it to the people of the configuration, once."""
        run._finish("failed", message)
        self._mail_about(run, _("Cloud Storage: %s failed", run.name), message)

    @api.model
    def _mail_about(self, run, subject, message):
        config = run.config_id
        body = "%s\n\n%s" % (config.name or run.name, message)
        self._notify_users(config.notify_user_ids, subject, body)

    @api.model
    def _close(self, run, worker, background):
        if isinstance(worker.reason, StoppedError):
            run._finish("stopped", self._words(run, worker.reason))
        elif worker.reason is not None:
            self._fail_run(run, self._words(run, worker.reason))
            if isinstance(worker.reason, DailyLimitError):
                run.config_id.paused_until = self._tomorrow()
        elif worker.out_of_time:
            run.write({"state": "queued"})
            if not background:
                self._wake_cron()
        else:
            run._finish("done", run.message)

    @api.model
    def _words(self, run, err):
        """Why a run ended early, and what to do."""
        auth = run.config_id.auth_id
        if isinstance(err, UserError):
            return str(err)
        if isinstance(err, StoppedError):
            return _("Stopped. What was done stays; Go On takes it up again.")
        if isinstance(err, StorageFullError):
            return _(
                "The storage of %(account)s is full (%(quota)s). Free space in Google"
                " Drive or buy more, then sync again.",
                account=auth.account_email or auth.name,
                quota=self._quota_words(auth),
            )
        if isinstance(err, DailyLimitError):
            return _("Google Drive takes no more uploads today. It goes on tomorrow.")
        if isinstance(err, CircuitOpenError):
            return _("%s and seems to be down. The next run goes on.", err)
        return auth._drive_message(err)

    @api.model
    def _tomorrow(self):
        return (self._utcnow() + timedelta(days=1)).replace(hour=0, minute=0, second=0)

    @api.model
    def _quota_words(self, auth):
        try:
            quota = auth._drive_client(tries=1).about().get("storageQuota", {})
        except (UserError, DriveError):
            return _("used and limit could not be read")
        return auth._quota_text(quota)

    @api.model
    def _recover_dead_runs(self):
        """Take back what a process that died left behind."""
        runs = self.env["cloud_storage.sync.run"].sudo()
        dead = runs.search([("state", "=", "running")]).filtered(
            lambda run: not run._is_alive()
        )
        self.env.cr.commit()  # in a new snapshot: it may have come to its end just now
        retrying(self.env, lambda: self._bury(dead))
        retrying(self.env, self._put_back_stale)

    @api.model
    def _bury(self, dead):
        dead.invalidate_cache()
        for run in dead.exists().filtered(lambda run: run.state == "running"):
            run._finish("failed", _("The process was interrupted; the next run goes on."))

    @api.model
    def _put_back_stale(self):
        """Files that were on their way when their process died are local again."""
        runs = self.env["cloud_storage.sync.run"].sudo()
        self.env.cr.execute(
            "SELECT DISTINCT cloud_run_id FROM ir_attachment"
            " WHERE cloud_sync_status = 'pending'"
        )
        owners = [row[0] for row in self.env.cr.fetchall()]
        stale = [i for i in owners if not i or not runs.browse(i)._is_alive()]
        if stale:
            self.env.cr.execute(
                "UPDATE ir_attachment SET cloud_sync_status = 'local', cloud_run_id = NULL"
                " WHERE cloud_sync_status = 'pending'"
                " AND (cloud_run_id IN %s OR cloud_run_id IS NULL)",
                (tuple(i or 0 for i in stale),),
            )

    # -- single files --------------------------------------------------------------------

    @api.model
    def _sync_files(self, attachments):
        """Sync these attachments now; the whitelists hold.

        :return: those that are in the cloud afterwards
        :raises UserError: there is no configuration, or its account can not be used
        """
        config = self.env["cloud_storage.config"].sudo().get_active_config()
        self._config(config.id)
        todo = attachments.sudo().filtered(lambda a: a.cloud_sync_status != "synced")
        reasons = self._reasons_to_stay(todo, config)
        self._log_skipped(config, reasons)
        ids = [attachment.id for attachment in todo if attachment not in reasons]
        self.env.cr.commit()  # what the caller wrote is part of what is synced
        if ids:
            server = todo.with_user(SUPERUSER_ID)
            server.filtered("cloud_next_attempt").write({"cloud_next_attempt": False})
            run = self._create_run(config, "single", ids=sorted(ids))
            self._work(run, TimeBox(self._request_seconds()))
        attachments.invalidate_cache()
        return attachments.filtered(lambda a: a.cloud_sync_status == "synced")

    @api.model
    def _sync_file(self, attachment):
        """Sync one attachment; True when it is in the cloud afterwards."""
        return bool(self._sync_files(attachment))

    @api.model
    def _log_skipped(self, config, reasons):
        self.env["cloud_storage.sync.log"]._append(
            [
                {
                    "sync_type": "single",
                    "status": "skipped",
                    "attachment_id": attachment.id,
                    "file_name": attachment.name,
                    "model_name": attachment.res_model,
                    "record_id": attachment.res_id,
                    "file_size_bytes": attachment.file_size,
                    "error_message": reason,
                    "config_id": config.id,
                }
                for attachment, reason in reasons.items()
            ]
        )

    # -- time and turns ------------------------------------------------------------------

    @api.model
    def _request_seconds(self):
        """How long an HTTP request may work; None outside of one."""
        return self._slice_seconds() if request else None

    @api.model
    def _slice_seconds(self):
        """Half of the time that a worker has, by the clock or by the processor."""
        limits = [odoo_config.get("limit_time_real"), odoo_config.get("limit_time_cpu")]
        cron_limit = odoo_config.get("limit_time_real_cron")
        if not request and cron_limit and cron_limit > 0:
            limits[0] = cron_limit
        return min([limit / 2.0 for limit in limits if limit] + [LONGEST_SLICE])

    @api.model
    def _is_due(self):
        """False when the cron runs ahead of its time, only to go on with queued runs."""
        cron = self._cron()
        if "lastcall" not in self.env.context or not cron:
            return True
        return cron.nextcall <= self._utcnow()

    @api.model
    def _cron(self):
        return self.env.ref("cloud_storage.cron_automatic_sync", False)

    @api.model
    def _wake_cron(self):
        """Have the background go on soon; Odoo 14 has to wait for the cron's next turn."""
        cron = self._cron()
        if cron and hasattr(cron, "_trigger"):
            cron.sudo()._trigger()

    # -- Drive ---------------------------------------------------------------------------

    @api.model
    def _get_google_drive_service(self, auth):
        """The Drive v3 service of google-api-python-client for an account.

        For the thread that calls; see :mod:`..drive.client` for many threads.
        """
        return auth._drive_client().bound_service()

    @api.model
    def _execute_with_backoff(self, func, auth=None):
        """Call ``func()``, repeated as Google asks for (:mod:`..drive.retry`)."""
        auth = auth or self.env["cloud_storage.config"].get_active_config().auth_id
        client = auth._drive_client()
        return client.retrier.call(lambda: client.guard(func))
