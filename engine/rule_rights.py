"""What a user may search for: a filter tells about every field that it looks at."""
import ast

from odoo import SUPERUSER_ID

from odoo.addons.base.models import res_users


def reads_everything(user):
    """Whether nothing can be hidden from a user: administrators can grant themselves any
    right.
    """
    return user.id == SUPERUSER_ID or bool(user and user.sudo()._is_system())


def fields_of(domain):
    """The fields that a filter is about, dotted where they are those of others.

    :param str domain: in whatever shape; one that is none has no fields
    """
    try:
        leaves = ast.literal_eval(domain or "[]")
    except (ValueError, SyntaxError):
        return []  # no domain, which is another problem
    if not isinstance(leaves, list):
        return []
    return [leaf[0] for leaf in leaves if _has_path(leaf)]


def may_read(model, paths):
    """Whether the user of ``model`` may read it, and all fields of some dotted paths."""
    return _is_readable(model) and all(_is_readable_path(model, path) for path in paths)


def _has_path(leaf):
    return isinstance(leaf, (list, tuple)) and leaf and isinstance(leaf[0], str)


def _is_readable(model):
    return model.check_access_rights("read", raise_exception=False)


def _is_readable_path(model, path):
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
