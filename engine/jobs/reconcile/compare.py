"""What differs between an account's files in Drive and the attachments that use them."""

import logging
from collections import defaultdict

from odoo import _
from odoo.exceptions import UserError

from ....drive.client import LIST_FIELDS
from ....drive.compare import OTHER, SAME, UNKNOWN, size_of
from ....drive.errors import DriveError, ForbiddenError, NotFoundError, OutOfTimeError
from ....drive.query import with_app_property
from ...account.database import database_uuid
from ...account.identity import Identity
from ...content import rows as content_rows
from ...content.attachments import note_sha1s
from ...content.lost import has_intact_bytes
from ...content.metadata import DATABASE, drive_name, is_neighbours, properties_of
from ...content.proof import content_of, is_complete, judge
from ...content.rows import is_settled, known_content, size_in_drive
from ...outbox import queue
from ...transaction import retrying
from .difference import Difference

_logger = logging.getLogger(__name__)

PAGE = 1000  # files compared at once, as many as one list call gives
FIELDS = LIST_FIELDS + ",explicitlyTrashed,webViewLink"
QUESTIONS = 1000  # files asked for again because the list did not tell what they are
ANYONE = {"anyone", "anyoneWithLink"}  # ids of permissions that make a file public


class Comparison:
    """One pass over the list of Drive and one over the rows.

    :param job: the :class:`~.job.ReconcileJob`, with ``drive`` and ``folders``
    :param Progress progress: of the slices before; is gone on with
    """

    def __init__(self, job, progress):
        self.job, self.env, self.auth = job, job.env, job.auth
        self.progress, self.counts = progress, progress.counts
        self.client, self.folders = job.drive, job.folders
        self.uuid = database_uuid(job.auth.env)
        self._questions = QUESTIONS
        self._proven = []  # id, Drive file and sha1 of rows that did not know it

    def differences(self):
        """Every difference.

        :rtype: list[Difference]
        :raises UserError: the account is not the one it was
        :raises OutOfTimeError: ``progress`` tells where to go on
        :raises DriveError: Drive does not answer
        """
        self._compare_pages()
        unseen = self._unseen()
        if unseen:
            self._check_same_drive()
        found = self._ask_for(unseen)
        self._note_proven()
        return self.progress.differences + found

    def _compare_pages(self):
        """What this database ever sent, 1,000 files at a time."""
        query, progress = with_app_property(DATABASE, self.uuid), self.progress
        pages = self.client.pages(query, FIELDS, PAGE, progress.token)
        for files, token in pages:
            self._compare_page([file for file in files if file.get("id")])
            progress.token = token
            if token and self.job.deadline.over:
                raise OutOfTimeError("out of time")

    def _compare_page(self, files):
        rows = self._rows_of([file["id"] for file in files])
        for sharers in rows.values():
            self.progress.seen.update(row.id for row in sharers)
        for file in files:
            self.progress.differences += self._guarded(file, rows.get(file["id"], []))
        self._note_proven()

    def _rows_of(self, file_ids):
        """The attachments of this account that use some files, by file.

        :rtype: dict[str, list[Row]]
        """
        found = defaultdict(list)
        self.env.cr.commit()  # a new snapshot: what was listed was known before
        if file_ids:
            condition = "cloud_file_id IN %s"
            rows = content_rows.select(self.env, self.auth, condition, tuple(file_ids))
            for row in rows:
                found[row.cloud_file_id].append(row)
        return found

    def _guarded(self, file, rows):
        """The differences of one file; what is wrong with it stops no other."""
        try:
            return self._differences_of(file, rows)
        except DriveError:
            raise
        except Exception:  # pylint: disable=broad-except
            # whatever a file of Drive or a row has in it
            _logger.exception("File %s could not be compared", file.get("id"))
            self.env.cr.rollback()
            self.counts["errors"] += 1
            return []

    def _differences_of(self, file, rows):
        """How a file that is there differs from what its attachments know."""
        if not rows:
            self._note_unused(file)
            return []
        settled = [row for row in rows if is_settled(row)]
        self.counts["checked"] += len(settled)
        if not settled:
            return []
        file, same, found = self._judge(file, settled)
        if file.get("trashed"):
            found.append(Difference("trashed", file, settled))
        found += self._local_differences(file, same)
        if not is_neighbours(file, self.uuid):
            found += self._outer_differences(file, settled)
        return found

    def _outer_differences(self, file, rows):
        """Who may read it, what it is called and where it is."""
        kinds = []
        if ANYONE.intersection(file.get("permissionIds") or ()):
            kinds.append("public")
        if file.get("name") not in {drive_name(row) for row in rows} | {None}:
            kinds.append("renamed")
        if self.folders.are_others(file.get("parents") or ()):
            kinds.append("moved")
        return [Difference(kind, file, rows) for kind in kinds]

    # -- the content -------------------------------------------------------------------

    def _judge(self, file, rows):
        """Is this the file of these rows?

        :return: the file as far as Drive tells now, the rows that have this content,
            and the differences of the others
        """
        verdicts = [judge(file, row) for row in rows]
        if UNKNOWN in verdicts and not is_complete(file):
            file = self._ask_again(file)
            verdicts = [judge(file, row) for row in rows]
        by_verdict = defaultdict(list)
        for row, verdict in zip(rows, verdicts):
            by_verdict[verdict].append(row)
        self._proven += [
            (row.id, file["id"], file["sha1Checksum"], size_of(file))
            for row in by_verdict[SAME]
            if is_complete(file) and known_content(row) != content_of(file)
        ]
        found = self._unknown_differences(file, by_verdict[UNKNOWN])
        if by_verdict[OTHER]:
            self.counts["errors"] += len(by_verdict[OTHER])
            found.append(Difference("changed", file, by_verdict[OTHER]))
        return file, by_verdict[SAME], found

    def _unknown_differences(self, file, rows):
        """What only a download can tell, if anything can."""
        tellable = [
            row
            for row in rows
            if is_complete(file) and size_of(file) == size_in_drive(row)
        ]
        self.counts["unknown"] += len(rows) - len(tellable)
        return [Difference("unproven", file, tellable)] if tellable else []

    def _ask_again(self, file):
        """The list left something out; a file itself may tell."""
        if not self._questions:
            return file
        self._questions -= 1
        try:
            return self.client.get(file["id"], fields=FIELDS)
        except (NotFoundError, ForbiddenError) as err:
            _logger.info("File %s can not be looked at: %s", file["id"], err)
            return file

    def _note_proven(self):
        """Write down what Drive said the content is, where rows did not know."""
        proven, self._proven = self._proven, []
        if proven:
            retrying(self.env, lambda: note_sha1s(self.env, proven))

    def _local_differences(self, file, rows):
        """What the rows themselves have wrong while their file is all right."""
        flagged = [
            row
            for row in rows
            if row.cloud_sync_status != "synced" or row.cloud_error_message
        ]
        named = [row for row in rows if row.store_fname]
        lost = [row for row in named if not has_intact_bytes(self.env, row)]
        found = [Difference("healed", file, flagged)] if flagged else []
        return found + ([Difference("lost", file, lost)] if lost else [])

    def _note_unused(self, file):
        if not queue.is_used(self.env, file["id"]):
            progress = self.progress
            is_trashed = file.get("trashed")
            (progress.unused_in_trash if is_trashed else progress.unused).append(file)

    # -- what the list did not have ----------------------------------------------------

    def _unseen(self):
        """Files of attachments that the list did not have, with their attachments."""
        unseen = defaultdict(list)
        for row in content_rows.each_in_drive(self.env, self.auth):
            if row.id not in self.progress.seen:
                unseen[row.cloud_file_id].append(row)
        return unseen

    def _ask_for(self, unseen):
        """A list may lag behind: only ``files.get`` tells that a file is gone."""
        found = []
        for file_id, rows in unseen.items():
            try:
                file = self.client.get(file_id, fields=FIELDS)
            except NotFoundError:
                found += self._missing(rows)
                continue
            except (ForbiddenError, ValueError) as err:
                _logger.info("File %s can not be looked at: %s", file_id, err)
                self.counts["errors"] += 1
                continue
            found += self._guarded(file, rows)
            if DATABASE not in properties_of(file):
                found.append(Difference("unmarked", file, rows))
        return found

    def _missing(self, rows):
        settled = [row for row in rows if is_settled(row)]
        self.counts["checked"] += len(settled)
        self.counts["missing"] += len(settled)
        return [Difference("missing", None, settled)] if settled else []

    def _check_same_drive(self):
        """:raises UserError: another person's, or the folders of Odoo are gone as well"""
        identity = Identity(self.auth)
        identity.check_user(self.client.about().get("user", {}))
        identity.check_sees_files(self.client)
        if not self.progress.seen and self.folders.are_gone():
            raise UserError(
                _(
                    "Neither the files nor the folders of %(account)s are in this"
                    " Drive. Was it authorized with another Google account? Authorize"
                    " it with the one it had. Nothing was changed.",
                    account=self.auth.name,
                )
            )
