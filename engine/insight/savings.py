"""What a sync would move and free, and what it would release, without doing it."""
from ..rows import HERE
from ..rules import coverage

#: Every attachment with the number of the first clause that it fails; NULL: it goes.
JUDGED = """
    WITH failing AS (
        SELECT id, res_model, name, res_field, mimetype, checksum, store_fname,
               COALESCE(file_size, 0) AS size, CASE {cases} END AS clause
        FROM ir_attachment
    ), judged AS (
        SELECT *, clause IS NULL AND %s AND (
            row_number() OVER (PARTITION BY clause, checksum, size ORDER BY id) > 1
            OR EXISTS (
                SELECT 1 FROM ir_attachment AS there
                WHERE there.checksum = failing.checksum
                AND there.cloud_sync_status = 'synced' AND there.cloud_auth_id = %s
            )) AS duplicate
        FROM failing
    )"""
LINES = """
    SELECT clause, CASE WHEN clause = 0 THEN NULL ELSE res_model END,
           CASE WHEN clause = 0 THEN NULL WHEN res_field IS NOT NULL THEN mimetype
                ELSE lower(substring(name from '\\.([^. ]{1,10})$')) END,
           count(*), sum(size), count(*) FILTER (WHERE duplicate),
           COALESCE(sum(size) FILTER (WHERE duplicate), 0)
    FROM judged GROUP BY 1, 2, 3"""
# a file of the filestore is freed when all the attachments that share it go
FREED = """
    SELECT COALESCE(sum(size), 0) FROM (
        SELECT max(size) AS size FROM judged
        GROUP BY COALESCE(store_fname, id::text) HAVING bool_and(clause IS NULL)
    ) AS files"""


def judge(env, config, clauses):
    """Judge every attachment, in two scans of the table however many there are.

    :param clauses: what an attachment must fulfil, in the order in which to explain (the
        service's ``_clauses``)
    :return: ``(lines, freed)``. A line is the number of the first clause that its files
        fail (None: they go), their model and extension, how many they are, how large, how
        many of them are duplicates, and how large those are; ``freed`` are the bytes of
        the filestore that could go
    """
    attachments = env["ir.attachment"].sudo()
    attachments.flush()
    cases, params = [], []
    for number, clause in enumerate(clauses):
        _tables, where, values = attachments._where_calc(clause.domain).get_sql()
        cases.append("WHEN (%s) IS NOT TRUE THEN %d" % (where or "TRUE", number))
        params += values
    judged = JUDGED.format(cases=" ".join(cases))
    params += [config.deduplicate, config.auth_id.id]
    env.cr.execute(judged + LINES, params)
    lines = env.cr.fetchall()
    env.cr.execute(judged + FREED, params)
    return lines, env.cr.fetchone()[0]


def to_release(env, config):
    """How many local copies go with the next automatic sync, and their bytes."""
    where, params = coverage(config)
    env.cr.execute(
        "SELECT count(*), COALESCE(sum(file_size), 0) FROM ir_attachment"
        " WHERE cloud_sync_status = 'synced' AND cloud_auth_id = %%s"
        " AND cloud_keep_local IS NOT TRUE AND %s AND (%s)" % (HERE, where),
        [config.auth_id.id or 0] + params,
    )
    return env.cr.fetchone()
