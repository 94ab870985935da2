from urllib.parse import urlsplit

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError

from ...engine.account.credentials import TOKEN_SECRETS, TYPED_SECRETS
from ...engine.account.database import is_copy
from ...engine.account.files import count_files
from ...engine.account.transaction import GRANT_FIELDS, SERVER_FIELDS
from ...engine.account.usable import is_disabled
from ...engine.messages import Messages
from ...utils.constants import CALLBACK_PATH
from ..odoo.cloud_storage_mixin import CloudStorageMixin

#: A change of these makes what Google granted so far void.
IDENTITY_FIELDS = ("auth_type", "client_id", "scope", "delegated_user")
TYPED_FIELDS = TYPED_SECRETS + ("service_account_file",)
#: What the server knows of an account that was never used.
UNKNOWN = dict(dict.fromkeys(SERVER_FIELDS + TOKEN_SECRETS, False), state="draft")
#: How far an account reaches, see :meth:`CloudStorageAuth._check_reach`.
REACH_FIELDS = ("auth_type", "scope", "delegated_user", "shared_drive_id")
KEY_FIELDS = ("service_account_json", "service_account_file")
#: What widens the reach of a key for the whole Drive.
WIDENING = {"auth_type", "scope", *KEY_FIELDS}


class CloudStorageAuth(models.Model):
    """An account at Google Drive."""

    _name = "cloud_storage.auth"
    _description = "Cloud Storage Account"
    _inherit = CloudStorageMixin._name
    _order = "name, id"

    name = fields.Char(required=True)
    auth_type = fields.Selection(
        [("oauth", "OAuth 2.0 (a person)"), ("service_account", "Service Account")],
        string="Type",
        required=True,
        default="oauth",
    )
    client_id = fields.Char(
        "Client ID", copy=False, help="Of the OAuth client in the Google Cloud console."
    )
    redirect_uri = fields.Char(
        "Redirect URI",
        default=lambda self: self._default_redirect_uri(),
        help="Enter exactly this address as an authorized redirect URI of the client.",
    )
    scope = fields.Selection(
        [
            ("drive.file", "Only files created by Odoo (drive.file)"),
            ("drive", "The whole Drive (drive)"),
        ],
        required=True,
        default="drive.file",
        help="The whole Drive is needed only for folders that somebody else created.",
    )
    delegated_user = fields.Char(
        copy=False,
        help="Address of the user to act for, with domain-wide delegation. Only people of"
        " Settings may enter one.",
    )
    shared_drive_id = fields.Char(
        "Shared Drive",
        help="Id of a shared drive. A service account owns no storage and needs one.",
    )
    state = fields.Selection(
        [
            ("draft", "Draft"),
            ("pending", "Waiting for Consent"),
            ("authorized", "Authorized"),
            ("expired", "Expired"),
            ("error", "Error"),
        ],
        required=True,
        default="draft",
        readonly=True,
        copy=False,
    )
    is_active = fields.Boolean("Active", default=True)
    account_email = fields.Char("Account", readonly=True, copy=False)
    last_error = fields.Text(readonly=True, copy=False)
    google_user_id = fields.Char(
        "Google User",
        readonly=True,
        copy=False,
        help="Drive's permissionId of the person who authorized the account.",
    )
    granted_to = fields.Char(
        readonly=True,
        copy=False,
        help="OAuth client or service account that Google gave the tokens to, and scope.",
    )
    database_uuid = fields.Char(
        readonly=True,
        copy=False,
        help="Database that may write to and delete from this Drive.",
    )
    database_name = fields.Char(readonly=True, copy=False)
    database_cluster = fields.Char(
        readonly=True,
        copy=False,
        help="PostgreSQL's system identifier of the cluster with that database.",
    )
    database_instance = fields.Char(
        readonly=True,
        copy=False,
        help="When its PostgreSQL was started, as of the last use, in UTC.",
    )
    database_mark = fields.Char(
        readonly=True,
        copy=False,
        help="Name of the marker in the data directories of its Odoo servers.",
    )
    config_ids = fields.One2many("cloud_storage.config", "auth_id", "Configurations")
    is_limited = fields.Boolean(
        compute="_compute_is_limited", help="Whether who looks is not in Settings."
    )

    @api.depends_context("uid")
    def _compute_is_limited(self):
        self.is_limited = self._is_limited()

    @api.model
    def _default_redirect_uri(self):
        base = self.env["ir.config_parameter"].sudo().get_param("web.base.url") or ""
        return base.rstrip("/") + CALLBACK_PATH

    @api.constrains("redirect_uri")
    def _check_redirect_uri(self):
        for auth in self.filtered("redirect_uri"):
            parts = urlsplit(auth.redirect_uri)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValidationError(
                    _("The redirect URI must begin with https:// and name a host.")
                )

    # -- life --------------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        if not self.env.su:
            # explicit values: neither the context nor ir.default can slip in others
            vals_list = [
                dict(UNKNOWN, **self._without_server_fields(vals)) for vals in vals_list
            ]
        accounts = super().create(vals_list)
        accounts._forget_cached_secrets()
        if accounts._is_limited():
            for auth, vals in zip(accounts, vals_list):
                made = {name for name in REACH_FIELDS if auth[name]}
                auth._check_reach(vals, made | WIDENING)
        return accounts

    def write(self, vals):
        if self._is_limited():
            for auth in self:
                auth._check_reach(vals, auth._changed_reach(vals))
        moved = self.filtered(lambda auth: auth._is_another_drive(vals))
        changed = self.browse()
        if not self.env.su:
            vals = self._without_server_fields(vals)
            changed = self.filtered(lambda auth: auth._changes_identity(vals))
        result = super().write(vals)
        changed._forget_grant()
        self._forget_cached_secrets()
        moved.sudo().config_ids._ask_again()
        return result

    @api.model
    def _without_server_fields(self, vals):
        """Values as a manager may give them: tokens and states are the server's.

        :raises AccessError: one of those has a value
        """
        server_fields = SERVER_FIELDS + TOKEN_SECRETS
        forged = [f for f in server_fields if vals.get(f) and vals[f] != "draft"]
        if forged:
            raise AccessError(_("%s can not be set by hand.", ", ".join(forged)))
        return {name: vals[name] for name in vals if name not in server_fields}

    def _changes_identity(self, vals):
        """Whether what Google granted so far is void with these values.

        :param vals: a dict of values, or a record that has them all
        """
        return any(name in vals and vals[name] for name in TYPED_FIELDS) or any(
            name in vals and (vals[name] or False) != (self[name] or False)
            for name in IDENTITY_FIELDS
        )

    def _is_another_drive(self, vals):
        """Whether values lead to another Drive than the one that was known so far."""
        if (
            "shared_drive_id" in vals
            and self.shared_drive_id != vals["shared_drive_id"]
        ):
            return bool(self.shared_drive_id or vals["shared_drive_id"])
        # the id counts: an address may change with the person's name
        name = "google_user_id" if self.google_user_id else "account_email"
        return bool(name in vals and self[name] and vals[name] != self[name])

    def _forget_grant(self):
        if self:
            self.env["cloud_storage.secret"]._wipe(self, TOKEN_SECRETS)
            granted = dict.fromkeys(GRANT_FIELDS, False)
            self.sudo().write(dict(granted, state="draft"))

    def unlink(self):
        self.check_access_rights("unlink")
        self._check_unused()
        self._check_nothing_to_trash()
        self.env["cloud_storage.secret"]._wipe(self)
        return super().unlink()

    def _check_unused(self):
        (count, size), _only_there = count_files(self)
        if count:
            raise UserError(
                _(
                    "%s live in this account. Restore them or migrate them to another"
                    " account first; to stop using the account, switch Active off.",
                    Messages(self.env).files(count, size),
                )
            )

    def _check_nothing_to_trash(self):
        """Deleted attachments' files stay in Drive for ever when their account goes.

        An account that can not be used any more would never be rid of them.

        :raises UserError: Drive is going to learn of some soon
        """
        usable = self.filtered(lambda auth: auth._can_still_trash())
        count = (
            self.env["cloud_storage.trash"]
            .sudo()
            .search_count(
                [("auth_id", "in", usable.ids), ("drive_file_id", "!=", False)]
            )
        )
        if count:
            raise UserError(
                _(
                    "%s files of deleted attachments are still to go to the trash of"
                    " this account. The next automatic sync does that; delete the"
                    " account afterwards, or switch Active off first to leave them in"
                    " Drive.",
                    count,
                )
            )

    def _can_still_trash(self):
        return (
            self.is_active
            and self.state in ("authorized", "expired")
            and not is_copy(self)
            and not is_disabled()
        )

    # -- how far a manager may let it reach --------------------------------------------

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
        """Keep a manager who is not in Settings from reaching further than a key does.

        For an OAuth account a person consents at Google, whoever set it up. For a service
        account nobody does: with domain-wide delegation it acts for anybody in the domain,
        and with the scope ``drive`` it sees whatever was ever shared with it. Those two are
        for Settings, who gave the server its keys; a manager may bring a key.

        :param set changed: names of the fields that the values change
        :raises AccessError: the change is for Settings
        """
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
