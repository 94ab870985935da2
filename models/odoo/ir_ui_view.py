import os

from odoo import api, models
from odoo.modules.module import load_information_from_description_file

ADDON = "cloud_storage"
BUNDLE = "web.assets_backend"
TAGS = {
    ".js": '<script type="text/javascript" src="/%s"/>',
    ".scss": '<link rel="stylesheet" type="text/scss" href="/%s"/>',
}


class IrUiView(models.Model):
    _inherit = "ir.ui.view"

    @api.model
    def _bridge_cloud_storage_assets(self):
        """Put the manifest's ``assets`` into the bundle's template, for Odoo 14.

        From Odoo 15 on the manifest is enough, and there is no such template.
        """
        bundle = self.env.ref(BUNDLE, raise_if_not_found=False)
        if not bundle:
            return
        paths = load_information_from_description_file(ADDON)["assets"][BUNDLE]
        tags = "".join(TAGS[os.path.splitext(path)[1]] % path for path in paths)
        self._load_records(
            [
                {
                    "xml_id": "%s.assets_backend" % ADDON,
                    "values": {
                        "name": "Assets of Cloud Storage",
                        "type": "qweb",
                        "mode": "extension",
                        "inherit_id": bundle.id,
                        "arch": '<xpath expr="." position="inside">%s</xpath>' % tags,
                    },
                }
            ]
        )
