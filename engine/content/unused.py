"""Files of this database in Drive that no attachment uses, since when.

What is used again is forgotten, so that its time begins anew. The table is that of
``cloud_storage.unused.file``.
"""


def note(auth, file_ids):
    """Write down what a complete comparison found unused, and forget the rest.

    :param auth: the account
    :param file_ids: all of its files that nothing uses
    :return: how many of them were not known before
    """
    env = auth.env
    known = first_seen(auth)
    new = [file_id for file_id in file_ids if file_id not in known]
    forget(env, set(known).difference(file_ids))
    table = env["cloud_storage.unused.file"].sudo()
    table.create([{"auth_id": auth.id, "drive_file_id": file_id} for file_id in new])
    table.flush()
    return len(new)


def first_seen(auth):
    """When each unused file of an account was first seen to be so, in UTC.

    :rtype: dict[str, datetime]
    """
    auth.env["cloud_storage.unused.file"].flush()
    auth.env.cr.execute(
        "SELECT drive_file_id, first_seen FROM cloud_storage_unused_file"
        " WHERE auth_id = %s",
        (auth.id,),
    )
    return dict(auth.env.cr.fetchall())


def forget(env, file_ids):
    """These are used again, or gone."""
    if file_ids:
        env.cr.execute(
            "DELETE FROM cloud_storage_unused_file WHERE drive_file_id IN %s",
            (tuple(file_ids),),
        )
        env["cloud_storage.unused.file"].invalidate_cache()
