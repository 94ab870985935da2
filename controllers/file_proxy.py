"""Files that live in the cloud, for those who may read their attachments.

Check (who may), decide (what part), stream (from where), log: the first two with the
database, the others without.
"""

from werkzeug.http import quote_etag

from odoo import _, http
from odoo.exceptions import AccessError, MissingError
from odoo.http import request
from odoo.tools import str2bool

from ..engine.insight.access_log import Access
from ..engine.reader.content import served_content
from ..engine.reader.source import ByteSource, stored_file
from ..exceptions import CloudFileError
from ..utils.constants import PROXY_PATH
from ..utils.http_headers import file_headers
from ..utils.http_range import decide
from ._file_response import FileResponse

X_ACCEL = "cloud_storage.x_accel_prefix"
MAX_ID = 2**31 - 1  # PostgreSQL's integer


class FileProxy(http.Controller):
    """``/cloud_storage/file/<id>``."""

    @http.route(
        PROXY_PATH + "<int:attachment_id>",
        type="http",
        auth="public",
        methods=["GET", "HEAD"],
        csrf=False,
        save_session=False,
        sitemap=False,
    )
    def serve(
        self, attachment_id, access_token=None, filename="", download="", **_ignored
    ):
        """Answer with the file, a part of it, or why not; every refusal is a 404.

        :param str access_token: of the attachment, as ``/web/content`` takes it
        :param str filename: name to save it under; that of the attachment by default
        :param str download: true to save rather than show
        """
        access = _start_access()
        attachment = _readable(attachment_id, access_token)
        if not (attachment and attachment.cloud_file_id):
            access.refuse()
            # an answer, not an exception: Odoo would look for a page at this path
            return FileResponse.refusal(404, _("Not found"), access)
        access.concern(attachment)
        sorry = _("The file is in Google Drive, out of reach for now. Try again later.")
        as_attachment = str2bool(download or "", False)
        try:
            return _answer(attachment, filename, as_attachment, access, sorry)
        except CloudFileError as err:
            return FileResponse.refusal(err.http_status, sorry, access)


def _answer(attachment, filename, as_attachment, access, sorry):
    """The response, its body not yet opened.

    :raises CloudFileError: it is known already that the body can not be had
    """
    size, sha1 = served_content(attachment)
    decision = _decide(attachment, size, sha1)
    headers = list(decision.headers) + file_headers(
        filename or attachment.name,
        attachment.mimetype,
        as_attachment,
        attachment.public,
    )
    if not decision.send_body:
        return FileResponse(decision.status, headers, access)
    file = stored_file(attachment, size, sha1)
    source = ByteSource(file, decision.start, decision.length)
    accel = request.env["ir.config_parameter"].sudo().get_param(X_ACCEL)
    return FileResponse(decision.status, headers, access, source, sorry, accel)


def _start_access():
    asked = request.httprequest
    return Access(
        request.db,
        request.env.user._is_public(),
        user_id=request.uid,
        range_request=asked.headers.get("Range"),
        user_agent=asked.headers.get("User-Agent"),
        ip_address=asked.remote_addr,
    )


def _readable(attachment_id, access_token):
    """The attachment as superuser, None when this visitor may not read it.

    The same check as for ``/web/content``: public files, access tokens, portal users
    and record rules (``_get_record_and_check`` in base/models/ir_http.py).
    """
    if not 0 < attachment_id <= MAX_ID:
        return None
    try:
        record, _status = request.env["ir.http"]._get_record_and_check(
            model="ir.attachment", id=attachment_id, access_token=access_token
        )
    except (AccessError, MissingError):
        return None
    return record and record.sudo()


def _decide(attachment, size, sha1):
    return decide(
        request.httprequest.method,
        request.httprequest.headers,
        size,
        quote_etag(sha1),
        attachment.cloud_synced_date or attachment.write_date,
    )
