"""Where Google sends people back to after the consent page."""

from odoo import _, http
from odoo.exceptions import UserError
from odoo.http import request

from ..drive.errors import TransientError
from ..engine.account import consent
from ..utils import log_filters
from ..utils.constants import CALLBACK_PATH

#: The address holds a code and a state: it belongs in no cache, referrer or history
#: that others can read, and the page runs no script.
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}

log_filters.install()


class OAuthCallback(http.Controller):
    """The redirect URI of the OAuth clients."""

    # ``**_rest``: Google adds scope, authuser and more, which nobody needs
    @http.route(CALLBACK_PATH, type="http", auth="user", methods=["GET"])
    def callback(self, code=None, state=None, error=None, **_rest):
        """End a consent: keep the tokens, or say why not and what to do.

        :return: 200 with the way back to the account; 403 for people who are no
            managers or declined; 400 for a state or code that is not good; 503 when
            Google is away
        """
        accounts = request.env["cloud_storage.auth"]
        if not accounts._is_manager():
            return self._refuse(403, _("Only managers of Cloud Storage may do this."))
        auth, verifier = consent.take(request.env, state)
        if not auth:
            return self._refuse(
                400,
                _(
                    "This authorization is not valid (any more): it works once, for ten"
                    " minutes, in the browser session that started it. Start it again"
                    " from the account."
                ),
            )
        if error:
            return self._declined(auth, error)
        if not code:
            message = _("Google sent no code. Authorize again from the account.")
            return self._refuse(400, message, auth)
        return self._exchange(auth, code, verifier)

    def _exchange(self, auth, code, verifier):
        try:
            auth.exchange_code_for_token(code, verifier)
        except UserError as err:
            away = isinstance(err.__cause__, TransientError)
            return self._refuse(503 if away else 400, str(err), auth)
        return self._page("cloud_storage.oauth_success", 200, auth=auth)

    def _declined(self, auth, error):
        if error != "access_denied":
            message = _(
                "Google ended the authorization. Start it again from the account."
            )
            return self._refuse(400, message, auth)
        message = _(
            "Access to Google Drive was declined, so nothing was changed. To connect"
            " the account, authorize again and choose to allow access."
        )
        return self._refuse(403, message, auth)

    def _refuse(self, status, message, auth=None):
        return self._page(
            "cloud_storage.oauth_refusal", status, auth=auth, message=message
        )

    def _page(self, template, status, auth=None, **values):
        values.update(auth=auth, back=auth._way_back() if auth else "/web")
        return request.render(template, values, status=status, headers=HEADERS)
