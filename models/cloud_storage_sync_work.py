"""One run: created, worked on by one process at a time, closed with a message."""
import json
import logging
from datetime import timedelta

from odoo import _, api, models
from odoo.exceptions import UserError

from ..drive.errors import DailyLimitError, DriveError, StoppedError
from ..engine.messages import Messages
from ..engine.transaction import retrying
from ..exceptions import RunBusyError
from .upload_run import UploadRun

_logger = logging.getLogger(__name__)


class CloudStorageSyncService(models.AbstractModel):
    _inherit = "cloud_storage.sync.service"

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
    def _run_slice(self, run, box):
        """One slice of a background run, whatever its kind.

        :raises RunBusyError: another process works on the run
        """
        try:
            self._work(run, box)
        except RunBusyError:
            raise
        except UserError as err:
            _logger.warning("Run %s failed: %s", run.id, err)

    @api.model
    def _work(self, run, box):
        """Work on a queued run until it ends or the box is over.

        What is left then goes on in the background. A run that somebody else has ended
        meanwhile is left as it is.

        :raises RunBusyError: another process works on the run
        :raises UserError: the run failed before a single file could be tried
        """
        self._recover_dead_runs()
        with run._alive():
            if not run._is_queued():
                return
            if run._may_send():
                self._work_alone(run, box)
            else:
                retrying(self.env, lambda: self._refuse_to_send(run))

    @api.model
    def _refuse_to_send(self, run):
        run._finish(
            "stopped",
            _(
                "Nobody has started the sync of %s yet: press Sync Now there.",
                run.config_id.name,
            ),
        )

    @api.model
    def _work_alone(self, run, box):
        worker = self._worker(run, box)
        total = worker.total()
        if run.file_limit:
            total = min(total, max(0, run.file_limit - run.total_processed))
        retrying(self.env, lambda: run._start(total))
        try:
            worker.work()
        except (UserError, DriveError) as err:
            self._fail(run, err)
        retrying(self.env, lambda: self._close(run, worker))

    @api.model
    def _worker(self, run, box):
        """What works on a run of this type: an object with ``total()``, ``work()``, and
        afterwards ``reason`` (the error that ended it early) and ``out_of_time``.
        """
        return UploadRun(self, run, box, run._get_params().get("ids"))

    @api.model
    def _fail(self, run, err):
        """The run could not even begin."""
        message = Messages(self.env).ended_early(run.config_id.auth_id, err)
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
    def _close(self, run, worker):
        if worker.reason is not None:
            self._close_early(run, worker.reason)
        elif worker.out_of_time:
            run.write({"state": "queued"})
            run._go_on()  # with the state, so that neither is there without the other
        else:
            run._finish("done", run.message)

    @api.model
    def _close_early(self, run, reason):
        message = Messages(self.env).ended_early(run.config_id.auth_id, reason)
        if isinstance(reason, StoppedError):
            run._finish_stopped(message)
            return
        self._fail_run(run, message)
        if isinstance(reason, DailyLimitError):
            run.config_id.paused_until = self._tomorrow()

    @api.model
    def _tomorrow(self):
        return (self._utcnow() + timedelta(days=1)).replace(hour=0, minute=0, second=0)
