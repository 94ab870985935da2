"""A run moves while somebody looks at it, whatever the crons of this Odoo do."""

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..engine import runner
from ..engine.transaction import Deadline
from ..exceptions import RunBusyError

BUTTON_SECONDS = 15  # how long a button works before the rest goes to the background


class CloudStorageSyncRun(models.Model):
    _inherit = "cloud_storage.sync.run"

    is_waiting = fields.Boolean(
        compute="_compute_is_waiting",
        help="It waits, and whoever looks at it may have it worked on.",
    )

    @api.depends("state")
    @api.depends_context("uid")
    def _compute_is_waiting(self):
        is_manager = self._is_manager()
        for run in self:
            run.is_waiting = is_manager and run.state == "queued"

    def action_work(self):
        """Work on a waiting run for about 15 seconds; the page that shows it calls this.

        A background job may come first: then this does nothing. What is left goes on
        with the next call, or in the background.

        :return: whether calling again makes sense
        :rtype: bool
        """
        self.ensure_one()
        self._check_manager()
        run = self.sudo()
        before = run._counts()
        try:
            runner.work(run, Deadline(BUTTON_SECONDS))
        except RunBusyError:
            return True
        except UserError:
            return False  # the run says why
        return run.state == "queued" and run._counts() != before

    def _counts(self):
        return (self.total_processed, self.total_success, self.total_errors)
