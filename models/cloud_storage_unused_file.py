from odoo import api, fields, models


class CloudStorageUnusedFile(models.Model):
    """Files of this database in Drive that no attachment uses, since when.

    What is used again is forgotten, so that its time begins anew.
    """

    _name = "cloud_storage.unused.file"
    _description = "Drive File That Nothing Uses"
    _log_access = False

    auth_id = fields.Integer(required=True, index=True)
    drive_file_id = fields.Char(required=True, index=True)
    first_seen = fields.Datetime(required=True, default=fields.Datetime.now)

    @api.model
    def _note(self, auth, file_ids):
        """Write down what a complete comparison found unused, and forget the rest.

        :param auth: the account
        :param file_ids: all of its files that nothing uses
        :return: how many of them were not known before
        """
        known = self._first_seen(auth)
        new = [file_id for file_id in file_ids if file_id not in known]
        self._forget(set(known).difference(file_ids))
        self.sudo().create(
            [{"auth_id": auth.id, "drive_file_id": file_id} for file_id in new]
        )
        self.flush()
        return len(new)

    @api.model
    def _first_seen(self, auth):
        """When each unused file of an account was first seen to be so, in UTC.

        :rtype: dict[str, datetime]
        """
        self.flush()
        self.env.cr.execute(
            "SELECT drive_file_id, first_seen FROM cloud_storage_unused_file"
            " WHERE auth_id = %s",
            (auth.id,),
        )
        return dict(self.env.cr.fetchall())

    @api.model
    def _forget(self, file_ids):
        """These are used again, or gone."""
        if file_ids:
            self.env.cr.execute(
                "DELETE FROM cloud_storage_unused_file WHERE drive_file_id IN %s",
                (tuple(file_ids),),
            )
            self.invalidate_cache()
