import logging

import psycopg2

from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.exceptions import UserError
from odoo.http import request
from odoo.tools import config

from ...utils import vault

_logger = logging.getLogger(__name__)

#: ``odoo.conf`` option and environment variable that hold the Fernet key or keys.
KEY_OPTION = "cloud_storage_encryption_key"
KEY_VARIABLE = "CLOUD_STORAGE_ENCRYPTION_KEY"


class CloudStorageSecret(models.Model):
    """Where tokens, keys and session addresses live, out of reach of RPC.

    The column ``value`` is no field: no access right, record rule, custom related field
    or export can lead to it. Only ``_get`` reads it. Values are encrypted when a key is
    configured (see :mod:`...utils.vault`).
    """

    _name = "cloud_storage.secret"
    _description = "Cloud Storage Secret"
    _log_access = False

    res_model = fields.Char(required=True)
    res_id = fields.Integer(required=True, index=True)
    name = fields.Char(required=True)

    _sql_constraints = [
        (
            "owner_name_unique",
            "unique(res_model, res_id, name)",
            "A secret is stored once per record.",
        )
    ]

    def init(self):
        """Add the column that is no field."""
        super().init()
        self.env.cr.execute(
            "ALTER TABLE cloud_storage_secret ADD COLUMN IF NOT EXISTS value text"
        )

    def _register_hook(self):
        """Once a key is configured, the next start encrypts what is there."""
        super()._register_hook()
        try:
            with self.env.cr.savepoint():
                count = self._rotate()
        except (UserError, psycopg2.OperationalError) as err:
            # a wrong key must not keep Odoo from starting, and another process that
            # starts at the same time does the same work
            _logger.warning("Secrets were not encrypted anew: %s", err)
        else:
            if count:
                _logger.info("%d secrets were encrypted with the newest key", count)

    @api.model
    def _vault(self):
        """The vault with the keys of ``odoo.conf`` or the environment.

        :raises UserError: a key is not a Fernet key
        """
        text = vault.setting(KEY_VARIABLE, config.get(KEY_OPTION))
        try:
            return vault.Vault(text)
        except ValueError as err:
            raise UserError(
                _(
                    "The encryption key of Cloud Storage is not a Fernet key: check "
                    "%(option)s in odoo.conf or %(variable)s in the environment.",
                    option=KEY_OPTION,
                    variable=KEY_VARIABLE,
                )
            ) from err

    @api.model
    def _may_reveal(self):
        """Whether a field may show a secret: in a shell or cron of the superuser.

        Never while a request is served: it could make the superuser read on its behalf,
        with a stored custom field for example.
        """
        return self.env.uid == SUPERUSER_ID and not request

    @api.model
    def _get(self, record, name):
        """Return the secret ``name`` of a record, False when there is none.

        :raises ...utils.vault.LostKeyError: it was encrypted with a key that is gone
        """
        self.env.cr.execute(
            "SELECT value FROM cloud_storage_secret"
            " WHERE res_model = %s AND res_id = %s AND name = %s",
            (record._name, record.id, name),
        )
        row = self.env.cr.fetchone()
        return self._vault().decrypt(row[0]) if row else False

    @api.model
    def _names(self, records):
        """Which secrets each record has: ``{record id: {name, …}}``."""
        found = {record_id: set() for record_id in records.ids}
        if found:
            self.env.cr.execute(
                "SELECT res_id, name FROM cloud_storage_secret"
                " WHERE res_model = %s AND res_id IN %s",
                (records._name, tuple(found)),
            )
            for res_id, name in self.env.cr.fetchall():
                found[res_id].add(name)
        return found

    @api.model
    def _set(self, record, name, value):
        """Store, replace or (with an empty value) forget a secret."""
        if not value:
            return self._wipe(record, [name])
        self._execute_unlogged(
            "INSERT INTO cloud_storage_secret (res_model, res_id, name, value)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT (res_model, res_id, name)"
            " DO UPDATE SET value = EXCLUDED.value",
            (record._name, record.id, name, self._vault().encrypt(value)),
        )
        return True

    @api.model
    def _execute_unlogged(self, query, params):
        """Execute below Odoo's cursor, which logs statements together with their values
        when they fail and at the level debug.
        """
        self.env.cr._obj.execute(query, params)

    @api.model
    def _wipe(self, records, names=None):
        """Forget secrets, all of them or those named."""
        if records.ids:
            query = (
                "DELETE FROM cloud_storage_secret WHERE res_model = %s AND res_id IN %s"
            )
            params = [records._name, tuple(records.ids)]
            if names:
                query, params = query + " AND name IN %s", params + [tuple(names)]
            self.env.cr.execute(query, params)
        return True

    @api.model
    def _rotate(self):
        """Encrypt with the first key what is plain or under an older key.

        :return: how many values were rewritten
        """
        current = self._vault()
        if not current:
            return 0
        self.env.cr.execute("SELECT id, value FROM cloud_storage_secret FOR UPDATE")
        stale = [
            (row_id, current.rotate(value))
            for row_id, value in self.env.cr.fetchall()
            if current.is_stale(value)
        ]
        for row_id, value in stale:
            self.env.cr.execute(
                "UPDATE cloud_storage_secret SET value = %s WHERE id = %s",
                (value, row_id),
            )
        return len(stale)
