"""Attachments with the same content share one file in Drive."""


class Duplicates:
    """Which rows wait for the upload of another, and what is in Drive already.

    :param run: a ``cloud_storage.sync.run`` record
    """

    def __init__(self, run):
        self.env = run.env
        self.config, self.auth = run.config_id, run.config_id.auth_id
        self._uploading = (
            {}
        )  # content (sha1, size): id of the attachment that brings it
        self._followers = {}  # attachment id: rows with the same content

    def lead(self, rows):
        """One row per content, to be uploaded; the others follow it."""
        if not self.config.deduplicate:
            return rows
        leaders = []
        for row in rows:
            leader_id = row.checksum and self._uploading.get(content_of(row))
            if row.file_size and leader_id:
                self._followers.setdefault(leader_id, []).append(row)
                continue
            self._uploading[content_of(row)] = row.id
            leaders.append(row)
        return leaders

    def waiting(self):
        """How many rows wait for another's upload."""
        return sum(map(len, self._followers.values()))

    def landed(self, row):
        """The upload of ``row`` is over: its followers, who share its fate.

        :return: those whose bytes are the very file that was read for it, and the
            others: rows tell that they have the same content, their bytes were not
            looked at
        :rtype: tuple[list, list]
        """
        self._uploading.pop(content_of(row), None)
        followers = self._followers.pop(row.id, [])
        same = [f for f in followers if row.store_fname == f.store_fname is not None]
        return same, [f for f in followers if f not in same]

    def in_drive(self, rows):
        """Drive files of this account with the contents of rows: ``{content: id}``."""
        checksums = tuple({r.checksum for r in rows if r.checksum and r.file_size})
        if not self.config.deduplicate or not checksums:
            return {}
        self.env.cr.execute(
            "SELECT checksum, file_size, min(cloud_file_id) FROM ir_attachment"
            " WHERE checksum IN %s AND cloud_sync_status = 'synced'"
            " AND cloud_auth_id = %s AND cloud_file_id IS NOT NULL"
            " GROUP BY checksum, file_size",
            (checksums, self.auth.id),
        )
        return {
            (sha1, size): drive_id for sha1, size, drive_id in self.env.cr.fetchall()
        }


def content_of(row):
    """What two rows have in common when they can share a file."""
    return (row.checksum, row.file_size)
