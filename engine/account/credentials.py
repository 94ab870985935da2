"""What an account logs in with: secrets, the OAuth client, the key."""
from odoo import _
from odoo.exceptions import UserError, ValidationError
from odoo.tools import config

from ...drive import oauth
from ...drive.client import GOOGLE_API_ROOT
from ...drive.errors import CredentialsFormatError, OAuthError
from ...drive.oauth_transport import check_endpoint
from ...exceptions import LostSecretError
from ...utils import vault

#: Secrets a manager may type in; the others are the server's.
TYPED_SECRETS = ("client_secret", "service_account_json")
TOKEN_SECRETS = ("access_token", "refresh_token")
SECRETS = TYPED_SECRETS + TOKEN_SECRETS
ENDPOINTS = {
    "google_auth_uri": oauth.AUTH_URI,
    "google_token_uri": oauth.TOKEN_URI,
    "google_revoke_uri": oauth.REVOKE_URI,
    "google_api_root": GOOGLE_API_ROOT,
}


def from_environment(name):
    """A value of the environment or ``odoo.conf``, for twelve-factor set-ups.

    :rtype: str or False
    """
    option = "cloud_storage_%s" % name
    return vault.setting(option.upper(), config.get(option)) or False


class Credentials:
    """The credentials of one account, readable by the server.

    :param auth: a ``cloud_storage.auth`` record
    """

    def __init__(self, auth):
        self.auth, self.env = auth, auth.env

    # -- secrets -----------------------------------------------------------------------

    def secret(self, name):
        """The stored secret, else the one of the environment, else False.

        :raises LostSecretError: the encryption key is lost
        """
        try:
            stored = self.env["cloud_storage.secret"]._get(self.auth, name)
        except vault.LostKeyError as err:
            raise LostSecretError(
                _(
                    "The secrets of %(account)s were encrypted with a key that is not"
                    " configured any more. Put the key back into odoo.conf, or enter"
                    " the secrets and authorize again.",
                    account=self.auth.name,
                )
            ) from err
        return stored or (name in TYPED_SECRETS and self.from_server(name))

    def secret_or_false(self, name):
        """The same, and False for one that can not be read."""
        try:
            return self.secret(name)
        except UserError:
            return False

    def from_server(self, name):
        """The server's own secret; that of its OAuth client goes with no other client."""
        known = name == "client_secret" and from_environment("client_id")
        if known and self.auth.client_id and self.auth.client_id != known:
            return False
        return from_environment(name)

    def are_lost(self):
        """Whether a secret can not be decrypted any more."""
        try:
            for name in SECRETS:
                self.secret(name)
        except UserError:
            return True
        return False

    # -- the OAuth client --------------------------------------------------------------

    @property
    def client_id(self):
        """Id of the OAuth client, False without one."""
        return self.auth.client_id or from_environment("client_id")

    def oauth_client(self):
        """:rtype: ...drive.oauth.OAuthClient
        :raises UserError: the account has none, or an incomplete one
        """
        if self.auth.auth_type != "oauth":
            raise UserError(
                _("A service account needs no consent: test the connection instead.")
            )
        client_id, client_secret = self.client_id, self.secret("client_secret")
        if not client_id or not client_secret:
            raise UserError(
                _(
                    "Enter the client ID and the client secret of %s first.",
                    self.auth.name,
                )
            )
        return oauth.OAuthClient(
            client_id,
            client_secret,
            self.auth.redirect_uri or self.auth._default_redirect_uri(),
            self.endpoint("google_auth_uri"),
            self.endpoint("google_token_uri"),
        )

    def endpoint(self, name):
        """A system parameter of Google's addresses, Google's own by default.

        :raises UserError: neither HTTPS nor on this machine: tokens would be seen
        """
        get_param = self.env["ir.config_parameter"].sudo().get_param
        address = get_param("cloud_storage.%s" % name) or ENDPOINTS[name]
        try:
            check_endpoint(address)
        except OAuthError as err:
            raise UserError(
                _("The system parameter cloud_storage.%s is no https address.", name)
            ) from err
        return address

    # -- the service account -----------------------------------------------------------

    def parse_key(self, text):
        """:raises ValidationError: it is no key of a service account"""
        try:
            return oauth.parse_service_account(text)
        except CredentialsFormatError as err:
            raise ValidationError(
                _(
                    "%(reason)s. Give the whole JSON file that the Google Cloud console"
                    " made when the key was created.",
                    reason=err,
                )
            ) from err

    def grantee(self):
        """What decides, besides the person, which files Google shows.

        Not the key of a service account: it may get a new one.

        :return: client or service account, and scope; False without one
        """
        auth = self.auth
        who = self.client_id if auth.auth_type == "oauth" else self._service_account()
        return who and "%s %s %s" % (auth.auth_type, who, auth.scope)

    def _service_account(self):
        text = self.secret_or_false("service_account_json")
        if not text:
            return False
        email = self.parse_key(text)["client_email"]
        return "%s %s" % (email, self.auth.delegated_user or "")
