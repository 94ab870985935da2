"""What rows of ``ir_attachment`` are, as SQL; indexes repeat it word for word."""

#: Its bytes are on this server, as far as the row tells.
HERE = "(store_fname IS NOT NULL OR db_datas IS NOT NULL)"
#: Local, failed, or of no status: made by SQL.
WAITING = "(cloud_sync_status IN ('local', 'error') OR cloud_sync_status IS NULL)"
#: Its content can be sent: it is here, or it is empty. A file in Drive and nothing here is
#: not an empty file, whatever size the row tells.
SENDABLE = (
    "(" + HERE + " OR COALESCE(file_size, 0) = 0 AND cloud_file_id IS NULL)"
)
#: It has bytes of which nobody noted how many or which.
UNMEASURED = "(file_size IS NULL OR checksum IS NULL) AND " + HERE
