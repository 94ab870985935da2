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
    def manual_sync(self, config_id=None, limit=DEFAULT_LIMIT):
        """Sync now, up to ``limit`` files; commits as it goes.

        :param int config_id: id of a ``cloud_storage.config``; the active ones by default
        :param int limit: most files to process; None for all
        :return: ``synced``, ``errors``, ``skipped``, ``remaining``, ``bytes_uploaded``,
            ``bytes_freed``, ``duration_s``, ``run_ids``
        :rtype: dict
        :raises UserError: no configuration, a negative limit, or its account can not be
            used; with several of them the run of each tells that
        """
        self._check_manager()
        self = self.sudo()  # folders and the like are nobody's
        configs, limit = self._configs(config_id), self._limit(limit)
        runs = self.env["cloud_storage.sync.run"]
        for config in configs if limit != 0 else ():
            config._mark_started()
            left = limit and limit - sum(runs.mapped("total_processed"))
            if left is None or left > 0:
                run = runner.create_run(config, "manual", left or 0)
                work = runner.work if len(configs) == 1 else runner.work_in_background
                work(run, runner.call_deadline())
                runs |= run
        return runs._summary(remaining=sum(map(candidates.count_waiting, configs)))

    @api.model
    def automatic_sync(self, batch_limit=None):
        """Continue the runs that wait, then sync every active configuration.

        Those that nobody started yet are left alone: see ``started_on``.

        Works in slices: what does not fit before the worker's time limit goes on in the
        background.

        :param int batch_limit: most files to process of a configuration; None for all
        :return: as :meth:`manual_sync`
        :rtype: dict
        :raises UserError: a negative limit
        """
        self._check_manager()
        env = self.sudo().env  # folders and the like are nobody's
        limit, configs = self._limit(batch_limit), background.started_configs(env)
        return background.work_in_turn(env, configs if limit != 0 else configs[:0], limit)

    @api.model
    def _limit(self, limit):
        """:raises UserError: it is negative"""
        if limit is None or limit is False:  # which is what XML-RPC makes of it
            return None
        if limit < 0:
            raise UserError(_("The limit of a sync can not be negative: %s.", limit))
        return limit

    @api.model
    def _work_on_queue(self):
        """Go on with the runs that wait, and with what Drive has to learn yet."""
        env = self.sudo().env
        return background.work_in_turn(env, env["cloud_storage.config"])

    @api.model
    def _configs(self, config_id=None):
        """:raises UserError: there is none, or not this one"""
        configs = self.env["cloud_storage.config"].sudo()
        if config_id is None or config_id is False:  # as an empty recordset has it
            configs = configs.search([("is_active", "=", True)], order="id")
        else:
            configs = configs.browse(config_id).exists()
        if not configs:
            raise UserError(
                _(
                    "There is no active configuration: create one first, with an account."
                )
            )
        return configs

    # -- single files --------------------------------------------------------------------

    @api.model
    def _sync_files(self, attachments):
        """Sync these attachments now; the whitelists hold.

        :return: those that are in the cloud afterwards
        :raises UserError: there is no configuration, or its account can not be used
        """
        return sync_chosen(self._configs()[0], attachments)

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
