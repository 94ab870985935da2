"""Whose rights the filter of a model rule has: those of who wrote it, as of now.

A filter is a search, and where its result shows, anywhere, it tells about the records
that it looked at. So nobody gets to know by a rule what he may not read himself.
"""
import ast

from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.exceptions import AccessError, ValidationError
from odoo.tools.sql import column_exists, table_exists

from odoo.addons.base.models import res_users

#: Writing one of these is writing the filter.
SIGNED = {"model_name", "attachment_field", "domain"}
#: The last version noted no author. The superuser wrote ids of folders into rules.
AUTHORS = """
    UPDATE cloud_storage_model_config
    SET domain_uid = COALESCE(NULLIF(write_uid, 1), NULLIF(create_uid, 1), 1)
    WHERE domain_uid IS NULL"""


class CloudStorageModelConfig(models.Model):
    _inherit = "cloud_storage.model.config"

    domain_uid = fields.Many2one(
        "res.users",
        "With the Rights Of",
        readonly=True,
        copy=False,
        ondelete="set null",
        help="Who wrote this rule. Only files of records that this user may read go to"
        " the cloud; for administrators and the system that is every record.",
    )

    def _auto_init(self):
        existed = table_exists(self.env.cr, self._table)
        known = column_exists(self.env.cr, self._table, "domain_uid")
        result = super()._auto_init()
        if existed and not known:
            self.env.cr.execute(AUTHORS)
        return result

    # -- the author --------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._check_author_field(vals)
        author = {"domain_uid": self.env.uid}
        return super().create([dict(author, **vals) for vals in vals_list])

    def write(self, vals):
        self._check_author_field(vals)
        if not SIGNED.isdisjoint(vals):
            vals = dict({"domain_uid": self.env.uid}, **vals)
        return super().write(vals)

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

    def _find_problem(self):
        author = self._author()
        if author.id != SUPERUSER_ID and not author.active:
            return _(
                "Who wrote this rule is no user any more, so its files stay: press Use"
                " My Rights, or write it again."
            )
        return super()._find_problem() or self._rights_problem(author)

    # -- rights ------------------------------------------------------------------------

    @api.model
    def _reads_everything(self, user):
        """Whether nothing can be hidden from a user: administrators can grant themselves
        any right.
        """
        return user.id == SUPERUSER_ID or bool(user and user.sudo()._is_system())

    def _model_for(self, user):
        """The model of this rule as a user sees it, archived records included.

        In all companies of the user: who evaluates the filter may have chosen others.
        """
        if self._reads_everything(user):
            user = user.browse(SUPERUSER_ID)
        model = self.env[self.model_name].with_user(user)
        return model.with_context(active_test=False, allowed_company_ids=[])

    def _rights_problem(self, user):
        """Why a user may not search as this rule does, in words; False: may.

        :param user: one ``res.users``
        """
        if self._reads_everything(user):
            return False
        model = self._model_for(user)
        paths = self._paths()
        if _is_readable(model) and all(_is_readable_path(model, p) for p in paths):
            return False
        return _(
            "%(user)s may not read all that the rule for %(model)s is about: the model,"
            " or a field of its filter.",
            user=user.sudo().name,
            model=self.model_name,
        )

    def _paths(self):
        """The fields that this rule is about, dotted where they are those of others."""
        paths = [self.attachment_field] if self.attachment_field else []
        return paths + [leaf[0] for leaf in self._leaves() if _has_path(leaf)]

    def _leaves(self):
        """The parts of the filter, in whatever shape."""
        try:
            domain = ast.literal_eval(self.domain or "[]")
        except (ValueError, SyntaxError):
            return []  # no domain, which is another problem
        return domain if isinstance(domain, list) else []

    def _records(self, user):
        """The records of this rule that a user may read, fit for a domain; None: all.

        :raises AccessError: the user may not read the model, see ``_rights_problem``
        """
        domain = self._get_record_domain()
        if not domain and self._reads_everything(user):
            return None
        return self._model_for(user)._search(domain)


def _has_path(leaf):
    return isinstance(leaf, (list, tuple)) and leaf and isinstance(leaf[0], str)


def _is_readable(model):
    return model.check_access_rights("read", raise_exception=False)


def _is_readable_path(model, path):
    """Whether the user of ``model`` may read all fields of a dotted path."""
    for name in path.split("."):
        field = model._fields.get(name)
        if field is None or not _is_readable(model) or not _is_open(model, field):
            return False
        if field.comodel_name:
            model = model.env[field.comodel_name]
    return _is_readable(model)


def _is_open(model, field):
    private = model._name == "res.users" and field.name in res_users.USER_PRIVATE_FIELDS
    # what can not be searched is left out of a search: the filter would mean all
    return (
        field._description_searchable
        and not private
        and not (field.groups and not model.user_has_groups(field.groups))
    )
