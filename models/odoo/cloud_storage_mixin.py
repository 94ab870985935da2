import functools
import logging

from odoo import _, api, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import human_size, plaintext2html

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ...engine.insight.retention import delete_older

_logger = logging.getLogger(__name__)

MANAGER_GROUP = "cloud_storage.group_cloud_storage_manager"


class CloudStorageMixin(models.AbstractModel):
    """What the models of this addon share: who may act, and how they answer."""

    _name = "cloud_storage.mixin"
    _description = "Cloud Storage Mixin"

    @api.model
    def _is_manager(self):
        return self.env.su or self.env.user.has_group(MANAGER_GROUP)

    @api.model
    def _check_manager(self):
        """:raises AccessError: the user is not a manager of Cloud Storage"""
        if not self._is_manager():
            raise AccessError(_("Only managers of Cloud Storage may do this."))

    @api.model
    def _reader(self):
        """The user whose rights limit what is counted; none for managers.

        They are told how many files a sync moves, whosever they are, never which.

        :rtype: res.users
        """
        nobody = self.env["res.users"]
        return nobody if self._is_manager() else self.env.user

    def onchange(self, values, field_name, field_onchange):
        """Compute the fields of a form, for those who may read the model.

        Odoo checks no right here, and fields that count do so as the superuser.
        """
        self.check_access_rights("read")
        return super().onchange(values, field_name, field_onchange)

    @api.model
    def _search_secret(self, operator, value):
        """Search method of fields that nobody reads: no oracle either."""
        raise AccessError(_("Secrets can not be searched."))

    @api.model
    def _notification(self, message, kind="success", title=None, sticky=False):
        """The client action that shows ``message`` in a corner.

        :param str kind: ``success``, ``info``, ``warning`` or ``danger``
        """
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "title": title or _("Cloud Storage"),
                "message": message,
                "type": kind,
                "sticky": sticky,
                # has the form behind the button read its record again
                "next": {"type": "ir.actions.act_window_close"},
            },
        }

    @api.model
    def _files_text(self, count, size):
        """``count`` files of ``size`` bytes together, for people."""
        return _(
            "%(count)s files (%(size)s)", count=count, size=human_size(size) or "0 bytes"
        )

    @api.model
    def _form_warning(self, message):
        """What an onchange method returns to have a form warn."""
        return {"warning": {"title": _("Cloud Storage"), "message": message}}

    @api.model
    def _notify_users(self, users, subject, body):
        """Mail a text to users, once this transaction is committed.

        It is queued where the module ``mail`` is installed, else sent by Odoo's mail
        server. A mail that can not be sent is logged and fails nothing.

        :param users: ``res.users``; those without an address are left out
        :param str subject: one line
        :param str body: plain text
        """
        addresses = [user.email for user in users.sudo() if user.active and user.email]
        if not addresses:
            return
        if "mail.mail" in self.env:
            self.env["mail.mail"].sudo().create(
                {
                    "subject": subject,
                    "body_html": plaintext2html(body),
                    "email_to": ",".join(addresses),
                }
            )
            return
        send = functools.partial(self._send_mail, addresses, subject, body)
        self.env.cr.postcommit.add(send)

    @api.model
    def _send_mail(self, addresses, subject, body):
        with self.env.registry.cursor() as cr:
            server = self.env(cr=cr)["ir.mail_server"].sudo()
            sender = server.env.company.email or None
            try:
                server.send_email(server.build_email(sender, addresses, subject, body))
            except (AssertionError, MailDeliveryException, OSError, UserError) as err:
                # no sender, no server, or a server that does not answer
                _logger.warning("Mail not sent: %s", err)

    @api.model
    def _gc_rows(self, table, date_column, parameter, default_days):
        """Delete what is older than a retention parameter, in small transactions.

        :param str parameter: ``cloud_storage.<parameter>_retention_days``; 0 keeps all
        """
        days = self._int_parameter("%s_retention_days" % parameter, default_days)
        if days > 0:
            delete_older(self.env, table, date_column, days)

    @api.model
    def _int_parameter(self, name, default):
        """An integer system parameter, its default when it is not a number."""
        parameters = self.env["ir.config_parameter"].sudo()
        value = parameters.get_param("cloud_storage." + name)
        try:
            return int(value) if value else default
        except ValueError:
            return default
