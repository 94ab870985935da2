"""Forms warn, with numbers, before a change is saved that costs something."""

from odoo import _, api, models

from ..engine.account.files import count_files


class CloudStorageConfig(models.Model):
    _inherit = "cloud_storage.config"

    @api.onchange("delete_local_after_sync")
    def _onchange_delete_local(self):
        if not self.delete_local_after_sync or not self._origin:
            return {}
        return _warning(
            _(
                "Once saved, syncs delete local copies: those of the files that are in"
                " the cloud already, %s, with the next automatic sync or when their"
                " days are over, and those of what is synced from now on. The copy in"
                " Drive is verified before.",
                self._origin._due_words(),
            )
        )

    @api.onchange("enable_cloud_access")
    def _onchange_cloud_access(self):
        if self.enable_cloud_access or not self._origin:
            return {}
        _all, only_there = count_files(self._origin.auth_id)
        return _warning(
            _(
                "Once saved, nobody can open the files that are only in the cloud: %s."
                " They are not deleted.",
                self._amount_words(*only_there),
            )
        )


def _warning(message):
    return {"warning": {"title": _("Cloud Storage"), "message": message}}
