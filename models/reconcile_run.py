"""One comparison of an account's files in Drive with the attachments that use them."""
import logging
import os
import random
from collections import defaultdict, namedtuple
from datetime import timedelta

from odoo import _, fields
from odoo.exceptions import UserError

from ..drive.client import LIST_FIELDS
from ..drive.errors import DriveError, ForbiddenError, NotFoundError
from ..drive.query import with_app_property
from .cloud_storage_restore_relink import RELINK_NEEDED
from .drive_metadata import DATABASE, attachment_id, drive_name, is_same_content
from .file_run import FileRun
from .reconcile_drift import Mender
from .reconcile_folders import AccountFolders
from .transaction import retrying

_logger = logging.getLogger(__name__)

PAGE = 1000  # files compared at once, as many as one list call gives
FIELDS = LIST_FIELDS + ",explicitlyTrashed,webViewLink"
TRIES = 4  # per request: an outage shall end the comparison soon
GRACE_DAYS = 7  # that a file nobody uses stays in Drive
ANYONE = {"anyone", "anyoneWithLink"}  # ids of permissions that make a file public
COLUMNS = (
    "id name res_model res_id res_field create_date store_fname checksum"
    " cloud_file_id cloud_md5 cloud_size_bytes cloud_sync_status cloud_error_message"
    " has_data"
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
    if row.cloud_sync_status == "local":
        return not (row.store_fname or row.has_data)
    return row.cloud_sync_status in ("synced", "error")


class ReconcileRun(FileRun):
    """Compare all, then mend what differs.

    Nothing is mended before Drive gave the whole list, so an outage changes nothing.
    """

    def __init__(self, service, run, box):
        super().__init__(service, run, box)
        self.auth = self.env["cloud_storage.auth"].browse(self.params["auth_id"])
        self.budget = self.params.get("budget")
        self.checked = self.fixed = self.missing = self.errors = 0
        self.writes = 0  # rows and files that were changed
        self.relink_needed = False  # rows were lost by going back to a backup
        self.news = False  # something was flagged that was not before

    def total(self):
        """Attachments that are in this account."""
        return self.service._count_attachments([("cloud_auth_id", "=", self.auth.id)])

    def work(self):
        """Compare and mend.

        :raises UserError: the account can not be used, or is not the one it was
        :raises DriveError: Drive does not answer; nothing was changed
        """
        self.client = self.auth._drive_client(write=True, tries=TRIES)
        self.folders = AccountFolders(self.service, self.auth, self.client)
        drifts = self._compare()
        mender = Mender(self)
        try:
            for drift in drifts:
                if self.spent or self._must_pause():
                    break
                mender.mend(drift)
            mender.finish()
        except DriveError as err:
            self.env.cr.rollback()
            self.reason = err
        self.out_of_time = False  # the next night goes on
        retrying(self.env, self._report)

    @property
    def spent(self):
        """Whether as much was changed as may be."""
        return self.budget is not None and self.writes >= self.budget

    def _report(self):
        self.run.write(
            {
                "total_processed": self.checked,
                "total_success": self.fixed,
                "total_missing": self.missing,
                "total_errors": self.errors,
            }
        )
        self.run.message = self.service._report_words(
            self.run, self.relink_needed
        )
        if self.news:
            subject = _("Cloud Storage: %s found damage", self.run.name)
            self.service._mail_about(self.run, subject, self.run.message)

    # -- compare -----------------------------------------------------------------------

    def _compare(self):
        """Every difference, from one pass over the list and one over the rows.

        :rtype: list[Drift]
        """
        drifts, seen = [], set()
        for page in self._pages():
            rows = self.rows_of([file["id"] for file in page])
            seen.update(rows)
            for file in page:
                drifts += self.drifts_of(file, rows.get(file["id"], []))
        orphans = [drift.file for drift in drifts if drift.kind == "orphan"]
        numbers = [attachment_id(file.get("appProperties", {})) for file in orphans]
        self._notice_lost_rows(max(numbers, default=0))
        unseen = self._unseen(seen)
        if unseen:
            self._check_same_drive(seen)
        return drifts + self._ask_for(unseen)

    def _pages(self):
        """What this database ever sent, 1,000 files at a time."""
        query = with_app_property(DATABASE, self.auth._database_uuid())
        page = []
        for file in self.client.list(query, fields=FIELDS):
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
            for row in self._select("cloud_file_id IN %s", tuple(file_ids)):
                found[row.cloud_file_id].append(row)
        return found

    def _select(self, condition, *values):
        self.env.cr.execute(
            "SELECT %s FROM ir_attachment WHERE cloud_auth_id = %%s AND %s"
            % (SELECTED, condition),
            (self.auth.id,) + values,
        )
        return [Row(*values) for values in self.env.cr.fetchall()]

    def drifts_of(self, file, rows):
        """How a file that is there differs from what its attachments know."""
        settled = [row for row in rows if is_settled(row)]
        self.checked += len(settled)
        if not rows:
            return self._orphan(file)
        if not settled:
            return []
        kinds = []
        changed = [row for row in settled if not is_same_content(file, row)]
        self.errors += len(changed)
        if changed:
            kinds.append(Drift("changed", file, changed))
        if file.get("trashed"):
            kinds.append(Drift("trashed", file, settled))
        if ANYONE.intersection(file.get("permissionIds", ())):
            kinds.append(Drift("public", file, settled))
        if file["name"] not in {drive_name(row) for row in settled}:
            kinds.append(Drift("renamed", file, settled))
        if self.folders.are_others(file.get("parents", ())):
            kinds.append(Drift("moved", file, settled))
        healthy = [row for row in settled if row not in changed]
        kinds += self._local_drifts(file, healthy)
        return kinds

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

    def _orphan(self, file):
        is_used = self.env["cloud_storage.trash"]._is_used
        if file.get("trashed") or is_used(file["id"]):
            return []
        return [Drift("orphan", file, [])]

    # -- what the list did not have ----------------------------------------------------

    def _unseen(self, seen):
        """Files of attachments that the list did not have, with their attachments."""
        unseen, last_id = defaultdict(list), 0
        while True:
            rows = self._select(
                "id > %s AND cloud_file_id IS NOT NULL ORDER BY id LIMIT %s",
                last_id,
                PAGE,
            )
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
            except ForbiddenError as err:
                _logger.info("File %s can not be looked at: %s", file_id, err)
                self.errors += 1
                continue
            drifts += self.drifts_of(file, rows)
            if DATABASE not in file.get("appProperties", {}):
                drifts.append(Drift("unmarked", file, rows))
        return drifts

    def _missing(self, rows):
        settled = [row for row in rows if is_settled(row)]
        self.checked += len(settled)
        self.missing += len(settled)
        return [Drift("missing", None, settled)] if settled else []

    def _check_same_drive(self, seen):
        """:raises UserError: another person's, or the folders of Odoo are gone as well"""
        self.auth._check_user(self.client.about().get("user", {}))
        if not seen and self.folders.are_gone():
            raise UserError(
                _(
                    "Neither the files nor the folders of %(account)s are in this"
                    " Drive. Was it authorized with another Google account? Authorize"
                    " it with the one it had. Nothing was changed.",
                    account=self.auth.name,
                )
            )

    def sample(self, count, largest):
        """Some attachments, others each time.

        :param int largest: bytes that each of them has at most
        :rtype: list[Row]
        """
        newest = self._select("TRUE ORDER BY id DESC LIMIT 1")
        top = newest[0].id if newest else 1
        return self._select(
            "id >= %s AND cloud_sync_status = 'synced' AND cloud_md5 IS NOT NULL"
            " AND cloud_size_bytes BETWEEN 1 AND %s ORDER BY id LIMIT %s",
            random.randint(1, top),
            largest,
            count,
        )

    # -- what nobody uses --------------------------------------------------------------

    def is_overdue(self, file):
        """Whether a file that nobody uses has had its time."""
        days = self.env["cloud_storage.mixin"]._int_parameter(
            "orphan_grace_days", GRACE_DAYS
        )
        return fields.Datetime.now() - created(file) > timedelta(days=days)

    def _notice_lost_rows(self, number):
        """Files of attachments that never were: this database was a later one before.

        Until somebody relinks, files that nobody uses stay: they may be all that is
        left of what the backup does not know.

        :param int number: highest id of an attachment among them
        """
        self.env.cr.execute("SELECT last_value FROM ir_attachment_id_seq")
        if number > self.env.cr.fetchone()[0]:
            self.env["ir.config_parameter"].set_param(RELINK_NEEDED, "True")
        self.relink_needed = self.env["ir.config_parameter"].get_param(RELINK_NEEDED)


def created(file):
    """When a file was made, in UTC and without a zone, as Odoo has times."""
    return fields.Datetime.to_datetime(file["createdTime"][:19].replace("T", " "))
