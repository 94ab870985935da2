"""Bringing the bytes of a file back to this server, proven, and pinning it."""

import contextlib
import os
import shutil
import time
import uuid

from odoo.exceptions import UserError
from odoo.tools import human_size

from ...exceptions import CloudFileError
from ...utils.digests import size_and_digests
from ..local_files import is_whole, measure, path_of
from ..reader.content import proven_content
from ..reader.source import read, save
from ..rows import has_proxy_url
from ..translate import Translator
from .attachments import bring_back
from .rows import is_known_empty, size_in_drive

#: Files on their way here, in a folder of the filestore that Odoo does not clean.
PARTS = "cloud_storage_parts"
DISK_RESERVE = 64 * 1024 * 1024  # bytes that a restore leaves free
PART_SECONDS = 24 * 60 * 60  # without a byte, after which a part is nobody's


def restore(attachment, client_of=None):
    """Bring one file back.

    Bytes that are on this server and are not those in Drive stay, unless they are
    damaged: they are newer.

    :param attachment: a record in superuser mode
    :param client_of: see :func:`~..reader.content.client_for`
    :raises CloudFileError: the content can not be had, or does not fit on the disk
    """
    if not _is_intact(attachment):
        _bring_back(attachment, client_of)
    _flush_to_disk(attachment)
    vals = {"cloud_keep_local": True}
    if has_proxy_url(attachment):
        vals.update(type="binary", url=False)
    attachment.write(vals)


def sweep_parts(env):
    """Remove what restores that crashed left."""
    folder = env["ir.attachment"]._full_path(PARTS)
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError):
            if time.time() - os.path.getmtime(path) > PART_SECONDS:
                os.unlink(path)


def _is_intact(attachment):
    """Whether the bytes on this server are its content.

    They are when they are what went to Drive, byte for byte, or what the row or the
    name of their file say they are: then they came after.
    """
    if not attachment.store_fname:
        # PostgreSQL lets no byte change by itself
        return is_whole(attachment.env, attachment)
    found = measure(attachment.env, attachment)
    name = os.path.basename(attachment.store_fname)
    if not found or not found.size and not is_known_empty(attachment):
        return False  # an empty file is nobody's newer content
    return found.sha1 in {attachment.cloud_sha1, attachment.checksum, name}


def _bring_back(attachment, client_of):
    env = attachment.env
    size, sha1 = content = proven_content(attachment, client_of)
    if not size:
        bring_back(env, attachment.id, 0, sha1)
    elif env["ir.attachment"]._storage() == "db":
        data = read(attachment, content, client_of)
        bring_back(env, attachment.id, size, sha1, data=data)
    else:
        _check_room(attachment, size)
        try:
            _download_to_filestore(attachment, size, sha1, client_of)
        except OSError as err:
            raise _no_room(attachment, err) from err


def _check_room(attachment, size):
    try:
        check_fits_here(attachment.env, size)
    except UserError as err:
        raise CloudFileError("%s: %s" % (attachment.name, err)) from err


def _download_to_filestore(attachment, size, sha1, client_of):
    """Stream the file into the filestore, named after the sha1 it has."""
    files = attachment.env["ir.attachment"]
    part = files._full_path("%s/%s" % (PARTS, uuid.uuid4().hex))
    try:
        os.makedirs(os.path.dirname(part), exist_ok=True)
        with open(part, "wb") as target:
            save(attachment, target, (size, sha1), client_of)
        fname = _free_name(files, size, sha1)
        path = files._full_path(fname)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # From here on the row is locked, which keeps the garbage collection away: the
        # file stays when this transaction commits, and goes when it does not.
        bring_back(attachment.env, attachment.id, size, sha1, fname=fname)
        files._mark_for_gc(fname)
        if not os.path.exists(path):  # else it has this content already
            os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(part)


def _free_name(files, size, sha1):
    """The name in the filestore for a content: its sha1, as Odoo has it.

    A damaged file that has this name is somebody's last trace: it stays where it is,
    and this content gets a name beside it.
    """
    fname = "%s/%s" % (sha1[:2], sha1)
    if _is_free_or_same(files._full_path(fname), size, sha1):
        return fname
    return "%s-%s" % (fname, uuid.uuid4().hex[:8])


def _is_free_or_same(path, size, sha1):
    try:
        with open(path, "rb") as file:
            return size_and_digests(file, "sha1") == (size, sha1)
    except FileNotFoundError:
        return True


def _flush_to_disk(attachment):
    """A power cut after this takes nothing: the copy in Drive may go."""
    path = path_of(attachment.env, attachment)
    if not path:
        return
    folder = os.path.dirname(path)
    # the bytes, their name, and that of a folder that may be new
    for name in (path, folder, os.path.dirname(folder)):
        handle = os.open(name, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _no_room(attachment, err):
    _ = Translator(attachment.env)
    return CloudFileError(
        _(
            "%(name)s (%(size)s) could not be written to the filestore: %(reason)s",
            name=attachment.name,
            size=human_size(size_in_drive(attachment) or 0),
            reason=err.strerror or err,
        )
    )


# -- room on the disk ----------------------------------------------------------------


def free_bytes(env):
    """Free disk space of the filestore; None when files are in the database."""
    attachments = env["ir.attachment"]
    if attachments._storage() == "db":
        return None
    path = attachments._filestore()
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return shutil.disk_usage(path).free


def check_fits_here(env, size):
    """:raises UserError: ``size`` more bytes do not fit into the filestore"""
    _, free = Translator(env), free_bytes(env)
    if free is not None and size + DISK_RESERVE > free:
        raise UserError(
            _(
                "%(size)s do not fit: the disk of the filestore has %(free)s left."
                " Restore less, or make room first.",
                size=human_size(size),
                free=human_size(free),
            )
        )
