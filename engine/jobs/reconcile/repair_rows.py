"""Repairs of attachments: where their content is, and what is said of it."""

import random

from ... import candidates
from ...content import elsewhere, relink
from ...content import rows as content_rows
from ...content.attachments import note_content
from ...content.lost import has_intact_bytes
from ...content.proof import DAMAGED, PROVEN, prove
from ...content.rows import NO_CONTENT, is_known_empty, size_in_drive
from ...local_files import is_here, is_whole
from ...outbox import queue
from ...rows import is_proxy_link
from ...transaction import retrying

FIXED, FLAGGED, NOTED = "fixed", "flagged", "noted"
SAMPLE = 3  # files downloaded and hashed per comparison
SAMPLE_BYTES = 8 * 1024 * 1024  # largest of them
#: What is downloaded at most per comparison to prove what rows can not tell.
PROOFS, PROOF_BYTES = 20, 256 * 1024 * 1024


class RowRepairs:
    """One method for each kind of difference.

    :param job: the :class:`~.job.ReconcileJob`
    :param dict sentences: see :func:`~.difference.sentences`
    """

    def __init__(self, job, sentences):
        self.job, self.env, self._sentences = job, job.env, sentences
        self.here_again = set()  # attachments whose bytes are here, and not in Drive
        self._proofs, self._proof_bytes = PROOFS, PROOF_BYTES

    def _settled(self, rows):
        """The attachments that still are what they were when compared, locked."""
        self.env.cr.execute(
            "SELECT id FROM ir_attachment WHERE (id, cloud_file_id) IN %s"
            " AND (cloud_sync_status IN ('synced', 'error') OR store_fname IS NULL"
            " AND db_datas IS NULL AND COALESCE(cloud_sync_status, 'local') = 'local')"
            " ORDER BY id FOR UPDATE",
            (tuple((row.id, row.cloud_file_id) for row in rows),),
        )
        ids = [row_id for (row_id,) in self.env.cr.fetchall()]
        return candidates.everything(self.env).browse(ids)

    # -- flags -------------------------------------------------------------------------

    def changed(self, difference):
        """Its file is another one: said, and never believed."""
        return self._flag(difference.rows, "changed")

    def _flag(self, rows, kind):
        """Mark attachments as broken; nothing when they are marked so already."""
        return retrying(self.env, lambda: self._flag_settled(rows, kind))

    def _flag_settled(self, rows, kind):
        message = self._sentences[kind]
        todo = self._settled(rows).filtered(
            lambda a: (a.cloud_sync_status, a.cloud_error_message) != ("error", message)
        )
        todo.write({"cloud_sync_status": "error", "cloud_error_message": message})
        here = todo.filtered(lambda a: is_proxy_link(a) and is_here(a))
        here.write({"type": "binary", "url": False})  # fit for another upload
        return FLAGGED if todo else None

    def _unflag(self, rows):
        found = self._settled(rows)
        found.write({"cloud_sync_status": "synced", "cloud_error_message": False})
        return FIXED if found else None

    # -- gone --------------------------------------------------------------------------

    def missing(self, difference):
        """Bytes that are here are uploaded again; else a sibling may have them."""
        all_rows = candidates.everything(self.env)
        sources = {
            row.id: elsewhere.find(self.env, row, self.job.quick_client)
            for row in difference.rows
            if not _is_whole_here(all_rows.browse(row.id).exists())
        }
        self.env.cr.commit()  # looking took its time: a new snapshot
        self.env["ir.attachment"].invalidate_cache()
        return retrying(self.env, lambda: self._take_or_flag(difference.rows, sources))

    def _take_or_flag(self, rows, sources):
        """:param dict sources: where the content of attachments is besides, by id"""
        settled = self._settled(rows)
        here = settled.filtered(_is_whole_here)
        taken = (settled - here).filtered(
            lambda a: sources.get(a.id) and elsewhere.take(a, sources[a.id])
        )
        here._forget_cloud()
        self.env["ir.attachment"].flush()
        # what is gone needs not go to the trash any more; triggers queued it
        queue.remove(self.env, [row.cloud_file_id for row in rows])
        here |= taken.filtered(lambda a: not a.cloud_file_id)
        self.here_again.update(here.ids)
        repaired = here | taken
        gone = [row for row in rows if row.id not in repaired.ids]
        if gone and self._flag_settled(gone, "missing"):
            self.job.is_damaged = True
            return FIXED if repaired else FLAGGED
        return FIXED if repaired else None

    def lost(self, difference):
        """The filestore lost its file: it is read from Drive."""
        return retrying(self.env, lambda: self._drop_missing_files(difference.rows))

    def _drop_missing_files(self, rows):
        return FIXED if relink.drop_missing_files(self._settled(rows)) else None

    # -- the real bytes ----------------------------------------------------------------

    def healed(self, difference):
        """Drive says that it is as it was; it is read before that is believed."""
        verdict, _content = prove(self.job.drive, difference.rows[0])
        if verdict == DAMAGED:
            return self._flag(difference.rows, "damaged")
        if verdict != PROVEN:
            self.job.counts["unknown"] += len(difference.rows)
            return None
        return retrying(self.env, lambda: self._unflag(difference.rows))

    def unproven(self, difference):
        """Read the file: what its rows say does not tell whether it is theirs."""
        results = [self._prove(row) for row in difference.rows]
        self.job.counts["unknown"] += results.count(None)
        return next(filter(None, results), None)

    def _prove(self, row):
        size = size_in_drive(row) or 0
        # the first one always: else a large file would never be proven
        if not self._proofs or self._proofs != PROOFS and self._proof_bytes < size:
            return None
        self._proofs -= 1
        self._proof_bytes -= size
        verdict, content = prove(self.job.drive, row)
        if verdict == DAMAGED:
            self.job.counts["errors"] += 1
            return self._flag([row], "damaged")
        if verdict == PROVEN:
            return retrying(self.env, lambda: self._note_content(row, content))
        return None

    def _note_content(self, row, content):
        """Write down what was read; the row is well then."""
        found = self._settled([row])
        if found:
            note_content(self.env, found.ids, content, NO_CONTENT[-1])
        return NOTED if row.cloud_sync_status == "synced" else FIXED

    def read_sample(self):
        """Download and hash a few files: metadata can be right and bytes wrong.

        :raises StoppedError: it is time to end
        """
        for row in self._sample():
            verdict, _content = prove(self.job.drive, row)
            if verdict == DAMAGED:
                self.job.counts["errors"] += 1
                if self._flag([row], "damaged"):
                    self.job.is_damaged = True
            elif verdict != PROVEN:
                self.job.counts["unknown"] += 1

    def _sample(self):
        """Some attachments whose content is proven, others each time."""
        auth = self.job.auth
        newest = content_rows.select(self.env, auth, "TRUE ORDER BY id DESC LIMIT 1")
        return content_rows.select(
            self.env,
            auth,
            "id >= %s AND cloud_sync_status = 'synced' AND cloud_sha1 IS NOT NULL"
            " AND cloud_size_bytes BETWEEN 1 AND %s ORDER BY id LIMIT %s",
            random.randint(1, newest[0].id if newest else 1),
            SAMPLE_BYTES,
            SAMPLE,
        )


def _is_whole_here(attachment):
    """Whether all that went to Drive is on this server as well."""
    env = attachment.env
    if not attachment or is_known_empty(attachment):
        return True
    return is_whole(env, attachment) and has_intact_bytes(env, attachment)
