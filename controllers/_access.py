"""One request to the proxy, on its way into the access log."""
import logging
import time

import psycopg2

from odoo import SUPERUSER_ID, api, registry

from ..odoo_bridge import environments

_logger = logging.getLogger(__name__)


class Access:
    """Collects what is known of a request; :meth:`write` makes it a row.

    :param str dbname: database
    :param values: columns of ``cloud_storage.access.log`` that are known at once
    """

    def __init__(self, dbname, **values):
        self._dbname = dbname
        self._values = values
        self._started = time.monotonic()
        self.http_status = 0
        self.bytes_served = 0
        self.cache_hit = False

    def concern(self, attachment):
        """Note which file it is about."""
        self._values.update(attachment_id=attachment.id, file_name=attachment.name)

    def write(self):
        """Write the row in a transaction of its own; a failure is only logged."""
        elapsed = time.monotonic() - self._started
        row = dict(
            self._values,
            http_status=self.http_status,
            bytes_served=self.bytes_served,
            cache_hit=self.cache_hit,
            duration_ms=int(elapsed * 1000),
        )
        try:
            with environments(), registry(self._dbname).cursor() as cr:
                env = api.Environment(cr, SUPERUSER_ID, {})
                env["cloud_storage.access.log"]._insert(row)
        except psycopg2.Error as err:
            _logger.warning("Access not logged: %s", err)
