"""How many files, and how large: what is said before something happens to them."""

from odoo import _, models

from ..engine.attachments import HERE


class CloudStorageAuth(models.Model):
    _inherit = "cloud_storage.auth"

    def _held(self):
        """What the accounts hold: number and bytes of attachments.

        :return: ``(files, bytes)`` of all, and of those whose bytes are nowhere else
        :rtype: tuple[tuple[int, int], tuple[int, int]]
        """
        self.env["ir.attachment"].flush()
        only_there = "NOT %s AND cloud_size_bytes > 0" % HERE
        self.env.cr.execute(
            "SELECT count(*), sum(cloud_size_bytes),"
            " count(*) FILTER (WHERE {0}), sum(cloud_size_bytes) FILTER (WHERE {0})"
            " FROM ir_attachment WHERE cloud_auth_id IN %s"
            " AND cloud_file_id IS NOT NULL".format(only_there),
            (tuple(self.ids) or (0,),),
        )
        numbers = [int(number or 0) for number in self.env.cr.fetchone()]
        return tuple(numbers[:2]), tuple(numbers[2:])

    def _unreadable_words(self):
        """Which files can not be opened while the accounts can not be used."""
        _all, only_there = self._held()
        if not only_there[0]:
            return _("Every file of this account has a copy on this server.")
        return _(
            "%s are only in this account: nobody can open them until it is authorized"
            " again. They are not deleted.",
            self._files_text(*only_there),
        )
