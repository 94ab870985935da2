"""What Drive says of the file of one attachment, asked in passing."""

import logging

from odoo.exceptions import UserError

from ...drive.client import FILE_FIELDS
from ...drive.compare import is_trashed
from ...drive.errors import DriveError, NotFoundError, StoppedError
from ..account.client import drive_client

_logger = logging.getLogger(__name__)

TRIES = 2  # per question


def client_for_a_question(auth):
    """The client of an account that soon gives up.

    :raises UserError: the account can not be used
    """
    return drive_client(auth, tries=TRIES)


def is_gone(attachment, client_of=client_for_a_question):
    """Whether Drive says that it has not got the file of an attachment.

    :param client_of: function that gives the client of an account
    :raises StoppedError: it is time to end
    """
    return isinstance(_ask(attachment, client_of, "id"), NotFoundError)


def file_of(attachment, client_of=client_for_a_question):
    """Metadata of an attachment's file.

    :param client_of: function that gives the client of an account
    :return: None when it is not there, in the trash, or can not be asked for
    :raises StoppedError: it is time to end
    """
    file = _ask(attachment, client_of, FILE_FIELDS)
    return None if isinstance(file, Exception) or is_trashed(file) else file


def _ask(attachment, client_of, fields):
    """:return: metadata, or the error that came instead"""
    try:
        client = client_of(attachment.cloud_auth_id)
        return client.get(attachment.cloud_file_id, fields=fields)
    except StoppedError:
        raise
    except (DriveError, UserError, ValueError) as err:
        _logger.info("%s can not be asked for: %s", attachment, err)
        return err
