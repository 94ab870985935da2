"""Repairs of files in Drive: where they are, what they are called, who may read them."""

from ....drive.client import FILE_FIELDS
from ....drive.errors import ForbiddenError
from ...content import relink, unused
from ...content.metadata import app_properties, drive_name
from ...outbox import queue
from ...transaction import retrying
from .repair_rows import FIXED

MAX_DEPTH = 100  # folders above a file, Drive's own limit


class FileRepairs:
    """One method for each kind of difference.

    :param job: the :class:`~.job.ReconcileJob`
    """

    def __init__(self, job):
        self.job, self.env, self.client = job, job.env, job.drive
        self._opened = set()  # folders that were taken out of the trash or made private

    def trashed(self, difference):
        """Out of the trash: the file, or the folder that took it there."""
        return self._take_out(difference.file)

    def _take_out(self, file):
        if file.get("explicitlyTrashed"):
            self.client.update(file["id"], trashed=False)
            return FIXED
        for folder in self._folders_above(file):
            if folder["id"] in self._opened:
                return FIXED
            if folder.get("explicitlyTrashed"):
                self.client.update(folder["id"], trashed=False)
                self._opened.add(folder["id"])
                return FIXED
        return None

    def _folders_above(self, file):
        """The folders above a file, nearest first, as far as they can be seen."""
        fields = "id,parents,explicitlyTrashed"
        for _depth in range(MAX_DEPTH):
            if not file.get("parents"):
                return
            file = self.client.get(file["parents"][0], fields=fields)
            yield file

    def public(self, difference):
        """Nobody but the account may read it."""
        try:
            self._close(difference.file["id"])
        except ForbiddenError:
            for folder in self._folders_above(difference.file):
                if folder["id"] in self._opened or self._close(folder["id"]):
                    self._opened.add(folder["id"])
                    return FIXED
            raise
        return FIXED

    def _close(self, file_id):
        """Take away what makes a file or folder public; tell whether there was any."""
        public = [p for p in self.client.permissions(file_id) if p["type"] == "anyone"]
        for permission in public:
            self.client.unshare(file_id, permission["id"])
        return bool(public)

    def renamed(self, difference):
        """Its name again."""
        self.client.update(difference.file["id"], name=drive_name(difference.rows[0]))
        return FIXED

    def moved(self, difference):
        """Back to its folder."""
        home = self.job.folders.home_of(difference.rows[0])
        parents = difference.file.get("parents", [])
        if not home or home in parents:
            return None
        self.client.move(difference.file["id"], home, parents)
        return FIXED

    def unmarked(self, difference):
        """Its marks again."""
        marks = app_properties(self.job.auth._database_uuid(), difference.rows[0])
        self.client.update(difference.file["id"], appProperties=marks)
        return FIXED

    def relinked(self, difference):
        """Give an attachment back what it lost, out of the trash if need be."""
        job, file = self.job, difference.file
        if file.get("trashed"):
            self._take_out(file)
        # a list may lag behind: what is linked is what the file is now
        file = self.client.get(file["id"], fields=FILE_FIELDS)
        self.env.cr.commit()  # rows may have changed while Drive was asked
        found = retrying(
            self.env,
            lambda: relink.relink(job.auth, file, job.quick_client),
        )
        job.counts["relinked"] += len(found)
        return FIXED if found else None

    def unused(self, difference):
        """Into the queue for the trash, which looks once more whether it is unused."""
        return retrying(self.env, lambda: self._queue_unused(difference.file["id"]))

    def _queue_unused(self, file_id):
        waiting = self.env["cloud_storage.trash"].sudo()
        if waiting.search_count([("drive_file_id", "=", file_id)]):
            return None
        queue.add(self.env, self.job.auth.id, file_id)
        waiting.flush()
        unused.forget(self.env, [file_id])
        self.job.counts["gone"] += 1
        return FIXED
