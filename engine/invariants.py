"""What must hold of rows of ``ir_attachment``: one table, to check and to mend by."""

import logging
from collections import namedtuple
from functools import partial

from .account.client import live_accounts
from .content import audit
from .content.attachments import repair
from .rows import ANY_LINK as PROXY
from .rows import HERE, LINK, SETTLED
from .transaction import retrying

_logger = logging.getLogger(__name__)

#: ``number`` of the invariant, the SQL ``condition`` of rows that break it, what that
#: means (empty: no fault, a change of the configuration that rows follow), and the
#: assignments that mend it (empty: nobody can, or only Drive can tell).
Rule = namedtuple("Rule", "number condition meaning mending")

RULES = [
    Rule(
        1,
        "type = 'binary' AND file_size > 0 AND cloud_file_id IS NULL AND NOT " + HERE,
        "has neither local bytes nor a file in Drive",
        "",
    ),
    Rule(
        3,
        "cloud_file_id IS NOT NULL AND cloud_size_bytes > 0 AND NOT " + HERE + " AND"
        " (type != 'url' OR url IS DISTINCT FROM " + LINK + ")",
        "is only in Drive and not a link to the proxy",
        "type = 'url', url = " + LINK,
    ),
    Rule(
        4,
        "cloud_file_id IS NULL AND type = 'url' AND url = "
        + LINK
        + " AND (file_size IS NOT NULL OR "
        + HERE
        + ")",
        "is a link to the proxy without a file in Drive",
        "type = 'binary', url = NULL, cloud_sync_status = 'local'",
    ),
    Rule(
        11,
        "cloud_file_id IS NULL AND type = 'url' AND url = "
        + LINK
        + " AND file_size IS NULL AND NOT "
        + HERE,
        "is a link to the proxy, and nobody knows to what",
        "",  # as a file it would pass for an empty one: it has to be linked again
    ),
    Rule(
        4,
        "cloud_file_id IS NULL AND cloud_sync_status = 'synced'",
        "is said to be in Drive and has no file there",
        "cloud_sync_status = 'local'",
    ),
    Rule(
        3,
        "cloud_file_id IS NOT NULL AND cloud_keep_local AND type = 'url' AND "
        + HERE
        + " AND url LIKE "
        + PROXY,
        "is pinned and here, and a link all the same",
        "type = 'binary', url = NULL",
    ),
    Rule(
        3,
        "cloud_file_id IS NOT NULL AND type = 'url' AND url LIKE "
        + PROXY
        + " AND "
        + HERE
        + " AND cloud_auth_id IN %(plain)s",
        "",
        "type = 'binary', url = NULL",
    ),
    Rule(
        3,
        "type = 'binary' AND url = " + LINK + " AND " + HERE,
        "is a local file and has the address of a link to the proxy",
        "url = NULL",
    ),
    Rule(
        3,
        "cloud_file_id IS NOT NULL AND cloud_sync_status = 'synced'"
        " AND type = 'binary' AND cloud_keep_local IS NOT TRUE AND "
        + HERE
        + " AND COALESCE(url, '') = '' AND cloud_auth_id IN %(linked)s",
        "",
        "type = 'url', url = " + LINK,
    ),
    Rule(
        7,
        "cloud_file_id IS NOT NULL AND"
        " (res_model IS NULL OR res_model LIKE 'ir.%%' OR url LIKE '/web/%%')",
        "is a file of the system and went to Drive",
        "",
    ),
    Rule(
        9,
        "cloud_file_id IS NOT NULL"
        " AND COALESCE(cloud_size_bytes, -1) != COALESCE(file_size, 0)",
        "has another size than its file in Drive",
        "",
    ),
    Rule(
        9,
        "cloud_file_id IS NOT NULL AND cloud_size_bytes > 0"
        " AND (checksum IS NULL OR mimetype IS NULL)",
        "lost its checksum or its media type",
        "",
    ),
    Rule(
        11,
        "cloud_file_id IS NOT NULL AND cloud_size_bytes > 0 AND NOT "
        + HERE
        + " AND COALESCE(cloud_sync_status, '') NOT IN ('synced', 'error')",
        "has its bytes only in Drive and waits for an upload",
        "",  # the comparison with Drive heals it, once it has looked
    ),
]


# -- check ---------------------------------------------------------------------------------


def check(env, with_drive=True):
    """Look at every attachment, its local file and its file in Drive.

    Reads only. Of the addon's invariants those that rows, files and lists can prove: 1 no
    byte lost, 2 one Drive file per upload, 3 and 4 type and address fit, 7 nothing of the
    system left, 9 size and checksum are what they were, 11 nothing is uploaded, lacking or
    waiting for the trash that is in use.

    :param bool with_drive: compare with Drive, at one list call per 1,000 files
    :return: what is wrong: ``invariant`` (number), ``attachment_id`` (or False),
        ``problem``; empty when all is well
    :rtype: list[dict]
    """
    env["ir.attachment"].flush()
    problems = _broken_rows(env)
    problems += audit.missing_local_files(env) + audit.used_unused_files(env)
    if with_drive:
        for auth in live_accounts(env):
            problems += audit.broken_account(auth)
    return problems


def _broken_rows(env):
    values = _values(env)
    return [
        audit.problem(rule.number, row_id, rule.meaning)
        for rule in RULES
        if rule.meaning
        for row_id in _ids(env, rule, values)
    ]


def _ids(env, rule, values):
    """Ids of the rows that break a rule."""
    # the conditions come from the table above
    env.cr.execute(  # pylint: disable=sql-injection
        "SELECT id FROM ir_attachment WHERE (%s) AND %s ORDER BY id"
        % (rule.condition, SETTLED),
        values,
    )
    return [row_id for (row_id,) in env.cr.fetchall()]


def _values(env):
    """Accounts whose configuration wants links, and those where it wants none."""
    configs = env["cloud_storage.config"].sudo().search([])
    linked = configs.filtered("replace_local_with_cloud").auth_id
    return {
        "linked": tuple(linked.ids) or (0,),
        "plain": tuple((configs.auth_id - linked).ids) or (0,),
    }


# -- mend ----------------------------------------------------------------------------------


def mend(env, limit=0):
    """Mend the rows that contradict where their bytes are, as far as a row can tell.

    :param int limit: most rows to change; 0 for all
    :return: how many were changed
    """
    values, changed = _values(env), 0
    for rule in RULES:
        if limit and changed >= limit:
            break
        if rule.mending:
            changed += _mend_guarded(
                env, rule, values, (limit - changed) if limit else None
            )
    return changed


def _mend_guarded(env, rule, values, limit):
    """Mend by one rule; when that fails, the others still are."""
    try:
        return retrying(env, partial(_mend, env, rule, values, limit))
    except Exception:  # pylint: disable=broad-except
        # whatever one row makes PostgreSQL say
        _logger.exception("Rows that break a rule were not mended: %s", rule.condition)
        env.cr.rollback()
        env.cache.invalidate()
        return 0


def _mend(env, rule, values, limit):
    attachments = env["ir.attachment"]
    attachments.flush()
    changed = repair(env.cr, rule.condition, rule.mending, values, limit)
    attachments.invalidate_cache()
    return changed
