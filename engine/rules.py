"""Which attachments may go to the cloud, and why the others may not.

One truth: an ordered list of clauses, each a domain with its reason. All of them together
select candidates; the first that an attachment fails explains why it stays.
"""

import mimetypes
from collections import namedtuple

from odoo import fields
from odoo.osv import expression

from ..utils.filenames import DOUBLE_EXTENSIONS
from .translate import Translator

#: ``domain`` holds for attachments that pass; ``reason`` tells why one that does not stays.
Clause = namedtuple("Clause", "reason domain")
#: The same as ``WAITING`` in :mod:`.attachments`.
WAITING_DOMAIN = [
    "|",
    ("cloud_sync_status", "in", ("local", "error")),
    ("cloud_sync_status", "=", False),
]
#: The same as ``SENDABLE`` in :mod:`.attachments`.
SENDABLE_DOMAIN = expression.OR(
    [
        [("store_fname", "!=", False)],
        [("db_datas", "!=", False)],
        [
            "&",
            ("cloud_file_id", "=", False),
            "|",
            ("file_size", "=", False),
            ("file_size", "=", 0),
        ],
    ]
)
MB = 1024 * 1024


def clauses(env, config, with_state=True, reader=None, rules=None):
    """What an attachment must fulfil, in the order in which to explain.

    Other addons extend ``cloud_storage.sync.service._clauses``, which everybody asks.

    :param bool with_state: also that it is not synced, and not waiting to retry
    :param reader: ``res.users`` who gets to know about it: only records that this
        user may read; None for the engine
    :param rules: only these model rules; all active ones by default
    :rtype: list[Clause]
    """
    _ = Translator(env)
    rules = active_rules(config) if rules is None else rules
    found = _content_clauses(_) + [
        Clause(
            _("%s is not one of the models to sync, or its record is filtered out"),
            _rules_domain(rules, reader),
        )
    ]
    found += _file_type_clauses(_, config)
    found.append(
        Clause(
            _("It is smaller than the smallest size to sync"),
            _min_size_domain(config),
        )
    )
    return found + (_state_clauses(_) if with_state else [])


def _content_clauses(_):
    no_url = expression.AND(
        [[("type", "=", "binary")], ["|", ("url", "=", False), ("url", "=", "")]]
    )
    return [
        Clause(
            _("It is a file of the system, not of a record"),
            ["&", ("res_model", "!=", False), "!", ("res_model", "=like", "ir.%")],
        ),
        Clause(
            _("It is a link, or served at an address of its own"),
            # synced before and set to local by hand: the link is ours
            expression.OR([no_url, [("cloud_file_id", "!=", False)]]),
        ),
        Clause(_("It is pinned: keep local"), [("cloud_keep_local", "=", False)]),
        Clause(
            _("Its size or checksum was never recorded, its content can not be read"),
            expression.OR(
                [
                    [("file_size", "!=", False), ("checksum", "!=", False)],
                    [("store_fname", "=", False), ("db_datas", "=", False)],
                ]
            ),
        ),
        Clause(
            _("Its content is missing on this server"),
            SENDABLE_DOMAIN,
        ),
    ]


def _state_clauses(_):
    return [
        Clause(
            _("It is in the cloud already, or on its way"),
            WAITING_DOMAIN,
        ),
        Clause(
            _("It failed several times: the next try is due later"),
            expression.OR(
                [
                    [("cloud_next_attempt", "=", False)],
                    [("cloud_next_attempt", "<=", fields.Datetime.now())],
                ]
            ),
        ),
    ]


def active_rules(config):
    """The model rules in force: their model, and their filter's fields, exist."""
    return config.model_config_ids.filtered(
        lambda rule: rule.is_active and not rule.problem
    )


def _rule_domain(rule, reader=None):
    """Attachments that a model rule covers: those of its author's records.

    :param reader: only of records that this user may read too
    """
    if reader and rule._rights_problem(reader):
        return expression.FALSE_DOMAIN
    domain = [
        ("res_model", "=", rule.model_name),
        ("res_field", "=", rule.attachment_field or False),
    ]
    for user in rule._author() | (reader or rule.env["res.users"]):
        records = rule._records(user)
        if records is not None:
            domain.append(("res_id", "in", records))
    return domain


def _rules_domain(rules, reader=None):
    """Attachments that one of the model rules covers."""
    return expression.OR(
        [_rule_domain(rule, reader) for rule in rules] or [expression.FALSE_DOMAIN]
    )


def coverage(config):
    """SQL for the attachments that a configuration is about, and its parameters.

    An account may have several: what one of them wants is not for the others' files.
    """
    found = _file_type_clauses(Translator(config.env), config)
    domain = expression.AND(
        [_rules_domain(active_rules(config))] + [clause.domain for clause in found]
    )
    return to_sql(config.env, domain)


def to_sql(env, domain):
    """The condition of a domain over all attachments, and its parameters.

    :rtype: tuple[str, list]
    """
    attachments = env["ir.attachment"].sudo().with_context(active_test=False)
    attachments.flush()
    _tables, where, params = attachments._where_calc(domain).get_sql()
    return where or "TRUE", list(params)


def rule_of(config, attachment):
    """The model rule that covers an attachment, empty when none does.

    :param attachment: a record, or a dict with ``res_model`` and ``res_field``
    """
    return active_rules(config).filtered(
        lambda rule: rule.model_name == attachment["res_model"]
        and (rule.attachment_field or False) == (attachment["res_field"] or False)
    )[:1]


def _file_type_clauses(_, config):
    types = config.file_type_ids.filtered("is_active")
    listed = set(types.mapped(lambda t: t.extension or ""))
    matches = [_extension_domain(ext, listed) for ext in sorted(listed)]
    limited = types.filtered("max_size_mb")
    return [
        Clause(
            _("Its file type is not one of those to sync"),
            expression.OR(matches or [expression.FALSE_DOMAIN]),
        ),
        Clause(
            _("It is larger than its file type may be"),
            expression.AND(
                [
                    ["!"]
                    + expression.normalize_domain(_too_large_domain(file_type, listed))
                    for file_type in limited
                ]
                or [expression.TRUE_DOMAIN]
            ),
        ),
    ]


def _too_large_domain(file_type, listed):
    limit = int(file_type.max_size_mb * MB)
    return expression.AND(
        [
            _extension_domain(file_type.extension or "", listed),
            [("file_size", ">", limit)],
        ]
    )


def _extension_domain(extension, listed):
    """Attachments with an extension; a listed double one wins over its last part.

    The files of a binary field are named after the field, so there the media type
    counts.
    """
    by_name = [("res_field", "=", False)]
    if not extension:
        return by_name + ["!", ("name", "=like", "%.%")]
    by_name.append(("name", "=ilike", "%." + _like(extension)))
    for double in DOUBLE_EXTENSIONS & listed:
        if double.endswith("." + extension):
            by_name += ["!", ("name", "=ilike", "%." + _like(double))]
    mimetype = mimetypes.guess_type("x." + extension)[0]
    if not mimetype:
        return by_name
    by_type = [("res_field", "!=", False), ("mimetype", "=", mimetype)]
    return expression.OR(
        [expression.normalize_domain(by_name), expression.normalize_domain(by_type)]
    )


def _min_size_domain(config):
    smallest = int(config.min_file_size_kb * 1024)
    return [("file_size", ">=", smallest)] if smallest else expression.TRUE_DOMAIN


def _like(text):
    """Escape what has a meaning in a LIKE pattern."""
    return text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
