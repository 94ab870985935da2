from odoo import _, api, fields, models

from ..engine.account.files import count_files
from ..engine.messages import Messages


class CloudStorageConfirmation(models.TransientModel):
    """Says, with numbers, what a button is about to do, and does it when asked to.

    Each kind says so in ``_explain_<kind>`` and acts in ``_do_<kind>``.
    """

    _name = "cloud_storage.confirmation"
    _description = "Please Confirm"
    _inherit = "cloud_storage.mixin"

    kind = fields.Selection(
        [
            ("revoke", "Revoke"),
            ("database", "This Is the Real Database"),
            ("sync", "Sync to the Cloud"),
        ],
        required=True,
        readonly=True,
    )
    auth_id = fields.Many2one("cloud_storage.auth", "Account", readonly=True)
    attachment_ids = fields.Many2many(
        "ir.attachment", string="Attachments", readonly=True
    )
    consequence = fields.Text(compute="_compute_consequence")

    @api.depends("kind", "auth_id", "attachment_ids")
    def _compute_consequence(self):
        for question in self:
            question.consequence = getattr(question, "_explain_" + question.kind)()

    @api.model
    def _ask(self, kind, **vals):
        """The action that shows the question."""
        question = self.create(dict(vals, kind=kind))
        kinds = dict(self._fields["kind"]._description_selection(self.env))
        return {
            "type": "ir.actions.act_window",
            "name": kinds[kind],
            "res_model": self._name,
            "res_id": question.id,
            "view_mode": "form",
            "target": "new",
        }

    def action_confirm(self):
        """Do it, as the user who was asked."""
        self.ensure_one()
        return getattr(self, "_do_" + self.kind)()

    # -- an account --------------------------------------------------------------------

    def _explain_revoke(self):
        _all, only_there = count_files(self.auth_id)
        return Messages(self.env).unreadable(*only_there)

    def _do_revoke(self):
        return self.auth_id.action_revoke()

    def _explain_database(self):
        known, _only_there = count_files(self.auth_id)
        return _(
            "This database may then change and trash the files of this account in"
            " Drive: %s that it knows. If it is a copy of another database in use, that"
            " one would lose them: never confirm a copy.",
            self._files_text(*known),
        )

    def _do_database(self):
        self.auth_id.action_confirm_database()
        return {"type": "ir.actions.act_window_close"}

    # -- attachments -------------------------------------------------------------------

    def _explain_sync(self):
        """What goes, as far as the user may see the files."""
        config = self.env["cloud_storage.config"].sudo().get_active_config()
        going = self.attachment_ids._going_to_cloud()
        files = self._files_text(len(going), sum(going.mapped("file_size")))
        if not config.delete_local_after_sync:
            return _(
                "%(files)s go to Google Drive (%(account)s). The local copies stay.",
                files=files,
                account=config.auth_id.account_email or config.auth_id.name,
            )
        days = config.keep_local_days
        return _(
            "The local copies of %(files)s are deleted, %(when)s. The copy in Drive is"
            " verified before.",
            files=files,
            when=_("%s days after", days) if days else _("at once"),
        )

    def _do_sync(self):
        return self.attachment_ids.action_cloud_sync()
