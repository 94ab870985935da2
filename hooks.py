"""What happens when the addon comes and goes."""
import shutil

from odoo import SUPERUSER_ID, _, api
from odoo.exceptions import UserError
from odoo.tools.sql import column_exists

from .engine.content.restoring import PARTS
from .engine.uninstall import alone, count_now, unlink_now
from .models.attachment.schema import INDEXES

PARAMETERS = "cloud_storage.%"


def pre_init_hook(cr):
    """Add the status column in no time, however many attachments there are.

    A constant default is not written to the rows (PostgreSQL 11 and later); the ORM
    would update each of them.
    """
    if not column_exists(cr, "ir_attachment", "cloud_sync_status"):
        cr.execute(
            "ALTER TABLE ir_attachment ADD COLUMN cloud_sync_status varchar"
            " DEFAULT 'local'"
        )
        cr.execute(
            "ALTER TABLE ir_attachment ALTER COLUMN cloud_sync_status DROP DEFAULT"
        )


def uninstall_hook(cr, registry):
    """Refuse while files live only in Drive; leave no trace otherwise.

    Odoo calls it before it removes anything, in the same transaction: an error here
    leaves the addon installed and whole (``load_modules`` in
    ``odoo/modules/loading.py``). The files stay in Drive. From here on no run moves a
    file, in no process, until that transaction ends.

    :raises UserError: files live only in Drive, or a run does not pause
    """
    with alone(cr):
        _check_no_remote_files(cr)
        unlink_now(cr)
    _remove_traces(cr)


def _check_no_remote_files(cr):
    count, size = count_now(cr)
    if count:
        raise UserError(
            _(
                "%(count)s files (%(size)s) live only in Google Drive and would be"
                " lost. Restore all of them first (Cloud Storage > Operations > Restore"
                " From the Cloud), then uninstall.",
                count=count,
                size=size,
            )
        )


def _remove_traces(cr):
    env = api.Environment(cr, SUPERUSER_ID, {})
    attachments = env["ir.attachment"]
    attachments._disk_cache().destroy()
    shutil.rmtree(attachments._full_path(PARTS), ignore_errors=True)
    cr.execute("DROP FUNCTION IF EXISTS cloud_storage_queue_trash() CASCADE")
    cr.execute("DROP FUNCTION IF EXISTS cloud_storage_wake_cron() CASCADE")
    for name in INDEXES:  # some are on columns of Odoo, and would stay
        # names come from that table
        cr.execute(  # pylint: disable=sql-injection
            "DROP INDEX IF EXISTS %s" % name
        )
    cr.execute("DELETE FROM ir_config_parameter WHERE key LIKE %s", (PARAMETERS,))
