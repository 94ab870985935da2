"""Who goes on with a run later: a job of OCA's queue_job, or else the cron.

Nothing here depends on queue_job; where it is installed, each run has one job that waits.
A job works for one slice and leaves the next to another job. The cron remains for what no
job came for.
"""
from odoo import SUPERUSER_ID, api, models
from odoo.http import request
from odoo.tools import config as odoo_config

from ..engine.transaction import Deadline
from ..exceptions import RunBusyError

LONGEST_SLICE = 10 * 60  # seconds a cron or job works before it makes room for others
CHANNEL = "root.cloud_storage"
IDENTITY = "cloud_storage.sync.run:%d"
BUSY_SECONDS = 30  # when a job looks again at a run that somebody else works on


class CloudStorageSyncRun(models.Model):
    _inherit = "cloud_storage.sync.run"

    def _go_on(self):
        """Have the background work on these runs soon.

        Odoo 14 without queue_job has to wait for the cron's next turn.
        """
        if self and not self._offer():
            self.env["cloud_storage.sync.service"]._wake_cron()

    def _offer(self):
        """Let jobs take these runs, at the same time as this process if need be.

        :return: whether there are jobs
        """
        if "queue.job" not in self.env:
            return False
        for run in self.with_user(SUPERUSER_ID):  # as the cron does
            run.with_delay(
                channel=CHANNEL,
                description=" ".join(
                    filter(None, ("Cloud Storage:", run.name, run.config_id.name))
                ),
                identity_key=IDENTITY % run.id,
                max_retries=1,  # the engine repeats what is worth it
            )._work_as_job()
        return True

    def _work_as_job(self):
        """One slice of this run; the rest is the next job's.

        :return: how far it is, kept as the job's result
        :raises RetryableJobError: another process works on the run: look again later
        """
        run = self.exists()
        if not run:
            return None
        service = self.env["cloud_storage.sync.service"]
        try:
            service._run_slice(run, Deadline(service._slice_seconds()))
        except RunBusyError as err:
            self._postpone_job(err)
        return run.progress_text

    def _postpone_job(self, err):
        # only jobs come here, so it is there; importing it elsewhere would load a module
        # that may not be installed
        from odoo.addons.queue_job.exception import RetryableJobError

        raise RetryableJobError(
            str(err), seconds=BUSY_SECONDS, ignore_retry=True
        ) from err


class CloudStorageSyncService(models.AbstractModel):
    _inherit = "cloud_storage.sync.service"

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
    def _cron(self):
        return self.env.ref("cloud_storage.cron_automatic_sync", False)

    @api.model
    def _wake_cron(self):
        """Have the cron go on soon; Odoo 14 has to wait for its next turn."""
        cron = self._cron()
        if cron and hasattr(cron, "_trigger"):
            cron.sudo()._trigger()
