"""From one account to another."""
from odoo import _, api, models
from odoo.exceptions import UserError
from odoo.tools import human_size

from ..drive.errors import DriveError
from ..engine.messages import Messages
from .migrate_run import MigrateRun


class CloudStorageSyncService(models.AbstractModel):
    _inherit = "cloud_storage.sync.service"

    @api.model
    def _worker(self, run, box):
        if run.sync_type != "migrate":
            return super()._worker(run, box)
        return MigrateRun(self, run, box)

    @api.model
    def _check_accounts_differ(self, source, target):
        """:raises UserError: both are the same place in Drive"""
        same_place = (
            source.account_email
            and source.account_email == target.account_email
            and (source.shared_drive_id or "") == (target.shared_drive_id or "")
        )
        if source == target or same_place:
            raise UserError(
                _("Source and target are the same account. Choose another one.")
            )

    @api.model
    def _check_room(self, target, size):
        """:raises UserError: ``size`` bytes do not fit, or Drive can not be asked"""
        try:
            quota = target._drive_client(tries=3).about().get("storageQuota", {})
        except DriveError as err:
            raise UserError(Messages(self.env).drive(err)) from err
        if target.shared_drive_id or not quota.get("limit"):
            return
        free = int(quota["limit"]) - int(quota.get("usage") or 0)
        if size > free:
            raise UserError(
                _(
                    "%(size)s do not fit: %(account)s has %(free)s left in Drive.",
                    size=human_size(size),
                    account=target.account_email or target.name,
                    free=human_size(max(0, free)) or "0 bytes",
                )
            )
