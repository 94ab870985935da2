"""From an account to a Drive client."""
import contextlib
import threading

from odoo import SUPERUSER_ID, _, api, models
from odoo.exceptions import UserError
from odoo.modules.registry import Registry

from ..drive.client import DriveClient
from ..drive.errors import AuthError
from ..drive.retry import CircuitBreaker, Pacer, Retrier
from ..odoo_bridge import environments
from .cloud_storage_pace import SharedBucket

_LOCK = threading.Lock()
_SHARED = {}  # (database, account id): pacers and breaker of this process
BURST = 100  # requests that may go at once after a quiet time


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
                return auth._renew_token(stale=stale)
            except UserError as err:
                raise AuthError(str(err), status=401) from err


class CloudStorageAuth(models.Model):
    _inherit = "cloud_storage.auth"

    def _drive_client(self, write=False, rate=None, **options):
        """A client for this account; threads may share it.

        :param bool write: it is going to change Drive (refused on a copied database)
        :param float rate: requests per second; its configuration's by default
        :param options: ``tries``, ``should_stop``, ``sleep`` of the
            :class:`~..drive.retry.Retrier`
        :raises UserError: switched off, not authorized, or a copied database
        :raises TransientError: the token could not be renewed for now
        """
        self.ensure_one()
        self._check_may_write() if write else self._check_enabled()
        auth = self.sudo()
        if write and not auth.is_active:
            # what lives there can still be read and restored
            raise UserError(
                _("The account %s is not active: nothing is sent to it.", auth.name)
            )
        source = TokenSource(self.env.cr.dbname, self.id, auth._get_valid_token())
        if write:
            rate = rate or auth._requests_per_second()
        pacer, breaker = auth._pacing(rate, write)
        return DriveClient(
            source,
            api_root=auth._endpoint("google_api_root"),
            retrier=Retrier(pacer, breaker, **options),
            shared_drive_id=auth.shared_drive_id,
        )

    def _pacing(self, rate=None, write=True):
        """The pacer and the breaker that all threads of this process share.

        Who waits for a file does not wait behind a run: reading has a pace of its own, in
        each process. What changes Drive has one pace over all processes.
        """
        key = (self.env.cr.dbname, self.id)
        with _LOCK:
            if key not in _SHARED:
                writes = Pacer(burst=BURST, bucket=SharedBucket(*key))
                _SHARED[key] = (writes, Pacer(burst=BURST), CircuitBreaker())
            writes, reads, breaker = _SHARED[key]
        for pacer in (writes, reads):
            if rate and rate != pacer.full_rate:
                pacer.full_rate = pacer.rate = float(rate)
        return writes if write else reads, breaker

    def _requests_per_second(self):
        """The pace that the configuration of this account asks for."""
        config = self.config_ids.sorted("is_active", reverse=True)[:1]
        return config.requests_per_second or Pacer().full_rate
