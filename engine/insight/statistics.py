"""Numbers over all files, logs and runs, as the dashboard shows them."""

MB = 1024 * 1024
#: What happened per day: kind -> query from a date on.
DAILY = {
    "uploaded_mb": """
        SELECT sync_date::date, sum(file_size_bytes) / {mb} FROM cloud_storage_sync_log
        WHERE status = 'success' AND sync_type != 'restore' AND sync_date >= %s
        GROUP BY 1""".format(mb=MB),
    "errors": """
        SELECT sync_date::date, count(*) FROM cloud_storage_sync_log
        WHERE status = 'error' AND sync_date >= %s GROUP BY 1""",
    "reads": """
        SELECT access_date::date, count(*) FROM cloud_storage_access_log
        WHERE access_date >= %s AND http_status IN (200, 206) GROUP BY 1""",
}


def in_cloud(env):
    """How many attachments are in the cloud, and their bytes."""
    return _row(
        env,
        "SELECT count(*), COALESCE(sum(cloud_size_bytes), 0) FROM ir_attachment"
        " WHERE cloud_auth_id IS NOT NULL AND cloud_sync_status = 'synced'",
    )


def bytes_freed(env):
    """Bytes of this server's disk that all runs freed."""
    return _row(env, "SELECT sum(bytes_freed) FROM cloud_storage_sync_run")[0] or 0


def reads(env, since):
    """How many reads the proxy answered since a time (UTC), and how many of these needed
    nothing from Drive.
    """
    return _row(
        env,
        "SELECT count(*), count(*) FILTER (WHERE cache_hit)"
        " FROM cloud_storage_access_log WHERE access_date >= %s"
        " AND http_status IN (200, 206)",
        since,
    )


def daily(env, kind, since):
    """What happened per day (UTC): ``{date: number}``, without the days of nothing.

    :param str kind: one of ``DAILY``
    """
    env.cr.execute(DAILY[kind], (since,))
    return dict(env.cr.fetchall())


def _row(env, query, *params):
    env.cr.execute(query, params)
    return env.cr.fetchone()
