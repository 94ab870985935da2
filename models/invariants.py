"""What rows of ``ir_attachment`` must be: one table, to check and to mend by."""
from collections import namedtuple

from ..engine.attachments import repair
from ..engine.rows import ANY_LINK as PROXY
from ..engine.rows import HERE, LINK, SETTLED

#: ``number`` of the invariant, the SQL ``condition`` of rows that break it, what that
#: means (empty: no fault, a change of the configuration that rows follow), and the
#: assignments that mend it (empty: nobody can, or only Drive can tell).
Rule = namedtuple("Rule", "number condition meaning mending")

#: Neither Odoo's own files nor what it makes anew whenever it is missing.
NOT_SYSTEM = (
    "(res_model IS NOT NULL AND res_model NOT LIKE 'ir.%%'"
    " AND COALESCE(url, '') NOT LIKE '/web/%%')"
)
#: Rows without bytes as far as they tell; where a file is named it has to be looked for.
MAY_LACK_CONTENT = (
    "("
    # a file in the filestore, and no file in Drive that could stand in for it
    "(store_fname IS NOT NULL AND (cloud_file_id IS NULL OR cloud_sync_status = 'error'))"
    # neither
    " OR (NOT " + HERE + " AND cloud_file_id IS NULL AND (file_size > 0 AND"
    " type = 'binary' OR file_size IS DISTINCT FROM 0 AND url = " + LINK + "))"
    # in Drive alone, and not as it was
    " OR (NOT " + HERE + " AND cloud_file_id IS NOT NULL"
    " AND cloud_sync_status = 'error')"
    ")"
)

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
        "cloud_file_id IS NULL AND type = 'url' AND url = " + LINK,
        "is a link to the proxy without a file in Drive",
        "type = 'binary', url = NULL, cloud_sync_status = 'local'",
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
        + HERE + " AND url LIKE " + PROXY,
        "is pinned and here, and a link all the same",
        "type = 'binary', url = NULL",
    ),
    Rule(
        3,
        "cloud_file_id IS NOT NULL AND type = 'url' AND url LIKE " + PROXY
        + " AND " + HERE + " AND cloud_auth_id IN %(plain)s",
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
        " AND type = 'binary' AND cloud_keep_local IS NOT TRUE AND " + HERE
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
        "cloud_file_id IS NOT NULL AND cloud_size_bytes > 0 AND NOT " + HERE
        + " AND COALESCE(cloud_sync_status, '') NOT IN ('synced', 'error')",
        "has its bytes only in Drive and waits for an upload",
        "",  # the comparison with Drive heals it, once it has looked
    ),
]


def broken_rows(cr, rule, values):
    """Ids of the rows that break a rule.

    :param dict values: ``plain`` and ``linked``, tuples of ids of accounts
    :rtype: list[int]
    """
    # the conditions come from the table above
    cr.execute(  # pylint: disable=sql-injection
        "SELECT id FROM ir_attachment WHERE (%s) AND %s ORDER BY id"
        % (rule.condition, SETTLED),
        values,
    )
    return [number for (number,) in cr.fetchall()]


def mend_rows(cr, rule, values, limit=None):
    """Mend rows that break a rule and that nobody is just changing.

    :param int limit: most rows to change; None for all
    :return: how many were changed
    """
    return repair(cr, rule.condition, rule.mending, values, limit)
