"""Forms warn, with numbers, before a change is saved that costs something."""

from odoo import _, api, models

from .cloud_storage_auth import IDENTITY_FIELDS, TYPED_FIELDS


class CloudStorageAuth(models.Model):
    _inherit = "cloud_storage.auth"

    @api.onchange(*IDENTITY_FIELDS, *TYPED_FIELDS)
    def _onchange_identity(self):
        known = self._origin
        if not known.token_set or not self._is_changed_from(known):
            return {}
        words = _("Once saved, this account has to be authorized again.")
        return self._form_warning(words + " " + known._unreadable_words())

    def _is_changed_from(self, known):
        return any(self[name] for name in TYPED_FIELDS) or any(
            (self[name] or False) != (known[name] or False) for name in IDENTITY_FIELDS
        )
