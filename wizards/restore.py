from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import human_size

from ..engine.content.restoring import check_fits_here, free_bytes
from ..engine.jobs import selection
from .base import CloudStorageWizard


class CloudStorageWizardRestore(models.TransientModel):
    """Bring files back from Drive to this server."""

    _name = "cloud_storage.wizard.restore"
    _description = "Restore Files From the Cloud"
    _inherit = CloudStorageWizard._name

    mode = fields.Selection(
        [
            ("all", "Everything"),
            ("selection", "Selected files"),
            ("model", "The files of a model"),
            ("folder", "A folder in Drive"),
        ],
        "What",
        default=lambda self: self._default_mode(),
        required=True,
    )
    config_id = fields.Many2one(
        "cloud_storage.config",
        "Configuration",
        default=lambda self: self.env["cloud_storage.config"].get_active_config(),
    )
    attachment_ids = fields.Many2many(
        "ir.attachment",
        string="Attachments",
        default=lambda self: self._default_attachments(),
    )
    model_id = fields.Many2one("ir.model", "Model")
    folder_id = fields.Char(
        "Folder ID", help="The last part of the folder's address in Drive."
    )
    default_record = fields.Reference(
        selection="_select_models",
        string="Attach Unknown Files To",
        default=lambda self: "res.partner,%d" % self.env.company.partner_id.id,
        help="Files that belong to no attachment become attachments of this record.",
    )
    trash_afterwards = fields.Boolean(
        "Trash in Drive", help="Put the files in the trash of Drive once they are here."
    )

    free_text = fields.Char("Free on This Server", compute="_compute_free_text")

    def _compute_free_text(self):
        self._check_manager()
        free = free_bytes(self.env)
        self.free_text = _("unknown") if free is None else human_size(free)

    @api.depends("state", "trash_afterwards", "file_count")
    def _compute_consequence(self):
        for wizard in self:
            wizard.is_destructive = wizard.trash_afterwards and wizard.file_count
            wizard.consequence = wizard.state == "preview" and wizard._consequence()

    def _consequence(self):
        if not self.file_count:
            return _("There is nothing to restore.")
        here = _("Restored files are kept local: no sync moves them again.")
        if not self.trash_afterwards:
            return here + " " + _("Their copies in Drive stay where they are.")
        there = _(
            "Once each of them is here and verified, its copy in Drive goes to the"
            " trash: %s. Drive empties the trash after 30 days.",
            self._files_text(self.file_count, self._size_in_drive()),
        )
        return here + " " + there

    def _size_in_drive(self):
        """Bytes of the files, those that are on this server as well included."""
        if self.mode == "folder":
            return self.total_size
        wanted = selection.to_restore(self.env, self._params())
        return selection.preview_rows(self.env, wanted)[1]

    @api.model
    def _default_mode(self):
        return "selection" if self._default_attachments() else "all"

    @api.model
    def _default_attachments(self):
        attachments = self.env["ir.attachment"]
        if self.env.context.get("active_model") != "ir.attachment":
            return attachments
        return attachments.browse(self.env.context.get("active_ids", []))

    @api.model
    def _select_models(self):
        found = self.env["ir.model"].sudo().search([("transient", "=", False)])
        return [(model.model, model.name) for model in found]

    def action_preview(self):
        """Show how many files would come, how large they are, and some names.

        :raises UserError: they do not fit on this server's disk
        """
        self.ensure_one()
        count, size, names = self._preview()
        check_fits_here(self.env, size)
        return self._show_preview(count, size, names)

    def action_confirm(self):
        """Start the run and show it.

        :raises UserError: they do not fit on this server's disk
        """
        self.ensure_one()
        check_fits_here(self.env, self._preview()[1])
        return self._start("restore", self.config_id, self._params())

    def _preview(self):
        self._check_manager()
        params = self._params()
        if self.mode == "folder":
            auth = self.config_id.sudo().auth_id
            return selection.preview_folder(
                auth, params["folder_id"], params["only_ours"]
            )
        domain = selection.to_restore(self.env, params)
        count, _size, names = selection.preview_rows(self.env, domain)
        # what is here already needs no room
        remote = domain + selection.remote(self.env)
        size = selection.preview_rows(self.env, remote)[1]
        return count, size, names

    def _params(self):
        """What the run works on."""
        params = {"trash": self.trash_afterwards}
        if self.mode == "selection":
            params["ids"] = self.attachment_ids.ids
        elif self.mode == "model":
            self._need("model_id")
            params["model"] = self.model_id.model
        elif self.mode == "folder":
            self._need("config_id", "folder_id", "default_record")
            params.update(
                auth_id=self.config_id.auth_id.id,
                folder_id=self.folder_id.strip(),
                only_ours=self.config_id.auth_id._shows_only_ours(),
                default_model=self.default_record._name,
                default_id=self.default_record.id,
            )
        return params

    def _need(self, *names):
        missing = [self._fields[name] for name in names if not self[name]]
        if missing:
            labels = [field._description_string(self.env) for field in missing]
            raise UserError(_("Please fill in: %s", ", ".join(labels)))


class CloudStorageConfig(models.Model):
    _inherit = "cloud_storage.config"

    def action_restore_local_from_folder(self):
        """Choose a folder in Drive to bring back."""
        self.ensure_one()
        self._check_manager()
        wizard = self.env["cloud_storage.wizard.restore"]
        return wizard.create(
            {
                "mode": "folder",
                "config_id": self.id,
                "folder_id": self.drive_root_folder_id,
            }
        )._reopen()
