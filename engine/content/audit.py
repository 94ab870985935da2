"""What the invariants say of files: those of the filestore and those in Drive."""

from odoo.exceptions import UserError

from ...drive.client import LIST_FIELDS
from ...drive.compare import OTHER, UNKNOWN
from ...drive.errors import DriveError, ForbiddenError, NotFoundError
from ...drive.query import with_app_property
from ..account.client import drive_client
from ..account.database import database_uuid
from .lost import Lacking, has_intact_bytes, lacking_for, lacking_rows
from .metadata import DATABASE, attachment_id, properties_of
from .proof import is_complete, judge
from .rows import each, each_in_drive

TRIES = 4  # per request: an outage shall end it soon


def problem(invariant, row_id, text):
    """What is wrong.

    :param int invariant: its number
    :param int row_id: of the attachment, or False
    :rtype: dict
    """
    return {"invariant": invariant, "attachment_id": row_id, "problem": text}


def used_unused_files(env):
    """Files that wait for the trash as nothing uses them, and are used."""
    env["cloud_storage.unused.file"].flush()
    env.cr.execute(
        "SELECT drive_file_id FROM cloud_storage_unused_file WHERE EXISTS ("
        " SELECT 1 FROM ir_attachment WHERE cloud_file_id = drive_file_id)"
    )
    text = "a file that is used is noted as unused: %s"
    return [problem(11, False, text % file_id) for (file_id,) in env.cr.fetchall()]


def missing_local_files(env):
    """Attachments that ever had to do with Drive and whose local file is gone."""
    condition = (
        "store_fname IS NOT NULL"
        " AND (cloud_file_id IS NOT NULL OR cloud_reserved_id IS NOT NULL)"
    )
    found = each(env, ", ".join(Lacking._fields), condition)
    return [
        problem(1, row.id, "its file is missing in the filestore")
        for row in (Lacking(*values) for values in found)
        if not has_intact_bytes(env, row)
    ]


# -- Drive ---------------------------------------------------------------------------------


def broken_account(auth):
    """What is wrong between the attachments of an account and its files in Drive."""
    try:
        client = drive_client(auth, tries=TRIES)
        query = with_app_property(DATABASE, database_uuid(auth.env))
        files = {f["id"]: f for f in client.list(query, fields=LIST_FIELDS)}
        return _wrong_copies(auth, client, files) + _extra_copies(auth.env, files)
    except (DriveError, UserError) as err:
        text = "%s could not be asked: %s" % (auth.name, err)
        return [problem(10, False, text)]


def _wrong_copies(auth, client, files):
    """Attachments whose file in Drive is not what it was."""
    problems = []
    for row in each_in_drive(auth.env, auth, "cloud_sync_status = 'synced'"):
        file = files.get(row.cloud_file_id)
        if file is None or not is_complete(file):
            file = _ask(client, row.cloud_file_id, file)
        text = _what_is_wrong(file, row)
        if text:
            problems.append(problem(1, row.id, text))
    return problems


def _ask(client, file_id, listed=None):
    """A list may lag behind or leave things out: ask for the file itself.

    :param dict listed: what the list said
    :return: None when Drive has not got it
    """
    try:
        return client.get(file_id)
    except NotFoundError:
        return None
    except ForbiddenError:
        return listed or {}


def _what_is_wrong(file, row):
    if file is None:
        return "its file is not in Drive"
    if file.get("trashed"):
        return "its file is in the trash of Drive"
    verdict = judge(file, row)
    if verdict == OTHER:
        return "its file in Drive was changed"
    if verdict == UNKNOWN and is_complete(file) and not row.cloud_sha1:
        return "its file in Drive has another content than its checksum says"
    return None


def _extra_copies(env, files):
    """Files that no attachment uses and nobody is going to put in the trash."""
    live = {i: f for i, f in files.items() if not f.get("trashed")}
    if not live:
        return []
    env.cr.execute(
        "SELECT cloud_file_id FROM ir_attachment WHERE cloud_file_id IS NOT NULL"
        " UNION SELECT cloud_reserved_id FROM ir_attachment"
        " WHERE cloud_reserved_id IS NOT NULL"
        " UNION SELECT drive_file_id FROM cloud_storage_trash"
    )
    known = {file_id for (file_id,) in env.cr.fetchall()}
    extra = [file for file_id, file in live.items() if file_id not in known]
    text = "a file that nothing uses is in Drive: %s"
    return _lost_links(env, extra) + [
        problem(2, attachment_id(properties_of(file)), text % file["id"])
        for file in extra
    ]


def _lost_links(env, files):
    """Attachments that lack their content while it is in Drive, in one of these."""
    found = lacking_for(env, [file for file in files if is_complete(file)])
    sha1s = tuple({file["sha1Checksum"] for file in found})
    if not sha1s:
        return []
    text = "its content is in Drive and not linked to it"
    return [
        problem(11, row.id, text) for row in lacking_rows(env, "checksum IN %s", sha1s)
    ]
