"""Files that live in the cloud, for those who may read their attachments.

Check (who may), decide (what part), stream (from where), log: the first two with the
database, the others without.
"""

from werkzeug.http import quote_etag

from odoo import _, http
from odoo.exceptions import AccessError, MissingError
from odoo.http import request
from odoo.tools import str2bool

from ..engine.local_files import is_here, measure, path_of
from ..exceptions import CloudFileError
from ..utils.constants import PROXY_PATH
from ..utils.http_headers import file_headers
from ..utils.http_range import decide
from ._access import Access
from ._byte_source import ByteSource, StoredFile
from ._file_response import FileResponse

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
        try:
            size, sha1 = _known_content(attachment)
        except CloudFileError as err:
            return FileResponse.refusal(err.http_status, sorry, access)
        decision = _decide(attachment, size, sha1)
        headers = list(decision.headers) + file_headers(
            filename or attachment.name,
            attachment.mimetype,
            str2bool(download or "", False),
            attachment.public,
        )
        if not decision.send_body:
            return FileResponse(decision.status, headers, access)
        try:
            file = _stored_file(attachment, size, sha1)
        except CloudFileError as err:
            return FileResponse.refusal(err.http_status, sorry, access)
        source = ByteSource(file, decision.start, decision.length)
        return FileResponse(decision.status, headers, access, source, sorry)


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


def _known_content(attachment):
    """Size and sha1 of what is served.

    :raises CloudFileError: the bytes are only in Drive, and it has something else or
        can not be asked
    """
    if not attachment.cloud_sha1 and is_here(attachment):
        found = measure(attachment.env, attachment)
        if found:
            return found.size, found.sha1
    return attachment._proven_content()


def _decide(attachment, size, sha1):
    return decide(
        request.httprequest.method,
        request.httprequest.headers,
        size,
        quote_etag(sha1),
        attachment.cloud_synced_date or attachment.write_date,
    )


def _stored_file(attachment, size, sha1):
    """Read what the answer needs to know.

    :raises CloudFileError: nothing here, and access to the cloud is switched off
    """
    path = data = None
    parameters = request.env["ir.config_parameter"].sudo()
    if attachment.store_fname:
        path = path_of(attachment.env, attachment)
    elif attachment.db_datas:
        data = attachment.raw
    else:
        attachment._check_cloud_access()
    return StoredFile(
        request.db,
        attachment.id,
        size,
        sha1,
        path,
        data,
        attachment._memory_cache(),
        attachment._disk_cache(),
        parameters.get_param("cloud_storage.x_accel_prefix"),
    )
