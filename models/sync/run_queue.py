"""Who goes on with a run later: a job of OCA's queue_job, or else the cron.

Nothing here depends on queue_job; where it is installed, each run has one job that waits.
A job works for one slice and leaves the next to another job. The cron remains for what no
job came for.
"""

from odoo import SUPERUSER_ID, api, models

from ...engine import runner
from ...exceptions import RunBusyError
from ...odoo_bridge import wake_cron
from .run import CloudStorageSyncRun as Run

CHANNEL = "root.cloud_storage"
IDENTITY = "cloud_storage.sync.run:%d"
BUSY_SECONDS = 30  # when a job looks again at a run that somebody else works on


class CloudStorageSyncRun(models.Model):
    _inherit = Run._name

    def _go_on(self):
        """Have the background work on these runs soon."""
        if self and not self._offer():
            self._wake_cron()

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
        try:
            runner.work_in_background(run, runner.slice_deadline())
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

    @api.model
    def _wake_cron(self):
        """Have the cron of the queue look at it soon, once this is committed."""
        cron = self.env.ref("cloud_storage.cron_queued_runs", False)
        if cron:
            wake_cron(cron.sudo())
