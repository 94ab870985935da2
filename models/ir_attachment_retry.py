"""Another try for files with a problem."""
import logging

from odoo import SUPERUSER_ID, models
from odoo.exceptions import UserError

from ..drive.compare import SAME
from ..drive.errors import DriveError
from ..engine.content.proof import PROVEN, judge, prove
from ..engine.content.rows import size_in_drive

_logger = logging.getLogger(__name__)

LOOK_FIELDS = "size,md5Checksum,sha1Checksum,trashed"
READ_BYTES = 8 * 1024 * 1024  # largest file that is read while a person waits


class IrAttachment(models.Model):
    _inherit = "ir.attachment"

    def _retry_cloud_sync(self):
        """Forget the failures of these attachments and try again.

        What is only in Drive can not be sent again: it is looked at there.

        :return: whether all of them are in the cloud, and well, afterwards
        :rtype: bool
        :raises AccessError: the user may not write one of them
        """
        self._check_may_move()
        server = self.with_user(SUPERUSER_ID)
        failed = server.filtered(lambda a: a.cloud_sync_status == "error")
        gone = failed.filtered(lambda a: a.cloud_file_id and not a._has_local_bytes())
        (failed - gone).write({"cloud_sync_status": "local", "cloud_attempts": 0})
        for attachment in gone:
            attachment._look_again()
        server.filtered("cloud_next_attempt").write({"cloud_next_attempt": False})
        return self.sync_to_cloud()

    def _look_again(self):
        """Take back what was said of a file that Drive has again, as it was.

        A file in the trash is as good as gone; one that can not be read just now stays
        what it was said to be.
        """
        try:
            client = self.cloud_auth_id._drive_client(tries=2)
            file = client.get(self.cloud_file_id, fields=LOOK_FIELDS)
        except (DriveError, UserError) as err:
            _logger.info("Attachment %s is not well yet: %s", self.id, err)
            return
        if file.get("trashed") or judge(file, self) != SAME:
            return
        if (size_in_drive(self) or 0) > READ_BYTES or prove(client, self)[0] == PROVEN:
            self.write(
                {
                    "cloud_sync_status": "synced",
                    "cloud_error_message": False,
                    "cloud_sha1": file.get("sha1Checksum") or self.cloud_sha1,
                }
            )
