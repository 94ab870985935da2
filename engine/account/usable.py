"""May Google be asked on behalf of an account, and may its Drive be changed?"""

import os

from odoo.exceptions import UserError
from odoo.tools import config, str2bool

from ..translate import Translator
from .database import is_copy, keep_binding
from .identity import Identity

DISABLED_VARIABLE = "CLOUD_STORAGE_DISABLED"


def is_disabled():
    """Whether the kill switch is on (environment or ``odoo.conf``)."""
    option = config.get(DISABLED_VARIABLE.lower())
    text = os.environ.get(DISABLED_VARIABLE) or option
    return str2bool(str(text), True) if text else False


def check_enabled(env):
    """:raises UserError: the kill switch is on"""
    _ = Translator(env)
    if is_disabled():
        raise UserError(
            _(
                "Cloud Storage is switched off on this server (%s is set): nothing"
                " is sent to or read from Google.",
                DISABLED_VARIABLE,
            )
        )


def check_may_write(auth):
    """The account is bound to this database and person from now on, if it was not.

    :raises UserError: this database must not change that Drive, or nobody may
    """
    _ = Translator(auth.env)
    check_enabled(auth.env)
    if is_copy(auth):
        raise UserError(
            _(
                "This database looks like a copy: %(account)s was authorized by"
                " another one, whose files in Drive it must not touch. If this is"
                " the real one now (moved to another server, restored, PostgreSQL"
                ' upgraded), open the account and press "This Is the Real'
                ' Database".',
                account=auth.name,
            )
        )
    keep_binding(auth, granted_to=Identity(auth).working_grantee() or None)
    if not auth.is_active:
        # what lives there can still be read and restored
        raise UserError(
            _("The account %s is not active: nothing is sent to it.", auth.name)
        )
