"""The guided start: from nothing to the first sync, one step after the other."""

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ...engine.account.credentials import TYPED_SECRETS, Credentials
from ..odoo.cloud_storage_mixin import CloudStorageMixin

STEPS = ["account", "authorize", "models", "types", "report", "sync"]


class CloudStorageSetup(models.TransientModel):
    """What is done is read from the account and its configuration, never stored."""

    _name = "cloud_storage.setup"
    _description = "Cloud Storage Guided Start"
    _inherit = CloudStorageMixin._name

    step = fields.Selection(
        [
            ("account", "Account"),
            ("authorize", "Authorize"),
            ("models", "Models"),
            ("types", "File Types"),
            ("report", "Savings"),
            ("sync", "First Sync"),
        ],
        required=True,
        default=lambda self: self._first_step(),
    )
    missing = fields.Char(compute="_compute_missing")

    auth_id = fields.Many2one(
        "cloud_storage.auth", "Account", default=lambda self: self._default_auth_id()
    )
    auth_type = fields.Selection(
        selection=lambda self: self.env["cloud_storage.auth"]
        ._fields["auth_type"]
        ._description_selection(self.env),
        string="Type",
        required=True,
        default=lambda self: self._default_auth_id().auth_type or "oauth",
    )
    client_id = fields.Char(
        "Client ID", default=lambda self: self._default_auth_id().client_id
    )
    client_secret = fields.Char(
        compute="_compute_typed_secrets",
        inverse="_inverse_client_secret",
        search="_search_secret",
        help="Kept where nobody can read it; leave it empty to keep the stored one.",
    )
    service_account_json = fields.Text(
        "Service Account Key",
        compute="_compute_typed_secrets",
        inverse="_inverse_service_account_json",
        search="_search_secret",
        help="The whole JSON file that the Google Cloud console gave you.",
    )
    shared_drive_id = fields.Char(
        "Shared Drive",
        default=lambda self: self._default_auth_id().shared_drive_id,
        help="Id of a shared drive. A service account owns no storage and needs one.",
    )
    redirect_uri = fields.Char("Redirect URI", compute="_compute_redirect_uri")
    auth_state = fields.Selection(related="auth_id.state", string="Authorization")
    account_email = fields.Char(related="auth_id.account_email", string="Signed In As")
    last_error = fields.Text(related="auth_id.last_error")

    config_id = fields.Many2one(
        "cloud_storage.config",
        "Configuration",
        compute="_compute_config_id",
    )
    model_config_ids = fields.One2many(
        related="config_id.model_config_ids", readonly=False
    )
    file_type_ids = fields.One2many(related="config_id.file_type_ids", readonly=False)
    delete_local_after_sync = fields.Boolean(
        related="config_id.delete_local_after_sync", readonly=False
    )
    pending_count = fields.Integer(related="config_id.pending_count")
    synced_count = fields.Integer(related="config_id.synced_count")

    def name_get(self):
        return [(setup.id, _("Guided Start")) for setup in self]

    # -- where we are ------------------------------------------------------------------

    @api.model
    def _default_auth_id(self):
        return self.env["cloud_storage.auth"].search([], limit=1, order="id")

    def _compute_typed_secrets(self):
        for setup in self:  # ways in only
            setup.client_secret = setup.service_account_json = False

    def _inverse_client_secret(self):
        self._inverse_secret("client_secret")

    def _inverse_service_account_json(self):
        self._inverse_secret("service_account_json")

    def _inverse_secret(self, name):
        # like those of accounts: out of reach even while a step waits for the rest
        for setup in self:
            value = (setup[name] or "").strip()
            self.env["cloud_storage.secret"]._set(setup, name, value)
        self.invalidate_cache([name], self.ids)

    def unlink(self):
        self.env["cloud_storage.secret"]._wipe(self)
        return super().unlink()

    def _compute_redirect_uri(self):
        for setup in self:
            auth = setup.auth_id or self.env["cloud_storage.auth"]
            setup.redirect_uri = auth.redirect_uri or auth._default_redirect_uri()

    @api.depends("auth_id")
    def _compute_config_id(self):
        for setup in self:
            setup.config_id = setup.auth_id.config_ids[:1]

    @api.depends("auth_id", "step")
    def _compute_missing(self):
        for setup in self:
            setup.missing = setup._missing(setup.step)

    @api.model
    def _first_step(self):
        """The first step not done; before the first sync, the choice of models."""
        setup = self.new({"step": "sync"})
        step = next((step for step in STEPS if setup._missing(step)), "report")
        return "models" if step == "sync" else step

    @api.model
    def _first_missing(self):
        """What the guided start would ask for first; False when it is through."""
        setup = self.new({"step": "sync"})
        return next(filter(None, map(setup._missing, STEPS)), False)

    def _missing(self, step):
        """What a step lacks, as a sentence; False when it is done.

        :param str step: one of ``STEPS``
        """
        return getattr(self, "_missing_%s" % step)()

    def _missing_account(self):
        auth = self.auth_id
        if not auth:
            return _("There is no account yet.")
        if auth.auth_type == "service_account":
            return not auth.service_account_set and _("The service account has no key.")
        if not Credentials(auth).client_id:
            return _("The client ID is missing.")
        return not auth.client_secret_set and _("The client secret is missing.")

    def _missing_authorize(self):
        if self.auth_id.state == "authorized":
            return False
        return _("Google has not been asked for access to Drive, or refused it.")

    def _missing_models(self):
        rules = self.config_id.model_config_ids.filtered("is_active")
        return not rules and _("No model is chosen: nothing would be synced.")

    def _missing_types(self):
        types = self.config_id.file_type_ids.filtered("is_active")
        return not types and _("No file type is chosen: nothing would be synced.")

    def _missing_report(self):
        return False  # looking is voluntary

    def _missing_sync(self):
        if not self.config_id.started_on:
            return _("Nobody has started the sync yet.")
        done = self.config_id.run_ids.filtered(lambda run: run.state == "done")
        return not done and _("Nothing was synced yet.")

    # -- buttons -----------------------------------------------------------------------

    @api.model
    def action_open(self):
        """Open the guided start at the first step that is not done."""
        self._check_manager()
        return self.create({})._show()

    def _show(self):
        return {
            "type": "ir.actions.act_window",
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "name": _("Guided Start"),
            "context": {"form_view_initial_mode": "edit"},
        }

    def action_next(self):
        """Finish this step and go to the next.

        :raises UserError: something is missing
        """
        self.ensure_one()
        self._check_manager()
        if self.step == "account":
            self._save_account()
        missing = self._missing(self.step)
        if missing:
            raise UserError(missing)
        self.step = STEPS[min(STEPS.index(self.step) + 1, len(STEPS) - 1)]
        return self._show()

    def action_back(self):
        """Go to the step before."""
        self.ensure_one()
        self.step = STEPS[max(STEPS.index(self.step) - 1, 0)]
        return self._show()

    def _save_account(self):
        vals = {"auth_type": self.auth_type}
        if self.auth_type == "oauth":
            vals["client_id"] = (self.client_id or "").strip()
        else:
            vals["shared_drive_id"] = self.shared_drive_id
        secrets = self.env["cloud_storage.secret"]
        typed = {name: secrets._get(self, name) for name in TYPED_SECRETS}
        vals.update({name: value for name, value in typed.items() if value})
        if self.auth_id:
            self.auth_id.write(vals)
        else:
            vals["name"] = _("Google Drive")
            self.auth_id = self.env["cloud_storage.auth"].create(vals)
        # a secret stays no longer than it takes to hand it on
        secrets._wipe(self)
        self._ensure_config()

    def _ensure_config(self):
        configs = self.auth_id.config_ids
        if configs:
            # active is not started: that is the last step
            configs[:1].filtered(lambda c: not c.started_on).write({"is_active": True})
            return
        config = self.env["cloud_storage.config"].create(
            {"name": _("Documents"), "auth_id": self.auth_id.id}
        )
        config.create_default_model_configs()
        config.create_default_file_types()

    def action_authorize(self):
        """Go to Google's consent page; a service account is tried at once."""
        return self.auth_id.action_authorize()

    def action_test_connection(self):
        """See whether the account works."""
        return self.auth_id.action_test_connection()

    def action_add_models(self):
        """Add the common models that are installed."""
        self.config_id.create_default_model_configs()
        return self._show()

    def action_add_types(self):
        """Add the common extensions."""
        self.config_id.create_default_file_types()
        return self._show()

    def action_report(self):
        """What a sync would move and free."""
        return self.config_id.action_savings_report()

    def action_sync(self):
        """The first sync."""
        return self.config_id.action_ask_sync()

    def action_dashboard(self):
        """Leave for the dashboard."""
        return self.env["ir.actions.act_window"]._for_xml_id(
            "cloud_storage.cloud_storage_dashboard_action"
        )
