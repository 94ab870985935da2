"""Odoo's own routes for contents and images, for files in the cloud."""

from werkzeug.urls import url_encode

from odoo import http
from odoo.http import request

from odoo.addons.web.controllers.main import Binary

from ..utils.constants import THUMBNAIL_SIDES


class CloudBinary(Binary):
    @http.route()
    def content_common(self, filename=None, download=None, access_token=None, **kwargs):
        """As in web; what is only in the cloud is left to the proxy."""
        query = {
            "access_token": access_token,
            "filename": filename,
            "download": download,
        }
        _add_context(cloud_redirect=url_encode({k: v for k, v in query.items() if v}))
        return super().content_common(
            filename=filename, download=download, access_token=access_token, **kwargs
        )

    @http.route()
    def content_image(self, width=0, height=0, crop=False, **kwargs):
        """As in web; small images of what is in the cloud are made from smaller ones."""
        if not crop and not kwargs.get("quality"):
            _add_context(cloud_thumbnail=_side_for(width, height))
        return super().content_image(width=width, height=height, crop=crop, **kwargs)


def _side_for(width, height):
    """The variant that holds all pixels of a box, None when none does."""
    if not (str(width).isdigit() and str(height).isdigit()):
        return None
    if not (int(width) and int(height)):
        return None
    longest = max(int(width), int(height))
    return next((side for side in THUMBNAIL_SIDES if longest <= side), None)


def _add_context(**values):
    request.context = dict(request.context, **values)
