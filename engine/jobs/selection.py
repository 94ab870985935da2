"""What a restore or a migration is about: which files, how large, does it fit."""

from odoo.exceptions import UserError
from odoo.osv import expression
from odoo.tools import human_size

from ...drive.client import FILE_FIELDS
from ...drive.compare import EMPTY_MD5, EMPTY_SHA1, size_of
from ...drive.errors import DriveError, ForbiddenError, NotFoundError
from ...drive.query import FOLDER_TYPE, children_of
from .. import candidates
from ..account.client import drive_client
from ..content.metadata import DATABASE
from ..content.proof import is_complete
from ..messages import Messages
from ..rows import HERE
from ..translate import Translator
from ..uninstall import remote_rows

GOOGLE_TYPES = "application/vnd.google-apps."  # and of folders, which begin so as well
SAMPLE = 10  # names shown before somebody confirms


def in_drive(params):
    """The cloud files that a selection means, as a domain.

    :param dict params: ``ids``, ``model``, ``auth_id``; what is absent restricts
        nothing
    """
    domain = [("cloud_file_id", "!=", False)]
    if "ids" in params:
        domain.append(("id", "in", params["ids"]))
    if params.get("model"):
        domain.append(("res_model", "=", params["model"]))
    if params.get("auth_id"):
        domain.append(("cloud_auth_id", "=", params["auth_id"]))
    return domain


def to_restore(env, params):
    """Those of a selection that are not restored yet, or still to be let go of."""
    domain = in_drive(params)
    if params.get("trash"):
        return domain
    not_pinned = ["|", ("cloud_keep_local", "=", False), ("type", "=", "url")]
    return domain + ["|"] + not_pinned + remote(env)


def remote(env):
    """Files whose bytes are only in Drive, those that the filestore lost included."""
    not_empty = expression.OR(
        [
            [("cloud_size_bytes", "!=", 0)],
            [("file_size", "!=", 0)],
            ["&", ("cloud_md5", "!=", EMPTY_MD5), ("cloud_sha1", "!=", EMPTY_SHA1)],
        ]
    )
    nothing_here = [("store_fname", "=", False), ("db_datas", "=", False)]
    return expression.OR(
        [[("id", "in", _lost_ids(env))], expression.AND([nothing_here, not_empty])]
    )


def _lost_ids(env):
    """Attachments in the cloud whose row names local bytes that are not there.

    Whatever keeps the addon from being uninstalled is among them.
    """
    env["ir.attachment"].flush()
    return [row.id for row in remote_rows(env.cr, HERE)]


def preview_rows(env, domain):
    """Count, bytes and some names of the attachments of a domain.

    :rtype: tuple[int, int, list[str]]
    """
    found = candidates.everything(env).read_group(
        [("id", "!=", 0)] + domain, ["cloud_size_bytes"], []
    )[0]
    first = candidates.search(env, domain, limit=SAMPLE, order="id")
    size = int(found["cloud_size_bytes"] or 0)
    return found["__count"], size, first.mapped("name")


def preview_folder(auth, folder_id, only_ours=False):
    """Count, bytes and some names of the files below a folder in Drive.

    :param bool only_ours: leave out what Odoo did not put there
    :raises UserError: it is not there, or Drive can not be reached
    """
    try:
        found = folder_files(drive_client(auth, tries=3), folder_id)
        files = list(restorable(found, only_ours))
    except DriveError as err:
        raise UserError(Messages(auth.env).drive(err)) from err
    size = sum(size_of(file) or 0 for file in files)
    return len(files), size, [file["name"] for file in files[:SAMPLE]]


def restorable(files, only_ours):
    """Those of some files that may come back.

    :param bool only_ours: see ``cloud_storage.auth._shows_only_ours``
    """
    for file in files:
        if not only_ours or DATABASE in file.get("appProperties", {}):
            yield file


def folder_files(client, folder_id):
    """Iterate over the files below a folder, page by page.

    Documents of Google and folders have no bytes and are left out. What a list leaves
    out is asked for.
    """
    folders, seen = [folder_id], set()
    while folders:
        folder = folders.pop()
        if folder in seen:
            continue
        seen.add(folder)
        for file in client.list(children_of(folder), fields=FILE_FIELDS):
            file = _completed(client, file)
            if file.get("mimeType") == FOLDER_TYPE:
                folders.append(file["id"])
            if not _has_no_bytes(file):
                yield file


def _has_no_bytes(file):
    return file.get("mimeType", "").startswith(GOOGLE_TYPES)


def _completed(client, file):
    """A file of a list as far as Drive tells."""
    if "mimeType" in file and (is_complete(file) or _has_no_bytes(file)):
        return file
    try:
        return client.get(file["id"], fields=FILE_FIELDS)
    except (NotFoundError, ForbiddenError):
        return file  # whoever treats it says that it is of no use


def check_accounts_differ(source, target):
    """:raises UserError: both are the same Drive"""
    _ = Translator(target.env)
    is_same_drive = (
        source.account_email
        and source.account_email == target.account_email
        and (source.shared_drive_id or "") == (target.shared_drive_id or "")
    )
    if source == target or is_same_drive:
        raise UserError(
            _("Source and target are the same account. Choose another one.")
        )


def check_fits_in_drive(target, size):
    """:raises UserError: ``size`` bytes do not fit, or Drive can not be asked"""
    _ = Translator(target.env)
    try:
        quota = drive_client(target, tries=3).about().get("storageQuota", {})
    except DriveError as err:
        raise UserError(Messages(target.env).drive(err)) from err
    if target.shared_drive_id or not quota.get("limit"):
        return
    free = int(quota["limit"]) - int(quota.get("usage") or 0)
    if size > free:
        raise UserError(
            _(
                "%(size)s do not fit: %(account)s has %(free)s left in Drive.",
                size=human_size(size),
                account=target.account_email or target.name,
                free=human_size(max(0, free)) or "0 bytes",
            )
        )
