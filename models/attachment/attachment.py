from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.exceptions import AccessError, UserError

from ...engine import candidates
from ...engine.local_files import is_here, is_whole
from ...engine.rows import has_proxy_url, is_proxy_link
from ...engine.transaction import share_installation
from ...utils.constants import PROXY_PATH

#: Fields that only the server sets: with them a user could read any file of the account.
CLOUD_FIELDS = [
    "cloud_file_id",
    "cloud_storage_url",
    "cloud_sync_status",
    "cloud_synced_date",
    "cloud_size_bytes",
    "cloud_md5",
    "cloud_sha1",
    "cloud_auth_id",
    "cloud_error_message",
    "cloud_attempts",
    "cloud_next_attempt",
    "cloud_upload_session",
    "cloud_reserved_id",
    "cloud_reserved_for",
    "cloud_run_id",
]
#: What an attachment is that never left.
LOCAL = dict(dict.fromkeys(CLOUD_FIELDS, False), cloud_sync_status="local")
del LOCAL["cloud_upload_session"]

#: Writing one of these is new content.
CONTENT = {"raw", "datas", "db_datas"}

#: Fetching these along with the other fields would cost every local attachment time.
SELDOM_READ = {"copy": False, "readonly": True, "prefetch": False}


class IrAttachment(models.Model):
    """Attachments in the cloud: their fields, and what happens to them in Odoo."""

    _inherit = "ir.attachment"

    cloud_file_id = fields.Char("Drive ID", copy=False, readonly=True)
    cloud_storage_url = fields.Char(
        "Link in Drive",
        help="For people with access to that Drive; never used to fetch.",
        **SELDOM_READ
    )
    cloud_sync_status = fields.Selection(
        [
            ("local", "Local"),
            ("pending", "Pending"),
            ("synced", "In the Cloud"),
            ("error", "Error"),
        ],
        "Cloud Status",
        default="local",
        copy=False,
        readonly=True,
    )
    cloud_synced_date = fields.Datetime("Synced On", **SELDOM_READ)
    cloud_size_bytes = fields.Float("Size in the Cloud", digits=(18, 0), **SELDOM_READ)
    cloud_md5 = fields.Char("MD5", help="As Drive has it, for people.", **SELDOM_READ)
    cloud_sha1 = fields.Char(
        "SHA-1",
        help="Of the content in Drive, once that was proven; Checksum is only what"
        " others wrote down.",
        **SELDOM_READ
    )
    cloud_auth_id = fields.Many2one(
        "cloud_storage.auth", "Cloud Account", ondelete="restrict", **SELDOM_READ
    )
    cloud_keep_local = fields.Boolean(
        "Keep Local",
        copy=False,
        prefetch=False,
        help="Never move this file to the cloud.",
    )
    cloud_error_message = fields.Text("Cloud Error", **SELDOM_READ)
    cloud_attempts = fields.Integer(
        help="Runs in a row in which the upload failed.", **SELDOM_READ
    )
    cloud_next_attempt = fields.Datetime(**SELDOM_READ)
    cloud_upload_session = fields.Char(
        compute="_compute_cloud_upload_session",
        inverse="_inverse_cloud_upload_session",
        search="_search_cloud_upload_session",
        copy=False,
        help="Resumable session: whoever knows it can write to the file.",
    )
    cloud_reserved_id = fields.Char(
        copy=False, readonly=True, help="Drive id the next upload will use."
    )
    cloud_reserved_for = fields.Char(
        help="Account and person that the id and the session belong to.", **SELDOM_READ
    )
    cloud_run_id = fields.Integer(**SELDOM_READ)
    cloud_pending_config_id = fields.Many2one(
        "cloud_storage.config",
        "Pending In",
        compute="_compute_cloud_pending_config_id",
        search="_search_cloud_pending_config_id",
        prefetch=False,
        groups="cloud_storage.group_cloud_storage_user",
        help="To search only: the files that the next sync of a configuration moves.",
    )

    # -- secrets -------------------------------------------------------------------------

    @api.depends_context("uid")
    def _compute_cloud_upload_session(self):
        secret = self.env["cloud_storage.secret"]
        reveal = secret._may_reveal()
        for attachment in self:
            attachment.cloud_upload_session = (
                reveal and attachment.id and secret._get(attachment, "upload_session")
            )

    def _inverse_cloud_upload_session(self):
        # a default of the user's own gets here past create and write
        self._check_cloud_fields(["cloud_upload_session"])
        for attachment in self:
            self.env["cloud_storage.secret"]._set(
                attachment, "upload_session", attachment.cloud_upload_session
            )

    @api.model
    def _search_cloud_upload_session(self, operator, value):
        raise AccessError(_("Secrets can not be searched."))

    # -- what is to go -------------------------------------------------------------------

    def _compute_cloud_pending_config_id(self):
        self.cloud_pending_config_id = False

    def _search_cloud_pending_config_id(self, operator, value):
        """The candidates of one configuration, as far as the asking user sees their
        records.

        :raises UserError: another question than which files belong to a configuration
        """
        if operator != "=" or not isinstance(value, int) or not value:
            raise UserError(_("Ask for the pending files of one configuration."))
        config = self.env["cloud_storage.config"].browse(value)
        config.check_access_rights("read")
        config.check_access_rule("read")
        reader = self.env["res.users"] if self.env.su else self.env.user
        return candidates.domain(config.sudo(), reader=reader)

    # -- life ----------------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._check_cloud_fields(vals)
        # explicit values: neither the context nor ir.default can slip in others
        return super().create([dict(LOCAL, **vals) for vals in vals_list])

    def write(self, vals):
        self._check_cloud_fields(vals)
        links = self._links_to_write(vals)
        result = super(IrAttachment, self - links if links else self).write(vals)
        for link in links:
            result = super(IrAttachment, link).write(link._link_values(vals))
        if "cloud_keep_local" in vals:
            self._apply_pin()
        if "db_datas" in vals:
            self._forget_cloud()
        return result

    def _links_to_write(self, vals):
        """Links of ours whose type or address somebody writes."""
        if vals.keys().isdisjoint(("type", "url")) or "cloud_file_id" in vals:
            return self.browse()
        return self.browse(self.sudo().filtered(has_proxy_url).ids)

    def _link_values(self, vals):
        """Type and address of a cloud file follow from where its bytes are.

        Odoo's form writes "File" instead of "URL" together with a file, or alone.
        """
        link = self.sudo()
        is_new = not CONTENT.isdisjoint(vals)
        if link.cloud_file_id and not is_new and not is_here(link):
            return {name: vals[name] for name in vals.keys() - {"type", "url"}}
        is_file = is_new or vals.get("type") == "binary"
        if is_file and vals.get("url") in (None, False, link.url):
            return dict(vals, type="binary", url=False)
        return dict(vals)

    @api.model
    def _check_cloud_fields(self, names):
        """Refuse what only the server's own code may set, whoever asks.

        Being in ``sudo()`` is not enough: there are controllers that write what they were
        sent in superuser mode, yet as the user who sent it.

        :raises AccessError: one of ``names`` is a cloud field
        """
        forged = [name for name in CLOUD_FIELDS if name in names]
        if forged and self.env.uid != SUPERUSER_ID:
            raise AccessError(
                _("These fields are set by the server only: %s", ", ".join(forged))
            )

    def _set_attachment_data(self, asbytes):
        """New content: whatever is in the cloud is no longer it."""
        before = {
            attachment: (attachment.checksum, is_here(attachment))
            for attachment in self.sudo()
            if attachment._knows_cloud()
        }
        result = super()._set_attachment_data(asbytes)
        for attachment, (checksum, was_local) in before.items():
            if not was_local or attachment.checksum != checksum:
                attachment._forget_cloud()
        return result

    def copy_data(self, default=None):
        """A copy has bytes of its own and no part in the cloud."""
        default = dict(default or {})
        original = self.sudo()
        if is_proxy_link(original):
            default = dict({"type": "binary", "url": False}, **default)
        missing = original.cloud_file_id or (
            original.store_fname and not is_whole(self.env, original)
        )
        if default.keys().isdisjoint(CONTENT) and missing:
            # as Odoo 15 does; 14 copies the name of a file that may not be here
            default["raw"] = self.raw
        return super().copy_data(default)

    def _knows_cloud(self):
        """Whether anything but a plain local file was ever recorded."""
        self.ensure_one()
        return bool(
            self.cloud_sync_status not in (False, "local")  # SQL makes rows without
            or self.cloud_file_id
            or self.cloud_reserved_id
        )

    def _forget_cloud(self):
        """Make attachments local; the trigger queues their Drive files for the trash."""
        # as the server, see _check_cloud_fields
        for attachment in self.with_user(SUPERUSER_ID):
            if not attachment._knows_cloud():
                continue
            self.env["cloud_storage.secret"]._wipe(attachment, ["upload_session"])
            vals = dict(LOCAL)
            if has_proxy_url(attachment):
                vals.update(type="binary", url=False)
            attachment.write(vals)

    def _apply_pin(self):
        """Pinned files with local bytes are plain files, unpinned ones links again."""
        for attachment in self.sudo():
            if not attachment.cloud_file_id or not is_here(attachment):
                continue
            as_link = not attachment.cloud_keep_local and attachment._serve_from_cloud()
            as_link = as_link and share_installation(self.env.cr)  # the addon stays
            attachment.write(
                {
                    "type": "url" if as_link else "binary",
                    "url": "%s%d" % (PROXY_PATH, attachment.id) if as_link else False,
                }
            )

    def _serve_from_cloud(self):
        """Whether the configuration of the account wants links."""
        configs = self.cloud_auth_id.config_ids.filtered("is_active")
        return bool(configs[:1].replace_local_with_cloud)

    @api.model
    def force_storage(self):
        """Move local bytes to the storage in force, those of links to the cloud too.

        Odoo's own looks at ``type = 'binary'``; files that are only in the cloud have
        nothing to move and stay there.
        """
        result = super().force_storage()
        moved = "store_fname" if self._storage() == "db" else "db_datas"
        links = self.search(
            [
                # a leaf on id keeps the search from hiding the files of binary fields
                ("id", "!=", 0),
                ("type", "=", "url"),
                ("cloud_file_id", "!=", False),
                (moved, "!=", False),
            ]
        )
        for attachment in links:
            attachment.write({"raw": attachment.raw, "mimetype": attachment.mimetype})
        return result
