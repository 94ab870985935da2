import werkzeug.exceptions
import werkzeug.utils

from odoo import models
from odoo.http import request

from ...engine.rows import is_proxy_link
from ...exceptions import CloudFileError
from ...utils.constants import PROXY_PATH

RETRY_SECONDS = 60  # when to ask again for what Drive could not give


class IrHttp(models.AbstractModel):
    """Files in the cloud on Odoo's own routes; ``controllers/binary.py`` sets the context."""

    _inherit = "ir.http"

    @classmethod
    def _binary_ir_attachment_redirect_content(
        cls, record, default_mimetype="application/octet-stream"
    ):
        """Links of ours are files: their bytes follow, or the way to the proxy.

        Never by a 301 as for other links: browsers remember it beyond a restore.
        """
        query = record.env.context.get("cloud_redirect")
        if query is not None and record._cloud_only():
            url = "%s%d%s" % (PROXY_PATH, record.id, query and "?" + query)
            return 302, url, record.name, record.mimetype, None
        if is_proxy_link(record):
            return None, None, None, record.mimetype, None
        return super()._binary_ir_attachment_redirect_content(record, default_mimetype)

    def _binary_record_content(self, record, *args, **kwargs):
        if record._name != "ir.attachment":
            # a thumbnail must not pass for the value of a field
            record = record.with_context(cloud_thumbnail=None)
        return super()._binary_record_content(record, *args, **kwargs)

    def _response_by_status(self, status, headers, content):
        if status == 302:
            return werkzeug.utils.redirect(content, status)
        return super()._response_by_status(status, headers, content)

    @classmethod
    def _handle_exception(cls, exception):
        """A cloud file that can not be had is no bug: no traceback, and a fitting status."""
        if isinstance(exception, CloudFileError) and request._request_type == "http":
            exception = _as_http(exception)
        return super()._handle_exception(exception)


def _as_http(err):
    if err.http_status == 404:
        return werkzeug.exceptions.NotFound(str(err))
    return werkzeug.exceptions.ServiceUnavailable(str(err), retry_after=RETRY_SECONDS)
