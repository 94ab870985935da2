"""What rows of ``ir_attachment`` are: conditions in SQL, and the columns that are read.

Indexes and triggers repeat the conditions word for word (``models/attachment/schema``).
"""

from collections import namedtuple

from ..drive.compare import EMPTY_MD5, EMPTY_SHA1
from ..utils.constants import PROXY_PATH

#: Its bytes are on this server, as far as the row tells.
HERE = "(store_fname IS NOT NULL OR db_datas IS NOT NULL)"
#: Local, failed, or of no status: made by SQL.
WAITING = "(cloud_sync_status IN ('local', 'error') OR cloud_sync_status IS NULL)"
#: Its content can be sent: it is here, or it is empty. A file in Drive and nothing here is
#: not an empty file, whatever size the row tells.
SENDABLE = "(" + HERE + " OR COALESCE(file_size, 0) = 0 AND cloud_file_id IS NULL)"
#: It has bytes of which nobody noted how many or which.
UNMEASURED = "(file_size IS NULL OR checksum IS NULL) AND " + HERE
#: Drive said that it is empty; what a row alone says of its size proves nothing.
KNOWN_EMPTY = (
    "(COALESCE(cloud_size_bytes, 0) = 0 AND COALESCE(cloud_sha1, cloud_md5) IS NOT NULL"
    " AND COALESCE(cloud_sha1, '{0}') = '{0}' AND COALESCE(cloud_md5, '{1}') = '{1}')"
).format(EMPTY_SHA1, EMPTY_MD5)
#: Nobody is just changing it: rows that are on their way are in between.
SETTLED = "cloud_sync_status IS DISTINCT FROM 'pending'"
#: The address of a row at the proxy.
LINK = "'%s' || id" % PROXY_PATH
#: Pattern of the proxy's addresses, of whatever attachment, in a statement with values.
ANY_LINK = "'%s%%%%'" % PROXY_PATH
#: The address of a row, in statements that have it as ``a``.
A_LINK = "'%s' || a.id" % PROXY_PATH

#: A row as an upload needs it.
ROW_COLUMNS = (
    "id name res_model res_id res_field store_fname file_size checksum mimetype"
    " create_date cloud_reserved_id cloud_reserved_for cloud_run_id"
)
Row = namedtuple("Row", ROW_COLUMNS)
#: An attachment that is here and in Drive, and where its bytes are here.
Copy = namedtuple("Copy", "id cloud_file_id store_fname cloud_sha1 cloud_size_bytes")
#: What was uploaded for a row, and what the row was when its bytes were read.
Uploaded = namedtuple(
    "Uploaded", "id drive_id link md5 sha1 size auth run checksum fname link_it"
)


def forget_cached(env, ids, *names):
    """Let the ORM read these attachments again, below which they were changed."""
    env["ir.attachment"].invalidate_cache(names or None, ids)


def is_proxy_link(attachment):
    """Whether an attachment is a link that this addon made of a file."""
    return attachment.type == "url" and has_proxy_url(attachment)


def has_proxy_url(attachment):
    """Whether its address is the proxy's, because it went to the cloud.

    The address of another attachment is a link that a person made.
    """
    url, own = attachment.url or "", "%s%s" % (PROXY_PATH, attachment._origin.id)
    return url.startswith(PROXY_PATH) and bool(attachment.cloud_file_id or url == own)
