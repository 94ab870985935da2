import base64
import binascii
from urllib.parse import urlsplit

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tools import config

from ..drive import oauth
from ..drive.errors import CredentialsFormatError
from ..exceptions import LostSecretError
from ..utils import vault
from ..utils.constants import CALLBACK_PATH

#: Secrets a manager may type in; the others are the server's.
TYPED_SECRETS = ("client_secret", "service_account_json")
TOKEN_SECRETS = ("access_token", "refresh_token")
SECRETS = TYPED_SECRETS + TOKEN_SECRETS
#: What Google's consent is worth, and how it went.
GRANT_FIELDS = ("token_expiry", "grant_expiry", "account_email", "last_error")
#: Which database may change the files of the account in Drive.
DATABASE_FIELDS = (
    "database_uuid",
    "database_name",
    "database_cluster",
    "database_instance",
    "database_mark",
)
#: Stored fields that only the server writes.
SERVER_FIELDS = GRANT_FIELDS + DATABASE_FIELDS + (
    "state",
    "google_user_id",
    "granted_to",
)
#: A change of these makes what Google granted so far void.
IDENTITY_FIELDS = ("auth_type", "client_id", "scope", "delegated_user")
TYPED_FIELDS = TYPED_SECRETS + ("service_account_file",)


class CloudStorageAuth(models.Model):
    """An account at Google Drive.

    Secrets are fields that can be written, never read: their values live in
    ``cloud_storage.secret`` and only a shell or cron of the superuser sees them.
    """

    _name = "cloud_storage.auth"
    _description = "Cloud Storage Account"
    _inherit = "cloud_storage.mixin"
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
    client_secret = fields.Char(
        compute="_compute_secrets",
        inverse="_inverse_client_secret",
        search="_search_secret",
        copy=False,
    )
    service_account_json = fields.Text(
        "Service Account Key",
        compute="_compute_secrets",
        inverse="_inverse_service_account",
        search="_search_secret",
        copy=False,
        help="The JSON key file of the service account.",
    )
    service_account_file = fields.Binary(
        "Service Account Key File",
        compute="_compute_service_account_file",
        inverse="_inverse_service_account",
        search="_search_secret",
        copy=False,
    )
    access_token = fields.Char(
        compute="_compute_secrets",
        inverse="_inverse_access_token",
        search="_search_secret",
        copy=False,
    )
    refresh_token = fields.Char(
        compute="_compute_secrets",
        inverse="_inverse_refresh_token",
        search="_search_secret",
        copy=False,
    )
    client_secret_set = fields.Boolean(compute="_compute_secrets_set")
    service_account_set = fields.Boolean(compute="_compute_secrets_set")
    token_set = fields.Boolean(compute="_compute_secrets_set")
    token_expiry = fields.Datetime(readonly=True, copy=False)
    grant_expiry = fields.Datetime(
        "Authorization Ends",
        readonly=True,
        copy=False,
        help="When the authorization itself ends, where Google said so.",
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
    database_uuid = fields.Char(
        readonly=True,
        copy=False,
        help="Database that may write to and delete from this Drive.",
    )
    database_name = fields.Char(readonly=True, copy=False)
    config_ids = fields.One2many("cloud_storage.config", "auth_id", "Configurations")

    # -- secrets -----------------------------------------------------------------------

    @api.depends_context("uid")
    def _compute_secrets(self):
        """Values for the superuser, nothing for anybody who can log in."""
        reveal = self.env["cloud_storage.secret"]._may_reveal()
        for auth in self:
            for name in SECRETS:
                auth[name] = reveal and auth.id and auth._secret_or_false(name)

    def _secret_or_false(self, name):
        try:
            return self._secret(name)
        except UserError:
            return False

    def _compute_service_account_file(self):
        self.service_account_file = False  # a way in only

    def _compute_secrets_set(self):
        names = self.env["cloud_storage.secret"]._names(self._origin)
        for auth in self:
            stored = names.get(auth._origin.id, ())
            auth.token_set = "access_token" in stored
            auth.client_secret_set = bool(
                "client_secret" in stored or auth._environment_secret("client_secret")
            )
            auth.service_account_set = bool(
                "service_account_json" in stored
                or auth._environment_secret("service_account_json")
            )

    def _inverse_client_secret(self):
        self._inverse_secret("client_secret")

    def _inverse_access_token(self):
        self._inverse_secret("access_token")

    def _inverse_refresh_token(self):
        self._inverse_secret("refresh_token")

    def _inverse_secret(self, name):
        for auth in self:
            self.env["cloud_storage.secret"]._set(auth, name, auth[name])

    def _inverse_service_account(self):
        """Keep a key that was uploaded or pasted, once it proved to be one."""
        for auth in self:
            text = auth._uploaded_key() or auth.service_account_json
            if text:
                auth._parse_key(text)
            self.env["cloud_storage.secret"]._set(auth, "service_account_json", text)

    def _uploaded_key(self):
        try:
            return base64.b64decode(self.service_account_file or b"").decode(
                "utf-8-sig"
            )
        except (binascii.Error, UnicodeDecodeError):
            return "not a text"  # which the check for a key refuses

    def _forget_cached_secrets(self):
        """What was just written can not be read, and what is set may have changed."""
        known = ("client_secret_set", "service_account_set", "token_set", "health")
        self.invalidate_cache([*TYPED_FIELDS, *TOKEN_SECRETS, *known], self.ids)

    def _secret(self, name):
        """The stored secret, else the one of the environment, else False.

        :raises LostSecretError: the encryption key is lost
        """
        self.ensure_one()
        try:
            stored = self.env["cloud_storage.secret"]._get(self, name)
        except vault.LostKeyError as err:
            raise LostSecretError(
                _(
                    "The secrets of %(account)s were encrypted with a key that is not"
                    " configured any more. Put the key back into odoo.conf, or enter"
                    " the secrets and authorize again.",
                    account=self.name,
                )
            ) from err
        return stored or (name in TYPED_SECRETS and self._environment_secret(name))

    def _environment_secret(self, name):
        """The server's own secret; that of its OAuth client goes with no other client."""
        known = name == "client_secret" and self._environment("client_id")
        if known and self.client_id and self.client_id != known:
            return False
        return self._environment(name)

    @api.model
    def _environment(self, name):
        """A value from the environment or ``odoo.conf``, for twelve-factor set-ups."""
        option = "cloud_storage_%s" % name
        return vault.setting(option.upper(), config.get(option)) or False

    @api.model
    def _parse_key(self, text):
        try:
            return oauth.parse_service_account(text)
        except CredentialsFormatError as err:
            raise ValidationError(
                _(
                    "%(reason)s. Give the whole JSON file that the Google Cloud console"
                    " made when the key was created.",
                    reason=err,
                )
            ) from err

    # -- life --------------------------------------------------------------------------

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

    @api.model_create_multi
    def create(self, vals_list):
        if not self.env.su:
            forged = {"default_%s" % name for name in SERVER_FIELDS + TOKEN_SECRETS}
            kept = {k: v for k, v in self.env.context.items() if k not in forged}
            # dropped, not overridden
            self = self.with_context(kept)  # pylint: disable=context-overridden
            vals_list = [self._without_server_fields(vals) for vals in vals_list]
        accounts = super().create(vals_list)
        accounts._forget_cached_secrets()
        return accounts

    def write(self, vals):
        changed = self.browse()
        if not self.env.su:
            vals = self._without_server_fields(vals)
            changed = self.filtered(lambda auth: auth._changes_identity(vals))
        result = super().write(vals)
        changed._forget_grant()
        self._forget_cached_secrets()
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
        """Whether what Google granted so far is void with these values."""
        return any(vals.get(name) for name in TYPED_FIELDS) or any(
            name in vals and (vals[name] or False) != self[name]
            for name in IDENTITY_FIELDS
        )

    def _forget_grant(self):
        if self:
            self.env["cloud_storage.secret"]._wipe(self, TOKEN_SECRETS)
            granted = dict.fromkeys(GRANT_FIELDS, False)
            self.sudo().write(dict(granted, state="draft"))

    def _place(self):
        """Where ids and upload sessions are good: this account, as who it is now.

        Whoever authorizes it as somebody else can neither see nor go on with what was
        begun before.
        """
        self.ensure_one()
        return "%d %s" % (self.id, self.account_email or "")

    def unlink(self):
        self.check_access_rights("unlink")
        self._check_unused()
        self.env["cloud_storage.secret"]._wipe(self)
        return super().unlink()

    def _check_unused(self):
        held, _only_there = self._held()
        if held[0]:
            raise UserError(
                _(
                    "%s live in this account. Restore them or migrate them to another"
                    " account first; to stop using the account, switch Active off.",
                    self._files_text(*held),
                )
            )
        self._check_nothing_to_trash()
