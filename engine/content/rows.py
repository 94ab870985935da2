"""What rows of ``ir_attachment`` say of their content, read some at a time."""

import re
from collections import namedtuple

from ...drive.compare import EMPTY_MD5, EMPTY_SHA1

BATCH = 10000  # rows read at once
#: What rows without content have for a checksum.
NO_CONTENT = (None, False, "", EMPTY_SHA1)
FILESTORE_NAME = re.compile(r"[0-9a-f]{2}/([0-9a-f]{40})")
COLUMNS = (
    "id name res_model res_id res_field create_date store_fname checksum file_size"
    " cloud_file_id cloud_auth_id cloud_md5 cloud_sha1 cloud_size_bytes cloud_sync_status"
    " cloud_error_message has_data"
)
SELECTED = COLUMNS.replace(" ", ", ").replace(
    "has_data", "db_datas IS NOT NULL AS has_data"
)
Row = namedtuple("Row", COLUMNS)


def select(env, auth, condition, *values):
    """Attachments of an account.

    :param str condition: SQL
    :rtype: list[Row]
    """
    # conditions are written in the code
    env.cr.execute(  # pylint: disable=sql-injection
        "SELECT %s FROM ir_attachment WHERE cloud_auth_id = %%s AND %s"
        % (SELECTED, condition),
        (auth.id,) + values,
    )
    return [Row(*found) for found in env.cr.fetchall()]


def each(env, columns, condition, *values):
    """Iterate over rows in the order of their ids, however many they are.

    :param str columns: SQL, beginning with ``id``
    :param str condition: SQL
    """
    last_id = 0
    while True:
        # columns and conditions are written in the code
        env.cr.execute(  # pylint: disable=sql-injection
            "SELECT %s FROM ir_attachment WHERE id > %%s AND (%s) ORDER BY id LIMIT %s"
            % (columns, condition, BATCH),
            (last_id,) + values,
        )
        found = env.cr.fetchall()
        if not found:
            return
        yield from found
        last_id = found[-1][0]


def each_in_drive(env, auth, condition="TRUE"):
    """Iterate over the attachments that have a file in an account.

    :param str condition: SQL
    :return: iterator of :class:`Row`
    """
    condition = "cloud_auth_id = %s AND cloud_file_id IS NOT NULL AND " + condition
    for found in each(env, SELECTED, condition, auth.id):
        yield Row(*found)


def is_settled(row):
    """Whether a row lives in Drive and is not just being changed.

    One that was set to local by hand while its bytes are in Drive alone does as well: it
    can not be sent again.
    """
    if row.cloud_sync_status in ("local", None):
        return not (row.store_fname or row.has_data)
    return row.cloud_sync_status in ("synced", "error")


def size_in_drive(row):
    """Bytes of an attachment's file in Drive as its row has them.

    :param row: object with ``cloud_size_bytes``, ``cloud_sha1`` and ``cloud_md5``
    :rtype: int
    :return: None when the row has none, or no number that can be true: what is not known
        to be empty by its digests has another size than 0
    """
    try:
        size = int(row.cloud_size_bytes or 0)
    except (ValueError, OverflowError):
        return None
    return size if size > 0 or size == 0 and is_known_empty(row) else None


def is_known_empty(row):
    """Whether Drive said that the content of a row is empty.

    :param row: object with ``cloud_sha1`` and ``cloud_md5``
    """
    known = {row.cloud_sha1 or EMPTY_SHA1, row.cloud_md5 or EMPTY_MD5}
    is_known = row.cloud_sha1 or row.cloud_md5
    return bool(is_known) and known == {EMPTY_SHA1, EMPTY_MD5}


def known_content(row):
    """Size and sha1 of an attachment's file in Drive, where its row has both.

    :rtype: tuple[int, str]
    :return: None when one is missing, or they contradict each other
    """
    size, sha1 = size_in_drive(row), row.cloud_sha1
    if size is None or not sha1 or (sha1 == EMPTY_SHA1) != (size == 0):
        return None
    return size, sha1


def sha1s_of(row):
    """What a row says of its content: its checksum, and the name of its file.

    :param row: object with ``store_fname`` and ``checksum``
    :rtype: set[str]
    """
    named = FILESTORE_NAME.fullmatch(row.store_fname or "")
    return {named.group(1) if named else None, row.checksum} - {None, False}
