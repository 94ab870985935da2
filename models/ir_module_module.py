import os

from odoo import _, models
from odoo.exceptions import RedirectWarning
from odoo.tools import config, human_size

ADDON = "cloud_storage"


def count_remote_files(cr):
    """How many attachments have their bytes in Drive and nowhere else, and how large.

    :return: number, and size in words
    """
    cr.execute(
        "SELECT cloud_size_bytes, store_fname FROM ir_attachment"
        " WHERE cloud_file_id IS NOT NULL AND db_datas IS NULL AND cloud_size_bytes > 0"
    )
    filestore = config.filestore(cr.dbname)
    sizes = [
        size
        for size, fname in cr.fetchall()
        # a row may name a file that is lost
        if not fname or not os.path.exists(os.path.join(filestore, fname))
    ]
    return len(sizes), human_size(sum(sizes))


class IrModuleModule(models.Model):
    _inherit = "ir.module.module"

    def button_uninstall(self):
        """Refuse while files live only in Drive, with a button that restores them.

        The hook of the addon refuses as well, but only after Odoo began.
        """
        if ADDON in (self + self.downstream_dependencies()).mapped("name"):
            self._check_no_remote_files()
        return super().button_uninstall()

    def _check_no_remote_files(self):
        count, size = count_remote_files(self.env.cr)
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
