"""What the content of a file in the cloud has to be, who gives it, and why not."""

import functools

from odoo import SUPERUSER_ID
from odoo.exceptions import UserError

from ...drive.answers import noise
from ...drive.compare import COMPARE_FIELDS, OTHER, compare, has_sha1, size_of
from ...drive.download import CHANGED
from ...drive.errors import (
    ChecksumError,
    DriveError,
    NotFoundError,
    RangeError,
    TransientError,
)
from ...exceptions import CloudFileError
from ..account.client import drive_client
from ..content.attachments import note_problem, note_proven
from ..content.proof import compare_known
from ..content.rows import known_content, sha1s_of
from ..local_files import is_here, is_whole, measure
from ..messages import Messages
from ..translate import Translator

READ_TRIES = 4  # calls per request to Drive while a person waits
MOST_SIBLINGS = 5  # attachments looked at for a content that Drive lost
#: What Drive may say that makes it worth a look elsewhere.
LOST = (NotFoundError, ChecksumError, RangeError)


# -- what it has to be -------------------------------------------------------------------


def served_content(attachment):
    """Size and sha1 of the bytes that people get: those here, or those in Drive.

    :rtype: tuple[int, str]
    :raises CloudFileError: as :func:`proven_content`
    """
    known = known_content(attachment)
    if is_here(attachment) and not (
        known and is_whole(attachment.env, attachment, known[0])
    ):
        found = measure(attachment.env, attachment)
        # of another size than in Drive: newer, unless it is not what its name says
        if found and (not known or found.sha1 in sha1s_of(attachment)):
            return found.size, found.sha1
    return proven_content(attachment)


def proven_content(attachment, client_of=None):
    """Size and sha1 of the content in Drive.

    Rows of older versions, and of other tools, do not know the sha1: Drive is asked
    for it once, and it is kept.

    :param client_of: see :func:`client_for`
    :rtype: tuple[int, str]
    :raises CloudFileError: Drive has something else, or can not be asked
    """
    known = known_content(attachment)
    if known:
        return known
    client = client_for(attachment, client_of)
    try:
        file = client.get(attachment.cloud_file_id, fields=COMPARE_FIELDS)
        size, sha1 = _told(file, attachment)
    except DriveError as err:
        raise explained(attachment, err) from err
    # not in this transaction, nor before its end: it may go on to write the row
    row = (attachment.id, attachment.cloud_file_id, size, sha1, file.get("md5Checksum"))
    registry = attachment.env.registry
    attachment.env.cr.postcommit.add(functools.partial(_note_proven, registry, row))
    return size, sha1


def _told(file, attachment):
    if compare_known(file, attachment) == OTHER:
        raise ChecksumError("The file on Drive was changed (size or digest differs)")
    size, sha1 = size_of(file), file.get("sha1Checksum")
    if size is None or not sha1:
        raise TransientError("Google Drive does not tell what it holds")
    return size, sha1


def _note_proven(registry, row):
    with registry.cursor() as cr:
        note_proven(cr, *row)


# -- who gives it ------------------------------------------------------------------------


def check_access(attachment):
    """:raises CloudFileError: access is switched off, or the account is gone"""
    auth, _ = attachment.cloud_auth_id, Translator(attachment.env)
    if not auth:
        raise CloudFileError(_("The account of %s is gone.", attachment.name))
    configs = auth.config_ids.filtered("is_active")
    if configs and not any(configs.mapped("enable_cloud_access")):
        raise CloudFileError(
            _(
                "%s is in the cloud, and access to the cloud is switched off in the"
                " configuration.",
                attachment.name,
            )
        )


def patient_client(auth, **options):
    """A client for somebody who waits: ``options`` as for its maker."""
    return drive_client(auth, tries=READ_TRIES, **options)


def client_for(attachment, client_of=None):
    """A client of the account the file lives in.

    :param client_of: a function that gives the client of an account; a job's ends with
        the job, by default it is :func:`patient_client`
    :raises CloudFileError: access is switched off, or there is no usable account
    """
    check_access(attachment)
    try:
        return (client_of or patient_client)(attachment.cloud_auth_id)
    except UserError as err:
        raise CloudFileError("%s: %s" % (attachment.name, err)) from err
    except DriveError as err:
        raise explained(attachment, err) from err


def siblings(attachment, size, sha1):
    """Iterate over attachments that have the same content elsewhere.

    One that is here, its bytes read and compared; without such a one, those with
    another file in Drive that was proven to be it.
    """
    env = attachment.env(user=SUPERUSER_ID)
    env.cr.execute(
        "SELECT id FROM ir_attachment WHERE checksum = %s AND id != %s"
        " AND (store_fname IS NOT NULL OR db_datas IS NOT NULL"
        " OR cloud_sha1 = checksum AND (cloud_file_id, cloud_auth_id) != (%s, %s))"
        " ORDER BY store_fname IS NULL AND db_datas IS NULL, id LIMIT %s",
        (
            sha1,
            attachment.id,
            attachment.cloud_file_id,
            attachment.cloud_auth_id.id,
            MOST_SIBLINGS,
        ),
    )
    for (row_id,) in env.cr.fetchall():
        sibling = env["ir.attachment"].browse(row_id)  # alone: bytes are not prefetched
        if not is_here(sibling):
            yield sibling
        elif (measure(env, sibling) or ())[:2] == (size, sha1):
            yield sibling
            return


# -- why not -----------------------------------------------------------------------------


def confirmed(client, file_id, size, sha1, err):
    """What a failed download means, once Drive was asked about the file itself.

    A proxy in between can answer with other bytes, or with none: only what Drive tells
    of the file says something about it.

    :param DriveError err: why the download failed
    :rtype: DriveError
    """
    if not isinstance(err, LOST):
        return err
    try:
        file = client.get(file_id, fields=COMPARE_FIELDS)
    except DriveError as refusal:
        return refusal
    # with another size and that sha1 it is the row that is wrong, for the comparison with
    # Drive to mend
    is_other = compare(file, size, sha1) == OTHER and not has_sha1(file, sha1)
    return ChecksumError(CHANGED) if is_other else noise()


def explained(attachment, err):
    """What a failed read means for people; noted when it says something lasting.

    :param DriveError err: why the content can not be had
    :rtype: CloudFileError
    """
    messages = Messages(attachment.env)
    problem = messages.lasting_problem(err)
    if problem:
        # in a transaction that survives the error
        with attachment.env.registry.cursor() as cr:
            note_problem(cr, attachment.id, problem)
    return messages.cloud_file(attachment.name, err)
