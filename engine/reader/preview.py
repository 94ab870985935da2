"""Small images of large ones that left: lists of pictures ask Drive nothing."""

import base64
import logging

import psycopg2

from odoo.tools import image_process

from ...utils.constants import THUMBNAIL_SIDES
from ..local_files import open_content
from .caches import disk_cache

_logger = logging.getLogger(__name__)

#: Above that a variant is not worth its room (a GIF stays as large as it was).
LARGEST_VARIANT = 256 * 1024
#: Above that pictures are not decoded while files leave.
LARGEST_SOURCE = 32 * 1024 * 1024


def thumbnail(attachment, side):
    """The variant of an image in the cloud that fits in a square.

    Made again when the cache lost it.

    :param int side: of the square, one of ``THUMBNAIL_SIDES``
    :return: bytes; None when there can be none
    """
    if not _is_picture(attachment):
        return None
    cache, key = disk_cache(attachment.env), _key(attachment, side)
    data = cache.read(key)
    if data is None:
        make_thumbnails(attachment, attachment.raw)
        data = cache.read(key)
    return data


def keep_thumbnails(attachments):
    """Make the variants of images that are about to leave this server.

    Whatever is wrong with one of them, the others go.
    """
    for attachment in attachments.filtered(_is_picture):
        try:
            _keep_own(attachment)
        except psycopg2.Error:
            raise  # the transaction is over
        # anybody can upload anything
        except Exception as err:  # pylint: disable=broad-except
            _logger.info("No thumbnail of attachment %s: %s", attachment.id, err)


def make_thumbnails(attachment, data):
    """Put the variants in the cache, as far as they can be made.

    :param bytes data: the content of the attachment
    """
    source, cache = base64.b64encode(data), disk_cache(attachment.env)
    for side in THUMBNAIL_SIDES:
        try:
            small = image_process(source, size=(side, side), verify_resolution=True)
        # image libraries raise what they like: bombs, struct.error, MemoryError...
        except Exception as err:  # pylint: disable=broad-except
            _logger.info("No thumbnail of attachment %s: %s", attachment.id, err)
            return
        variant = base64.b64decode(small)
        if len(variant) <= LARGEST_VARIANT:
            cache.put(_key(attachment, side), variant)


def _keep_own(attachment):
    cache = disk_cache(attachment.env)
    if all(cache.read(_key(attachment, side)) for side in THUMBNAIL_SIDES):
        return
    with open_content(attachment.env, attachment) as file:
        make_thumbnails(attachment, file.read())


def _is_picture(attachment):
    kind, _sep, subtype = (attachment.mimetype or "").partition("/")
    return (
        kind == "image"
        and not subtype.startswith("svg")
        and bool(attachment.cloud_sha1)
        and attachment.cloud_size_bytes <= LARGEST_SOURCE
    )


def _key(attachment, side):
    return "%s-image_%d" % (attachment.cloud_sha1, side)
