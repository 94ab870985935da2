"""Forgetting old rows of logs."""

BATCH = 1000  # rows deleted per transaction


def delete_older(env, table, column, days):
    """Delete the rows of a table whose date is older, in small transactions.

    :param str table: its name, from the code and never from a user; like ``column``, the
        timestamp in UTC
    :param int days: how long rows are kept
    """
    query = """
        DELETE FROM {table} WHERE id IN (
            SELECT id FROM {table}
            WHERE {column} < (now() at time zone 'UTC') - %s * interval '1 day'
            LIMIT %s
        )""".format(table=table, column=column)
    while True:
        env.cr.execute(query, (days, BATCH))
        if env.cr.rowcount < BATCH:
            return
        # each batch on its own, so that a large table does not block its users
        env.cr.commit()
