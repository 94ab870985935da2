"""The public face of the sync: what buttons, crons and shells call."""

from odoo import _, api, models
from odoo.exceptions import UserError

from ...engine import candidates, invariants, runner
from ...engine.account.database import is_copy
from ...engine.content.relink import relink_all
from ...engine.jobs import JOBS, background
from ...engine.jobs.chosen import sync_chosen
from ...engine.jobs.reconcile.accounts import reconcile
from ...engine.rules import clauses as engine_clauses
from ..odoo.cloud_storage_mixin import CloudStorageMixin

DEFAULT_LIMIT = 500
RECONCILE_LIMIT = 200  # rows and files changed per call


class CloudStorageSyncService(models.AbstractModel):
    _name = "cloud_storage.sync.service"
    _description = "Cloud Storage Sync Service"
    _inherit = CloudStorageMixin._name

    @api.model
    def manual_sync(self, config_id, limit=DEFAULT_LIMIT):
        """Sync now, up to ``limit`` files; commits as it goes.

        :param int config_id: id of a ``cloud_storage.config``
        :param int limit: most files to process; None for all
        :return: ``synced``, ``errors``, ``skipped``, ``remaining``, ``bytes_uploaded``,
            ``bytes_freed``, ``duration_s``, ``run_ids``
        :rtype: dict
        :raises UserError: no configuration, a negative limit, or its account can not be
            used
        """
        self._check_manager()
        self = self.sudo()  # folders and the like are nobody's
        config = self._config(config_id)
        if limit is False:
            limit = None  # which is what XML-RPC makes of it
        if limit is not None and limit < 0:
            raise UserError(_("The limit of a sync can not be negative: %s.", limit))
        if limit == 0:
            none = self.env["cloud_storage.sync.run"]
            return none._summary(remaining=candidates.count_waiting(config))
        config._mark_started()
        run = runner.create_run(config, "manual", limit or 0)
        runner.work(run, runner.call_deadline())
        return run._summary(remaining=candidates.count_waiting(config))

    @api.model
    def automatic_sync(self):
        """Continue the runs that wait, then sync every active configuration.

        Those that nobody started yet are left alone: see ``started_on``.

        Works in slices: what does not fit before the worker's time limit goes on in the
        background.

        :rtype: dict
        """
        self._check_manager()
        env = self.sudo().env  # folders and the like are nobody's
        return background.work_in_turn(env, background.started_configs(env))

    @api.model
    def _work_on_queue(self):
        """Go on with the runs that wait, and with what Drive has to learn yet."""
        env = self.sudo().env
        return background.work_in_turn(env, env["cloud_storage.config"])

    @api.model
    def _config(self, config_id):
        """:raises UserError: there is no such configuration"""
        config = self.env["cloud_storage.config"].sudo().browse(config_id or 0).exists()
        if not config:
            raise UserError(
                _(
                    "There is no active configuration: create one first, with an account."
                )
            )
        return config

    # -- single files --------------------------------------------------------------------

    @api.model
    def _sync_files(self, attachments):
        """Sync these attachments now; the whitelists hold.

        :return: those that are in the cloud afterwards
        :raises UserError: there is no configuration, or its account can not be used
        """
        config = self.env["cloud_storage.config"].sudo().get_active_config()
        return sync_chosen(self._config(config.id), attachments)

    @api.model
    def _sync_file(self, attachment):
        """Sync one attachment; True when it is in the cloud afterwards."""
        return bool(self._sync_files(attachment))

    # -- Odoo and Drive, true to each other --------------------------------------------

    @api.model
    def reconcile_cloud_references(self, limit=RECONCILE_LIMIT):
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
        return reconcile(self.env, limit)

    @api.model
    def check_invariants(self, with_drive=True):
        """Is everything as the addon promises? Reads only.

        See :func:`...engine.invariants.check`.

        :rtype: list[dict]
        """
        self._check_manager()
        return invariants.check(self.env, with_drive)

    @api.model
    def _relink_from_drive(self, database_uuid=None):
        """Rebuild from Drive what a database restored from an old backup does not know.

        See :func:`...engine.content.relink.relink_all`.

        :rtype: dict
        """
        self._check_manager()
        return relink_all(self.env, database_uuid)

    # -- what other addons extend --------------------------------------------------------

    @api.model
    def _clauses(self, config, with_state=True, reader=None, rules=None):
        """What an attachment must fulfil to go: see :func:`...engine.rules.clauses`.

        Everything asks here, so a clause that an extension adds holds everywhere.

        :rtype: list[engine.rules.Clause]
        """
        return engine_clauses(self.env, config, with_state, reader, rules)

    @api.model
    def _jobs(self):
        """What works on a run, by its ``sync_type``: see :mod:`...engine.jobs`.

        :rtype: dict
        """
        return dict(JOBS)

    # -- Drive ---------------------------------------------------------------------------

    @api.model
    def _get_google_drive_service(self, auth):
        """The Drive v3 service of google-api-python-client for an account.

        For the thread that calls; see :mod:`...drive.client` for many threads. Where the
        account must not be changed (a copy of its database) it can only read.

        :raises UserError: the account can not be used
        """
        may_write = auth.is_active and not is_copy(auth)
        return auth._drive_client(write=may_write).bound_service()

    @api.model
    def _execute_with_backoff(self, func, auth=None):
        """Call ``func()``, repeated as Google asks for (:mod:`...drive.retry`)."""
        auth = auth or self.env["cloud_storage.config"].get_active_config().auth_id
        client = auth._drive_client()
        return client.retrier.call(lambda: client.guard(func))
