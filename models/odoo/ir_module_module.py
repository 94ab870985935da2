from odoo import _, models
from odoo.exceptions import RedirectWarning

from ...engine import uninstall

ADDON = "cloud_storage"


class IrModuleModule(models.Model):
    _inherit = "ir.module.module"

    def button_immediate_uninstall(self):
        """Have runs pause before Odoo locks the crons.

        :raises UserError: one of them does not
        """
        if self._is_cloud_storage_leaving():
            uninstall.pause_runs(self.env)
        return super().button_immediate_uninstall()

    def button_uninstall(self):
        """Refuse while files live only in Drive, with a button that restores them.

        The hook of the addon refuses as well, but only after Odoo began.

        :raises RedirectWarning: files live only in Drive
        :raises UserError: a run does not pause
        """
        if self._is_cloud_storage_leaving():
            self.flush()  # locks come last
            with uninstall.alone(self.env.cr):
                self._check_no_remote_files()
                return super().button_uninstall()
        return super().button_uninstall()

    def _is_cloud_storage_leaving(self):
        """Whether the addon would go along with these modules; others get Odoo's answer."""
        return self.env.is_admin() and ADDON in (
            self + self.downstream_dependencies()
        ).mapped("name")

    def _check_no_remote_files(self):
        count, size = uninstall.count_now(self.env.cr)
        if count:
            raise RedirectWarning(
                _(
                    "%(count)s files (%(size)s) live only in Google Drive and would be"
                    " lost."
                    " Restore all of them first, then uninstall. Attachments whose file"
                    " is gone from Drive have to be deleted.",
                    count=count,
                    size=size,
                ),
                self.env.ref("cloud_storage.cloud_storage_wizard_restore_action").id,
                _("Restore All Files"),
            )
