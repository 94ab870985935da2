"""How far a manager of Cloud Storage may let an account reach who is not in Settings.

For an OAuth account a person consents at Google, whoever set it up. For a service account
nobody does: with domain-wide delegation it acts for anybody in the domain, and with the scope
``drive`` it sees whatever was ever shared with it. Those two are for Settings, who gave the
server its keys; a manager may bring a key.
"""
from odoo import _, api, fields, models
from odoo.exceptions import AccessError

REACH_FIELDS = ("auth_type", "scope", "delegated_user", "shared_drive_id")
KEY_FIELDS = ("service_account_json", "service_account_file")
#: What widens the reach of a key for the whole Drive.
WIDENING = {"auth_type", "scope", *KEY_FIELDS}


class CloudStorageAuth(models.Model):
    _inherit = "cloud_storage.auth"

    is_limited = fields.Boolean(
        compute="_compute_is_limited", help="Whether who looks is not in Settings."
    )

    @api.depends_context("uid")
    def _compute_is_limited(self):
        self.is_limited = self._is_limited()

    @api.model_create_multi
    def create(self, vals_list):
        accounts = super().create(vals_list)
        if accounts._is_limited():
            for auth, vals in zip(accounts, vals_list):
                made = {name for name in REACH_FIELDS if auth[name]}
                auth._check_reach(vals, made | WIDENING)
        return accounts

    def write(self, vals):
        if self._is_limited():
            for auth in self:
                auth._check_reach(vals, auth._changed_reach(vals))
        return super().write(vals)

    @api.model
    def _is_limited(self):
        """Whether who asks is a manager at most: no server, nobody of Settings."""
        return not (self.env.su or self.env.user.has_group("base.group_system"))

    def _shows_only_ours(self):
        """Whether who asks gets the files of Odoo alone from this account.

        With the scope ``drive`` it sees every file of the person who authorized it, and a
        folder can be named by anybody who manages Cloud Storage.
        """
        return self._is_limited() and self.scope == "drive"

    def _changed_reach(self, vals):
        """Names of the fields that the values change."""
        changed = {
            name
            for name in REACH_FIELDS
            if name in vals and (vals[name] or False) != (self[name] or False)
        }
        return changed | vals.keys() & set(KEY_FIELDS)

    def _check_reach(self, vals, changed):
        """:raises AccessError: the change is for Settings"""
        after = {name: vals.get(name, self[name]) for name in REACH_FIELDS}
        kinds = (self.auth_type, after["auth_type"])
        if "delegated_user" in changed or (
            changed and "service_account" in kinds and after["delegated_user"]
        ):
            raise AccessError(
                _(
                    "Only people of Settings may name the user that a service account"
                    " acts for, or change an account that acts for one."
                )
            )
        brings_key = any(vals.get(name) for name in KEY_FIELDS)
        is_wide = kinds[1] == "service_account" and after["scope"] == "drive"
        if is_wide and changed & WIDENING and not brings_key:
            raise AccessError(
                _(
                    "Only people of Settings may let a service account use the whole"
                    " Drive. With a key of your own you may: enter it along with the"
                    " scope."
                )
            )
