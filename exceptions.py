"""Errors that people see."""
from odoo.exceptions import UserError


class CloudFileError(UserError):
    """The content of a cloud file can not be had; the message says why.

    :param int http_status: what the proxy answers
    """

    def __init__(self, message, http_status=503):
        super().__init__(message)
        self.http_status = http_status
        # the web client shows errors whose class it does not know as crashes
        self.context = {"exception_class": "odoo.exceptions.UserError"}


class LostSecretError(UserError):
    """A secret of an account can not be decrypted any more."""


class WrongDriveError(UserError):
    """With these tokens the files of the account could not be seen any more."""


class RunBusyError(UserError):
    """Another process works on the run."""
