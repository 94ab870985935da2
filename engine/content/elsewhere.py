"""Where the content of an attachment may be besides, and giving it back from there."""

from collections import namedtuple

from ...drive.compare import OTHER, has_sha1
from .. import candidates
from ..local_files import is_whole, measure
from .attachments import bring_back, set_fname
from .proof import compare_known, is_content_of
from .questions import client_for_a_question, file_of
from .relink import link
from .rows import NO_CONTENT

SIBLINGS = 20  # attachments looked at for the content of another
#: Where a content is: a name in the filestore, the id of an attachment that has it in
#: the database, or the account and metadata of a file in Drive; the others are None.
Source = namedtuple("Source", "fname attachment_id auth file content")
#: A file of the filestore, for :mod:`..local_files`.
InFilestore = namedtuple("InFilestore", "store_fname")


def find(env, row, client_of=client_for_a_question):
    """Find the content of an attachment whose file is gone from Drive.

    Found is only what was read and hashed, or what Drive says the sha1 of. Call it
    without locks: Drive may be asked.

    :param row: object with ``id``, ``checksum`` and the ``cloud_`` columns
    :param client_of: function that gives the client of an account
    :rtype: Source
    :return: None when it is nowhere
    """
    sha1 = row.cloud_sha1 or row.checksum
    if sha1 in NO_CONTENT:
        return None
    siblings = _siblings(env, row, sha1)
    return _find_here(env, row, sha1, siblings) or _find_in_drive(
        row, sha1, siblings, client_of
    )


def _siblings(env, row, sha1):
    """Attachments that may have the same content."""
    return candidates.search(
        env,
        [
            ("id", "!=", row.id),
            "|",
            ("checksum", "=", sha1),
            ("cloud_file_id", "=", row.cloud_file_id),
        ],
        limit=SIBLINGS,
        order="id",
    )


def _find_here(env, row, sha1, siblings):
    fnames = ["%s/%s" % (sha1[:2], sha1)]
    fnames += [fname for fname in siblings.mapped("store_fname") if fname]
    for fname in dict.fromkeys(fnames):
        content = measure(env, InFilestore(fname))
        if content and _fits(content, row, sha1):
            return Source(fname, None, None, None, content)
    for sibling in siblings.filtered(lambda a: not a.store_fname):
        content = measure(env, sibling)
        if content and _fits(content, row, sha1):
            return Source(None, sibling.id, None, None, content)
    return None


def _fits(content, row, sha1):
    return content.sha1 == sha1 and is_content_of(content, row)


def _find_in_drive(row, sha1, siblings, client_of):
    for sibling in siblings:
        own = (sibling.cloud_file_id, sibling.cloud_auth_id.id)
        if not all(own) or own == (row.cloud_file_id, row.cloud_auth_id):
            continue
        file = file_of(sibling, client_of)
        is_same = file and has_sha1(file, sha1)
        if is_same and compare_known(file, row) != OTHER:
            return Source(None, None, sibling.cloud_auth_id, file, None)
    return None


# -- giving it back ------------------------------------------------------------------------


def take(attachment, source):
    """Give an attachment the content that was found elsewhere.

    :param Source source: see :func:`find`
    :return: whether it has it now
    :raises UserError: the addon is being uninstalled
    """
    if source.file:
        link(attachment, source.auth, source.file)
        return True
    if source.fname:
        return _take_file(attachment, source)
    other = attachment.browse(source.attachment_id).exists()
    if not other or measure(attachment.env, other) != source.content:
        return False
    plain = other.with_context(bin_size=False, bin_size_db_datas=False)
    # with its type, or Odoo guesses another
    attachment.write({"raw": bytes(plain.db_datas), "mimetype": attachment.mimetype})
    return True


def _take_file(attachment, source):
    """Let an attachment have a file of the filestore, as others have it.

    The row is changed first, which keeps the garbage collection of files away.
    """
    env, content = attachment.env, source.content
    attachment.flush()
    before = attachment.store_fname or None
    set_fname(env, attachment.id, source.fname)
    if is_whole(env, attachment, content.size):
        bring_back(env, attachment.id, content.size, content.sha1, source.fname)
        attachment._forget_cloud()
        return True
    set_fname(env, attachment.id, before)
    return False
