from odoo import SUPERUSER_ID, _, api, models
from odoo.exceptions import AccessError

PREFIX = "cloud_storage."
#: Where tokens and secrets are sent to.
ENDPOINTS = tuple(
    PREFIX + name
    for name in (
        "google_auth_uri",
        "google_token_uri",
        "google_revoke_uri",
        "google_api_root",
    )
)


class IrConfigParameter(models.Model):
    _inherit = "ir.config_parameter"

    @api.model_create_multi
    def create(self, vals_list):
        self._check_cloud_storage_endpoints([vals.get("key") for vals in vals_list])
        parameters = super().create(vals_list)
        # once more: a key may be a default as well
        self._check_cloud_storage_endpoints(parameters.mapped("key"))
        return parameters

    def write(self, vals):
        self._check_cloud_storage_endpoints([*self.mapped("key"), vals.get("key")])
        return super().write(vals)

    @api.model
    def _check_cloud_storage_endpoints(self, keys):
        """Keep the addresses to the server's own code: whoever sets one is sent tokens.

        :raises AccessError: one of ``keys`` is an endpoint, and a person asks
        """
        if self.env.uid != SUPERUSER_ID and set(ENDPOINTS).intersection(keys):
            raise AccessError(
                _(
                    "The addresses of Google can be changed on the server only, in a"
                    " shell of the superuser: tokens are sent there."
                )
            )
