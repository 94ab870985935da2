import ast

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..utils.filenames import model_folder_name

#: What Odoo and Python raise for a domain that is none.
INVALID_DOMAIN = (
    ValueError,
    SyntaxError,
    TypeError,
    KeyError,
    AttributeError,
    AssertionError,
)


class CloudStorageModelConfig(models.Model):
    """A model whose attachments may go to the cloud."""

    _name = "cloud_storage.model.config"
    _description = "Cloud Storage Model Configuration"
    _inherit = "cloud_storage.mixin"
    _order = "model_name, attachment_field"
    _rec_name = "model_name"

    config_id = fields.Many2one(
        "cloud_storage.config", "Configuration", required=True, ondelete="cascade"
    )
    model_name = fields.Char("Model", required=True, help="Like res.partner.")
    display_name = fields.Char(
        compute="_compute_display_name", store=True, readonly=False
    )
    attachment_field = fields.Char(
        "Binary Field",
        help="Empty: the documents attached to the records. A field, like image_1920:"
        " the files that store this field.",
    )
    domain = fields.Char(
        "Filter",
        default="[]",
        help="Only attachments of the records of the model that match.",
    )
    drive_folder_name = fields.Char(
        "Folder", compute="_compute_drive_folder_name", store=True, readonly=False
    )
    drive_folder_id = fields.Char("Folder ID", readonly=True, copy=False)
    is_active = fields.Boolean("Active", default=True)
    problem = fields.Char(
        compute="_compute_problem", help="Why this rule is left out for now."
    )

    @api.depends("model_name")
    def _compute_display_name(self):
        for rule in self:
            known = self.env["ir.model"].sudo()._get(rule.model_name or "")
            rule.display_name = known.name or rule.model_name

    @api.depends("model_name", "attachment_field", "domain", "domain_uid")
    def _compute_problem(self):
        for rule in self:
            rule.problem = rule._find_problem()

    def _find_problem(self):
        """What became of a rule that was right when it was saved; False: nothing."""
        if self.model_name not in self.env:
            return _("%s is not installed (any more): its files stay.", self.model_name)
        try:
            self._get_record_domain()
        except ValidationError as err:
            return str(err)
        return False

    @api.depends("model_name", "attachment_field")
    def _compute_drive_folder_name(self):
        for rule in self:
            rule.drive_folder_name = rule.model_name and model_folder_name(
                rule.model_name, rule.attachment_field or ""
            )

    _sql_constraints = [
        (
            "model_field_unique",
            "unique(config_id, model_name, attachment_field)",
            "This model is in the list already, with the same binary field.",
        )
    ]

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            # never NULL: two NULLs would pass for different fields
            vals["attachment_field"] = vals.get("attachment_field") or ""
        return super().create(vals_list)

    def write(self, vals):
        vals = dict(vals)
        if "attachment_field" in vals:
            vals["attachment_field"] = vals["attachment_field"] or ""
        if vals.keys() & {"drive_folder_name", "config_id"}:
            vals.setdefault("drive_folder_id", False)
        return super().write(vals)

    @api.constrains("model_name", "attachment_field")
    def _check_model(self):
        for rule in self:
            model = self.env.get(rule.model_name)
            if model is None or model._abstract or model._transient:
                raise ValidationError(
                    _(
                        "There is no model %(model)s with attachments in this database."
                        " Use its technical name, like res.partner.",
                        model=rule.model_name,
                    )
                )
            if rule.model_name.startswith("ir."):
                raise ValidationError(
                    _("%s holds files of the system: they stay here.", rule.model_name)
                )
            rule._check_field(model)

    def _check_field(self, model):
        if not self.attachment_field:
            return
        field = model._fields.get(self.attachment_field)
        if not field or field.type != "binary" or not field.attachment:
            raise ValidationError(
                _(
                    "%(model)s has no binary field %(field)s that is stored as an"
                    " attachment.",
                    model=self.model_name,
                    field=self.attachment_field,
                )
            )

    @api.constrains("model_name", "domain")
    def _check_domain(self):
        for rule in self:
            rule._get_record_domain()

    @api.constrains("drive_folder_name")
    def _check_folder_name(self):
        for rule in self:
            if not (rule.drive_folder_name or "").strip():
                raise ValidationError(_("Give the folder a name."))

    def _get_record_domain(self):
        """The filter as a domain of ``model_name``.

        :raises ValidationError: it is not a domain, or names a field that is missing, or
            more than its author may read
        """
        self.ensure_one()
        try:
            domain = ast.literal_eval(self.domain or "[]")
            if not isinstance(domain, list):
                raise ValueError("not a list")
            self._model_for(self._author())._where_calc(domain)
        except INVALID_DOMAIN as err:
            raise ValidationError(
                _(
                    "The filter of %(model)s is not a valid domain (%(reason)s). Write"
                    " it like [('active', '=', True)], with fields of that model.",
                    model=self.model_name,
                    reason=err,
                )
            ) from err
        except UserError as err:
            raise ValidationError(str(err)) from err
        return domain
