"""A model whose attachments may go, and whose rights the filter has that says which: those
of who wrote it, as of now.

A filter is a search, and where its result shows, anywhere, it tells about the records
that it looked at. So nobody gets to know by a rule what he may not read himself.
"""
import ast

from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tools.sql import column_exists, table_exists

from ...engine import rule_rights
from ...utils.filenames import model_folder_name
from ..odoo.cloud_storage_mixin import CloudStorageMixin

#: Models offered to begin with, where they are installed.
DEFAULT_MODELS = [
    "res.partner",
    "product.template",
    "sale.order",
    "purchase.order",
    "account.move",
    "project.project",
    "project.task",
    "crm.lead",
    "hr.employee",
    "hr.expense",
    "helpdesk.ticket",
    "stock.picking",
    "mrp.production",
    "maintenance.request",
    "fleet.vehicle",
]
#: What Odoo and Python raise for a domain that is none.
INVALID_DOMAIN = (
    ValueError,
    SyntaxError,
    TypeError,
    KeyError,
    AttributeError,
    AssertionError,
)
#: Writing one of these is writing the filter.
SIGNED = {"model_name", "attachment_field", "domain"}
#: The last version noted no author. The superuser wrote ids of folders into rules.
AUTHORS = """
    UPDATE cloud_storage_model_config
    SET domain_uid = COALESCE(NULLIF(write_uid, 1), NULLIF(create_uid, 1), 1)
    WHERE domain_uid IS NULL"""


class CloudStorageModelConfig(models.Model):
    """A model whose attachments may go to the cloud."""

    _name = "cloud_storage.model.config"
    _description = "Cloud Storage Model Configuration"
    _inherit = CloudStorageMixin._name
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
    domain_uid = fields.Many2one(
        "res.users",
        "With the Rights Of",
        readonly=True,
        copy=False,
        ondelete="set null",
        help="Who wrote this rule. Only files of records that this user may read go to"
        " the cloud; for administrators and the system that is every record.",
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
        author = self._author()
        if author.id != SUPERUSER_ID and not author.active:
            return _(
                "Who wrote this rule is no user any more, so its files stay: press Use"
                " My Rights, or write it again."
            )
        if self.model_name not in self.env:
            return _("%s is not installed (any more): its files stay.", self.model_name)
        try:
            self._get_record_domain()
        except ValidationError as err:
            return str(err)
        return self._rights_problem(author)

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

    def _auto_init(self):
        existed = table_exists(self.env.cr, self._table)
        known = column_exists(self.env.cr, self._table, "domain_uid")
        result = super()._auto_init()
        if existed and not known:
            self.env.cr.execute(AUTHORS)
        return result

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._check_author_field(vals)
            # never NULL: two NULLs would pass for different fields
            vals["attachment_field"] = vals.get("attachment_field") or ""
        author = {"domain_uid": self.env.uid}
        return super().create([dict(author, **vals) for vals in vals_list])

    def write(self, vals):
        self._check_author_field(vals)
        vals = dict(vals)
        if "attachment_field" in vals:
            vals["attachment_field"] = vals["attachment_field"] or ""
        if vals.keys() & {"drive_folder_name", "config_id"}:
            vals.setdefault("drive_folder_id", False)
        if vals.keys() & SIGNED:
            vals.setdefault("domain_uid", self.env.uid)
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

    # -- the author --------------------------------------------------------------------

    @api.model
    def _check_author_field(self, vals):
        """:raises AccessError: somebody else than the server says who wrote a rule"""
        if "domain_uid" in vals and self.env.uid != SUPERUSER_ID:
            raise AccessError(_("Whose rights a rule has is set by the server only."))

    def action_sign(self):
        """Let these rules have the rights of who presses this.

        :raises ValidationError: a rule needs more
        """
        self.check_access_rights("write")
        self.check_access_rule("write")
        for rule in self:
            rule.domain = rule.domain  # which is how an author is noted, and checked
        return True

    def _author(self):
        """Who wrote this rule; in a form that is not saved, who is writing it."""
        self.ensure_one()
        # sudo() keeps the user
        return self.sudo().domain_uid if self.id else self.env.user

    @api.constrains("model_name", "attachment_field", "domain", "domain_uid")
    def _check_author_rights(self):
        for rule in self:
            author = rule._author()
            problem = author and rule._rights_problem(author)
            if problem:
                raise ValidationError(problem)

    # -- rights ------------------------------------------------------------------------

    def _model_for(self, user):
        """The model of this rule as a user sees it, archived records included.

        In all companies of the user: who evaluates the filter may have chosen others.
        """
        if rule_rights.reads_everything(user):
            user = user.browse(SUPERUSER_ID)
        model = self.env[self.model_name].with_user(user)
        return model.with_context(active_test=False, allowed_company_ids=[])

    def _rights_problem(self, user):
        """Why a user may not search as this rule does; False: may.

        :param user: one ``res.users``
        """
        if rule_rights.reads_everything(user):
            return False
        paths = [self.attachment_field] if self.attachment_field else []
        paths += rule_rights.fields_of(self.domain)
        if rule_rights.may_read(self._model_for(user), paths):
            return False
        return _(
            "%(user)s may not read all that the rule for %(model)s is about: the model,"
            " or a field of its filter.",
            user=user.sudo().name,
            model=self.model_name,
        )

    def _records(self, user):
        """The records of this rule that a user may read, fit for a domain; None: all.

        :raises AccessError: the user may not read the model, see ``_rights_problem``
        """
        domain = self._get_record_domain()
        if not domain and rule_rights.reads_everything(user):
            return None
        return self._model_for(user)._search(domain)
