"""What differs between an account's files in Drive and the attachments that use them."""

import logging
import os
from collections import defaultdict, namedtuple

from odoo import _
from odoo.exceptions import UserError

from ..drive.client import LIST_FIELDS
from ..drive.compare import OTHER, SAME, UNKNOWN, size_of
from ..drive.errors import DriveError, ForbiddenError, NotFoundError
from ..drive.query import with_app_property
from ..engine import attachments
from ..engine.account.identity import Identity
from ..engine.metadata import (
    DATABASE,
    attachment_id,
    drive_name,
    is_neighbours,
    properties_of,
)
from ..engine.transaction import retrying
from .content_proof import is_complete, judge, row_size

_logger = logging.getLogger(__name__)

PAGE = 1000  # files compared at once, as many as one list call gives
FIELDS = LIST_FIELDS + ",explicitlyTrashed,webViewLink"
QUESTIONS = 1000  # files asked for again because the list did not tell what they are
ANYONE = {"anyone", "anyoneWithLink"}  # ids of permissions that make a file public
COLUMNS = (
    "id name res_model res_id res_field create_date store_fname checksum file_size"
    " cloud_file_id cloud_md5 cloud_sha1 cloud_size_bytes cloud_sync_status"
    " cloud_error_message has_data"
)
SELECTED = COLUMNS.replace(" ", ", ").replace(
    "has_data", "db_datas IS NOT NULL AS has_data"
)
Row = namedtuple("Row", COLUMNS)
#: A difference: what kind, the file's metadata (None when it is gone), its attachments.
Drift = namedtuple("Drift", "kind file rows")


def is_settled(row):
    """Whether a row lives in Drive and is not just being changed.

    One that was set to local by hand while its bytes are in Drive alone does as well: it
    can not be sent again.
    """
    if row.cloud_sync_status in ("local", None):
        return not (row.store_fname or row.has_data)
    return row.cloud_sync_status in ("synced", "error")


def select_rows(env, auth, condition, *values):
    """Attachments of an account.

    :rtype: list[Row]
    """
    env.cr.execute(
        "SELECT %s FROM ir_attachment WHERE cloud_auth_id = %%s AND %s"
        % (SELECTED, condition),
        (auth.id,) + values,
    )
    return [Row(*values) for values in env.cr.fetchall()]


class Comparison:
    """One pass over the list of Drive and one over the rows.

    :param run: the ``ReconcileRun``, with ``client`` and ``folders``
    """

    def __init__(self, run):
        self.run, self.env, self.auth = run, run.env, run.auth
        self.client, self.uuid = run.drive, run.auth._database_uuid()
        self.unused = []  # metadata of files that no attachment uses
        self.unused_in_trash = []  # those of them that are in the trash of Drive
        self._questions = QUESTIONS
        self._proven = []  # id, Drive file and sha1 of rows that did not know it

    def drifts(self):
        """Every difference.

        :rtype: list[Drift]
        :raises UserError: the account is not the one it was
        :raises DriveError: Drive does not answer
        """
        drifts, seen = [], set()
        for page in self._pages():
            rows = self.rows_of([file["id"] for file in page])
            seen.update(rows)
            for file in page:
                drifts += self._guarded(file, rows.get(file["id"], []))
            self._note_proven()
        unseen = self._unseen(seen)
        if unseen:
            self._check_same_drive(seen)
        drifts += self._ask_for(unseen)
        self._note_proven()
        return drifts

    def _pages(self):
        """What this database ever sent, 1,000 files at a time."""
        page = []
        query = with_app_property(DATABASE, self.uuid)
        for file in self.client.list(query, fields=FIELDS):
            if not file.get("id"):
                continue
            page.append(file)
            if len(page) == PAGE:
                yield page
                page = []
        yield page

    def rows_of(self, file_ids):
        """The attachments of this account that use some files, by file.

        :rtype: dict[str, list[Row]]
        """
        found = defaultdict(list)
        self.env.cr.commit()  # a new snapshot: what was listed was known before
        if file_ids:
            condition = "cloud_file_id IN %s"
            for row in select_rows(self.env, self.auth, condition, tuple(file_ids)):
                found[row.cloud_file_id].append(row)
        return found

    def _guarded(self, file, rows):
        """The differences of one file; what is wrong with it stops no other."""
        try:
            return self._drifts_of(file, rows)
        except DriveError:
            raise
        except Exception:  # pylint: disable=broad-except
            _logger.exception("File %s could not be compared", file.get("id"))
            self.env.cr.rollback()
            self.run.errors += 1
            return []

    def _drifts_of(self, file, rows):
        """How a file that is there differs from what its attachments know."""
        if not rows:
            self._note_unused(file)
            return []
        settled = [row for row in rows if is_settled(row)]
        self.run.checked += len(settled)
        if not settled:
            return []
        file, same, drifts = self._judge(file, settled)
        if file.get("trashed"):
            drifts.append(Drift("trashed", file, settled))
        drifts += self._local_drifts(file, same)
        if not is_neighbours(file, self.uuid):
            drifts += self._cosmetic_drifts(file, settled)
        return drifts

    def _cosmetic_drifts(self, file, rows):
        kinds = []
        if ANYONE.intersection(file.get("permissionIds") or ()):
            kinds.append("public")
        if file.get("name") not in {drive_name(row) for row in rows} | {None}:
            kinds.append("renamed")
        if self.run.folders.are_others(file.get("parents") or ()):
            kinds.append("moved")
        return [Drift(kind, file, rows) for kind in kinds]

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
        found = defaultdict(list)
        for row, verdict in zip(rows, verdicts):
            found[verdict].append(row)
        self._proven += [
            (row.id, file["id"], file["sha1Checksum"])
            for row in found[SAME]
            if not row.cloud_sha1 and file.get("sha1Checksum")
        ]
        drifts = self._unknown_drifts(file, found[UNKNOWN])
        if found[OTHER]:
            self.run.errors += len(found[OTHER])
            drifts.append(Drift("changed", file, found[OTHER]))
        return file, found[SAME], drifts

    def _unknown_drifts(self, file, rows):
        """What only a download can tell, if anything can."""
        tellable = [
            row for row in rows if is_complete(file) and size_of(file) == row_size(row)
        ]
        self.run.unknown += len(rows) - len(tellable)
        return [Drift("unproven", file, tellable)] if tellable else []

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
            retrying(self.env, lambda: self._write_proven(proven))

    def _write_proven(self, proven):
        attachments.note_sha1s(self.env, proven)

    def _local_drifts(self, file, rows):
        """What the rows themselves have wrong while their file is all right."""
        flagged = [
            row
            for row in rows
            if row.cloud_sync_status != "synced" or row.cloud_error_message
        ]
        lost = [row for row in rows if row.store_fname and not self._is_here(row)]
        drifts = [Drift("healed", file, flagged)] if flagged else []
        return drifts + ([Drift("lost", file, lost)] if lost else [])

    def _is_here(self, row):
        return os.path.exists(self.env["ir.attachment"]._full_path(row.store_fname))

    def _note_unused(self, file):
        if self.env["cloud_storage.trash"]._is_used(file["id"]):
            return
        (self.unused_in_trash if file.get("trashed") else self.unused).append(file)

    def highest_mark(self):
        """The highest id of an attachment that an unused file was made for."""
        marks = [attachment_id(properties_of(file)) for file in self.unused]
        return max(marks, default=0)

    # -- what the list did not have ----------------------------------------------------

    def _unseen(self, seen):
        """Files of attachments that the list did not have, with their attachments."""
        unseen, last_id = defaultdict(list), 0
        condition = "id > %s AND cloud_file_id IS NOT NULL ORDER BY id LIMIT %s"
        while True:
            rows = select_rows(self.env, self.auth, condition, last_id, PAGE)
            if not rows:
                return unseen
            last_id = rows[-1].id
            for row in rows:
                if row.cloud_file_id not in seen:
                    unseen[row.cloud_file_id].append(row)

    def _ask_for(self, unseen):
        """A list may lag behind: only ``files.get`` tells that a file is gone."""
        drifts = []
        for file_id, rows in unseen.items():
            try:
                file = self.client.get(file_id, fields=FIELDS)
            except NotFoundError:
                drifts += self._missing(rows)
                continue
            except (ForbiddenError, ValueError) as err:
                _logger.info("File %s can not be looked at: %s", file_id, err)
                self.run.errors += 1
                continue
            drifts += self._guarded(file, rows)
            if DATABASE not in properties_of(file):
                drifts.append(Drift("unmarked", file, rows))
        return drifts

    def _missing(self, rows):
        settled = [row for row in rows if is_settled(row)]
        self.run.checked += len(settled)
        self.run.missing += len(settled)
        return [Drift("missing", None, settled)] if settled else []

    def _check_same_drive(self, seen):
        """:raises UserError: another person's, or the folders of Odoo are gone as well"""
        identity = Identity(self.auth)
        identity.check_user(self.client.about().get("user", {}))
        identity.check_sees_files(self.client)
        if not seen and self.run.folders.are_gone():
            raise UserError(
                _(
                    "Neither the files nor the folders of %(account)s are in this"
                    " Drive. Was it authorized with another Google account? Authorize"
                    " it with the one it had. Nothing was changed.",
                    account=self.auth.name,
                )
            )
