"""One request to the proxy, on its way into the access log."""
import logging
import time

import psycopg2

from odoo import registry

from ..engine import access_log

_logger = logging.getLogger(__name__)


class Access:
    """Collects what is known of a request; :meth:`write` makes it a row.

    :param str dbname: database
    :param bool is_public: nobody is logged in: what fails is only counted
    :param values: columns of ``cloud_storage.access.log`` that are known at once
    """

    def __init__(self, dbname, is_public, **values):
        self._dbname = dbname
        self._is_public = is_public
        self._values = values
        self._started = time.monotonic()
        self.is_counted_only = False
        self.http_status = 0
        self.bytes_served = 0
        self.cache_hit = False

    def concern(self, attachment):
        """Note which file it is about, of those that this visitor may read."""
        self._values.update(attachment_id=attachment.id, file_name=attachment.name)

    def refuse(self):
        """Note nothing of what was asked for: who may not see it reads the log too."""
        self.is_counted_only = True

    def write(self):
        """Write the row in a transaction of its own; a failure is only logged."""
        try:
            with registry(self._dbname).cursor() as cr:
                self._write_to(cr)
        except psycopg2.Error as err:
            _logger.warning("Access not logged: %s", err)

    def _write_to(self, cr):
        if self.is_counted_only or (self._is_public and self.http_status >= 400):
            user_id = self._values["user_id"]
            access_log.count(cr, user_id, self.http_status, self.bytes_served)
        else:
            access_log.insert(cr, self._row())

    def _row(self):
        elapsed = time.monotonic() - self._started
        return dict(
            self._values,
            http_status=self.http_status,
            bytes_served=self.bytes_served,
            cache_hit=self.cache_hit,
            duration_ms=int(elapsed * 1000),
        )
