"""Transactions of an account's own: one worker at a time, whatever the caller does."""
import contextlib

from psycopg2.errors import LockNotAvailable, SerializationFailure

from odoo import SUPERUSER_ID, api
from odoo.exceptions import UserError

from ..messages import Messages
from ..transaction import set_lock_timeout
from .credentials import TOKEN_SECRETS, Credentials
from .database import DATABASE_FIELDS

#: What Google's consent is worth, and how it went.
GRANT_FIELDS = ("token_expiry", "grant_expiry", "account_email", "last_error")
#: Stored fields that only the server writes, in transactions like these.
SERVER_FIELDS = GRANT_FIELDS + DATABASE_FIELDS + (
    "state",
    "google_user_id",
    "granted_to",
)
LOCK_TIMEOUT = 60  # seconds to wait for another worker that talks to Google
LOCK_TRIES = 20  # workers that may change the account while this one waits


@contextlib.contextmanager
def own_transaction(auth):
    """Yield the account, locked, in a transaction of its own.

    What Google granted must survive a rollback of the caller. When the caller's
    transaction itself created or changed the account, another could not see or lock
    it: then the caller's is used. The caller's cache gets what was written, since
    its snapshot stays older.

    :raises UserError: another worker holds the account for too long
    """
    auth.ensure_one()
    auth.flush()
    if is_changed_here(auth):
        yield auth.sudo()
        return
    with auth.env.registry.cursor() as cr:
        there = elsewhere(auth, cr)
        _lock(there)
        yield there
        news = {name: there[name] for name in SERVER_FIELDS if there.exists()}
        if there.env["cloud_storage.secret"]._may_reveal():
            secret = Credentials(there).secret_or_false
            news.update({name: secret(name) for name in TOKEN_SECRETS})
    _take_over(auth, news)


def _take_over(auth, news):
    """Put what another transaction wrote into the cache."""
    auth.invalidate_cache(None, auth.ids)
    # if the old row were read later, it would overwrite the news
    auth.sudo().mapped("name")
    for name, value in news.items():
        field = auth._fields[name]
        auth.env.cache.set(auth, field, field.convert_to_cache(value, auth))


def elsewhere(auth, cr):
    """The account as another transaction sees it."""
    env = api.Environment(cr, SUPERUSER_ID, dict(auth.env.context))
    return env[auth._name].browse(auth.id)


def _lock(auth):
    cr = auth.env.cr
    for _attempt in range(LOCK_TRIES):
        try:
            set_lock_timeout(cr, LOCK_TIMEOUT)
            cr.execute(
                "SELECT 1 FROM cloud_storage_auth WHERE id = %s FOR NO KEY UPDATE",
                (auth.id,),
                log_exceptions=False,
            )
            return
        except SerializationFailure:
            # another worker changed it while this one waited: see what it wrote
            cr.rollback()
        except LockNotAvailable:
            break
    raise UserError(Messages(auth.env).busy_account())


def is_changed_here(auth):
    """Whether the caller's transaction created or changed the account.

    Its version of the row is then newer than the one others see, by the order of
    transaction ids (PostgreSQL manual, "Transactions and Identifiers").
    """
    here = _row_version(auth)
    with auth.env.registry.cursor() as cr:
        there = _row_version(elsewhere(auth, cr))
    if here is None or there is None:
        return there is None
    return 0 < (here - there) % 2**32 < 2**31


def _row_version(auth):
    auth.env.cr.execute(
        "SELECT xmin::text::bigint FROM cloud_storage_auth WHERE id = %s", (auth.id,)
    )
    row = auth.env.cr.fetchone()
    return row and row[0]
