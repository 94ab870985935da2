"""Finding the attachments that go next, counting them, explaining the others."""

from odoo.osv import expression

from .rows import WAITING
from .rules import active_rules, to_sql

WINDOW = 1000  # rows that one query looks through


def _clauses(config, *args, **options):
    return config.env["cloud_storage.sync.service"]._clauses(config, *args, **options)


def domain(config, with_state=True, reader=None):
    """The attachments that would go now, as one domain."""
    found = _clauses(config, with_state, reader)
    return expression.AND([clause.domain for clause in found])


def everything(env):
    """All attachments, those of binary fields and archived records included."""
    return env["ir.attachment"].sudo().with_context(active_test=False)


def search(env, leaves, **options):
    """Those of all attachments that a domain means."""
    # a leaf on id keeps ir.attachment from hiding the files of binary fields
    return everything(env).search([("id", "!=", 0)] + list(leaves), **options)


def count(env, leaves):
    """How many attachments a domain means, counted by PostgreSQL.

    Odoo's ``search_count`` on attachments fetches every id, to count those.
    """
    attachments = everything(env)
    attachments.flush()
    tables, where, params = attachments._where_calc(leaves).get_sql()
    env.cr.execute(  # pylint: disable=sql-injection
        "SELECT count(*) FROM %s WHERE %s" % (tables, where or "TRUE"), params
    )
    return env.cr.fetchone()[0]


def count_waiting(config, reader=None):
    """How many files the next sync of a configuration moves."""
    return count(config.env, domain(config, reader=reader))


def reasons_to_stay(attachments, config):
    """Why attachments may not go: ``{attachment: reason}``; absent when they may."""
    left, reasons = attachments.sudo(), {}
    for clause in _clauses(config, with_state=False):
        passed = search(
            left.env, expression.AND([[("id", "in", left.ids)], clause.domain])
        )
        for attachment in left - passed:
            reason = clause.reason
            if "%s" in reason:
                reason = reason % attachment.res_model
            reasons[attachment] = reason
        left &= passed
    return reasons


def next_ids(config, after_id, limit):
    """The next candidates above ``after_id``, in order of id.

    Each model rule looks through a window of rows of its own, found in
    ``ir_attachment_cloud_waiting_idx``; so a call costs the same however large the table
    is and whatever the planner believes about the filters.

    :return: ``(ids, up_to)``: all candidates up to the id ``up_to`` are among ``ids``;
        None when there is none beyond
    """
    while True:
        windows = [
            _look_through_window(rule, config, after_id, limit)
            for rule in active_rules(config)
        ]
        ends = [end for _ids, end in windows if end is not None]
        up_to = min(ends) if ends else None
        ids = sorted(i for found, _end in windows for i in found)
        if up_to is not None:
            ids = [i for i in ids if i <= up_to]
        if len(ids) > limit:
            return ids[:limit], ids[limit - 1]
        if ids or up_to is None:
            return ids, up_to
        after_id = up_to


def _look_through_window(rule, config, after_id, limit):
    """Candidates of one rule among its next rows, and where the window ended.

    :return: ``(ids, end)``; ``end`` is None when there are no rows beyond
    """
    size = max(WINDOW, limit)
    found = _clauses(config, rules=rule)
    where, params = to_sql(
        config.env, expression.AND([clause.domain for clause in found])
    )
    cr = config.env.cr
    cr.execute(
        "WITH rows_ahead AS (SELECT * FROM ir_attachment WHERE res_model = %%s"
        "  AND type = 'binary' AND %s AND id > %%s ORDER BY id LIMIT %%s)"
        " SELECT (SELECT max(id) FROM rows_ahead), (SELECT count(*) FROM rows_ahead),"
        " ARRAY(SELECT id FROM rows_ahead AS ir_attachment WHERE %s)"
        % (WAITING, where),
        [rule.model_name, after_id, size] + params,
    )
    end, number, ids = cr.fetchone()
    return ids, end if number == size else None


def count_states(config, reader=None):
    """Files per state for the counters of a configuration.

    :param reader: ``res.users``: pending are only those whose records this user may
        read
    :return: ``pending``, ``synced`` and ``errors``
    :rtype: dict
    """
    env = config.env
    synced = [
        ("cloud_auth_id", "=", config.auth_id.id),
        ("cloud_sync_status", "=", "synced"),
    ]
    covered = [
        [
            ("res_model", "=", rule.model_name),
            ("res_field", "=", rule.attachment_field or False),
        ]
        for rule in active_rules(config)
    ]
    errors = [("cloud_sync_status", "=", "error")]
    covered = expression.OR(covered or [expression.FALSE_DOMAIN])
    return {
        "pending": count_waiting(config, reader),
        "synced": count(env, synced),
        "errors": count(env, expression.AND([errors, covered])),
    }
