"""Telling Drive what is in the queue.

Of several attachments that share a file, it is called and marked as the one with the lowest
id.
"""

import contextlib
import logging
from functools import partial

from psycopg2 import OperationalError

from odoo.exceptions import UserError

from ...drive.errors import (
    DriveError,
    FileForbiddenError,
    NotFoundError,
    OutOfTimeError,
    StoppedError,
)
from ..account.client import drive_client
from ..account.database import database_uuid
from ..account.usable import is_disabled
from ..content.lost import lacking_ids
from ..content.metadata import is_neighbours, outdated
from ..transaction import CONCURRENCY_ERRORS, QUEUE_LOCK, Deadline, session_lock
from . import queue

_logger = logging.getLogger(__name__)

TRIES = 3  # per request
#: Postponements (three days) after which a file whose attachment seems to be on its way to
#: another account is marked all the same: such a move may have been given up.
PATIENCE = 12


def deliver(env, deadline=None, client_of=None):
    """Tell Drive what is due; what can not be done now waits for a later turn.

    Commits per file: what happened in Drive must be remembered. While an attachment lacks
    its content no file goes to the trash: it may be what that one lost. Does nothing while
    another process is at it, who could write an older state over a newer one.

    :param Deadline deadline: none by default
    :param client_of: function that gives a client of an account that may write
    :return: how many Drive files were changed
    """
    if is_disabled():
        return 0
    outbox = Outbox(env, deadline or Deadline(), client_of)
    with _alone(env) as alone, contextlib.suppress(StoppedError):
        if alone:
            outbox.deliver_due()
    return outbox.changed


@contextlib.contextmanager
def _alone(env):
    """Whether nobody else tells Drive what is in the queue, until the block ends."""
    env.cr.commit()  # waits for nobody with a lock or an old snapshot
    with contextlib.closing(env.registry.cursor()) as cr:
        with session_lock(cr, QUEUE_LOCK) as is_mine:
            yield is_mine


class Outbox:
    """One turn of telling Drive; ``changed`` counts the files that were changed.

    :param Deadline deadline: when it ends
    :param client_of: see :func:`deliver`
    """

    def __init__(self, env, deadline, client_of=None):
        self.env, self._deadline = env, deadline
        self._client_of = client_of or self._own_client
        self._clients = {}
        self.changed = 0

    def deliver_due(self):
        """Do what is due, row by row.

        :raises StoppedError: it is time to end
        """
        ids, only_marks = [0], self._must_keep_files()
        while ids:
            ids = queue.due_after(self.env, ids[-1], only_marks)
            for row_id in ids:
                self._check_time()
                self._deliver_guarded(row_id)

    def _check_time(self):
        if self._deadline.over:
            raise OutOfTimeError("out of time")

    def _own_client(self, auth):
        return drive_client(auth, write=True, tries=TRIES, should_stop=self._check_time)

    def _client(self, auth):
        if auth.id not in self._clients:
            self._clients[auth.id] = self._client_of(auth)
        return self._clients[auth.id]

    def _must_keep_files(self):
        """Whether files wait for the trash and may not go there now."""
        count = queue.count_trash(self.env)
        lacking = count and lacking_ids(self.env)
        if lacking:
            _logger.warning(
                "%s files stay in Drive: %s attachments have no content",
                count,
                len(lacking),
            )
        return bool(lacking)

    # -- a row -------------------------------------------------------------------------

    def _deliver_guarded(self, row_id):
        """Do one row and commit; whatever is wrong with it, the others get their turn."""
        self.env.cr.commit()  # a new snapshot
        try:
            changed = self._deliver(row_id)
            self.env.cr.commit()  # one file, one fact
            self.changed += changed
            return
        except StoppedError:
            raise
        except Exception as err:  # pylint: disable=broad-except
            # whatever one row makes the code raise
            self.env.cr.rollback()
            self.env.cache.invalidate()
            if getattr(err, "pgcode", None) in CONCURRENCY_ERRORS:
                return  # the next turn finds it as it was
            # not the text of the error: it may name what must not be in a log
            _logger.warning("Row %s of the queue: %s", row_id, type(err).__name__)
        with contextlib.suppress(OperationalError):
            queue.postpone(self.env, [row_id])
            self.env.cr.commit()  # as above

    def _deliver(self, row_id):
        row = queue.row_of(self.env, row_id)
        if row is None:
            return 0
        if row.marked_file_id:
            return self._mark(row_id, row.marked_file_id)
        if queue.is_used(self.env, row.drive_file_id):
            queue.mark_instead(self.env, row)
            return self._mark(row_id, row.drive_file_id)
        return self._trash(row)

    def _tell(self, ids, auth, change):
        """Have Drive told, then forget the rows; or let them wait.

        :param change: function of a client and the database's uuid that changes Drive
        :return: 1 when it was changed, 0 when it needs no change or can not be had now
        :raises StoppedError: it is time to end
        """
        try:
            client, uuid = self._client(auth), database_uuid(auth.env)
            self.env.cr.commit()  # no snapshot is held while Drive is asked
            changed = int(change(client, uuid))
        except StoppedError:
            raise
        except (NotFoundError, FileForbiddenError) as err:
            # comparing with Drive tells what that means
            _logger.info("A Drive file can not be changed: %s", err)
            changed = 0
        except (DriveError, UserError) as err:
            _logger.info("A Drive file was not changed yet: %s", err)
            queue.postpone(self.env, ids)
            return 0
        queue.drop(self.env, ids)
        return changed

    # -- files that nothing uses -------------------------------------------------------

    def _trash(self, row):
        auth = self.env["cloud_storage.auth"].sudo().browse(row.auth_id).exists()
        if not auth or not row.drive_file_id:
            queue.drop(self.env, [row.id])
            return 0
        return self._tell([row.id], auth, partial(_trash, row.drive_file_id))

    # -- names and marks ---------------------------------------------------------------

    def _mark(self, row_id, file_id):
        """Have a Drive file called and marked as the attachment that owns it is now.

        One update, whatever was queued for the file until now, none when all is right.
        """
        ids, attempts = queue.queued_for(self.env, row_id, file_id)
        owner, is_moving = queue.owner_of(self.env, file_id)
        if is_moving and attempts < PATIENCE:
            queue.postpone(self.env, ids)
            return 0
        auth = self.env["cloud_storage.auth"].sudo()
        auth = auth.browse(owner and owner.cloud_auth_id).exists()
        if not auth:
            queue.drop(self.env, ids)
            return 0
        return self._tell(ids, auth, partial(_mark, file_id, owner))


def _trash(file_id, client, uuid):
    """Trash a file, unless another database uses it: this one was a copy of it once."""
    if is_neighbours(client.get(file_id, fields="id,appProperties"), uuid):
        return False
    client.update(file_id, fields="id", trashed=True)
    return True


def _mark(file_id, owner, client, uuid):
    """:return: whether something had to be changed"""
    file = client.get(file_id, fields="id,name,appProperties")
    change = outdated(file, uuid, owner)
    if change:
        client.update(file_id, fields="id", **change)
    return bool(change)
