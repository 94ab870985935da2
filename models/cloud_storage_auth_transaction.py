"""Transactions of an account's own: one worker at a time, whatever the caller does."""

import contextlib

from psycopg2.errors import LockNotAvailable, SerializationFailure

from odoo import SUPERUSER_ID, _, api, models
from odoo.exceptions import UserError

from .cloud_storage_auth import SERVER_FIELDS, TOKEN_SECRETS

LOCK_TIMEOUT = 60  # seconds to wait for another worker that talks to Google
LOCK_TRIES = 20  # workers that may change the account while this one waits


class CloudStorageAuth(models.Model):
    _inherit = "cloud_storage.auth"

    @contextlib.contextmanager
    def _own_transaction(self):
        """Yield this account, locked, in a transaction of its own.

        What Google granted must survive a rollback of the caller. When the caller's
        transaction itself created or changed the account, another could not see or lock
        it: then the caller's is used. The caller's cache gets what was written, since
        its snapshot stays older.

        :raises UserError: another worker holds the account for too long
        """
        self.ensure_one()
        self.flush()
        if self._is_changed_here():
            yield self.sudo()
            return
        with self.env.registry.cursor() as cr:
            auth = self._elsewhere(cr)
            auth._lock()
            yield auth
            news = {name: auth[name] for name in SERVER_FIELDS if auth.exists()}
            if self.env["cloud_storage.secret"]._may_reveal():
                news.update({n: auth._secret_or_false(n) for n in TOKEN_SECRETS})
        self._take_over(news)

    def _take_over(self, news):
        """Put what another transaction wrote into the cache."""
        self.invalidate_cache(None, self.ids)
        # if the old row were read later, it would overwrite the news
        self.sudo().mapped("name")
        for name, value in news.items():
            field = self._fields[name]
            self.env.cache.set(self, field, field.convert_to_cache(value, self))

    def _elsewhere(self, cr):
        env = api.Environment(cr, SUPERUSER_ID, dict(self.env.context))
        return env[self._name].browse(self.id)

    def _lock(self):
        for _attempt in range(LOCK_TRIES):
            try:
                self.env.cr.execute(
                    "SELECT set_config('lock_timeout', %s, true)", ("%ds" % LOCK_TIMEOUT,)
                )
                self.env.cr.execute(
                    "SELECT 1 FROM cloud_storage_auth WHERE id = %s FOR NO KEY UPDATE",
                    (self.id,),
                    log_exceptions=False,
                )
                return
            except SerializationFailure:
                # another worker changed it while this one waited: see what it wrote
                self.env.cr.rollback()
            except LockNotAvailable:
                break
        raise UserError(_("Another process is working with this account. Try again."))

    def _is_changed_here(self):
        """Whether the caller's transaction created or changed the account.

        Its version of the row is then newer than the one others see, by the order of
        transaction ids (PostgreSQL manual, "Transactions and Identifiers").
        """
        here = self._row_version()
        with self.env.registry.cursor() as cr:
            there = self._elsewhere(cr)._row_version()
        if here is None or there is None:
            return there is None
        return 0 < (here - there) % 2**32 < 2**31

    def _row_version(self):
        self.env.cr.execute(
            "SELECT xmin::text::bigint FROM cloud_storage_auth WHERE id = %s",
            (self.id,),
        )
        row = self.env.cr.fetchone()
        return row and row[0]
