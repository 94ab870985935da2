"""Finding the attachment that a file in Drive belongs to."""

import logging

from odoo import SUPERUSER_ID
from odoo.exceptions import UserError

from ...drive.client import FILE_FIELDS
from ...drive.compare import SAME, compare, size_of
from ...drive.errors import DriveError
from ...drive.query import with_app_property
from .. import attachments, candidates
from ..account.client import drive_client, live_accounts
from ..account.database import database_uuid as own_uuid
from ..local_files import measure
from ..transaction import retrying, share_installation
from ..translate import Translator
from . import unused
from .attachments import make_links
from .lost import has_intact_bytes, lacking_for, lacks_content
from .metadata import DATABASE, attachment_id, properties_of, record_of
from .proof import is_complete, judge
from .questions import client_for_a_question, file_of
from .rows import sha1s_of, size_in_drive

_logger = logging.getLogger(__name__)

#: Parameter that keeps reconcile from trashing what a restored database does not know.
RELINK_NEEDED = "cloud_storage.relink_needed"


# -- everything ----------------------------------------------------------------------------


def relink_all(env, database_uuid=None):
    """Rebuild what a database restored from an old backup does not know.

    Every file in Drive that this database once sent is linked to its attachment again, by
    id and checksum, or to one with the same content that lost its bytes. A file whose
    attachment is gone altogether gets a new one, on the record it was attached to. Nothing
    is changed in Drive, but for what an attachment lost being taken out of the trash
    there; doing it twice changes nothing more.

    :param str database_uuid: of the lost database; this one's by default
    :return: ``checked`` files, ``linked`` and ``created`` attachments, ``errors``
    :rtype: dict
    """
    env = env(user=SUPERUSER_ID)  # nobody else may write cloud fields
    report = dict.fromkeys(("checked", "linked", "created", "errors"), 0)
    for auth in live_accounts(env):
        try:
            _relink_account(auth, database_uuid, report)
        except (DriveError, UserError) as err:
            _logger.warning("Account %s was not relinked: %s", auth.id, err)
            env.cr.rollback()
            report["errors"] += 1
    if not report["errors"]:
        env["ir.config_parameter"].set_param(RELINK_NEEDED, False)
    return report


def _relink_account(auth, database_uuid, report):
    query = with_app_property(DATABASE, database_uuid or own_uuid(auth.env))
    client = drive_client(auth)
    for file in client.list(query, fields=FILE_FIELDS):
        report["checked"] += 1
        try:
            linked, created = _relink_one(auth, client, file)
        except DriveError:
            raise
        except Exception as err:  # pylint: disable=broad-except
            # whatever is wrong with one file, the others are linked all the same
            _logger.warning("File %s was not relinked: %s", file.get("id"), err)
            auth.env.cr.rollback()
            auth.env.cache.invalidate()
            report["errors"] += 1
            continue
        report["linked"] += linked
        report["created"] += created


def _relink_one(auth, client, file):
    """:return: how many attachments were linked, how many were made
    :raises UserError: Drive does not tell what the file is
    """
    if not is_complete(file):
        file = client.get(file["id"], fields=FILE_FIELDS)
    if not is_complete(file):
        raise _unproven_error(auth.env, file)
    auth.env["ir.attachment"].invalidate_cache()
    if file.get("trashed") and lacking_for(auth.env, [file]):
        file = drive_client(auth, write=True).update(
            file["id"], fields=FILE_FIELDS, trashed=False
        )
    return retrying(auth.env, lambda: _relink_or_adopt(auth, file))


def _unproven_error(env, file):
    _ = Translator(env)
    return UserError(
        _(
            "Google Drive does not tell the SHA-1 of %s, so it can not be verified.",
            file.get("name") or file["id"],
        )
    )


def _relink_or_adopt(auth, file):
    """:return: how many attachments were linked, how many were made"""
    if file.get("trashed"):
        return 0, 0  # it is as good as gone
    users = candidates.search(auth.env, [("cloud_file_id", "=", file["id"])])
    if users:
        return drop_missing_files(users.filtered(lambda a: judge(file, a) == SAME)), 0
    linked = relink(auth, file)
    if linked or has_content(auth.env, file):
        return len(linked), 0
    return 0, len(adopt(auth, file, record_of(properties_of(file))))


# -- one file ------------------------------------------------------------------------------


def relink(auth, file, client_of=client_for_a_question):
    """Link a file to the attachments it was made for or that lost its content.

    What the file carries only says where to look: an attachment gets it when it lacks its
    content and says that this was it, or when its own bytes are the same.

    :param auth: the account
    :param dict file: metadata of a file that no attachment uses
    :param client_of: function that gives the client of an account
    :return: the attachments
    :raises UserError: the addon is being uninstalled
    """
    if file.get("trashed") or not is_complete(file):
        return candidates.everything(auth.env)
    own = candidates.everything(auth.env).browse(attachment_id(properties_of(file)))
    own = own.exists()
    found = (own | _same_content(auth.env, file)).filtered(
        lambda a: _is_lost_by(a, file, a == own, client_of)
    )
    for attachment in found:
        link(attachment, auth, file)
    return found


def _is_lost_by(attachment, file, is_own, client_of):
    """Whether a file is the content of an attachment that has no file in Drive, or lost it.

    :param bool is_own: the file was made for it
    """
    if not _says_it_is(attachment, file, is_own):
        return False
    if lacks_content(attachment, client_of):
        return True
    return is_own and not attachment.cloud_file_id and _has_bytes(attachment, file)


def _says_it_is(attachment, file, is_own):
    """Whether what a row says of its content goes with a file.

    :param bool is_own: the file was made for it: it need not say anything more
    """
    sha1s = sha1s_of(attachment)
    size = attachment.file_size
    if is_own and not sha1s:
        return size == size_of(file) or not size
    return file["sha1Checksum"] in sha1s and size in (0, size_of(file))


def _has_bytes(attachment, file):
    """Whether the bytes on this server are those of a file, read and compared."""
    content = measure(attachment.env, attachment)
    if content is None:  # an empty one has none to be read
        return not attachment.store_fname and size_of(file) == 0
    return compare(file, content.size, content.sha1) == SAME


def has_content(env, file, client_of=client_for_a_question):
    """Whether an attachment really has these bytes, here or in Drive.

    :param dict file: metadata
    :param client_of: function that gives the client of an account
    """
    return any(
        _has_bytes(attachment, file) or _has_copy(attachment, file, client_of)
        for attachment in _same_content(env, file)
    )


def _has_copy(attachment, file, client_of):
    copy = attachment.cloud_file_id and file_of(attachment, client_of)
    return bool(copy) and compare(copy, size_of(file), file.get("sha1Checksum")) == SAME


def _same_content(env, file):
    """Attachments that say they have the content of a file."""
    if not is_complete(file):
        return candidates.everything(env)
    return candidates.search(
        env,
        [
            ("checksum", "=", file["sha1Checksum"]),
            ("cloud_sync_status", "!=", "pending"),
        ],
    )


# -- rows ----------------------------------------------------------------------------------


def link(attachment, auth, file):
    """Write down where the content of an attachment is in Drive.

    :param dict file: metadata, its sha1 and size included
    :raises UserError: the addon is being uninstalled
    """
    env = attachment.env
    _ = Translator(env)
    if not share_installation(env.cr):
        raise UserError(_("Cloud Storage is being uninstalled: nothing is linked."))
    attachment.flush()
    attachments.link(env, attachment.id, auth.id, file)
    unused.forget(env, [file["id"]])
    drop_missing_files(attachment)


def drop_missing_files(found):
    """Read from Drive what the filestore lost: the rows still name a file.

    :return: how many attachments that was the case for
    """
    lost = found.filtered(lambda a: size_in_drive(a) and not has_intact_bytes(a.env, a))
    stale = lost.filtered(lambda a: a.store_fname or a.type != "url")
    make_links(found.env, stale.ids)
    return len(stale)


def adopt(auth, file, record):
    """Make an attachment for a file that has none, for nobody but Odoo's users.

    :param tuple record: model, id and binary field it shall belong to; the company's
        contact when that is gone
    :raises UserError: Drive does not tell what the file is
    """
    env = auth.env
    if not is_complete(file):
        raise _unproven_error(env, file)
    target, field = _home_of_adopted(env, *record)
    attachment = candidates.everything(env).create(
        {
            "name": field or file.get("name") or file["id"],
            "mimetype": file.get("mimeType"),
            "res_model": target._name,
            "res_id": target.id,
            "res_field": field or False,
            "public": False,
        }
    )
    link(attachment, auth, file)
    return attachment


def _home_of_adopted(env, model, number, field):
    """The record, and its binary field when that has no file of its own."""
    company = env.company.sudo().partner_id
    if model not in env or model.startswith("ir."):
        return company, ""
    target = env[model].sudo()
    if not target._auto or target._abstract or target._transient:
        return company, ""
    target = target.browse(number).exists()
    if not target:
        return company, ""
    return target, field if _is_free_field(target, field) else ""


def _is_free_field(record, name):
    field = record._fields.get(name)
    if not field or field.type != "binary" or not field.attachment:
        return False
    return not candidates.search(
        record.env,
        [
            ("res_model", "=", record._name),
            ("res_id", "=", record.id),
            ("res_field", "=", name),
        ],
        limit=1,
    )
