"""From an account to a Drive client."""

import contextlib
import threading

from odoo import SUPERUSER_ID, api
from odoo.exceptions import UserError
from odoo.modules.registry import Registry

from ...drive.client import DriveClient
from ...drive.errors import AuthError
from ...drive.retry import DEFAULT_RATE, Retrier
from ...odoo_bridge import environments
from .credentials import Credentials
from .rate_limit import limits_of
from .tokens import Tokens
from .usable import check_enabled, check_may_write


class TokenSource:
    """Live tokens for threads that have no cursor: each call opens one of its own."""

    def __init__(self, dbname, auth_id, token):
        self._dbname, self._auth_id = dbname, auth_id
        self._token = token
        self._lock = threading.Lock()

    def token(self):
        """The access token in use."""
        return self._token

    def renew(self, stale):
        """A token other than the one that was refused."""
        with self._lock:
            if self._token == stale:
                self._token = self._ask(stale)
            return self._token

    def _ask(self, stale):
        cursor = contextlib.closing(Registry(self._dbname).cursor())
        with environments(), cursor as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            auth = env["cloud_storage.auth"].browse(self._auth_id)
            try:
                return Tokens(auth).renew(stale=stale)
            except UserError as err:
                raise AuthError(str(err), status=401) from err


def live_accounts(env):
    """The accounts that can be asked, as far as is known here."""
    return (
        env["cloud_storage.auth"]
        .sudo()
        .search(
            [("is_active", "=", True), ("state", "in", ("authorized", "expired"))],
            order="id",
        )
    )


def drive_client(auth, write=False, rate=None, **options):
    """A client for an account; threads may share it.

    :param auth: a ``cloud_storage.auth`` record
    :param bool write: it is going to change Drive; else it can not
    :param float rate: requests per second; its configuration's by default
    :param options: ``tries``, ``should_stop`` of the
        :class:`~...drive.retry.Retrier`
    :rtype: DriveClient
    :raises UserError: switched off, not authorized, not active or a copied database (the
        last two only to write)
    :raises TransientError: the token could not be renewed for now
    """
    auth = auth.sudo()
    if write:
        check_may_write(auth)
    else:
        check_enabled(auth.env)
    source = TokenSource(auth.env.cr.dbname, auth.id, Tokens(auth).valid())
    limits = limits_of(auth)
    if write:
        rate = rate or _configured_rate(auth)
    if rate:
        limits.set_rate(rate)
    limiter = limits.writes if write else limits.reads
    return DriveClient(
        source,
        api_root=Credentials(auth).endpoint("google_api_root"),
        retrier=Retrier(limiter, limits.breaker, **options),
        shared_drive_id=auth.shared_drive_id,
        read_only=not write,
    )


def _configured_rate(auth):
    """Requests per second that the configuration of this account asks for."""
    config = auth.config_ids.sorted("is_active", reverse=True)[:1]
    return config.requests_per_second or DEFAULT_RATE
